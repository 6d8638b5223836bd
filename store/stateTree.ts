import { assert } from "../base/assert.ts";
import type { Address, Digest } from "../base/brand.ts";
import {
  bytesToDigest,
  bytesToHexDigits,
  concatBytes,
  equalBytes,
  hexToBytes,
} from "../base/bytes.ts";
import { moduleAddress } from "../base/moduleAddress.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { emptyRoot } from "./account.ts";
import { accountCacheMax, AccountCache } from "./accountCache.ts";
import { decodeWalk, encodeWalk, startWalk, walk, type WalkItem } from "./difference.ts";
import { CorruptionError, PrunedError } from "./failures.ts";
import type { KeyValueReader, KeyValueWrite } from "./keyValue.ts";
import {
  heightBytes,
  heightKey,
  nodeKey,
  readHeight,
  readTable,
  referencesRange,
  releaseKey,
  retainedTag,
  tagRange,
  type NodeKind,
} from "./keys.ts";
import { NodeCache } from "./nodeCache.ts";
import { createProof } from "./proof.ts";
import { createKnown, ReferenceBatch, type Known } from "./references.ts";
import {
  forgetAllReplaced,
  forgetReplaced,
  readReplaced,
  replacedWrites,
  type ReplacedNode,
} from "./replacedNodes.ts";
import { applyChanges, type NodeLoader, type StateChanges } from "./stateChange.ts";
import { createStateReader, rootBytesOf, type StateReader } from "./stateReader.ts";
import { Uncommitted, type RootStep, type StepNodes } from "./uncommitted.ts";

/*
 * The state of a chain: committed heights on disk, uncommitted blocks in memory.
 *
 * A commit's nodes, their counts, the height's root and a slice of pruning are one list of writes
 * that the node puts into its one batch for the block. Between `commitWrites` and `committed`
 * nothing else may be written by this tree; applying and reading go on.
 *
 * Releasing a height costs work that follows what changed at it, in slices: a commit takes a
 * slice that keeps pace with what commits add. What is left of a release is a record in the same
 * batch. The oldest height goes by the list that the next one's commit left (replacedNodes.ts); any
 * other by a walk over it and its neighbours (difference.ts).
 */

/** Which heights stay. */
export type Retention =
  | { readonly type: "archive" }
  | {
      readonly type: "recent";
      /** The newest heights that stay, at least 2: blocks are applied to the newest. */
      readonly heights: number;
      /** Heights divisible by this stay as well; 0 for none. */
      readonly every: number;
    };

/** Settings of a tree. */
export type StateTreeOptions = {
  readonly retention: Retention;
  /** Bytes of encoded nodes kept in memory, allocated as they are read. */
  readonly cacheBytes?: number;
  /** Accounts kept as values. */
  readonly accountsMax?: number;
};

/** A height whose state is kept. */
export type RetainedHeight = { readonly height: number; readonly root: Digest };

/** Default of `cacheBytes`: room for the trie of about 500,000 accounts. */
export const stateCacheBytes = 128 * 1024 * 1024;

/** Least places walked per commit while something is to be released. */
export const releaseStepsMin = 1_000;

/** Places walked per node that a commit adds: above one, so that pruning catches up. */
const releaseStepsPerNode = 2;

/** A release at work: what is left of a walk, or of the list of the height that came after. */
export type Release =
  | { readonly type: "walk"; readonly height: number; readonly items: WalkItem[] }
  | {
      readonly type: "list";
      readonly height: number;
      readonly after: number;
      readonly part: number;
    };

const listMark = 0;
const unchanged: StepNodes = { added: [], replaced: [] };

type Pending = { readonly writes: readonly KeyValueWrite[]; readonly done: () => void };

/** A Merkle proof of one account and some of what is below it. */
export type StateProof = {
  readonly accountProof: readonly Uint8Array[];
  readonly storageProofs: readonly (readonly Uint8Array[])[];
};

