import type { Digest } from "../base/brand.ts";
import { bytesToDigest, emptyBytes } from "../base/bytes.ts";
import { encodeRlp, rlpNumber } from "../base/rlp.ts";
import { keccak256 } from "../crypto/keccak.ts";

/*
 * Root of the Merkle-Patricia trie that Ethereum builds over a list: key rlp(index), value the item
 * (yellow paper, section 4.3.2 and appendix D). The keys are known beforehand and none is a prefix
 * of another, so the root is computed in one pass from the bottom, without a trie in between: one
 * hash per item and one per sixteen of them.
 */

/** Root of the empty trie: keccak of the empty string's RLP. */
export const emptyRoot: Digest = bytesToDigest(keccak256(Uint8Array.of(0x80)));

/** Root over the items in order. */
export function orderedRoot(items: readonly Uint8Array[]): Digest {
  if (items.length === 0) return emptyRoot;
  const reference = nodeReference(sortedEntries(items), 0, items.length, 0);
  // A root is hashed even where the node is shorter than a hash.
  return bytesToDigest(
    reference.length === 33 && reference[0] === 0xa0 ? reference.slice(1) : keccak256(reference),
  );
}

type Entry = { readonly key: Uint8Array; readonly value: Uint8Array };

/**
 * In byte order of the keys: indices 1 to 127 are one byte, then 0 (0x80), then the longer ones.
 */
function sortedEntries(items: readonly Uint8Array[]): readonly Entry[] {
  const entries: Entry[] = [];
  const add = (index: number): void => {
    const value = items[index];
    if (value !== undefined) entries.push({ key: indexKey(index), value });
  };
  for (let index = 1; index < 128; index += 1) add(index);
  add(0);
  for (let index = 128; index < items.length; index += 1) add(index);
  return entries;
}

/** rlp(index); most indices are one byte, which stands for itself. */
function indexKey(index: number): Uint8Array {
  return index > 0 && index < 128 ? Uint8Array.of(index) : encodeRlp(rlpNumber(index));
}

/** Nibble of the key at a position, the high one of a byte first; -1 behind the end. */
function nibbleAt(key: Uint8Array, at: number): number {
  const byte = key[at >> 1];
  if (byte === undefined) return -1;
  return at % 2 === 0 ? byte >> 4 : byte & 15;
}

/**
 * What a parent holds of the node over `entries[from, to)`, whose keys agree up to nibble `depth`.
 */
function nodeReference(
  entries: readonly Entry[],
  from: number,
  to: number,
  depth: number,
): Uint8Array {
  const first = entries[from];
  const last = entries[to - 1];
  if (first === undefined || last === undefined) return Uint8Array.of(0x80);
  if (to - from === 1) {
    return leafReference(hexPrefix(first.key, depth, 2 * first.key.length, 2), first.value);
  }
  // The entries are sorted, so what the first and the last share, all share.
  let fork = depth;
  while (nibbleAt(first.key, fork) === nibbleAt(last.key, fork)) fork += 1;
  const branch = branchReference(entries, from, to, fork);
  if (fork === depth) return branch;
  return referenceTo(listOf(encodeRlp(hexPrefix(first.key, depth, fork, 0)), branch));
}

function branchReference(
  entries: readonly Entry[],
  from: number,
  to: number,
  depth: number,
): Uint8Array {
  const parts: Uint8Array[] = [];
  let start = from;
  for (let nibble = 0; nibble < 16; nibble += 1) {
    let end = start;
    while (end < to && nibbleAt(entries[end]?.key ?? emptyBytes, depth) === nibble) end += 1;
    parts.push(start === end ? emptyItem : nodeReference(entries, start, end, depth + 1));
    start = end;
  }
  parts.push(emptyItem); // No key ends inside another, so no branch has a value.
  return referenceTo(listOf(...parts));
}

const emptyItem = Uint8Array.of(0x80);

/** The nibbles `[from, to)` with their parity and kind (2: leaf, 0: extension) in front. */
function hexPrefix(key: Uint8Array, from: number, to: number, kind: number): Uint8Array {
  const count = to - from;
  const path = new Uint8Array(1 + (count >> 1));
  const odd = count % 2;
  path[0] = (kind + odd) * 16 + (odd === 1 ? nibbleAt(key, from) : 0);
  for (let i = 1, at = from + odd; i < path.length; i += 1, at += 2) {
    path[i] = nibbleAt(key, at) * 16 + nibbleAt(key, at + 1);
  }
  return path;
}

/**
 * A leaf is `[path, value]`. There is one per item, so its bytes are written at once instead of
 * through the encoder: this and its hash are nearly all that a root costs.
 */
function leafReference(path: Uint8Array, value: Uint8Array): Uint8Array {
  const payload = stringSize(path) + stringSize(value);
  const size = headerSize(payload) + payload;
  // Long nodes are only hashed, short ones are kept.
  const node = size < 32 || size > scratch.length ? new Uint8Array(size) : scratch;
  const atPath = writeHeader(node, 0, 0xc0, payload);
  writeString(node, writeString(node, atPath, path), value);
  return referenceTo(node === scratch ? node.subarray(0, size) : node);
}

/** Written anew for every leaf; nothing keeps a view of it. */
const scratch = new Uint8Array(1024);

/** An RLP list of items that are encoded already. */
function listOf(...encoded: readonly Uint8Array[]): Uint8Array {
  let payload = 0;
  for (const part of encoded) payload += part.length;
  const node = new Uint8Array(headerSize(payload) + payload);
  let at = writeHeader(node, 0, 0xc0, payload);
  for (const part of encoded) {
    node.set(part, at);
    at += part.length;
  }
  return node;
}

function headerSize(length: number): number {
  if (length < 56) return 1;
  if (length < 0x100) return 2;
  if (length < 0x1_0000) return 3;
  return length < 0x100_0000 ? 4 : 5;
}

function isOneSmallByte(bytes: Uint8Array): boolean {
  return bytes.length === 1 && (bytes[0] ?? 0) < 0x80;
}

function stringSize(bytes: Uint8Array): number {
  return isOneSmallByte(bytes) ? 1 : headerSize(bytes.length) + bytes.length;
}

/** Writes an RLP header (base 0x80: string, 0xc0: list) and answers where the payload begins. */
function writeHeader(node: Uint8Array, at: number, base: number, length: number): number {
  const size = headerSize(length);
  if (size === 1) {
    node[at] = base + length;
    return at + 1;
  }
  node[at] = base + 54 + size;
  for (let i = size - 1, rest = length; i > 0; i -= 1, rest = Math.floor(rest / 256)) {
    node[at + i] = rest % 256;
  }
  return at + size;
}

function writeString(node: Uint8Array, at: number, bytes: Uint8Array): number {
  const start = isOneSmallByte(bytes) ? at : writeHeader(node, at, 0x80, bytes.length);
  node.set(bytes, start);
  return start + bytes.length;
}

/** Nodes shorter than a hash stand for themselves, others are named by their hash. */
function referenceTo(node: Uint8Array): Uint8Array {
  if (node.length < 32) return node;
  const reference = new Uint8Array(33);
  reference[0] = 0xa0;
  reference.set(keccak256(node), 1);
  return reference;
}
