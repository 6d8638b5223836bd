import { bytesToDigest, bytesToHexDigits, equalBytes } from "../base/bytes.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { startWalk, walk, type WalkItem } from "./difference.ts";
import { DigestMap } from "./digestMap.ts";
import { CorruptionError } from "./failures.ts";
import type { KeyValueReader } from "./keyValue.ts";
import {
  countRange,
  nodeKey,
  nodeKinds,
  nodeRange,
  readHeight,
  retainedTag,
  tagRange,
  type NodeKind,
} from "./keys.ts";
import { decodeCount } from "./references.ts";
import { readReplacedFrom } from "./replacedNodes.ts";
import { readNode, readRelease } from "./stateTree.ts";

/*
 * Counts every stay anew from the retained roots and compares with what is stored: the check that
 * reference counts are right, after a crash or at an operator's wish. Reads the whole store.
 */

/** Problems listed in one report. */
export const recountProblemsMax = 100;

/** What a recount found; without problems the store is whole. */
export type RecountReport = {
  readonly heights: number;
  readonly nodes: number;
  /** Stays left to end by the release at work. */
  readonly releasing: number;
  /** One sentence each; the first `recountProblemsMax`. */
  readonly problems: readonly string[];
};

type Counts = ReadonlyMap<NodeKind, DigestMap<number>>;

/** Recounts a store. Give it a snapshot if the store is being written. */
export async function recount(reader: KeyValueReader): Promise<RecountReport> {
  const problems: string[] = [];
  const counts: Counts = new Map(nodeKinds.map((kind) => [kind, new DigestMap<number>()]));
  const roots: Uint8Array[] = [];
  for await (const [key, root] of reader.range(tagRange(retainedTag))) {
    roots.push(root);
    if (key.length !== 9 || root.length !== 32) {
      problems.push(`retained height ${readHeight(key, 1)} is malformed`);
    }
  }
  let releasing = 0;
  try {
    roots.forEach((middle, i) => {
      countWalk(
        reader,
        counts,
        startWalk("account", { before: null, middle, after: roots[i - 1] ?? null }),
      );
    });
    releasing = countRelease(reader, counts);
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    problems.push(error.message);
  }
  const nodes = await compare(reader, counts, problems);
  return {
    heights: roots.length,
    nodes,
    releasing,
    problems: problems.slice(0, recountProblemsMax),
  };
}

/** Counts the stays that the release at work has still to end. */
function countRelease(reader: KeyValueReader, counts: Counts): number {
  const left = readRelease(reader);
  if (left === null) return 0;
  if (left.type === "walk") return countWalk(reader, counts, left.items);
  let stays = 0;
  for (const { kind, hash } of readReplacedFrom(reader, left.after, left.part)) {
    countStay(counts, kind, hash);
    stays += 1;
  }
  return stays;
}

function countStay(counts: Counts, kind: NodeKind, hash: Uint8Array): void {
  const table = counts.get(kind);
  table?.set(hash.slice(), (table.get(hash) ?? 0) + 1);
}

/** Counts the stays of a walk, and answers how many. */
function countWalk(reader: KeyValueReader, counts: Counts, items: WalkItem[]): number {
  let stays = 0;
  const port = {
    load: (kind: NodeKind, hash: Uint8Array): Uint8Array => {
      const bytes = readNode(reader, kind, hash);
      if (bytes !== null) return bytes;
      const key = bytesToHexDigits(nodeKey(kind, hash));
      throw new CorruptionError(key, "A stored node is missing.");
    },
    ended: (kind: NodeKind, hash: Uint8Array): void => {
      countStay(counts, kind, hash);
      stays += 1;
    },
  };
  walk(items, port, Number.POSITIVE_INFINITY);
  return stays;
}

async function compare(
  reader: KeyValueReader,
  counts: Counts,
  problems: string[],
): Promise<number> {
  let nodes = 0;
  const report = (problem: string): void => {
    if (problems.length < recountProblemsMax) problems.push(problem);
  };
  for (const [kind, expected] of counts) {
    const stored = new DigestMap<number>();
    for await (const [key, bytes] of reader.range(nodeRange(kind))) {
      const hash = key.slice(1);
      nodes += 1;
      stored.set(hash, 1);
      if (!equalBytes(keccak256(bytes), hash)) {
        report(`${kind} node ${bytesToDigest(hash)} is damaged`);
      }
    }
    for await (const [key, record] of reader.range(countRange(kind))) {
      const hash = key.slice(1);
      if (stored.get(hash) === undefined) {
        report(`${kind} node ${bytesToDigest(hash)} has a count and is not stored`);
      } else stored.set(hash, decodeCount(record));
    }
    for (const [hash, count] of stored.entries()) {
      const right = expected.get(hash) ?? 0;
      if (count === right) continue;
      report(`${kind} node ${bytesToDigest(hash)} has count ${count}, recounted ${right}`);
    }
    for (const [hash] of expected.entries()) {
      if (stored.get(hash) === undefined) report(`${kind} node ${bytesToDigest(hash)} is missing`);
    }
  }
  return nodes;
}
