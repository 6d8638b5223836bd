import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMPT, type MerklePatriciaTrie } from "@ethereumjs/mpt";
import { ClassicLevel } from "classic-level";
import type { Address, Digest } from "../base/brand.ts";
import { bytesToAddress, bytesToHex, hexToBytes } from "../base/bytes.ts";
import { emptyKeccak, keccak256 } from "../crypto/keccak.ts";
import { emptyCodeHash, emptyRoot, encodeAccount, type Account } from "../store/account.ts";
import type { KeyValue, KeyValueWrite } from "../store/keyValue.ts";
import { nodeKey, taggedKey } from "../store/keys.ts";
import { openLevel } from "../store/level.ts";
import { emptyTrieRoot } from "../store/nodes.ts";
import type { StateChanges } from "../store/stateChange.ts";
import { openStateTree, type StateTree } from "../store/stateTree.ts";
import { calibrate, median, printCalibration, printTable, processUsage } from "./measure.ts";

/*
 * State roots: blocks of account updates on a large state, ours against `@ethereumjs/mpt` on
 * copies of the same LevelDB, alternating, each run in a process of its own so that neither pays
 * for the other's compaction. The same changes, and the same root in the end. The peer gets its
 * fastest setting: our keccak, a node cache, one checkpoint and one synced batch a block; it
 * reads the nodes that ours wrote. Both have read a block's accounts just before they update
 * them, as an executor does; that is a column of its own. Archives keep every height; ours prunes
 * to the newest four, the peer to the newest one. Each is compared with the peer that does as much.
 *
 *   npm run bench -- trie [--accounts 1000000] [--updates 4000] [--blocks 20] [--rounds 2]
 *     [--kinds uniform,zipf] [--sides peerArchive,archive,peerPruning,pruning] [--state FOLDER]
 *
 * The state is built anew, or kept in the folder of `--state` for the next run, which then needs
 * only minutes for a kind and two sides. A ratio needs the peer's side in the same run.
 */

type Settings = { readonly accounts: number; readonly updates: number; readonly blocks: number };

/** What of the whole is run. */
type Part = {
  readonly kinds: readonly Kind[];
  readonly sides: readonly Side[];
  readonly rounds: number;
};

const peerTag = 0x70;
const loadPerBlock = 20_000;
const cacheBytes = 512 * 1024 * 1024;

/** A small seeded generator (mulberry32), so that every run changes the same accounts. */
function createDice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function addressOf(index: number): Address {
  const seed = new Uint8Array(4);
  new DataView(seed.buffer).setUint32(0, index);
  return bytesToAddress(keccak256(seed).slice(12));
}

function changesOf(indices: Iterable<number>, balance: bigint): StateChanges {
  const accounts = new Map<Address, Account>();
  for (const index of indices) {
    const account = { nonce: 1n, balance, storageRoot: emptyRoot, codeHash: emptyKeccak };
    accounts.set(addressOf(index), account);
  }
  return {
    accounts,
    storage: new Map(),
    storageCleared: new Set(),
    code: new Map(),
    modules: new Map(),
  };
}

/** Draws distinct accounts: all alike, or by Zipf's law with exponent 1.1. */
function createDraw(kind: "uniform" | "zipf", settings: Settings): () => Set<number> {
  const dice = createDice(kind === "uniform" ? 1 : 2);
  if (kind === "uniform") {
    return () => {
      const drawn = new Set<number>();
      while (drawn.size < settings.updates) drawn.add(Math.floor(dice() * settings.accounts));
      return drawn;
    };
  }
  const sums = new Float64Array(settings.accounts);
  let sum = 0;
  for (let i = 0; i < sums.length; i += 1) {
    sum += 1 / (i + 1) ** 1.1;
    sums[i] = sum;
  }
  const pick = (): number => {
    const target = dice() * sum;
    let low = 0;
    let high = sums.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sums[middle] ?? 0) < target) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return () => new Set(Array.from({ length: settings.updates }, pick));
}

type Cost = {
  readonly updates: number;
  /** Reading the accounts first, as whoever updates them does. */
  readonly readUs: number;
  readonly cpuUs: number;
  readonly hashes: number;
  readonly bytes: number;
};

function bytesOf(writes: readonly KeyValueWrite[]): number {
  let bytes = 0;
  for (const write of writes) {
    bytes += write.key.length + (write.type === "put" ? write.value.length : 0);
  }
  return bytes;
}

/** Processor time of the whole process in microseconds, the engine's threads included. */
async function cpuOf(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const used = process.cpuUsage(before);
  return used.user + used.system;
}

