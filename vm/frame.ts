import type { EVM, ExecResult } from "@ethereumjs/evm";
import { assert } from "../base/assert.ts";
import type { Digest } from "../base/brand.ts";
import { bigIntToDigest, emptyBytes, hexToBytes } from "../base/bytes.ts";
import { memoryGasOf, memoryWordsMax, wordBytes, wordFrom } from "./memoryGas.ts";

/*
 * One frame while our own instructions run it (`vm/interpreter.ts`): stack and gas as plain as this
 * language has them, and no suspension. What only the library can do is done by the library, on
 * its own state of the frame: `handOver` brings that up to date, `takeBack` reads what it left. A
 * frame that a call of ours began has no such state until it needs one.
 */

/** The library's state of a frame. */
export type RunState = NonNullable<ExecResult["runState"]>;

/** What a frame may know of where it runs. */
export type Surroundings = Pick<
  RunState["env"],
  | "address"
  | "caller"
  | "origin"
  | "callData"
  | "callValue"
  | "gasPrice"
  | "isStatic"
  | "depth"
  | "block"
>;

/** What a frame leaves: the library's, so that it and its callers add to the same. */
export type Effects = RunState["interpreter"]["_result"];

/**
 * Carries out an instruction whose own fee is paid and whose operands are there. Answers `false`,
 * with nothing changed, where the library must do it: it knows what is wrong, and the word for it.
 * A call that begins a frame answers `false` too, and leaves that in `called`.
 */
export type Instruction = (frame: Frame) => boolean;

/**
 * Why a frame stands: it is at its end, it began another, it is at an instruction that only the
 * library has, or at one that cannot go well, for want of gas or by the height of the stack.
 */
export type Stand = "ended" | "called" | "foreign" | "failing";

/** A call that waits for the frame that it began. */
export type Call = {
  readonly caller: Frame;
  readonly frame: Frame;
  /** Whose code it runs, or whose delegation. */
  readonly target: RunState["env"]["address"];
  /** What the frame got. */
  readonly gas: number;
  /** Where in the caller's memory the output goes, and how much of it at most. */
  readonly to: number;
  readonly room: number;
  /** What it takes off the caller's stack. */
  readonly words: number;
  readonly isDelegate: boolean;
  /** Sizes of what the frame adds to, for the case that it fails. */
  readonly logsBefore: number;
  readonly destroyedBefore: number;
  readonly createdBefore: number;
};

/** What a frame begins with. */
export type Beginning = {
  readonly evm: EVM;
  readonly env: Surroundings;
  readonly code: Uint8Array;
  readonly gas: bigint;
  readonly refund: bigint;
  readonly effects: Effects;
};

/** Instructions by opcode. */
export type InstructionSet = {
  /** `null`: the library's. */
  readonly own: readonly (Instruction | null)[];
  /** Gas of each before anything that depends on its operands. */
  readonly fees: Uint32Array;
  /** Operands of each. */
  readonly operands: Uint8Array;
  /** The highest stack on which each has room for its result. */
  readonly heightMax: Uint16Array;
};

/** A word of storage that this frame has touched. */
export type TouchedSlot = {
  readonly slot: Digest;
  readonly bytes: Uint8Array;
  /** Stays so while the frame lives: only the end of the frame that warmed it cools a slot. */
  isWarm: boolean;
};

/** Words on a stack [Yellow Paper 9.1]. */
export const stackMax = 1_024;

const gasNumberMax = BigInt(Number.MAX_SAFE_INTEGER);

/** What is known of code once it has run: found again by the very bytes. */
export type CodeFacts = {
  /** 1 where a jump may land; `null` until something jumps. */
  jumps: Uint8Array | null;
  /** Wide constants by their place. */
  readonly words: Map<number, bigint>;
};

const codeFacts = new WeakMap<Uint8Array, CodeFacts>();

function factsOf(code: Uint8Array): CodeFacts {
  const known = codeFacts.get(code);
  if (known !== undefined) return known;
  const facts = { jumps: null, words: new Map<number, bigint>() };
  codeFacts.set(code, facts);
  return facts;
}

