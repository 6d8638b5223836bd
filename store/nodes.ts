import { assert } from "../base/assert.ts";
import { emptyBytes, hexToBytes } from "../base/bytes.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { decodePath, encodePath } from "./hexPrefix.ts";

/*
 * Nodes of a Merkle-Patricia trie as Ethereum encodes them [yellow paper, appendix D]. Decoding
 * and encoding work on byte offsets instead of the general RLP codec: they are the inner loop of
 * every state root.
 */

/** A finished child: a 32-byte hash, or the encoding itself of a node below 32 bytes. */
export type NodeRef = Uint8Array;

/** A child: finished, or a node that is still being changed. */
export type TrieChild = NodeRef | TrieNode;

/** The end of a key. `path` is in nibbles. */
export type LeafNode = {
  readonly type: "leaf";
  readonly path: Uint8Array;
  readonly value: Uint8Array;
};

/** A stretch of path that all keys below share; its child is always a branch. */
export type ExtensionNode = {
  readonly type: "extension";
  readonly path: Uint8Array;
  readonly child: TrieChild;
};

/**
 * A fork: a child per nibble (`branchChild`), and the value of the key that ends here. Children
 * stay where they are in the encoded node until one is asked for: a branch of a large trie has
 * sixteen, and an update looks at one.
 */
export type BranchNode = {
  readonly type: "branch";
  /** The encoding from which unchanged children are read; `null` for a new branch. */
  readonly source: Uint8Array | null;
  /** By nibble; `undefined` is as in `source`. */
  readonly changed: readonly (TrieChild | null | undefined)[];
  readonly value: Uint8Array | null;
};

/** A decoded node. */
export type TrieNode = LeafNode | ExtensionNode | BranchNode;

/** Root of the trie without keys: keccak of the RLP empty string. */
export const emptyTrieRoot: Uint8Array = hexToBytes(
  "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
);

/** Bytes of a hash; whatever encodes shorter is embedded in its parent. */
export const hashSize = 32;

/** Bytes of one value in a trie, so that a node stays a small write. */
export const trieValueBytesMax = 64 * 1024;

/** Whether a child stands for a node stored by its hash. */
export function isHash(child: TrieChild): child is Uint8Array {
  return child instanceof Uint8Array && child.length === hashSize;
}

// Decoding. Offsets of the items of one list; not reentrant, and nothing in here calls out.

const itemStarts = new Int32Array(18);
const itemEnds = new Int32Array(18);
/** End of the header read last; -1 if it is malformed. */
let payloadStart = 0;
let payloadEnd = 0;

/** Reads the header at `at`; `false` if it overruns `end` or is not canonical. */
function readHeader(bytes: Uint8Array, at: number, end: number): boolean {
  const prefix = bytes[at];
  if (prefix === undefined) return false;
  if (prefix < 0x80) {
    payloadStart = at;
    payloadEnd = at + 1;
    return payloadEnd <= end;
  }
  const short = prefix < 0xc0 ? prefix - 0x80 : prefix - 0xc0;
  if (short < 56) {
    payloadStart = at + 1;
    payloadEnd = payloadStart + short;
    return payloadEnd <= end && !(prefix === 0x81 && (bytes[payloadStart] ?? 0) < 0x80);
  }
  const size = short - 55;
  if (size > 4 || bytes[at + 1] === 0) return false;
  let length = 0;
  for (let i = 1; i <= size; i += 1) length = length * 256 + (bytes[at + i] ?? 0);
  payloadStart = at + 1 + size;
  payloadEnd = payloadStart + length;
  return length >= 56 && payloadEnd <= end;
}

/** Notes where the items of the list in `bytes` are, and answers how many; -1 if malformed. */
function scanList(bytes: Uint8Array): number {
  if ((bytes[0] ?? 0) < 0xc0 || !readHeader(bytes, 0, bytes.length)) return -1;
  const end = payloadEnd;
  if (end !== bytes.length) return -1;
  let at = payloadStart;
  let count = 0;
  while (at < end) {
    if (count === 17 || !readHeader(bytes, at, end)) return -1;
    itemStarts[count] = at;
    itemEnds[count] = payloadEnd;
    count += 1;
    at = payloadEnd;
  }
  return count;
}

/** Payload of a scanned item that is a byte string; `null` if it is a list. */
function stringAt(bytes: Uint8Array, index: number): Uint8Array | null {
  const start = itemStarts[index] ?? 0;
  const end = itemEnds[index] ?? 0;
  const prefix = bytes[start] ?? 0;
  if (prefix >= 0xc0) return null;
  if (prefix < 0x80) return bytes.subarray(start, end);
  return bytes.subarray(prefix < 0xb8 ? start + 1 : start + 1 + prefix - 0xb7, end);
}