async function commitOurs(
  keyValue: KeyValue,
  tree: StateTree,
  changes: StateChanges,
): Promise<Cost> {
  let writes: readonly KeyValueWrite[] = [];
  let hashes = 0;
  const reader = tree.reader(tree.newest?.root ?? emptyRoot);
  const readUs = await cpuOf(async () => {
    for (const address of changes.accounts.keys()) reader.account(address);
    await Promise.resolve();
  });
  const cpuUs = await cpuOf(async () => {
    const root = tree.apply(tree.newest?.root ?? emptyRoot, changes);
    hashes = tree.usage.uncommittedNodes;
    writes = tree.commitWrites((tree.newest?.height ?? -1) + 1, root);
    await keyValue.write(writes, { sync: true });
    tree.committed();
  });
  return { updates: changes.accounts.size, readUs, cpuUs, hashes, bytes: bytesOf(writes) };
}

/** The peer's view of the store: reads fall through to our nodes. Its keys are unprefixed hex. */
class PeerDatabase {
  readonly #keyValue: KeyValue;
  hashes = 0;
  bytes = 0;

  constructor(keyValue: KeyValue) {
    this.#keyValue = keyValue;
  }

  open(): Promise<void> {
    return Promise.resolve();
  }

  get(key: string): Promise<Uint8Array | undefined> {
    const hash = hexToBytes(key);
    const own = this.#keyValue.get(taggedKey(peerTag, hash));
    return Promise.resolve(own ?? this.#keyValue.get(nodeKey("account", hash)) ?? undefined);
  }

  put(key: string, value: Uint8Array): Promise<void> {
    return this.#write([{ type: "put", key: taggedKey(peerTag, hexToBytes(key)), value }]);
  }

  del(key: string): Promise<void> {
    return this.#write([{ type: "delete", key: taggedKey(peerTag, hexToBytes(key)) }]);
  }

  batch(
    operations: readonly {
      readonly type: string;
      readonly key: string;
      readonly value?: Uint8Array;
    }[],
  ): Promise<void> {
    const writes = operations.map(({ key, value }): KeyValueWrite => {
      const bytes = taggedKey(peerTag, hexToBytes(key));
      return value === undefined
        ? { type: "delete", key: bytes }
        : { type: "put", key: bytes, value };
    });
    return this.#write(writes);
  }

  shallowCopy(): PeerDatabase {
    return new PeerDatabase(this.#keyValue);
  }

  async #write(writes: readonly KeyValueWrite[]): Promise<void> {
    this.bytes += bytesOf(writes);
    await this.#keyValue.write(writes, { sync: true });
  }
}

type Peer = { readonly trie: MerklePatriciaTrie; readonly counter: PeerDatabase };

async function openPeer(keyValue: KeyValue, root: Digest, useNodePruning: boolean): Promise<Peer> {
  const counter = new PeerDatabase(keyValue);
  const hash = (bytes: Uint8Array): Uint8Array => {
    counter.hashes += 1;
    return keccak256(bytes);
  };
  const trie = await createMPT({
    db: counter as never,
    root: hexToBytes(root),
    useKeyHashing: true,
    useKeyHashingFunction: hash,
    useNodePruning,
    valueEncoding: "view" as never,
    cacheSize: 100_000,
  });
  return { trie, counter };
}

async function commitPeer({ trie, counter }: Peer, changes: StateChanges): Promise<Cost> {
  const pairs = [...changes.accounts].map(([address, account]) => {
    const record = { storageRoot: emptyTrieRoot, codeHash: emptyCodeHash };
    const value = encodeAccount({ nonce: 1n, balance: account?.balance ?? 0n, ...record });
    return [hexToBytes(address), value] as const;
  });
  const readUs = await cpuOf(async () => {
    for (const [key] of pairs) await trie.get(key);
  });
  counter.hashes = 0;
  counter.bytes = 0;
  const cpuUs = await cpuOf(async () => {
    trie.checkpoint();
    for (const [key, value] of pairs) await trie.put(key, value);
    await trie.commit();
  });
  // Its key hashes are not node hashes, as ours are not counted either.
  const hashes = counter.hashes - pairs.length;
  return { updates: pairs.length, readUs, cpuUs, hashes, bytes: counter.bytes };
}

async function buildState(keyValue: KeyValue, accounts: number): Promise<void> {
  const retention = { type: "recent", heights: 2, every: 0 } as const;
  const tree = await openStateTree(keyValue, { retention, cacheBytes });
  for (let start = 0; start < accounts; start += loadPerBlock) {
    const count = Math.min(loadPerBlock, accounts - start);
    const indices = Array.from({ length: count }, (_, i) => start + i);
    await commitOurs(keyValue, tree, changesOf(indices, 10n ** 18n));
  }
}

function row(name: string, costs: readonly Cost[], peerUs: number): string[] {
  const per = (pick: (cost: Cost) => number): number =>
    median(costs.map((cost) => pick(cost) / cost.updates));
  const cpuUs = per((cost) => cost.cpuUs);
  const each = costs.map((cost) => cost.cpuUs / cost.updates);
  return [
    name,
    median(costs.map((cost) => cost.updates)).toFixed(0),
    per((cost) => cost.readUs).toFixed(1),
    cpuUs.toFixed(1),
    `${Math.min(...each).toFixed(1)}-${Math.max(...each).toFixed(1)}`,
    per((cost) => cost.hashes).toFixed(2),
    per((cost) => cost.bytes).toFixed(0),
    (cpuUs / peerUs).toFixed(3),
  ];
}

const head = ["", "updates", "µs/read", "µs/update", "range", "hashes", "bytes", "of peer"];

type Side = "peerArchive" | "peerPruning" | "archive" | "pruning";
type Kind = "uniform" | "zipf";

const sides: readonly Side[] = ["peerArchive", "archive", "peerPruning", "pruning"];

const kinds: readonly Kind[] = ["uniform", "zipf"];

const names: Readonly<Record<Side, string>> = {
  peerArchive: "@ethereumjs/mpt",
  archive: "ours",
  peerPruning: "@ethereumjs/mpt, pruning",
  pruning: "ours, pruning",
};

type Result = { readonly costs: readonly Cost[]; readonly root: string };

/** Blocks before the clock starts: code gets warm, and pruning gets as far behind as it stays. */
const warmUpBlocks = 8;

/** One side's blocks on its own copy of the store, in a process of its own. */
async function measureSide(
  folder: string,
  side: Side,
  kind: Kind,
  settings: Settings,
): Promise<void> {
  const keyValue = await openLevel(folder);
  const draw = createDraw(kind, settings);
  const recent = { type: "recent", heights: 4, every: 0 } as const;
  const retention = side === "pruning" ? recent : ({ type: "archive" } as const);
  const tree = await openStateTree(keyValue, { retention, cacheBytes });
  const isPeer = side === "peerArchive" || side === "peerPruning";
  if (!isPeer) await tree.learn();
  const peer = await openPeer(keyValue, tree.newest?.root ?? emptyRoot, side === "peerPruning");
  const costs: Cost[] = [];
  for (let block = 0; block < settings.blocks + warmUpBlocks; block += 1) {
    const changes = changesOf(draw(), BigInt(block + 1) * 10n ** 17n);
    const cost = isPeer
      ? await commitPeer(peer, changes)
      : await commitOurs(keyValue, tree, changes);
    if (block >= warmUpBlocks) costs.push(cost);
  }
  const root = isPeer ? bytesToHex(peer.trie.root()) : (tree.newest?.root ?? "");
  await keyValue.close();
  console.log(JSON.stringify({ costs, root } satisfies Result));
}

/** Runs this file once more, on a copy of the folder. */
function runChild(folder: string, flags: readonly string[], settings: Settings): string {
  const copy = `${folder}-copy`;
  cpSync(folder, copy, { recursive: true });
  const numbers = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, `${value}`]);
  const child = ["--expose-gc", "bench/main.ts", "trie", ...flags, "--folder", copy, ...numbers];
  try {
    return execFileSync(process.execPath, child, { encoding: "utf8" }).trim();
  } finally {
    rmSync(copy, { recursive: true });
  }
}

