import { assert } from "../base/assert.ts";

/*
 * The one key space, by first byte. A key is the tag and fixed-width fields, so no table's keys run
 * into another's.
 *
 *   00      meta: format version, chain
 *   1k      nodes of kind k by hash: account trie, storage trie, code, snapshot chunk
 *   2k      reference counts of kind k by hash, where the count is above one
 *   30      retained heights: height -> state root
 *   31      the release at work
 *   32      what a height's commit replaced, in parts (replacedNodes.ts)
 *   4x      blocks and their indexes (blocks.ts), of logs (logIndex.ts)
 */

/**
 * What a stored node belongs to; each kind has its own table, so that none can pass for another.
 */
export type NodeKind = "account" | "storage" | "code" | "chunk";

/** All kinds, in the order of their tags. */
export const nodeKinds: readonly NodeKind[] = ["account", "storage", "code", "chunk"];

const nodeTag = 0x10;
const countTag = 0x20;

/** First byte of the retained heights. */
export const retainedTag = 0x30;

/** Key of the release at work. */
export const releaseKey: Uint8Array = Uint8Array.of(0x31);

/** First byte of what the commits of retained heights replaced. */
export const replacedTag = 0x32;

/** A kind's number: its place in `nodeKinds`. */
export function kindIndex(kind: NodeKind): number {
  return nodeKinds.indexOf(kind);
}

/** Key of a node. */
export function nodeKey(kind: NodeKind, hash: Uint8Array): Uint8Array {
  return taggedKey(nodeTag + kindIndex(kind), hash);
}

/** Key of a node's reference count. */
export function countKey(kind: NodeKind, hash: Uint8Array): Uint8Array {
  return taggedKey(countTag + kindIndex(kind), hash);
}

/** One byte and the rest. */
export function taggedKey(tag: number, rest: Uint8Array): Uint8Array {
  const key = new Uint8Array(1 + rest.length);
  key[0] = tag;
  key.set(rest, 1);
  return key;
}

/** One byte and a height in 8 bytes, big-endian, so that keys sort as heights do. */
export function heightKey(tag: number, height: number): Uint8Array {
  return taggedKey(tag, heightBytes(height));
}

/** A height in 8 bytes, big-endian. */
export function heightBytes(height: number): Uint8Array {
  assert(Number.isSafeInteger(height) && height >= 0, `not a height: ${height}`);
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(height / 2 ** 32));
  view.setUint32(4, height % 2 ** 32);
  return bytes;
}

/** Reads the 8 bytes of a height that start at `offset`. */
export function readHeight(bytes: Uint8Array, offset: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, 8);
  return view.getUint32(0) * 2 ** 32 + view.getUint32(4);
}

/** All keys with this first byte. */
export function tagRange(tag: number): { readonly from: Uint8Array; readonly to: Uint8Array } {
  return { from: Uint8Array.of(tag), to: Uint8Array.of(tag + 1) };
}

/** All nodes of a kind. */
export function nodeRange(kind: NodeKind): ReturnType<typeof tagRange> {
  return tagRange(nodeTag + kindIndex(kind));
}

/** All reference counts of a kind. */
export function countRange(kind: NodeKind): ReturnType<typeof tagRange> {
  return tagRange(countTag + kindIndex(kind));
}

/** All nodes and reference counts. */
export const referencesRange = {
  from: Uint8Array.of(nodeTag),
  to: Uint8Array.of(countTag + nodeKinds.length),
};

/** Which table a key of `referencesRange` is in; `kind` as `kindIndex` says. */
export function readTable(key: Uint8Array): { readonly isCount: boolean; readonly kind: number } {
  const tag = key[0] ?? 0;
  const isCount = tag >= countTag;
  return { isCount, kind: tag - (isCount ? countTag : nodeTag) };
}
