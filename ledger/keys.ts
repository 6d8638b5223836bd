import type { Address } from "../base/brand.ts";
import { hexToBytes } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";

/*
 * Keys of module state: a tag byte and fixed-width fields, one width per tag, so that none is a
 * prefix of another and each kind can be scanned in order (DESIGN 3).
 */

/** A field of a key: an address, or a safe integer written as 8 bytes, or bytes of fixed width. */
export type KeyField = Address | number | Uint8Array;

/** The key of one pair. */
export function stateKey(tag: number, ...fields: readonly KeyField[]): Uint8Array {
  let size = 1;
  for (const field of fields) size += fieldSize(field);
  const key = new Uint8Array(size);
  key[0] = tag;
  let at = 1;
  for (const field of fields) {
    if (typeof field === "number") writeInteger(key, at, field);
    else key.set(typeof field === "string" ? hexToBytes(field) : field, at);
    at += fieldSize(field);
  }
  return key;
}

/** The range of all keys that begin with these fields. */
export function stateKeysWith(
  tag: number,
  ...fields: readonly KeyField[]
): { readonly from: Uint8Array; readonly to: Uint8Array } {
  const from = stateKey(tag, ...fields);
  const to = from.slice();
  let last = to.length - 1;
  while (to[last] === 0xff) last -= 1;
  assert(last >= 0, "tag 255 with nothing but ones has no end");
  to[last] = (to[last] ?? 0) + 1;
  return { from, to: to.subarray(0, last + 1) };
}

function fieldSize(field: KeyField): number {
  if (typeof field === "number") return 8;
  return typeof field === "string" ? 20 : field.length;
}

function writeInteger(key: Uint8Array, at: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, `not an unsigned safe integer: ${value}`);
  let rest = value;
  for (let i = at + 7; i >= at; i -= 1) {
    key[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}