/** Alternates the sides, each so many rounds, and checks that all come to the same root. */
function compare(folder: string, kind: Kind, settings: Settings, part: Part): void {
  const costs = new Map<Side, Cost[]>(part.sides.map((side) => [side, []]));
  const roots = new Set<string>();
  for (let round = 0; round < part.rounds; round += 1) {
    for (const side of part.sides) {
      const text = runChild(folder, ["--side", side, "--kind", kind], settings);
      const result = JSON.parse(text) as Result;
      costs.get(side)?.push(...result.costs);
      roots.add(result.root);
    }
  }
  if (roots.size !== 1) throw new Error("the roots differ");
  const usOf = (side: Side): number =>
    median((costs.get(side) ?? []).map((cost) => cost.cpuUs / cost.updates));
  const rows = part.sides.map((side) => {
    const peer = side === "pruning" || side === "peerPruning" ? "peerPruning" : "peerArchive";
    return row(names[side], costs.get(side) ?? [], usOf(peer));
  });
  printTable([kind, ...head.slice(1)], rows);
}

/** Memory of this process that is not a mapped file. */
function anonymousBytes(): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1_024;
}

/** In a process of its own: opens the store, answers one account, then reads all of them. */
async function readAll(folder: string, accounts: number): Promise<void> {
  const startNs = process.hrtime.bigint();
  const keyValue = await openLevel(folder);
  const tree = await openStateTree(keyValue, { retention: { type: "archive" }, cacheBytes });
  const reader = tree.reader(tree.newest?.root ?? emptyRoot);
  const first = reader.account(addressOf(0));
  const openMs = Number(process.hrtime.bigint() - startNs) / 1e6;
  if (first === null) throw new Error("the first account is missing");
  for (let i = 0; i < accounts; i += 1) {
    if (reader.account(addressOf(i)) === null) throw new Error(`account ${i} is missing`);
  }
  // What the loop above left behind is no part of the trie.
  globalThis.gc?.();
  const ownBytes = anonymousBytes();
  const { residentBytes } = processUsage(process.pid);
  const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  console.log(`open to first account, nothing cached: ${openMs.toFixed(0)} ms`);
  console.log(
    `all ${accounts} accounts resident: node cache ${mib(tree.usage.cacheBytes)}, ` +
      `process ${mib(ownBytes)}, with the engine's mapped files ${mib(residentBytes)}`,
  );
  await keyValue.close();
}

