import { assert } from "../base/assert.ts";
import { emptyBytes, equalBytes } from "../base/bytes.ts";
import { decodeRlp, encodeRlp, isRlpList, readBytes, readNumber, rlpNumber } from "../base/rlp.ts";
import type { RlpItem } from "../base/rlp.ts";
import { decodeAccount, emptyCodeHash, type AccountRecord } from "./account.ts";
import { CorruptionError } from "./failures.ts";
import { kindIndex, nodeKinds, type NodeKind } from "./keys.ts";
import {
  branchChild,
  decodeNode,
  emptyTrieRoot,
  equalChildren,
  isHash,
  type TrieChild,
  type TrieNode,
} from "./nodes.ts";

/*
 * Which nodes hold their place in one state only. A place is a trie and a path from its root; the
 * storage trie of an account belongs to that account's place, and so does its code.
 *
 * Three states are walked side by side: `before`, `middle`, `after`, the neighbours of `middle`
 * in height (an absent one is empty). Told are the stays that end when `middle` is let go:
 *   - a node of `middle` that neither neighbour has in that place, and
 *   - a node that both neighbours have there while `middle` does not: its two stays become one.
 * With `before` absent this is "in `middle` but not in `after`".
 *
 * Where two states that matter agree, the walk ends, so its work follows what changed and not the
 * size of the state. What is left to do is a list of bytes, so a walk can stop at any step,
 * survive a crash, and go on.
 */

/** A node on the way: `bytes` is kept when part of its path has been walked, as it may be gone. */
type Cursor = {
  readonly hash: Uint8Array;
  /** Nibbles of the node's own path that lie above this place. */
  readonly skip: number;
  readonly bytes: Uint8Array | null;
};

type Sides = readonly [before: Cursor | null, middle: Cursor | null, after: Cursor | null];

type TrieKind = "account" | "storage";

/** One place still to be walked. */
export type WalkItem = { readonly kind: TrieKind; readonly sides: Sides };

/** What a walk reads from and tells. */
export type WalkPort = {
  readonly load: (kind: NodeKind, hash: Uint8Array) => Uint8Array;
  readonly ended: (kind: NodeKind, hash: Uint8Array) => void;
};

/** State roots as 32 bytes; `null` where there is no such neighbour. */
export type WalkRoots = {
  readonly before: Uint8Array | null;
  readonly middle: Uint8Array | null;
  readonly after: Uint8Array | null;
};

/** The list with which a walk starts. */
export function startWalk(kind: TrieKind, roots: WalkRoots): WalkItem[] {
  const items: WalkItem[] = [];
  const sides: Sides = [
    rootCursor(roots.before),
    rootCursor(roots.middle),
    rootCursor(roots.after),
  ];
  pushUnlessSettled(items, kind, sides);
  return items;
}

/**
 * Walks at most `stepsMax` places, newest first; takes what it did off `items`, answers how many.
 */
export function walk(items: WalkItem[], port: WalkPort, stepsMax: number): number {
  let steps = 0;
  while (steps < stepsMax) {
    const item = items.pop();
    if (item === undefined) break;
    step(items, item, port);
    steps += 1;
  }
  return steps;
}

function rootCursor(root: Uint8Array | null): Cursor | null {
  if (root === null || equalBytes(root, emptyTrieRoot)) return null;
  return { hash: root, skip: 0, bytes: null };
}

function isSame(a: Cursor | null, b: Cursor | null): boolean {
  if (a === null || b === null) return a === b;
  return a.skip === b.skip && equalBytes(a.hash, b.hash);
}

/** Whether nothing at or below this place can end with `middle`. */
function isSettled([before, middle, after]: Sides): boolean {
  if (isSame(middle, after) || isSame(before, middle)) return true;
  return middle === null && (before === null || after === null);
}

function pushUnlessSettled(items: WalkItem[], kind: TrieKind, sides: Sides): void {
  if (!isSettled(sides)) items.push({ kind, sides });
}

type Opened = { readonly cursor: Cursor; readonly node: TrieNode; readonly bytes: Uint8Array };

function open(kind: TrieKind, cursor: Cursor | null, port: WalkPort): Opened | null {
  if (cursor === null) return null;
  const bytes = cursor.bytes ?? port.load(kind, cursor.hash);
  const node = decodeNode(bytes);
  if (node === null) throw new CorruptionError("trie node", "A stored trie node is malformed.");
  return { cursor, node, bytes };
}

function step(items: WalkItem[], { kind, sides }: WalkItem, port: WalkPort): void {
  const [before, middle, after] = sides;
  if (middle !== null && middle.skip === 0) port.ended(kind, middle.hash);
  if (before !== null && before.skip === 0 && isSame(before, after)) port.ended(kind, before.hash);
  const opened = [
    open(kind, before, port),
    open(kind, middle, port),
    open(kind, after, port),
  ] as const;
  const shared = sharedPath(opened);
  if (shared > 0)
    pushUnlessSettled(
      items,
      kind,
      mapSides(opened, (side) => along(kind, side, shared)),
    );
  else {
    const settled = settledChildren(opened[1], opened[2]) | settledChildren(opened[0], opened[1]);
    for (let nibble = 0; nibble < 16; nibble += 1) {
      if ((settled & (1 << nibble)) !== 0) continue;
      pushUnlessSettled(
        items,
        kind,
        mapSides(opened, (side) => childOf(kind, side, nibble)),
      );
    }
  }
  if (kind === "account") stepAccount(items, opened.map(accountAt), port);
}

