import { keccak256 } from "../crypto/keccak.ts";
import type { Frame, Instruction } from "./frame.ts";
import { readWord, wordBytes, wordFrom, wordsOf, writeWord } from "./memoryGas.ts";

/*
 * The instructions that programs are mostly made of [Yellow Paper, appendix H]. None of them waits.
 * Whatever is rare, differs between forks or begins another frame stays with the library.
 */

/** Opcode and what it does. */
export type InstructionEntry = readonly [opcode: number, instruction: Instruction];

function unary(work: (a: bigint) => bigint): Instruction {
  return (frame) => {
    frame.replace(1, work(frame.peek(0)));
    return true;
  };
}

function binary(work: (a: bigint, b: bigint) => bigint): Instruction {
  return (frame) => {
    frame.replace(2, work(frame.peek(0), frame.peek(1)));
    return true;
  };
}

function ternary(work: (a: bigint, b: bigint, c: bigint) => bigint): Instruction {
  return (frame) => {
    frame.replace(3, work(frame.peek(0), frame.peek(1), frame.peek(2)));
    return true;
  };
}

function source(read: (frame: Frame) => bigint): Instruction {
  return (frame) => {
    frame.push(read(frame));
    return true;
  };
}

function unsigned(value: bigint): bigint {
  return BigInt.asUintN(256, value);
}

function signed(word: bigint): bigint {
  return BigInt.asIntN(256, word);
}

function flag(holds: boolean): bigint {
  return holds ? 1n : 0n;
}

function signExtend(place: bigint, word: bigint): bigint {
  return place >= 31n ? word : unsigned(BigInt.asIntN((Number(place) + 1) * 8, word));
}

function byteOf(place: bigint, word: bigint): bigint {
  return place >= 32n ? 0n : (word >> (248n - place * 8n)) & 0xffn;
}

const arithmetic: readonly InstructionEntry[] = [
  [0x01, binary((a, b) => unsigned(a + b))],
  [0x02, binary((a, b) => unsigned(a * b))],
  [0x03, binary((a, b) => unsigned(a - b))],
  [0x04, binary((a, b) => (b === 0n ? 0n : a / b))],
  [0x05, binary((a, b) => (b === 0n ? 0n : unsigned(signed(a) / signed(b))))],
  [0x06, binary((a, b) => (b === 0n ? 0n : a % b))],
  [0x07, binary((a, b) => (b === 0n ? 0n : unsigned(signed(a) % signed(b))))],
  [0x08, ternary((a, b, n) => (n === 0n ? 0n : (a + b) % n))],
  [0x09, ternary((a, b, n) => (n === 0n ? 0n : (a * b) % n))],
  [0x0b, binary(signExtend)],
  [0x10, binary((a, b) => flag(a < b))],
  [0x11, binary((a, b) => flag(a > b))],
  [0x12, binary((a, b) => flag(signed(a) < signed(b)))],
  [0x13, binary((a, b) => flag(signed(a) > signed(b)))],
  [0x14, binary((a, b) => flag(a === b))],
  [0x15, unary((a) => flag(a === 0n))],
  [0x16, binary((a, b) => a & b)],
  [0x17, binary((a, b) => a | b)],
  [0x18, binary((a, b) => a ^ b)],
  [0x19, unary((a) => unsigned(~a))],
  [0x1a, binary(byteOf)],
  [0x1b, binary((shift, a) => (shift >= 256n ? 0n : unsigned(a << shift)))],
  [0x1c, binary((shift, a) => (shift >= 256n ? 0n : a >> shift))],
  [0x1d, binary((shift, a) => unsigned(signed(a) >> (shift >= 256n ? 256n : shift)))],
];

/** What a frame can ask without looking into the state. */
const surroundings: readonly InstructionEntry[] = [
  [0x30, source(({ env }) => wordFrom(env.address.bytes))],
  [0x32, source(({ env }) => wordFrom(env.origin.bytes))],
  [0x33, source(({ env }) => wordFrom(env.caller.bytes))],
  [0x34, source(({ env }) => env.callValue)],
  [0x36, source(({ env }) => BigInt(env.callData.length))],
  [0x38, source(({ code }) => BigInt(code.length))],
  [0x3a, source(({ env }) => env.gasPrice)],
  [0x3d, source(({ returned }) => BigInt(returned.length))],
  [0x41, source(({ env }) => wordFrom(env.block.header.coinbase.bytes))],
  [0x42, source(({ env }) => env.block.header.timestamp)],
  [0x43, source(({ env }) => env.block.header.number)],
  [0x45, source(({ env }) => env.block.header.gasLimit)],
  [0x46, source(({ evm }) => evm.common.chainId())],
  [0x58, source(({ at }) => BigInt(at - 1))],
  [0x59, source(({ memoryWords }) => BigInt(memoryWords * wordBytes))],
  [0x5a, source((frame) => frame.gasLeft)],
  [0x35, callDataWord],
  [0x48, baseFee],
];