function textFlag(flags: readonly string[], name: string): string {
  const at = flags.indexOf(`--${name}`);
  return at < 0 ? "" : (flags[at + 1] ?? "");
}

function numberFlag(flags: readonly string[], name: string, otherwise: number): number {
  const at = flags.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(flags[at + 1]);
}

/** Those named in a comma-separated flag, or all. */
function chosen<T extends string>(flags: readonly string[], name: string, all: readonly T[]): T[] {
  const text = textFlag(flags, name);
  return all.filter((item) => text === "" || text.split(",").includes(item));
}

/** Runs the benchmark; with `--folder` one part of it, which is how it starts itself. */
export async function run(flags: readonly string[]): Promise<void> {
  const settings = {
    accounts: numberFlag(flags, "accounts", 1_000_000),
    updates: numberFlag(flags, "updates", 4_000),
    blocks: numberFlag(flags, "blocks", 20),
  };
  const folder = textFlag(flags, "folder");
  const [side] = chosen(flags, "side", sides);
  const [kind] = chosen(flags, "kind", kinds);
  if (folder === "") await runAll(flags, settings);
  else if (textFlag(flags, "side") === "") await readAll(folder, settings.accounts);
  else if (side !== undefined && kind !== undefined) {
    await measureSide(folder, side, kind, settings);
  }
}

/** Builds the state in an empty folder; one that was built before is taken as it is. */
async function makeState(folder: string, accounts: number): Promise<void> {
  const keyValue = await openLevel(folder);
  const { newest } = await openStateTree(keyValue, { retention: { type: "archive" } });
  if (newest === null) {
    const buildUs = await cpuOf(() => buildState(keyValue, accounts));
    console.log(`built ${accounts} accounts: ${(buildUs / accounts).toFixed(1)} CPU µs each`);
  }
  await keyValue.close();
  if (newest === null) await compact(folder);
}

/** The building's own merges are no part of the blocks after it: both sides start without. */
async function compact(folder: string): Promise<void> {
  const engine = new ClassicLevel<Uint8Array, Uint8Array>(folder, {
    keyEncoding: "view",
    valueEncoding: "view",
    compression: false,
  });
  await engine.compactRange(new Uint8Array(0), new Uint8Array(64).fill(0xff));
  await engine.close();
}

async function runAll(flags: readonly string[], settings: Settings): Promise<void> {
  const before = calibrate();
  printCalibration("before", before);
  const kept = textFlag(flags, "state");
  const folder = kept === "" ? mkdtempSync(join(tmpdir(), "ledger-bench-trie-")) : kept;
  const part = {
    kinds: chosen(flags, "kinds", kinds),
    sides: chosen(flags, "sides", sides),
    rounds: numberFlag(flags, "rounds", 2),
  };
  try {
    await makeState(folder, settings.accounts);
    if (part.sides.length === sides.length) console.log(runChild(folder, [], settings));
    for (const kind of part.kinds) compare(folder, kind, settings, part);
  } finally {
    if (kept === "") rmSync(folder, { recursive: true });
  }
  printCalibration("after", calibrate(), before);
}
