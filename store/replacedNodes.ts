import { assert } from "../base/assert.ts";
import { concatBytes } from "../base/bytes.ts";
import type { KeyValueReader, KeyValueWrite } from "./keyValue.ts";
import {
  heightBytes,
  heightKey,
  kindIndex,
  nodeKinds,
  readHeight,
  replacedTag,
  type NodeKind,
} from "./keys.ts";

/*
 * What the commit of a height took out of the places of the height before: the stays that end when
 * that one is let go as the oldest, which is how a window of recent heights moves. An update knows
 * them anyway; kept, they save the walk that would find them again (difference.ts), and all its
 * reads. Where there is no list (an account went with its storage, a neighbour was let go out of
 * order), the walk finds them.
 *
 * A list is kept in parts, so that a long one is worked off in slices. A part: the height before
 * (8), parts that follow (4), and for each node its kind (1) and hash (32).
 */

/** A node that lost a place. */
export type ReplacedNode = { readonly kind: NodeKind; readonly hash: Uint8Array };

/** A part of the list of a height. */
export type ReplacedPart = {
  /** The height that was the newest before. */
  readonly before: number;
  readonly following: number;
  readonly nodes: readonly ReplacedNode[];
};

/** Nodes in one part: a few milliseconds of work. */
export const replacedPartNodesMax = 4_096;

const headBytes = 12;
const nodeBytes = 33;

function partKey(height: number, part: number): Uint8Array {
  const number = new Uint8Array(4);
  new DataView(number.buffer).setUint32(0, part);
  return concatBytes(heightKey(replacedTag, height), number);
}

/** Keeps the list of a height that was committed on `before`. */
export function replacedWrites(
  height: number,
  before: number,
  nodes: readonly ReplacedNode[],
): KeyValueWrite[] {
  const parts = Math.ceil(nodes.length / replacedPartNodesMax);
  return Array.from({ length: parts }, (_, part) => {
    const start = part * replacedPartNodesMax;
    const some = nodes.slice(start, start + replacedPartNodesMax);
    const value = new Uint8Array(headBytes + nodeBytes * some.length);
    value.set(heightBytes(before));
    new DataView(value.buffer).setUint32(8, parts - 1 - part);
    some.forEach(({ kind, hash }, i) => {
      value[headBytes + nodeBytes * i] = kindIndex(kind);
      value.set(hash, headBytes + nodeBytes * i + 1);
    });
    return { type: "put", key: partKey(height, part), value };
  });
}

/** A part of a height's list, the first being 0; `null` if there is none. */
export function readReplaced(
  reader: KeyValueReader,
  height: number,
  part: number,
): ReplacedPart | null {
  const bytes = reader.get(partKey(height, part));
  if (bytes === null) return null;
  const nodes: ReplacedNode[] = [];
  for (let at = headBytes; at < bytes.length; at += nodeBytes) {
    const kind = nodeKinds[bytes[at] ?? -1];
    assert(kind !== undefined && at + nodeBytes <= bytes.length, "a list is read as written");
    nodes.push({ kind, hash: bytes.subarray(at + 1, at + nodeBytes) });
  }
  const following = new DataView(bytes.buffer, bytes.byteOffset).getUint32(8);
  return { before: readHeight(bytes, 0), following, nodes };
}

/** The nodes of a list from a part on. */
export function* readReplacedFrom(
  reader: KeyValueReader,
  height: number,
  part: number,
): Generator<ReplacedNode> {
  for (let at = part, following = 1; following > 0; at += 1) {
    const list = readReplaced(reader, height, at);
    if (list === null) return;
    yield* list.nodes;
    following = list.following;
  }
}

/** Forgets one part. */
export function forgetReplaced(height: number, part: number): KeyValueWrite {
  return { type: "delete", key: partKey(height, part) };
}

/** Forgets a list, which may not be there. */
export function forgetAllReplaced(reader: KeyValueReader, height: number): KeyValueWrite[] {
  const first = readReplaced(reader, height, 0);
  const parts = first === null ? 0 : first.following + 1;
  return Array.from({ length: parts }, (_, part) => forgetReplaced(height, part));
}
