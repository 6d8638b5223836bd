import type { ExecResult } from "@ethereumjs/evm";
import { assert } from "../base/assert.ts";
import type { Digest } from "../base/brand.ts";
import { bigIntToDigest, hexToBytes } from "../base/bytes.ts";
import { memoryGasOf, memoryWordsMax, wordBytes, wordFrom } from "./memoryGas.ts";

/*
 * One frame while our own instructions run it (`vm/interpreter.ts`): stack and gas as plain as this
 * language has them, and no suspension. What only the library can do is done by the library, on
 * its own state of the frame: `handOver` brings that up to date, `takeBack` reads what it left.
 */

/** The library's state of a frame. */
export type RunState = NonNullable<ExecResult["runState"]>;

/**
 * Carries out an instruction whose own fee is paid and whose operands are there. Answers `false`,
 * with nothing changed, where the library must do it: it knows what is wrong, and the word for it.
 */
export type Instruction = (frame: Frame) => boolean;

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

/** A frame at work. */
export class Frame {
  readonly state: RunState;
  readonly code: Uint8Array;
  readonly facts: CodeFacts;
  /** The next instruction; within one, the byte after its opcode. */
  at: number;
  /** Of what is left, as much as a number holds exactly. */
  gas = 0;
  /** Words on the stack; above them, the array holds what was there once. */
  height = 0;
  readonly stack: bigint[] = [];
  /** Words of memory that are paid for. */
  memoryWords = 0;
  memory: Uint8Array;
  view: DataView;
  readonly #slots = new Map<bigint, TouchedSlot>();
  /** Gas beyond what `gas` can hold: nobody lives to use it. */
  #gasBeyond = 0n;

  constructor(state: RunState) {
    this.state = state;
    this.code = state.code;
    this.facts = factsOf(state.code);
    this.at = state.programCounter;
    this.memory = state.memory._store;
    this.view = new DataView(this.memory.buffer);
    this.#readGas();
  }

  /** Runs until an instruction that the library must carry out; answers whether there is one. */
  advance({ own, fees, operands, heightMax }: InstructionSet): boolean {
    const { code } = this;
    while (this.at < code.length) {
      const opcode = code[this.at] ?? 0;
      const instruction = own[opcode] ?? null;
      const fee = fees[opcode] ?? 0;
      if (instruction === null || this.gas < fee) return true;
      if (this.height < (operands[opcode] ?? 0) || this.height > (heightMax[opcode] ?? 0)) {
        return true;
      }
      this.at += 1;
      this.gas -= fee;
      if (!instruction(this)) {
        this.at -= 1;
        this.gas += fee;
        return true;
      }
    }
    return false;
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
    if (words <= this.memoryWords) {
      if (this.gas < gas) return false;
      this.gas -= gas;
      return true;
    }
    if (words > memoryWordsMax) return false;
    const cost = gas + memoryGasOf(words) - memoryGasOf(this.memoryWords);
    if (this.gas < cost) return false;
    this.gas -= cost;
    this.memoryWords = words;
    if (words * wordBytes > this.memory.length) this.#grow(words * wordBytes);
    return true;
  }

  /** The word of storage at a key, in the forms that state and access list want. */
  slot(key: bigint): TouchedSlot {
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
  handOver(operands: number): void {
    const { state } = this;
    const count = Math.min(operands, this.height);
    for (let below = count - 1; below >= 0; below -= 1) state.stack.push(this.peek(below));
    this.height -= count;
    state.programCounter = this.at;
    state.opCode = this.code[this.at] ?? 0;
    state.gasLeft = this.gasLeft;
    state.memoryWordCount = BigInt(this.memoryWords);
    state.highestMemCost = BigInt(memoryGasOf(this.memoryWords));
  }

  /** Goes on where the library stopped. */
  takeBack(): void {
    const { state } = this;
    const results = state.stack.popN(state.stack.length);
    for (let i = results.length - 1; i >= 0; i -= 1) this.push(results[i] ?? 0n);
    this.at = state.programCounter;
    this.#readGas();
    this.memoryWords = Number(state.memoryWordCount);
    if (this.memory !== state.memory._store) this.#use(state.memory._store);
    // The library makes memory when it is written, not when it is paid for.
    const size = this.memoryWords * wordBytes;
    if (size > this.memory.length) this.#grow(size);
  }

  #readGas(): void {
    const { gasLeft } = this.state;
    const within = gasLeft < gasNumberMax ? gasLeft : gasNumberMax;
    this.gas = Number(within);
    this.#gasBeyond = gasLeft - within;
  }

  /** At least doubled, so that memory that grows word by word is not copied for each. */
  #grow(size: number): void {
    const bytes = new Uint8Array(Math.max(size, 2 * this.memory.length));
    bytes.set(this.memory);
    this.state.memory._store = bytes;
    this.#use(bytes);
  }

  #use(memory: Uint8Array): void {
    assert(memory.byteOffset === 0, "the EVM's memory has a buffer of its own");
    this.memory = memory;
    this.view = new DataView(memory.buffer);
  }
}