/** Where a JUMPDEST is an instruction and not part of a constant. */
function jumpsOf(code: Uint8Array): Uint8Array {
  const jumps = new Uint8Array(code.length);
  for (let at = 0; at < code.length; at += 1) {
    const opcode = code[at] ?? 0;
    if (opcode === 0x5b) jumps[at] = 1;
    else if (opcode >= 0x60 && opcode <= 0x7f) at += opcode - 0x5f;
  }
  return jumps;
}

const noMemory = new Uint8Array(0);
const noView = new DataView(noMemory.buffer);

/** Bytes of memory that a frame gets as soon as it needs any. */
const memoryBytesMin = 1_024;

/** A frame at work. */
export class Frame {
  readonly evm: EVM;
  readonly env: Surroundings;
  readonly code: Uint8Array;
  readonly facts: CodeFacts;
  /** The next instruction; within one, the byte after its opcode. */
  at = 0;
  /** Gas to give back at the transaction's end, with what came before this frame. */
  refund: bigint;
  effects: Effects;
  /** What the last frame that this one began has returned. */
  returned: Uint8Array = emptyBytes;
  /** An instruction could not be paid or jumped nowhere: the frame has failed. */
  hasFailed = false;
  /** Ended by REVERT. */
  isReverted = false;
  /** The call for which it stands. */
  called: Call | null = null;
  /** Of what is left, as much as a number holds exactly. */
  gas = 0;
  /** Words on the stack; above them, the array holds what was there once. */
  height = 0;
  readonly stack: bigint[] = [];
  /** Words of memory that are paid for. */
  memoryWords = 0;
  memory: Uint8Array = noMemory;
  view: DataView = noView;
  #state: RunState | null = null;
  #slots: Map<bigint, TouchedSlot> | null = null;
  /** Gas beyond what `gas` can hold: nobody lives to use it. */
  #gasBeyond = 0n;

  constructor({ evm, env, code, gas, refund, effects }: Beginning) {
    this.evm = evm;
    this.env = env;
    this.code = code;
    this.facts = factsOf(code);
    this.refund = refund;
    this.effects = effects;
    this.#setGas(gas);
  }

  /** A frame that the library began. */
  static ofLibrary(state: RunState): Frame {
    const { env, code, gasLeft, gasRefund, interpreter, memory } = state;
    const { _evm: evm, _result: effects } = interpreter;
    const frame = new Frame({ evm, env, code, gas: gasLeft, refund: gasRefund, effects });
    frame.#state = state;
    frame.#use(memory._store);
    return frame;
  }

