/*
 * BLAKE2b's compression function with any number of rounds [RFC 7693 3.2, EIP-152]: a round costs
 * one gas, and 64-bit words in JavaScript cost twenty times what they may. So a WebAssembly module
 * of half a page is put together here, in the words of its binary format.
 *
 *   memory   0 h, 8 words | 64 m, 16 words | 192 t, 2 words | 208 schedule, 10 × 16 bytes
 */

const scheduleAt = 208;
const scheduleEnd = scheduleAt + 160;

/** Which word of the message goes where, by round modulo 10 [RFC 7693 2.7]. */
const sigma = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
  [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
  [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
  [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
  [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
] as const;

/** First 64 bits of the fractions of the square roots of the first eight primes [RFC 7693 2.6]. */
const initial = [
  0x6a09e667f3bcc908n,
  0xbb67ae8584caa73bn,
  0x3c6ef372fe94f82bn,
  0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n,
  0x9b05688c2b3e6c1fn,
  0x1f83d9abfb41bd6bn,
  0x5be0cd19137e2179n,
] as const;

/** Columns and diagonals of a round. */
const quarters = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
] as const;

type Code = readonly number[];

/** Signed LEB128. */
function leb(value: bigint): Code {
  const low = Number(value & 0x7fn);
  const rest = value >> 7n;
  const isLast = (rest === 0n && low < 0x40) || (rest === -1n && low >= 0x40);
  return isLast ? [low] : [low | 0x80, ...leb(rest)];
}

/** Unsigned LEB128. */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value % 0x80) | 0x80, ...unsigned(Math.floor(value / 0x80))];
}

// Locals: two arguments, sixteen words, the round and its place in the schedule.
const rounds = 0;
const isLast = 1;
const word = (index: number): number => 2 + index;
const round = 18;
const place = 19;

const get = (local: number): Code => [0x20, local];
const set = (local: number): Code => [0x21, local];
const number32 = (value: number): Code => [0x41, ...leb(BigInt(value))];
const number64 = (value: bigint): Code => [0x42, ...leb(BigInt.asIntN(64, value))];
const load64 = (offset: number): Code => [0x29, 3, ...unsigned(offset)];
const store64 = (offset: number): Code => [0x37, 3, ...unsigned(offset)];
const add64 = 0x7c;
const xor64 = 0x85;
const rotateRight = 0x8a;

/** `to` ← `to` + `other`, and the word of the message that the schedule has at `turn`. */
function addInto(to: number, other: number, turn: number | null): Code {
  const message =
    turn === null ? [] : [...get(place), 0x2d, 0, ...unsigned(turn), ...load64(64), add64];
  return [...get(to), ...get(other), add64, ...message, ...set(to)];
}

/** `to` ← (`to` xor `other`) turned right. */
function mixInto(to: number, other: number, bits: bigint): Code {
  return [...get(to), ...get(other), xor64, ...number64(bits), rotateRight, ...set(to)];
}

function quarter(index: number): Code {
  const [a, b, c, d] = (quarters[index] ?? [0, 0, 0, 0]).map(word);
  if (a === undefined || b === undefined || c === undefined || d === undefined) return [];
  return [
    ...addInto(a, b, 2 * index),
    ...mixInto(d, a, 32n),
    ...addInto(c, d, null),
    ...mixInto(b, c, 24n),
    ...addInto(a, b, 2 * index + 1),
    ...mixInto(d, a, 16n),
    ...addInto(c, d, null),
    ...mixInto(b, c, 63n),
  ];
}

const zero: Code = number32(0);
const eight = [0, 1, 2, 3, 4, 5, 6, 7] as const;

function begin(): Code {
  const states = eight.flatMap((i) => [...zero, ...load64(8 * i), ...set(word(i))]);
  const constants = initial.flatMap((value, i) => [...number64(value), ...set(word(8 + i))]);
  const counted = [12, 13].flatMap((i) => {
    const count = [...zero, ...load64(192 + 8 * (i - 12))];
    return [...get(word(i)), ...count, xor64, ...set(word(i))];
  });
  const inverted = [...get(word(14)), ...number64(-1n), xor64, ...set(word(14))];
  const last = [...get(isLast), 0x04, 0x40, ...inverted, 0x0b];
  return [...states, ...constants, ...counted, ...last, ...number32(scheduleAt), ...set(place)];
}

/** Until the count of rounds is reached. */
function loop(): Code {
  const leave = [...get(round), ...get(rounds), 0x46, 0x0d, 1];
  const work = eight.flatMap((index) => quarter(index));
  const next = [...get(round), ...number32(1), 0x6a, ...set(round)];
  const forward = [...get(place), ...number32(16), 0x6a, ...set(place)];
  const atEnd = [...get(place), ...number32(scheduleEnd), 0x46];
  const again = [...atEnd, 0x04, 0x40, ...number32(scheduleAt), ...set(place), 0x0b];
  const body = [...leave, ...work, ...next, ...forward, ...again, 0x0c, 0];
  return [0x02, 0x40, 0x03, 0x40, ...body, 0x0b, 0x0b];
}

function end(): Code {
  return eight.flatMap((i) => {
    const mixed = [...get(word(i)), ...get(word(8 + i)), xor64];
    return [...zero, ...zero, ...load64(8 * i), ...mixed, xor64, ...store64(8 * i)];
  });
}

function section(id: number, content: Code): Code {
  return [id, ...unsigned(content.length), ...content];
}

function moduleBytes(): Uint8Array<ArrayBuffer> {
  const i32 = 0x7f;
  const i64 = 0x7e;
  const locals = [2, 16, i64, 2, i32];
  const body = [...locals, ...begin(), ...loop(), ...end(), 0x0b];
  const exported = (name: string, kind: number): Code => [1, name.charCodeAt(0), kind, 0];
  return Uint8Array.from([
    0x00,
    0x61,
    0x73,
    0x6d,
    0x01,
    0x00,
    0x00,
    0x00,
    ...section(1, [1, 0x60, 2, i32, i32, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, 1]),
    ...section(7, [2, ...exported("m", 2), ...exported("f", 0)]),
    ...section(10, [1, ...unsigned(body.length), ...body]),
  ]);
}

/** What `moduleBytes` exports. */
type Compressor = {
  readonly f: (count: number, last: number) => void;
  readonly m: { readonly buffer: ArrayBuffer };
};

const made = new WebAssembly.Instance(new WebAssembly.Module(moduleBytes()));
const { f: compress, m } = made.exports as Compressor; // By `moduleBytes`.
const memory = new Uint8Array(m.buffer);
memory.set(
  sigma.flat().map((index) => 8 * index),
  scheduleAt,
);

/** h of 64 bytes, m of 128 and t of 16, one after another; answers the new h. `count` below 2^32. */
export function blake2f(
  count: number,
  state: Uint8Array,
  options: { readonly isLast: boolean },
): Uint8Array {
  memory.set(state);
  compress(count | 0, options.isLast ? 1 : 0);
  return memory.slice(0, 64);
}