function baseFee(frame: Frame): boolean {
  const { baseFeePerGas } = frame.env.block.header;
  if (baseFeePerGas === undefined) return false;
  frame.push(baseFeePerGas);
  return true;
}

function callDataWord(frame: Frame): boolean {
  const { callData } = frame.env;
  const from = frame.peek(0);
  const at = from < BigInt(callData.length) ? Number(from) : callData.length;
  const bytes = callData.subarray(at, at + wordBytes);
  frame.replace(1, wordFrom(bytes) << BigInt(8 * (wordBytes - bytes.length)));
  return true;
}

const flow: readonly InstructionEntry[] = [
  [0x00, stop],
  [0x50, pop],
  [0x56, jump],
  [0x57, jumpIf],
  [0x5b, () => true],
  [0xf3, giveBack],
  [0xfd, goBack],
];

function stop(frame: Frame): boolean {
  frame.end();
  return true;
}

function pop(frame: Frame): boolean {
  frame.height -= 1;
  return true;
}

function jump(frame: Frame): boolean {
  const to = frame.peek(0);
  if (to >= BigInt(frame.code.length) || frame.jumps[Number(to)] !== 1) return frame.fail();
  frame.height -= 1;
  frame.at = Number(to);
  return true;
}

function jumpIf(frame: Frame): boolean {
  if (frame.peek(1) !== 0n) {
    const to = frame.peek(0);
    if (to >= BigInt(frame.code.length) || frame.jumps[Number(to)] !== 1) return frame.fail();
    frame.at = Number(to);
  }
  frame.height -= 2;
  return true;
}

function giveBack(frame: Frame): boolean {
  const [from, size] = [frame.peek(0), frame.peek(1)];
  if (!frame.pay(0, from, size)) return false;
  frame.effects.returnValue = copyOf(frame, from, size);
  frame.height -= 2;
  frame.end();
  return true;
}

/** How the library's frames revert is its own matter. */
function goBack(frame: Frame): boolean {
  if (frame.state !== null || !giveBack(frame)) return false;
  frame.isReverted = true;
  return true;
}

/** Bytes of memory that are paid for. */
function copyOf({ memory }: Frame, from: bigint, size: bigint): Uint8Array {
  return size === 0n ? new Uint8Array(0) : memory.slice(Number(from), Number(from + size));
}

const memory: readonly InstructionEntry[] = [
  [0x20, hash],
  [0x37, copyFrom(({ env }) => env.callData)],
  [0x39, copyFrom(({ code }) => code)],
  [0x3e, copyReturned],
  [0x51, load],
  [0x52, store],
  [0x53, storeByte],
  [0x5e, copyWithin],
  ...[0, 1, 2, 3, 4].map((topics): InstructionEntry => [0xa0 + topics, report(topics)]),
];

const gasPerHashedWord = 6;
const gasPerCopiedWord = 3;
const gasPerTopic = 375;
const gasPerLoggedByte = 8;

/** Sizes beyond this cost more than anybody has; below it, arithmetic on numbers is exact. */
const sizeMax = 1n << 40n;

function hash(frame: Frame): boolean {
  const [from, size] = [frame.peek(0), frame.peek(1)];
  if (size > sizeMax || !frame.pay(gasPerHashedWord * wordsOf(size), from, size)) return false;
  const at = Number(size === 0n ? 0n : from);
  frame.replace(2, wordFrom(keccak256(frame.memory.subarray(at, at + Number(size)))));
  return true;
}

function copyFrom(bytesOf: (frame: Frame) => Uint8Array): Instruction {
  return (frame) => {
    const [to, from, size] = [frame.peek(0), frame.peek(1), frame.peek(2)];
    if (size > sizeMax || !frame.pay(gasPerCopiedWord * wordsOf(size), to, size)) return false;
    if (size > 0n)
      copyPadded(frame.memory, { to: Number(to), size: Number(size) }, bytesOf(frame), from);
    frame.height -= 3;
    return true;
  };
}