/** Nibbles at which two branches agree, without taking them apart: nearly all, in a large trie. */
function settledChildren(a: Opened | null, b: Opened | null): number {
  if (a === null || b === null || a.node.type !== "branch" || b.node.type !== "branch") return 0;
  return equalChildren(a.bytes, b.bytes);
}

function mapSides(
  [before, middle, after]: readonly [Opened | null, Opened | null, Opened | null],
  below: (side: Opened) => Cursor | null,
): Sides {
  return [
    before === null ? null : below(before),
    middle === null ? null : below(middle),
    after === null ? null : below(after),
  ];
}

/** Nibbles that all sides go on with before any of them forks or ends. */
function sharedPath(sides: readonly (Opened | null)[]): number {
  let first: Uint8Array | null = null;
  let shared = 0;
  for (const side of sides) {
    if (side === null) continue;
    if (side.node.type === "branch") return 0;
    const rest = side.node.path.subarray(side.cursor.skip);
    if (first === null) {
      first = rest;
      shared = rest.length;
    }
    let i = 0;
    while (i < shared && i < rest.length && rest[i] === first[i]) i += 1;
    shared = i;
  }
  return shared;
}

/** What a node has below itself in the direction of a nibble, where something stored can be. */
function childOf(kind: TrieKind, side: Opened, nibble: number): Cursor | null {
  const { node, cursor } = side;
  if (node.type === "branch") return toCursor(branchChild(node, nibble));
  return node.path[cursor.skip] === nibble ? along(kind, side, 1) : null;
}

/** The cursor so many nibbles further down a leaf's or extension's own path. */
function along(kind: TrieKind, { node, cursor, bytes }: Opened, nibbles: number): Cursor | null {
  if (node.type === "branch") return null;
  const skip = cursor.skip + nibbles;
  if (node.type === "extension" && skip === node.path.length) return toCursor(node.child);
  // Below a leaf of a storage trie is nothing; below an account's are its storage and code.
  if (node.type === "leaf" && kind === "storage") return null;
  return { hash: cursor.hash, skip, bytes };
}

/** An embedded node has nothing stored in or below it. */
function toCursor(child: TrieChild | null): Cursor | null {
  if (child === null || !isHash(child)) return null;
  return { hash: child, skip: 0, bytes: null };
}

/** The account whose whole key has been walked, if this side is at one. */
function accountAt(side: Opened | null): AccountRecord | null {
  if (side === null || side.node.type !== "leaf") return null;
  return side.cursor.skip === side.node.path.length ? decodeAccount(side.node.value) : null;
}

function stepAccount(
  items: WalkItem[],
  accounts: readonly (AccountRecord | null)[],
  port: WalkPort,
): void {
  const [before, middle, after] = [accounts[0] ?? null, accounts[1] ?? null, accounts[2] ?? null];
  if (before === null && middle === null && after === null) return;
  for (const item of startWalk("storage", {
    before: before?.storageRoot ?? null,
    middle: middle?.storageRoot ?? null,
    after: after?.storageRoot ?? null,
  })) {
    items.push(item);
  }
  const codes: Sides = [codeCursor(before), codeCursor(middle), codeCursor(after)];
  if (isSettled(codes)) return;
  if (codes[1] !== null) port.ended("code", codes[1].hash);
  if (codes[0] !== null && isSame(codes[0], codes[2])) port.ended("code", codes[0].hash);
}

function codeCursor(account: AccountRecord | null): Cursor | null {
  if (account === null || equalBytes(account.codeHash, emptyCodeHash)) return null;
  return { hash: account.codeHash, skip: 0, bytes: null };
}

// The list as bytes.

function encodeCursor(cursor: Cursor | null): RlpItem {
  if (cursor === null) return emptyBytes;
  return [cursor.hash, rlpNumber(cursor.skip), cursor.bytes ?? emptyBytes];
}

function decodeCursor(item: RlpItem | undefined): Cursor | null {
  if (item === undefined || !isRlpList(item)) return null;
  const hash = readBytes(item[0], 32);
  const skip = readNumber(item[1]);
  const bytes = readBytes(item[2], Number.MAX_SAFE_INTEGER);
  assert(hash !== null && skip !== null && bytes !== null, "a walk is read as it was written");
  return { hash, skip, bytes: bytes.length === 0 ? null : bytes };
}

/** What is left of a walk. */
export function encodeWalk(items: readonly WalkItem[]): Uint8Array {
  return encodeRlp(
    items.map((item) => [rlpNumber(kindIndex(item.kind)), item.sides.map(encodeCursor)]),
  );
}

/** Reads what `encodeWalk` wrote. */
export function decodeWalk(bytes: Uint8Array): WalkItem[] {
  const outcome = decodeRlp(bytes);
  assert(outcome.ok && isRlpList(outcome.value), "a walk is read as it was written");
  return outcome.value.map((item) => {
    assert(isRlpList(item), "a walk is read as it was written");
    const kind = nodeKinds[readNumber(item[0]) ?? -1];
    const sides = item[1];
    assert(kind === "account" || kind === "storage", "a walk is over tries");
    assert(sides !== undefined && isRlpList(sides), "a walk has three sides");
    return {
      kind,
      sides: [decodeCursor(sides[0]), decodeCursor(sides[1]), decodeCursor(sides[2])],
    };
  });
}