/** A scanned item as a child: `null` is none, `undefined` is malformed. */
function childAt(bytes: Uint8Array, index: number): NodeRef | null | undefined {
  const start = itemStarts[index] ?? 0;
  const end = itemEnds[index] ?? 0;
  const prefix = bytes[start] ?? 0;
  if (prefix === 0x80) return null;
  if (prefix === 0xa0) return bytes.subarray(start + 1, end);
  if (prefix >= 0xc0 && end - start < hashSize) return bytes.subarray(start, end);
  return undefined;
}

const unchanged: BranchNode["changed"] = Array.from({ length: 16 }, () => undefined);

function decodeBranch(bytes: Uint8Array): BranchNode | null {
  for (let i = 0; i < 16; i += 1) {
    const prefix = bytes[itemStarts[i] ?? 0] ?? 0;
    const size = (itemEnds[i] ?? 0) - (itemStarts[i] ?? 0);
    const isChild = prefix === 0x80 || prefix === 0xa0 || (prefix >= 0xc0 && size < hashSize);
    if (!isChild) return null;
  }
  const value = stringAt(bytes, 16);
  if (value === null) return null;
  const isEmpty = value.length === 0;
  return { type: "branch", source: bytes, changed: unchanged, value: isEmpty ? null : value };
}

/** Where the first item of a list begins. */
function listStart(bytes: Uint8Array): number {
  const prefix = bytes[0] ?? 0;
  return prefix < 0xf8 ? 1 : prefix - 0xf6;
}

/** Where the child item at `start` of a branch ends. */
function childEnd(bytes: Uint8Array, start: number): number {
  const prefix = bytes[start] ?? 0;
  if (prefix === 0xa0) return start + 33;
  return prefix === 0x80 ? start + 1 : start + prefix - 0xbf;
}

/** A branch's child in the direction of a nibble. */
export function branchChild(node: BranchNode, nibble: number): TrieChild | null {
  const changed = node.changed[nibble];
  if (changed !== undefined) return changed;
  const { source } = node;
  if (source === null) return null;
  let start = listStart(source);
  for (let i = 0; i < nibble; i += 1) start = childEnd(source, start);
  const prefix = source[start] ?? 0;
  if (prefix === 0x80) return null;
  return source.subarray(prefix === 0xa0 ? start + 1 : start, childEnd(source, start));
}

/** Reads a node; the parts are views into `bytes`. `null` if it is not the encoding of a node. */
export function decodeNode(bytes: Uint8Array): TrieNode | null {
  const count = scanList(bytes);
  if (count === 17) return decodeBranch(bytes);
  if (count !== 2) return null;
  const compact = stringAt(bytes, 0);
  const path = compact === null ? null : decodePath(compact);
  if (path === null) return null;
  if (path.isLeaf) {
    const value = stringAt(bytes, 1);
    return value === null ? null : { type: "leaf", path: path.nibbles, value };
  }
  const child = childAt(bytes, 1);
  if (child === undefined || child === null || path.nibbles.length === 0) return null;
  return { type: "extension", path: path.nibbles, child };
}

// Encoding.

/** By bit, the nibbles whose children are the same bytes in both of two encoded branches. */
export function equalChildren(a: Uint8Array, b: Uint8Array): number {
  let equal = 0;
  let startA = listStart(a);
  let startB = listStart(b);
  for (let nibble = 0; nibble < 16; nibble += 1) {
    const endA = childEnd(a, startA);
    const endB = childEnd(b, startB);
    let same = endA - startA === endB - startB;
    for (let i = 0; same && startA + i < endA; i += 1) same = a[startA + i] === b[startB + i];
    if (same) equal |= 1 << nibble;
    startA = endA;
    startB = endB;
  }
  return equal;
}

const poolBytes = 64 * 1024;
let pool = new Uint8Array(poolBytes);
let poolUsed = 0;

/** Room for one encoding. A buffer of its own for each would cost more than what is written to it. */
function allocate(size: number): Uint8Array {
  if (size * 8 > poolBytes) return new Uint8Array(size);
  if (poolUsed + size > poolBytes) {
    pool = new Uint8Array(poolBytes);
    poolUsed = 0;
  }
  poolUsed += size;
  return pool.subarray(poolUsed - size, poolUsed);
}

function headerSize(length: number): number {
  if (length < 56) return 1;
  if (length < 256) return 2;
  return length < 65_536 ? 3 : 4;
}

function stringSize(bytes: Uint8Array): number {
  if (bytes.length === 1 && (bytes[0] ?? 0) < 0x80) return 1;
  return headerSize(bytes.length) + bytes.length;
}

function childSize(child: NodeRef | null): number {
  if (child === null) return 1;
  return child.length === hashSize ? 33 : child.length;
}

function writeHeader(bytes: Uint8Array, start: number, base: number, length: number): number {
  const size = headerSize(length);
  if (size === 1) {
    bytes[start] = base + length;
    return start + 1;
  }
  bytes[start] = base + 54 + size;
  let rest = length;
  for (let i = size - 1; i > 0; i -= 1) {
    bytes[start + i] = rest & 255;
    rest >>>= 8;
  }
  return start + size;
}