/** Opens the tree that a store holds; an empty store gives a tree without heights. */
export async function openStateTree(
  keyValue: KeyValueReader,
  options: StateTreeOptions,
): Promise<StateTree> {
  const retained: RetainedHeight[] = [];
  for await (const [key, value] of keyValue.range(tagRange(retainedTag))) {
    if (key.length !== 9 || value.length !== 32) {
      throw new CorruptionError(bytesToHexDigits(key), "A retained height is malformed.");
    }
    retained.push({ height: readHeight(key, 1), root: bytesToDigest(value) });
  }
  return new StateTree(keyValue, options, retained);
}

/** Reads what is left of the release at work; `null` if there is none. */
export function readRelease(reader: KeyValueReader): Release | null {
  const record = reader.get(releaseKey);
  if (record === null) return null;
  const height = readHeight(record, 0);
  if (record[8] !== listMark)
    return { type: "walk", height, items: decodeWalk(record.subarray(8)) };
  return { type: "list", height, after: readHeight(record, 9), part: readHeight(record, 17) };
}

/** A walk is an RLP list, whose first byte is never the mark of the other. */
function encodeRelease(release: Release): Uint8Array {
  const height = heightBytes(release.height);
  if (release.type === "walk") return concatBytes(height, encodeWalk(release.items));
  const { after, part } = release;
  return concatBytes(height, Uint8Array.of(listMark), heightBytes(after), heightBytes(part));
}

/** A node as the store has it, checked against its hash; `null` if it is not there. */
export function readNode(
  reader: KeyValueReader,
  kind: NodeKind,
  hash: Uint8Array,
): Uint8Array | null {
  const bytes = reader.get(nodeKey(kind, hash));
  if (bytes !== null && !equalBytes(keccak256(bytes), hash)) {
    throw new CorruptionError(bytesToHexDigits(nodeKey(kind, hash)), "A stored node is damaged.");
  }
  return bytes;
}

/** The state tree of one chain; implements `StateTree` of `ledger/state.ts`. */
export class StateTree {
  readonly #keyValue: KeyValueReader;
  readonly #retention: Retention;
  readonly #cache: NodeCache;
  readonly #uncommitted = new Uncommitted();
  readonly #accounts: AccountCache;
  /** Ascending. A height being released is no longer here. */
  readonly #retained: RetainedHeight[];
  /** How many retained heights have a root. */
  readonly #roots = new Map<Digest, number>();
  readonly #pinned = new Map<number, number>();
  /** Heights to be released one after another, ascending. */
  #queue: number[] = [];
  #release: Release | null;
  readonly #known: Known;
  #isStopped = false;
  #pending: Pending | null = null;

  constructor(
    keyValue: KeyValueReader,
    options: StateTreeOptions,
    retained: readonly RetainedHeight[],
  ) {
    const { retention } = options;
    assert(retention.type === "archive" || retention.heights >= 2, "two heights stay at least");
    this.#keyValue = keyValue;
    this.#retention = retention;
    this.#cache = new NodeCache(options.cacheBytes ?? stateCacheBytes);
    const newest = retained.at(-1)?.root ?? emptyRoot;
    this.#accounts = new AccountCache(newest, options.accountsMax ?? accountCacheMax);
    this.#retained = [...retained];
    for (const { root } of retained) this.#roots.set(root, (this.#roots.get(root) ?? 0) + 1);
    this.#release = readRelease(keyValue);
    const isEmpty = retained.length === 0 && this.#release === null;
    this.#known = createKnown(isEmpty ? "empty" : "unread");
    this.#queueOld();
  }

