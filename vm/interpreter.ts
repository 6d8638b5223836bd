import type { Common } from "@ethereumjs/common";
import { getOpcodesForHF, type CustomPrecompile, type EVMOpts } from "@ethereumjs/evm";
import { assert } from "../base/assert.ts";
import type { AccessJournal } from "./accessJournal.ts";
import {
  callInstructions,
  endCall,
  endInLibrary,
  endOf,
  FrameEvm,
  messageOf,
  type CallEnd,
} from "./calls.ts";
import { Frame, stackMax, type Call, type InstructionSet, type RunState } from "./frame.ts";
import { plainInstructions } from "./instructions.ts";
import type { StateManager } from "./stateManager.ts";
import { storageInstructions } from "./storageInstructions.ts";

/*
 * Our own interpreter inside the library's frames (`docs/adr/016-own-interpreter.md`). The library
 * awaits every instruction; here a frame, with those that it calls, runs without suspension from
 * one instruction that only the library has (creations, calls with coins, what is rare) to the
 * next. It is put in as the library's custom instructions: whichever comes first in a frame runs
 * the frame to its end. A frame that a call of ours began is handed to the library when it first
 * needs it.
 */

type CustomOpcode = NonNullable<EVMOpts["customOpcodes"]>[number];
type OpcodeMap = ReturnType<typeof getOpcodesForHF>["opcodeMap"];

/** Opcodes, from and to, with the words that they take off the stack; all others take none. */
const operandRanges: readonly (readonly [from: number, to: number, operands: number])[] = [
  [0x01, 0x07, 2],
  [0x08, 0x09, 3],
  [0x0a, 0x14, 2],
  [0x15, 0x15, 1],
  [0x16, 0x18, 2],
  [0x19, 0x19, 1],
  [0x1a, 0x1d, 2],
  [0x1e, 0x1e, 1],
  [0x20, 0x20, 2],
  [0x31, 0x31, 1],
  [0x35, 0x35, 1],
  [0x37, 0x37, 3],
  [0x39, 0x39, 3],
  [0x3b, 0x3b, 1],
  [0x3c, 0x3c, 4],
  [0x3e, 0x3e, 3],
  [0x3f, 0x40, 1],
  [0x49, 0x49, 1],
  [0x50, 0x51, 1],
  [0x52, 0x53, 2],
  [0x54, 0x54, 1],
  [0x55, 0x55, 2],
  [0x56, 0x56, 1],
  [0x57, 0x57, 2],
  [0x5c, 0x5c, 1],
  [0x5d, 0x5d, 2],
  [0x5e, 0x5e, 3],
  [0xf0, 0xf0, 3],
  [0xf1, 0xf2, 7],
  [0xf3, 0xf3, 2],
  [0xf4, 0xf4, 6],
  [0xf5, 0xf5, 4],
  [0xfa, 0xfa, 6],
  [0xfd, 0xfd, 2],
  [0xff, 0xff, 1],
];

function operandsOf(opcode: number): number {
  if (opcode >= 0x80 && opcode <= 0x8f) return opcode - 0x7f; // DUP
  if (opcode >= 0x90 && opcode <= 0x9f) return opcode - 0x8e; // SWAP
  if (opcode >= 0xa0 && opcode <= 0xa4) return opcode - 0x9e; // LOG
  const range = operandRanges.find(([from, to]) => opcode >= from && opcode <= to);
  return range?.[2] ?? 0;
}

/** Whether the stack is one higher afterwards: a duplicate's operands stay, and others have none. */
function pushes(opcode: number): boolean {
  if (opcode >= 0x80 && opcode <= 0x8f) return true;
  return operandsOf(opcode) === 0 && opcode !== 0x00 && opcode !== 0x5b;
}

