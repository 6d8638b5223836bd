import { assert } from "../base/assert.ts";

/** The nibbles of a key, high one first. */
export function keyToNibbles(key: Uint8Array): Uint8Array {
  const nibbles = new Uint8Array(key.length * 2);
  for (let i = 0; i < key.length; i += 1) {
    const byte = key[i] ?? 0;
    nibbles[2 * i] = byte >> 4;
    nibbles[2 * i + 1] = byte & 15;
  }
  return nibbles;
}

/** The key of an even number of nibbles. */
export function nibblesToKey(nibbles: Uint8Array): Uint8Array {
  assert(nibbles.length % 2 === 0, "a key has whole bytes");
  const key = new Uint8Array(nibbles.length / 2);
  for (let i = 0; i < key.length; i += 1) {
    key[i] = ((nibbles[2 * i] ?? 0) << 4) | (nibbles[2 * i + 1] ?? 0);
  }
  return key;
}

/** Compact encoding of a leaf's or extension's path [yellow paper, appendix C]. */
export function encodePath(nibbles: Uint8Array, from: number, isLeaf: boolean): Uint8Array {
  const count = nibbles.length - from;
  const isOdd = count % 2 === 1;
  const bytes = new Uint8Array(1 + (count >> 1));
  bytes[0] = (isLeaf ? 0x20 : 0) | (isOdd ? 0x10 | (nibbles[from] ?? 0) : 0);
  let at = isOdd ? from + 1 : from;
  for (let i = 1; i < bytes.length; i += 1) {
    bytes[i] = ((nibbles[at] ?? 0) << 4) | (nibbles[at + 1] ?? 0);
    at += 2;
  }
  return bytes;
}

/** Reads a compact path; `null` if it is not canonical. */
export function decodePath(
  bytes: Uint8Array,
): { readonly nibbles: Uint8Array; readonly isLeaf: boolean } | null {
  const first = bytes[0];
  if (first === undefined || first >= 0x40) return null;
  const isOdd = (first & 0x10) !== 0;
  if (!isOdd && (first & 0x0f) !== 0) return null;
  const nibbles = new Uint8Array((bytes.length - 1) * 2 + (isOdd ? 1 : 0));
  let at = 0;
  if (isOdd) {
    nibbles[0] = first & 0x0f;
    at = 1;
  }
  for (let i = 1; i < bytes.length; i += 1) {
    const byte = bytes[i] ?? 0;
    nibbles[at] = byte >> 4;
    nibbles[at + 1] = byte & 15;
    at += 2;
  }
  return { nibbles, isLeaf: (first & 0x20) !== 0 };
}
