import { assert } from "./assert.ts";
import type { Address, Digest } from "./brand.ts";

const encoder = new TextEncoder();
// A byte order mark is a character like any other: left out, two byte strings would read as one
// text.
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The empty byte string. */
export const emptyBytes: Uint8Array = new Uint8Array(0);

/** The digits of each byte, two character codes after one another. */
const digitsOfByte = textToBytes(
  Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0")).join(""),
);

/** Where texts of usual size are put together; what is longer gets a buffer of its own. */
const hexScratch = new Uint8Array(1_024);

/** What each character below 128 stands for as a hex digit, -1 where it is none. */
const digitValues = Int8Array.from({ length: 128 }, (_, code) => {
  const digit = String.fromCharCode(code);
  return /[0-9a-fA-F]/.test(digit) ? Number.parseInt(digit, 16) : -1;
});

/** Decoded from one buffer: joined piece by piece, a text costs several times as much. */
function hexText(bytes: Uint8Array, prefixSize: 0 | 2): string {
  const size = prefixSize + 2 * bytes.length;
  const text = size <= hexScratch.length ? hexScratch : new Uint8Array(size);
  text[0] = 48; // "0", overwritten where there is no prefix.
  text[1] = 120; // "x"
  let at: number = prefixSize;
  for (let i = 0; i < bytes.length; i += 1) {
    const digits = 2 * (bytes[i] ?? 0);
    text[at] = digitsOfByte[digits] ?? 0;
    text[at + 1] = digitsOfByte[digits + 1] ?? 0;
    at += 2;
  }
  return strictDecoder.decode(text.subarray(0, size));
}

/** Lowercase hex digits without a prefix. */
export function bytesToHexDigits(bytes: Uint8Array): string {
  return hexText(bytes, 0);
}

/** `0x` and lowercase hex digits. */
export function bytesToHex(bytes: Uint8Array): string {
  return hexText(bytes, 2);
}

function nibble(code: number): number {
  return digitValues[code] ?? -1;
}

/** Reads hex digits, `0x` optional, of even count; `null` if the text is anything else. */
export function hexToBytesOrNull(text: string): Uint8Array | null {
  const start = text.startsWith("0x") || text.startsWith("0X") ? 2 : 0;
  if ((text.length - start) % 2 !== 0) return null;
  const bytes = new Uint8Array((text.length - start) / 2);
  let at = start;
  for (let i = 0; i < bytes.length; i += 1) {
    // Of -1 all bits are set, so the two are negative together if one is.
    const byte = (nibble(text.charCodeAt(at)) << 4) | nibble(text.charCodeAt(at + 1));
    if (byte < 0) return null;
    bytes[i] = byte;
    at += 2;
  }
  return bytes;
}

/** Reads hex digits that this program wrote itself; anything else is a bug. */
export function hexToBytes(text: string): Uint8Array {
  const bytes = hexToBytesOrNull(text);
  assert(bytes !== null, `not hex: ${text.slice(0, 80)}`);
  return bytes;
}

/** The parts one after another, in a new array. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const joined = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Whether both have the same bytes. Not constant in time: never for secrets. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

/** Lexicographic order: negative, zero or positive. A prefix comes first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const size = Math.min(a.length, b.length);
  for (let i = 0; i < size; i += 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Bytes of the integers that are turned by words of 64 bits; longer ones by hex digits. */
const wordedBytesMax = 32;
const words = new Uint8Array(wordedBytesMax);
const wordsView = new DataView(words.buffer);

/**
 * Big-endian without leading zeros; zero is the empty string (as in RLP). `value` is not negative.
 */
export function bigIntToBytes(value: bigint): Uint8Array {
  assert(value >= 0n, "bigIntToBytes wants a value that is not negative");
  if (value === 0n) return emptyBytes;
  let at = wordedBytesMax;
  let rest = value;
  while (rest !== 0n && at > 0) {
    at -= 8;
    wordsView.setBigUint64(at, rest);
    rest >>= 64n;
  }
  if (rest === 0n) {
    while (words[at] === 0) at += 1;
    return words.slice(at);
  }
  const digits = value.toString(16);
  return hexToBytes(digits.length % 2 === 0 ? digits : `0${digits}`);
}

/** Big-endian in exactly `size` bytes. */
export function bigIntToFixedBytes(value: bigint, size: number): Uint8Array {
  const minimal = bigIntToBytes(value);
  assert(minimal.length <= size, `${value} does not fit ${size} bytes`);
  const bytes = new Uint8Array(size);
  bytes.set(minimal, size - minimal.length);
  return bytes;
}

/** Reads a big-endian unsigned integer; the empty string is zero. */
export function bytesToBigInt(bytes: Uint8Array): bigint {
  const size = bytes.length;
  if (size === 0) return 0n;
  if (size > wordedBytesMax) return BigInt(bytesToHex(bytes));
  if (size <= 6) {
    let small = 0;
    for (let i = 0; i < size; i += 1) small = small * 256 + (bytes[i] ?? 0);
    return BigInt(small);
  }
  const start = (size + 7) & ~7;
  words.fill(0, 0, 8);
  for (let i = 0; i < size; i += 1) words[start - size + i] = bytes[i] ?? 0;
  let value = 0n;
  for (let at = 0; at < start; at += 8) value = (value << 64n) | wordsView.getBigUint64(at);
  return value;
}

/** UTF-8 bytes of a text. */
export function textToBytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of UTF-8 bytes, or `null` if they are not valid UTF-8. */
export function bytesToTextOrNull(bytes: Uint8Array): string | null {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return null;
  }
}

/** 32 bytes as a digest. */
export function bytesToDigest(bytes: Uint8Array): Digest {
  assert(bytes.length === 32, `a digest has 32 bytes, not ${bytes.length}`);
  return bytesToHex(bytes) as Digest;
}

/** A number below 2^256 as the digest whose bytes it is. */
export function bigIntToDigest(value: bigint): Digest {
  const digits = value.toString(16).padStart(64, "0");
  assert(value >= 0n && digits.length === 64, `a digest has 32 bytes: ${value}`);
  return `0x${digits}` as Digest;
}

/** 20 bytes as an address. */
export function bytesToAddress(bytes: Uint8Array): Address {
  assert(bytes.length === 20, `an address has 20 bytes, not ${bytes.length}`);
  return bytesToHex(bytes) as Address;
}

/** An address from text, `0x` optional, any letter case; `null` if it is not 20 bytes of hex. */
export function textToAddressOrNull(text: string): Address | null {
  const bytes = hexToBytesOrNull(text);
  return bytes === null || bytes.length !== 20 ? null : bytesToAddress(bytes);
}

/** A digest from text, `0x` optional, any letter case; `null` if it is not 32 bytes of hex. */
export function textToDigestOrNull(text: string): Digest | null {
  const bytes = hexToBytesOrNull(text);
  return bytes === null || bytes.length !== 32 ? null : bytesToDigest(bytes);
}

/** The zero address. */
export const zeroAddress: Address = bytesToAddress(new Uint8Array(20));

/** The digest of 32 zero bytes: "none" where a format has a fixed width. */
export const zeroDigest: Digest = bytesToDigest(new Uint8Array(32));