/** Copies by hand what is too short to repay a call into the engine. */
function copyInto(bytes: Uint8Array, start: number, part: Uint8Array): number {
  const size = part.length;
  if (size > 64) bytes.set(part, start);
  else for (let i = 0; i < size; i += 1) bytes[start + i] = part[i] ?? 0;
  return start + size;
}

function writeString(bytes: Uint8Array, start: number, part: Uint8Array): number {
  if (part.length === 1 && (part[0] ?? 0) < 0x80) return copyInto(bytes, start, part);
  return copyInto(bytes, writeHeader(bytes, start, 0x80, part.length), part);
}

function writeChild(bytes: Uint8Array, start: number, child: NodeRef | null): number {
  if (child === null) {
    bytes[start] = 0x80;
    return start + 1;
  }
  if (child.length !== hashSize) return copyInto(bytes, start, child);
  bytes[start] = 0xa0;
  return copyInto(bytes, start + 1, child);
}

function encodeLeaf(node: LeafNode): Uint8Array {
  const path = encodePath(node.path, 0, true);
  const payload = stringSize(path) + stringSize(node.value);
  const bytes = allocate(headerSize(payload) + payload);
  const at = writeString(bytes, writeHeader(bytes, 0, 0xc0, payload), path);
  writeString(bytes, at, node.value);
  return bytes;
}

function encodeExtension(nibbles: Uint8Array, child: NodeRef): Uint8Array {
  const path = encodePath(nibbles, 0, false);
  const payload = stringSize(path) + childSize(child);
  const bytes = allocate(headerSize(payload) + payload);
  const at = writeString(bytes, writeHeader(bytes, 0, 0xc0, payload), path);
  writeChild(bytes, at, child);
  return bytes;
}

/** Told of each finished node that is stored by its hash. */
export type NodeAdded = (hash: Uint8Array, bytes: Uint8Array) => void;

function encodeNode(node: TrieNode, added: NodeAdded): Uint8Array {
  if (node.type === "leaf") return encodeLeaf(node);
  if (node.type === "extension") return encodeExtension(node.path, finish(node.child, added));
  return encodeBranch(node, added);
}

/** New children are written out; runs of unchanged ones are copied as they are. */
function encodeBranch({ source, changed, value }: BranchNode, added: NodeAdded): Uint8Array {
  const word = value ?? emptyBytes;
  const finished: (NodeRef | null | undefined)[] = [];
  let payload = stringSize(word);
  let old = source === null ? 0 : listStart(source);
  for (let i = 0; i < 16; i += 1) {
    const child = changed[i];
    const end = source === null ? 0 : childEnd(source, old);
    const isKept = child === undefined && source !== null;
    const ref = isKept ? undefined : finishChild(child ?? null, added);
    finished.push(ref);
    payload += ref === undefined ? end - old : childSize(ref);
    old = end;
  }
  const bytes = allocate(headerSize(payload) + payload);
  let at = writeHeader(bytes, 0, 0xc0, payload);
  // The stretch of `source` that is still to be copied.
  let from = source === null ? 0 : listStart(source);
  let to = from;
  for (const ref of finished) {
    if (source !== null && ref !== undefined) {
      at = copyRun(bytes, at, source, from, to);
      to = childEnd(source, to);
      from = to;
    } else if (source !== null) to = childEnd(source, to);
    if (ref !== undefined) at = writeChild(bytes, at, ref);
  }
  if (source !== null) at = copyRun(bytes, at, source, from, to);
  writeString(bytes, at, word);
  return bytes;
}

function finishChild(child: TrieChild | null, added: NodeAdded): NodeRef | null {
  return child === null ? null : finish(child, added);
}

function copyRun(
  bytes: Uint8Array,
  at: number,
  source: Uint8Array,
  from: number,
  to: number,
): number {
  return from === to ? at : copyInto(bytes, at, source.subarray(from, to));
}

/** Encodes and hashes what was changed below, each node once. */
export function finish(child: TrieChild, added: NodeAdded): NodeRef {
  if (child instanceof Uint8Array) return child;
  const bytes = encodeNode(child, added);
  if (bytes.length < hashSize) return bytes;
  const hash = keccak256(bytes);
  added(hash, bytes);
  return hash;
}

/** As for any node, but a root is hashed and stored even where it is short. */
export function finishRoot(child: TrieChild | null, added: NodeAdded): Uint8Array {
  if (child === null) return emptyTrieRoot;
  if (isHash(child)) return child;
  assert(!(child instanceof Uint8Array), "a root is not embedded in anything");
  const bytes = encodeNode(child, added);
  const hash = keccak256(bytes);
  added(hash, bytes);
  return hash;
}