  /** The library has made a state for a frame of ours, which goes on as its own. */
  adopt(state: RunState): void {
    assert(this.#state === null, "a frame has one state");
    this.#state = state;
    state.memory._store = this.memory;
    state.returnBytes = this.returned;
    const { interpreter } = state;
    interpreter._result.logs = this.effects.logs;
    this.effects = interpreter._result;
  }

  /** The library's state of it, if it has one. */
  get state(): RunState | null {
    return this.#state;
  }

  /** Runs until something is to do that is not this frame's own. */
  advance({ own, fees, operands, heightMax }: InstructionSet): Stand {
    const { code } = this;
    while (this.at < code.length) {
      const opcode = code[this.at] ?? 0;
      const instruction = own[opcode] ?? null;
      const fee = fees[opcode] ?? 0;
      if (this.gas < fee) return "failing";
      if (this.height < (operands[opcode] ?? 0) || this.height > (heightMax[opcode] ?? 0)) {
        return "failing";
      }
      if (instruction === null) return "foreign";
      this.at += 1;
      this.gas -= fee;
      if (!instruction(this)) {
        if (this.called !== null) return "called";
        this.at -= 1;
        this.gas += fee;
        return this.hasFailed ? "failing" : "foreign";
      }
    }
    return "ended";
  }

  /** The word that lies so many below the top. */
  peek(below: number): bigint {
    return this.stack[this.height - 1 - below] ?? 0n;
  }

  push(word: bigint): void {
    this.stack[this.height] = word;
    this.height += 1;
  }

  /** Takes words off and puts another in their place. */
  replace(count: number, word: bigint): void {
    this.height -= count - 1;
    this.stack[this.height - 1] = word;
  }

  /** What is left in all. */
  get gasLeft(): bigint {
    return this.#gasBeyond + BigInt(this.gas);
  }

  /** Whether more is left than a number holds. */
  get isVast(): boolean {
    return this.#gasBeyond > 0n;
  }

  get jumps(): Uint8Array {
    this.facts.jumps ??= jumpsOf(this.code);
    return this.facts.jumps;
  }

  /**
   * Pays for `gas` and for memory up to where these bytes end, and makes it. Answers whether it was
   * affordable; if not, nothing has changed. Of no bytes the place does not matter.
   */
  pay(gas: number, from: bigint, size: bigint): boolean {
    const words = size === 0n ? 0 : Number((from + size + 31n) / 32n);
    if (words <= this.memoryWords) return this.spend(gas);
    if (words > memoryWordsMax) return this.fail();
    if (!this.spend(gas + memoryGasOf(words) - memoryGasOf(this.memoryWords))) return false;
    this.memoryWords = words;
    if (words * wordBytes > this.memory.length) this.#grow(words * wordBytes);
    return true;
  }

  /** Pays for what needs no memory, or answers that nobody could. */
  spend(gas: number): boolean {
    if (this.gas < gas) return this.fail();
    this.gas -= gas;
    return true;
  }

  /** What every instruction answers that cannot go well whoever carries it out. */
  fail(): false {
    this.hasFailed = true;
    return false;
  }

  /** The word of storage at a key, in the forms that state and access list want. */
  slot(key: bigint): TouchedSlot {
    this.#slots ??= new Map<bigint, TouchedSlot>();
    const known = this.#slots.get(key);
    if (known !== undefined) return known;
    const slot = bigIntToDigest(key);
    const touched = { slot, bytes: hexToBytes(slot), isWarm: false };
    this.#slots.set(key, touched);
    return touched;
  }

  /** A constant in the code; past its end are zeros. */
  constant(size: number): bigint {
    const { at } = this;
    const known = this.facts.words.get(at);
    if (known !== undefined) return known;
    const bytes = new Uint8Array(size);
    bytes.set(this.code.subarray(at, at + size));
    const word = wordFrom(bytes);
    this.facts.words.set(at, word);
    return word;
  }

  /** Ends the frame where its code ends. */
  end(): void {
    this.at = this.code.length;
  }

  /** Shows the library where the frame stands, with the topmost words of the stack. */
  handOver(operands: number): RunState {
    const state = this.#state;
    assert(state !== null, "the library has no state of this frame");
    const count = Math.min(operands, this.height);
    for (let below = count - 1; below >= 0; below -= 1) state.stack.push(this.peek(below));
    this.height -= count;
    state.programCounter = this.at;
    state.opCode = this.code[this.at] ?? 0;
    state.gasLeft = this.gasLeft;
    state.gasRefund = this.refund;
    state.returnBytes = this.returned;
    state.memoryWordCount = BigInt(this.memoryWords);
    state.highestMemCost = BigInt(memoryGasOf(this.memoryWords));
    return state;
  }

  /** Goes on where the library stopped. */
  takeBack(state: RunState): void {
    const results = state.stack.popN(state.stack.length);
    for (let i = results.length - 1; i >= 0; i -= 1) this.push(results[i] ?? 0n);
    this.at = state.programCounter;
    this.#setGas(state.gasLeft);
    this.refund = state.gasRefund;
    this.returned = state.returnBytes;
    this.memoryWords = Number(state.memoryWordCount);
    if (this.memory !== state.memory._store) this.#use(state.memory._store);
    // The library makes memory when it is written, not when it is paid for.
    const size = this.memoryWords * wordBytes;
    if (size > this.memory.length) this.#grow(size);
  }

  #setGas(gas: bigint): void {
    const within = gas < gasNumberMax ? gas : gasNumberMax;
    this.gas = Number(within);
    this.#gasBeyond = gas - within;
  }

  /** At least doubled, so that memory that grows word by word is not copied for each. */
  #grow(size: number): void {
    const bytes = new Uint8Array(Math.max(size, 2 * this.memory.length, memoryBytesMin));
    bytes.set(this.memory);
    if (this.#state !== null) this.#state.memory._store = bytes;
    this.#use(bytes);
  }

  #use(memory: Uint8Array): void {
    assert(memory.byteOffset === 0, "the EVM's memory has a buffer of its own");
    this.memory = memory;
    this.view = new DataView(memory.buffer);
  }
}