/** Past the end of the bytes are zeros. */
function copyPadded(
  target: Uint8Array,
  { to, size }: { readonly to: number; readonly size: number },
  bytes: Uint8Array,
  from: bigint,
): void {
  const start = from > BigInt(bytes.length) ? bytes.length : Number(from);
  const part = bytes.subarray(start, start + size);
  target.set(part, to);
  target.fill(0, to + part.length, to + size);
}

const copyReturnedBytes = copyFrom(({ returned }) => returned);

function copyReturned(frame: Frame): boolean {
  const end = frame.peek(1) + frame.peek(2);
  return end <= BigInt(frame.returned.length) && copyReturnedBytes(frame);
}

function load(frame: Frame): boolean {
  const from = frame.peek(0);
  if (!frame.pay(0, from, 32n)) return false;
  frame.replace(1, readWord(frame.view, Number(from)));
  return true;
}

function store(frame: Frame): boolean {
  const to = frame.peek(0);
  if (!frame.pay(0, to, 32n)) return false;
  writeWord(frame.view, Number(to), frame.peek(1));
  frame.height -= 2;
  return true;
}

function storeByte(frame: Frame): boolean {
  const to = frame.peek(0);
  if (!frame.pay(0, to, 1n)) return false;
  frame.memory[Number(to)] = Number(frame.peek(1) & 0xffn);
  frame.height -= 2;
  return true;
}

function copyWithin(frame: Frame): boolean {
  const [to, from, size] = [frame.peek(0), frame.peek(1), frame.peek(2)];
  const far = to > from ? to : from;
  if (size > sizeMax || !frame.pay(gasPerCopiedWord * wordsOf(size), far, size)) return false;
  if (size > 0n) frame.memory.copyWithin(Number(to), Number(from), Number(from + size));
  frame.height -= 3;
  return true;
}

function report(count: number): Instruction {
  return (frame) => {
    const [from, size] = [frame.peek(0), frame.peek(1)];
    if (frame.env.isStatic || size > sizeMax) return false;
    if (!frame.pay(gasPerTopic * count + gasPerLoggedByte * Number(size), from, size)) return false;
    const topics = Array.from({ length: count }, (_, i) => {
      const topic = new Uint8Array(wordBytes);
      writeWord(new DataView(topic.buffer), 0, frame.peek(2 + i));
      return topic;
    });
    frame.effects.logs.push([frame.env.address.bytes, topics, copyOf(frame, from, size)]);
    frame.height -= 2 + count;
    return true;
  };
}

/** Constants of at most this many bytes are read faster than found. */
const narrowBytes = 6;

function pushNarrow(size: number): Instruction {
  return (frame) => {
    const { code, at } = frame;
    let word = 0;
    for (let i = 0; i < size; i += 1) word = word * 256 + (code[at + i] ?? 0);
    frame.push(BigInt(word));
    frame.at += size;
    return true;
  };
}

function pushWide(size: number): Instruction {
  return (frame) => {
    frame.push(frame.constant(size));
    frame.at += size;
    return true;
  };
}

function duplicate(below: number): Instruction {
  return (frame) => {
    frame.push(frame.peek(below));
    return true;
  };
}

function swap(below: number): Instruction {
  return (frame) => {
    const { stack } = frame;
    const top = frame.height - 1;
    const word = stack[top] ?? 0n;
    stack[top] = stack[top - below] ?? 0n;
    stack[top - below] = word;
    return true;
  };
}

const stackEntries: readonly InstructionEntry[] = [
  [0x5f, pushNarrow(0)],
  ...Array.from({ length: 32 }, (_, i): InstructionEntry => {
    const size = i + 1;
    return [0x5f + size, size <= narrowBytes ? pushNarrow(size) : pushWide(size)];
  }),
  ...Array.from({ length: 16 }, (_, i): InstructionEntry => [0x80 + i, duplicate(i)]),
  ...Array.from({ length: 16 }, (_, i): InstructionEntry => [0x90 + i, swap(i + 1)]),
];

/** Instructions that need no state. */
export const plainInstructions: readonly InstructionEntry[] = [
  ...arithmetic,
  ...surroundings,
  ...flow,
  ...memory,
  ...stackEntries,
];