function instructionSet(parts: Parts, library: OpcodeMap): InstructionSet {
  const { common, precompiles } = parts;
  const own = new Array<InstructionSet["own"][number]>(256).fill(null);
  for (const [opcode, instruction] of [
    ...plainInstructions,
    ...storageInstructions(common, parts),
    ...callInstructions(common, parts, precompiles),
  ]) {
    if (library[opcode]?.opcodeInfo.isInvalid === false) own[opcode] = instruction;
  }
  const opcodes = Array.from({ length: 256 }, (_, opcode) => opcode);
  return {
    own,
    fees: Uint32Array.from(opcodes, (opcode) => library[opcode]?.opcodeInfo.fee ?? 0),
    operands: Uint8Array.from(opcodes, operandsOf),
    heightMax: Uint16Array.from(opcodes, (opcode) => stackMax - (pushes(opcode) ? 1 : 0)),
  };
}

type Parts = {
  readonly common: Common;
  readonly manager: StateManager;
  readonly journal: AccessJournal;
  /** Ethereum's precompiles that are not the library's. */
  readonly precompiles: CustomPrecompile[];
};

/** What to hand the library, so that frames on this state are run here. */
export function ownInterpreter(parts: Parts): CustomOpcode[] {
  const { opcodeMap } = getOpcodesForHF(parts.common);
  const interpreter = new Interpreter(parts, opcodeMap);
  return Array.from({ length: 256 }, (_, opcode) => ({
    opcode,
    opcodeName: "FRAME",
    baseFee: 0,
    logicFunction: (state: RunState) => interpreter.run(state),
  }));
}

class Interpreter {
  readonly #set: InstructionSet;
  readonly #library: OpcodeMap;
  readonly #parts: Parts;
  /** A frame of ours for which the library is making a state. */
  #handedIn: Frame | null = null;

  constructor(parts: Parts, library: OpcodeMap) {
    this.#parts = parts;
    this.#library = library;
    this.#set = instructionSet(parts, library);
  }

  /** Runs a frame to its end. What goes wrong in it is thrown, as the library's own errors. */
  async run(state: RunState): Promise<void> {
    state.programCounter -= 1; // The library counts an instruction before it is carried out.
    const frame = this.#handedIn ?? Frame.ofLibrary(state);
    if (this.#handedIn !== null) frame.adopt(state);
    this.#handedIn = null;
    await this.#runAll(frame);
    frame.handOver(0);
  }

  /** Runs a frame and those that it calls. */
  async #runAll(first: Frame): Promise<void> {
    const calls: Call[] = [];
    let frame = first;
    for (;;) {
      const stand = frame.advance(this.#set);
      if (frame.called !== null) {
        calls.push(frame.called);
        const next: Frame = frame.called.frame;
        frame.called = null;
        frame = next;
        continue;
      }
      if (frame.state !== null && stand !== "ended") {
        await this.#step(frame, frame.state);
        continue;
      }
      const call = calls.pop();
      if (call === undefined) return;
      const end =
        stand === "foreign" ? await this.#endInLibrary(call) : endOf(frame, stand === "failing");
      endCall(call, end, this.#parts.journal);
      frame = call.caller;
    }
  }

  /** One instruction by the library. */
  async #step(frame: Frame, state: RunState): Promise<void> {
    const opcode = frame.code[frame.at] ?? 0;
    const entry = this.#library[opcode];
    assert(entry !== undefined, `the library has no instruction ${opcode}`);
    if (opcode === 0x56 || opcode === 0x57) state.validJumps = frame.jumps;
    // Calls of ours may have changed the account, of which it keeps a copy.
    if (opcode >= 0xf0) {
      state.env.contract = this.#parts.manager.accountOf(frame.env.address) ?? state.env.contract;
    }
    // All of a full stack, on which the library then finds no room.
    const isFull = frame.height > (this.#set.heightMax[opcode] ?? 0);
    frame.handOver(isFull ? stackMax : (this.#set.operands[opcode] ?? 0));
    await state.interpreter.runStep(entry);
    frame.takeBack(state);
  }

  /** The library goes on with a frame of ours, and calls `run` for it. */
  async #endInLibrary(call: Call): Promise<CallEnd> {
    const { frame } = call;
    assert(frame.evm instanceof FrameEvm, "an EVM that goes on with frames");
    this.#handedIn = frame;
    return endInLibrary(call, await frame.evm.runFrom(messageOf(call), frame.at));
  }
}