  /**
   * Reads the store through once, beside everything else, to learn which nodes it holds: commits
   * and pruning then ask it for none that it has not. Without this they are right all the same. It
   * fills the cache meanwhile, because LevelDB merges tables after every few reads.
   * Ends early after `stop`, which comes before the store is closed.
   */
  async learn(): Promise<void> {
    const { nodes, counts } = this.#known;
    if (nodes.isComplete) return;
    // One range, so that both tables are of one moment; the tables go on with later batches.
    for await (const [key, value] of this.#keyValue.range(referencesRange)) {
      if (this.#isStopped) return;
      const { isCount, kind } = readTable(key);
      const hash = key.subarray(1);
      (isCount ? counts : nodes).add(kind, hash);
      // A damaged node is left to whoever asks for it, and says so.
      const isWanted = !isCount && this.#cache.hasRoom && equalBytes(keccak256(value), hash);
      if (isWanted) this.#cache.set(hash, value);
    }
    nodes.complete();
    counts.complete();
  }

  /** Ends `learn` at its next step. */
  stop(): void {
    this.#isStopped = true;
  }

  /** The heights whose state is kept, ascending. */
  get retained(): readonly RetainedHeight[] {
    return this.#retained;
  }

  /** The newest committed state; `null` before the first commit. */
  get newest(): RetainedHeight | null {
    return this.#retained.at(-1) ?? null;
  }

  /**
   * Bytes of the node cache, nodes of uncommitted blocks, and heights waiting for their release.
   */
  get usage(): {
    readonly cacheBytes: number;
    readonly uncommittedNodes: number;
    readonly releasing: number;
  } {
    return {
      cacheBytes: this.#cache.usedBytes,
      uncommittedNodes: this.#uncommitted.size,
      releasing: this.#queue.length + (this.#release === null ? 0 : 1),
    };
  }

  /** The root at a retained height, or `null`. */
  rootAt(height: number): Digest | null {
    return this.#retained.find((item) => item.height === height)?.root ?? null;
  }

  /** Whether a state can be read: the empty one, a retained or an uncommitted one. */
  has(root: Digest): boolean {
    return root === emptyRoot || this.#roots.has(root) || this.#uncommitted.hasRoot(root);
  }

  /** State at a root. Throws `PrunedError` if it is not there, now or at any later read. */
  reader(root: Digest): StateReader {
    if (!this.has(root)) throw new PrunedError(root);
    return createStateReader(this.#loader(root), root, this.#accounts);
  }

  /**
   * The root after `changes` on `parent`. New nodes stay in memory until that root is committed.
   */
  apply(parent: Digest, changes: StateChanges): Digest {
    if (!this.has(parent)) throw new PrunedError(parent);
    const changed = applyChanges(this.#loader(parent), rootBytesOf(parent), changes);
    const root = bytesToDigest(changed.root);
    if (root === parent) return root;
    this.#uncommitted.add({ parent, root }, changed);
    this.#accounts.add({ parent, root }, changed.accounts);
    return root;
  }

  /** Forgets an uncommitted block that is dead, its descendants first. Never touches the disk. */
  discard(step: RootStep): void {
    this.#uncommitted.discard(step);
    if (!this.#uncommitted.hasRoot(step.root)) this.#accounts.discard(step.root);
  }

  /** Proofs of an account and of some of its storage slots, for `eth_getProof`. */
  proof(root: Digest, address: Address, slots: readonly Digest[]): StateProof {
    return this.#prove(
      root,
      address,
      slots.map((slot) => keccak256(hexToBytes(slot))),
    );
  }

  /** Proofs of a module's account and of some of its keys. */
  moduleProof(root: Digest, module: string, keys: readonly Uint8Array[]): StateProof {
    return this.#prove(root, moduleAddress(module), keys);
  }

  /**
   * All that committing this root at this height changes, for the block's one batch. The root is
   * the newest one, or was applied to it.
   */
  commitWrites(height: number, root: Digest): readonly KeyValueWrite[] {
    assert(this.#pending === null, "one commit at a time");
    const newest = this.newest;
    assert(newest === null || height > newest.height, "heights are committed in order");
    const step = { parent: newest?.root ?? emptyRoot, root };
    const { added, replaced } = root === step.parent ? unchanged : this.#uncommitted.nodes(step);
    const batch = new ReferenceBatch(this.#keyValue, this.#known);
    for (const { kind, hash, bytes } of added) batch.begin(kind, hash, bytes);
    const steps = releaseStepsMin + releaseStepsPerNode * added.length;
    const released = this.#releaseSlice(batch, steps);
    const writes: KeyValueWrite[] = [
      ...batch.writes(),
      { type: "put", key: heightKey(retainedTag, height), value: rootBytesOf(root) },
      ...this.#listWrites(height, replaced),
      ...released,
    ];
    const done = (): void => {
      this.#retained.push({ height, root });
      this.#roots.set(root, (this.#roots.get(root) ?? 0) + 1);
      for (const { hash, bytes } of added) if (bytes !== null) this.#cache.set(hash, bytes);
      this.#uncommitted.remove(step);
      this.#accounts.commit(step);
      this.#queueOld();
    };
    this.#pending = { writes, done };
    return writes;
  }

  /**
   * Pruning alone, at most so many places: for a node that commits nothing. Empty if none is due.
   */
  releaseWrites(stepsMax: number): readonly KeyValueWrite[] {
    assert(this.#pending === null, "one commit at a time");
    const batch = new ReferenceBatch(this.#keyValue, this.#known);
    const released = this.#releaseSlice(batch, stepsMax);
    const writes = [...batch.writes(), ...released];
    if (writes.length > 0) this.#pending = { writes, done: () => undefined };
    return writes;
  }

  /** The writes handed out last are on disk. If they fail, the process ends instead. */
  committed(): void {
    const pending = this.#pending;
    assert(pending !== null, "nothing was to be committed");
    this.#pending = null;
    pending.done();
  }

  /** Keeps a height beyond its time, until `unpin` as often. */
  pin(height: number): boolean {
    if (this.rootAt(height) === null) return false;
    this.#pinned.set(height, (this.#pinned.get(height) ?? 0) + 1);
    this.#queue = this.#queue.filter((queued) => queued !== height);
    return true;
  }

  /** Lets go of a pinned height. */
  unpin(height: number): void {
    const pins = this.#pinned.get(height) ?? 0;
    if (pins > 1) this.#pinned.set(height, pins - 1);
    else this.#pinned.delete(height);
    this.#queueOld();
  }

  /** Lets a height go before its time. The newest stays. */
  release(height: number): void {
    const newest = this.newest;
    assert(newest !== null && height < newest.height, "the newest height stays");
    if (this.rootAt(height) === null || this.#pinned.has(height)) return;
    if (this.#queue.includes(height)) return;
    this.#queue = [...this.#queue, height].sort((a, b) => a - b);
  }

  #queueOld(): void {
    const retention = this.#retention;
    const newest = this.newest;
    if (retention.type === "archive" || newest === null) return;
    const oldest = newest.height - retention.heights + 1;
    for (const { height } of this.#retained) {
      if (height >= oldest) break;
      if (retention.every === 0 || height % retention.every !== 0) this.release(height);
    }
  }

  /** The list by which the height before will go. An archive lets none go. */
  #listWrites(height: number, replaced: readonly ReplacedNode[] | null): readonly KeyValueWrite[] {
    const { newest } = this;
    if (this.#retention.type === "archive" || newest === null || replaced === null) return [];
    return replacedWrites(height, newest.height, replaced);
  }

  /** Ends stays in the batch, of what is to be released, and answers the bookkeeping writes. */
  #releaseSlice(batch: ReferenceBatch, stepsMax: number): KeyValueWrite[] {
    const writes: KeyValueWrite[] = [];
    let left = stepsMax;
    let hadRecord = this.#release !== null;
    while (left > 0) {
      this.#release ??= this.#beginRelease(writes);
      if (this.#release === null) break;
      left -= 1 + this.#releaseStep(this.#release, batch, { writes, stepsMax: left });
    }
    if (this.#release !== null) {
      writes.push({ type: "put", key: releaseKey, value: encodeRelease(this.#release) });
      hadRecord = false;
    }
    if (hadRecord) writes.push({ type: "delete", key: releaseKey });
    return writes;
  }

  /** A part of a list, or places of a walk; answers how many. */
  #releaseStep(
    release: Release,
    batch: ReferenceBatch,
    { writes, stepsMax }: { readonly writes: KeyValueWrite[]; readonly stepsMax: number },
  ): number {
    if (release.type === "walk") {
      const steps = walk(release.items, this.#walkPort(batch), stepsMax);
      if (release.items.length === 0) this.#release = null;
      return steps;
    }
    const { after, part } = release;
    const list = readReplaced(this.#keyValue, after, part);
    assert(list !== null, "a list is there until it is worked off");
    for (const { kind, hash } of list.nodes) batch.end(kind, hash);
    writes.push(forgetReplaced(after, part));
    this.#release = list.following === 0 ? null : { ...release, part: part + 1 };
    return list.nodes.length;
  }

  #walkPort(batch: ReferenceBatch): Parameters<typeof walk>[1] {
    return {
      load: (kind, hash) => this.#load(kind, hash) ?? this.#missing(kind, hash),
      ended: (kind, hash) => batch.end(kind, hash),
    };
  }

  /** Takes the next height off the queue and out of the retained ones. */
  #beginRelease(writes: KeyValueWrite[]): Release | null {
    const height = this.#queue.shift();
    if (height === undefined) return null;
    const at = this.#retained.findIndex((item) => item.height === height);
    const [before, middle, after] = [at - 1, at, at + 1].map((i) => this.#retained[i] ?? null);
    assert(middle !== undefined && middle !== null, "a queued height is retained");
    assert(after !== undefined && after !== null, "the newest height stays");
    this.#retained.splice(at, 1);
    const count = (this.#roots.get(middle.root) ?? 0) - 1;
    if (count > 0) this.#roots.set(middle.root, count);
    else this.#roots.delete(middle.root);
    writes.push({ type: "delete", key: heightKey(retainedTag, height) });
    const isOldest = before === undefined || before === null;
    if (isOldest && readReplaced(this.#keyValue, after.height, 0)?.before === height) {
      return { type: "list", height, after: after.height, part: 0 };
    }
    // The lists of this height and of the next were made for neighbours that are none any more.
    writes.push(...forgetAllReplaced(this.#keyValue, height));
    writes.push(...forgetAllReplaced(this.#keyValue, after.height));
    const roots = {
      before: isOldest ? null : hexToBytes(before.root),
      middle: hexToBytes(middle.root),
      after: hexToBytes(after.root),
    };
    return { type: "walk", height, items: startWalk("account", roots) };
  }

  #prove(root: Digest, address: Address, keys: readonly Uint8Array[]): StateProof {
    const load = this.#loader(root);
    const account = this.reader(root).account(address);
    const storageRoot = rootBytesOf(account?.storageRoot ?? emptyRoot);
    const key = keccak256(hexToBytes(address));
    return {
      accountProof: createProof((hash) => load("account", hash), rootBytesOf(root), key),
      storageProofs: keys.map((slot) =>
        createProof((hash) => load("storage", hash), storageRoot, slot),
      ),
    };
  }

  /**
   * Loads for one state. A missing node is pruning if the state has gone, and damage if it stays.
   */
  #loader(root: Digest): NodeLoader {
    return (kind, hash) => {
      const bytes = this.#load(kind, hash);
      if (bytes !== null) return bytes;
      if (!this.has(root)) throw new PrunedError(root);
      return this.#missing(kind, hash);
    };
  }

  #load(kind: NodeKind, hash: Uint8Array): Uint8Array | null {
    const held = this.#uncommitted.get(hash) ?? this.#cache.get(hash);
    if (held !== null) return held;
    const bytes = readNode(this.#keyValue, kind, hash);
    if (bytes !== null) this.#cache.set(hash, bytes);
    return bytes;
  }

  #missing(kind: NodeKind, hash: Uint8Array): never {
    throw new CorruptionError(bytesToHexDigits(nodeKey(kind, hash)), "A stored node is missing.");
  }
}
