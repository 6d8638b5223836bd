import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { assert } from "../base/assert.ts";
import type { Address, Digest } from "../base/brand.ts";
import { NodeError } from "../base/nodeError.ts";
import { decodeRlp, encodeRlp, readBytes, readList, type RlpItem } from "../base/rlp.ts";
import type { EpochInfo } from "../consensus/types.ts";
import { decodeBody, decodeCommitProof, encodeBody, encodeCommitProof } from "../ledger/block.ts";
import type { Block, CommitProof, Header } from "../ledger/blockTypes.ts";
import { genesisBlock, genesisState, type Genesis } from "../ledger/genesis.ts";
import { blockHash, decodeHeader, encodeHeader } from "../ledger/header.ts";
import { decodeReceipt, encodeReceipt } from "../ledger/receipt.ts";
import type { Log, Receipt } from "../ledger/receiptTypes.ts";
import { coreRegistry } from "../ledger/runtime.ts";
import type { StateChanges, StateReader } from "../ledger/state.ts";
import { emptyRoot } from "../store/account.ts";
import {
  BlockStore,
  blockWrites,
  commitBlockWrites,
  forgetBlockWrites,
  recordWrite,
  type TransactionPlace,
} from "../store/blocks.ts";
import { checkFormat } from "../store/format.ts";
import type { KeyValue, KeyValueWrite } from "../store/keyValue.ts";
import { openLevel } from "../store/level.ts";
import {
  LogIndex,
  logIndexWrites,
  type LogIndexFaults,
  type LogPlace,
  type LogTerms,
} from "../store/logIndex.ts";
import { openStateTree, type StateProof, type StateTree } from "../store/stateTree.ts";
import { missingBlock } from "./chain.ts";
import type { ChainStore, CommitWrite } from "./chainStore.ts";
import type { GenesisSource } from "./genesis.ts";
import { decodeEpoch, encodeEpoch, firstEpoch } from "./epochs.ts";

/** Receipts of a block as they are stored. */
export type StoredReceipts = {
  readonly receipts: readonly Receipt[];
  readonly jobReceipt: Receipt | null;
};

/** A block with its hash. */
export type HashedBlock = { readonly hash: Digest; readonly block: Block };

/** Name of the record that holds the running epoch. */
const epochRecord = "epoch";

/** Largest stored receipt, in bytes. */
const receiptBytesMax = 16_777_216;

/** Blocks that lost, forgotten in one go at the start. */
const orphansMax = 100_000;

/** Where a data folder has its key-value store. */
export function storeFolder(dataFolder: string): string {
  return join(dataFolder, "store");
}

/** How a store is opened. */
export type DiskStoreOptions = {
  readonly folder: string;
  readonly genesis: GenesisSource;
  readonly archive: boolean;
  readonly retainedHeights: number;
};

/**
 * The data folder: state, blocks, receipts and indexes in one key-value store. What one event
 * changes is one batch, so a crash leaves all of it or nothing.
 */
export class DiskStore implements ChainStore {
  readonly #keyValue: KeyValue;
  readonly #tree: StateTree;
  readonly #blocks: BlockStore;
  readonly #logs: LogIndex;
  #head: { readonly hash: Digest; readonly header: Header };
  #headProof: CommitProof | null;
  #epoch: EpochInfo;
  readonly #uncommitted: readonly HashedBlock[];
  readonly #learning: Promise<void>;
  /** Dead blocks; their removal rides on the next commit. */
  #dead: KeyValueWrite[] = [];

  private constructor(parts: {
    readonly keyValue: KeyValue;
    readonly tree: StateTree;
    readonly blocks: BlockStore;
    readonly head: { readonly hash: Digest; readonly header: Header };
    readonly headProof: CommitProof | null;
    readonly epoch: EpochInfo;
    readonly uncommitted: readonly HashedBlock[];
  }) {
    this.#keyValue = parts.keyValue;
    this.#tree = parts.tree;
    this.#blocks = parts.blocks;
    this.#logs = new LogIndex(parts.keyValue);
    this.#head = parts.head;
    this.#headProof = parts.headProof;
    this.#epoch = parts.epoch;
    this.#uncommitted = parts.uncommitted;
    // Only saves reads. What cannot be read is told to whoever needs it, so here it is let go.
    this.#learning = parts.tree.learn().catch(() => undefined);
  }

  /** Opens the folder, or makes it with the genesis state in it. */
  static async open(options: DiskStoreOptions): Promise<DiskStore> {
    makeFolder(options.folder);
    const keyValue = await openLevel(storeFolder(options.folder), { shared: "first" });
    try {
      await checkFormat(keyValue, options.genesis.names.hash);
      const tree = await openStateTree(keyValue, {
        retention: options.archive
          ? { type: "archive" }
          : { type: "recent", heights: options.retainedHeights, every: 0 },
      });
      const blocks = new BlockStore(keyValue);
      if (blocks.newest() === null) await writeGenesis(keyValue, tree, options.genesis.whole());
      await forgetOrphans(keyValue, blocks);
      return new DiskStore({ keyValue, tree, blocks, ...(await readHead(blocks)) });
    } catch (error) {
      await keyValue.close();
      throw error;
    }
  }

  /** The newest committed block when the store was opened, or after the last commit. */
  get head(): { readonly hash: Digest; readonly header: Header } {
    return this.#head;
  }

  /** The epoch of the head's child. */
  get epoch(): EpochInfo {
    return this.#epoch;
  }

  /** An epoch that began here, the running one included; `null` if it is not known. */
  epochInfo(epoch: number): EpochInfo | null {
    if (epoch === this.#epoch.epoch) return this.#epoch;
    const bytes = this.#blocks.record(`${epochRecord}/${epoch}`);
    return bytes === null ? null : decodeEpoch(bytes);
  }

  /** Header of the running epoch's root. */
  get epochRoot(): Header {
    const header = this.committedHeader(this.#epoch.root);
    if (header === null) throw missingBlock(`the root of epoch ${this.#epoch.epoch}`);
    return header;
  }

  /** Proof that the head is committed; `null` at genesis. */
  headProof(): CommitProof | null {
    return this.#headProof;
  }

  /** Blocks that were stored and not committed when the store was opened, lowest first. */
  uncommittedBlocks(): readonly HashedBlock[] {
    return this.#uncommitted;
  }

  /** Committed blocks from a height up to the head, lowest first. */
  committedSince(height: number): readonly HashedBlock[] {
    const found: HashedBlock[] = [];
    for (let at = height; at <= this.#head.header.height; at += 1) {
      const hash = this.hashAtHeight(at);
      const block = hash === null ? null : this.block(hash);
      if (hash === null || block === null) throw missingBlock(`the block at height ${at}`);
      found.push({ hash, block });
    }
    return found;
  }

  reader(root: Digest): StateReader {
    return this.#tree.reader(root);
  }

  /** Proofs of a module's account and of some of its keys. */
  moduleProof(root: Digest, module: string, keys: readonly Uint8Array[]): StateProof {
    return this.#tree.moduleProof(root, module, keys);
  }

  /** Whether the state of a root can be read. */
  hasState(root: Digest): boolean {
    return this.#tree.has(root);
  }

  /** The lowest height whose state can be read. */
  retainedHeightMin(): number {
    return this.#tree.retained[0]?.height ?? 0;
  }

  usage(): StateTree["usage"] {
    return this.#tree.usage;
  }

  apply(parent: Digest, changes: StateChanges): Digest {
    return this.#tree.apply(parent, changes);
  }

  discard(step: { readonly parent: Digest; readonly root: Digest }): void {
    this.#tree.discard(step);
  }

  async putBlock(hash: Digest, block: Block): Promise<void> {
    const { height } = block.header;
    const writes = blockWrites({ height, hash }, encodedBlock(block));
    await this.#keyValue.write(writes, { sync: true });
  }

  forgetBlock(hash: Digest, height: number): void {
    this.#dead.push(...forgetBlockWrites(height, hash));
  }

  async commit(write: CommitWrite): Promise<void> {
    const { hash, block, proof, epoch } = write;
    const { height, stateRoot } = block.header;
    const dead = this.#dead;
    this.#dead = [];
    const writes = [
      ...this.#tree.commitWrites(height, stateRoot),
      ...dead,
      ...(write.isStored ? [] : blockWrites({ height, hash }, encodedBlock(block))),
      ...commitBlockWrites({
        height,
        hash,
        receipts: encodeReceipts(write.result),
        transactions: write.transactions.map((transaction) => transaction.hash),
        proof: encodeCommitProof(proof),
      }),
      ...logIndexWrites(height, logsOf(write.result)),
      ...(epoch === null ? [] : epochWrites(epoch)),
    ];
    await this.#keyValue.write(writes, { sync: true });
    this.#tree.committed();
    this.#head = { hash, header: block.header };
    this.#headProof = proof;
    if (epoch !== null) this.#epoch = epoch;
  }

  /** Hash of the committed block at a height. */
  hashAtHeight(height: number): Digest | null {
    return height > this.#head.header.height ? null : this.#blocks.hashAt(height);
  }

  /** Header of a committed block; `null` if no committed block has this hash. */
  committedHeader(hash: Digest): Header | null {
    if (hash === this.#head.hash) return this.#head.header;
    const bytes = this.#blocks.header(hash);
    if (bytes === null) return null;
    const header = readHeaderOf(hash, bytes);
    return this.hashAtHeight(header.height) === hash ? header : null;
  }

  /** A stored block, committed or not. */
  block(hash: Digest): Block | null {
    return readBlock(this.#blocks, hash);
  }

  receipts(hash: Digest): StoredReceipts | null {
    const bytes = this.#blocks.receipts(hash);
    return bytes === null ? null : decodeReceipts(bytes);
  }

  /** Reads single receipts of a block; its jobs' receipt follows the transactions'. */
  receiptReader(hash: Digest): ((index: number) => Receipt) | null {
    const bytes = this.#blocks.receipts(hash);
    if (bytes === null) return null;
    const { items, job } = receiptItems(bytes);
    return (index) => readReceipt(index === items.length ? job : items[index]);
  }

  /** Where logs are, with places of some that do not fit the terms. */
  logPlaces(
    terms: readonly LogTerms[],
    span: { readonly from: number; readonly to: number },
  ): AsyncIterable<LogPlace> {
    return this.#logs.places(terms, span);
  }

  /** Entries of the log index that a block lacks; all entries that it should have. */
  logIndexFaults(height: number, receipts: StoredReceipts): LogIndexFaults {
    return this.#logs.faults(height, logsOf(receipts));
  }

  /** Entries in the log index. */
  logIndexCount(): Promise<number> {
    return this.#logs.count();
  }

  /** Proofs of an account and of slots of its storage under a state's root. */
  proof(root: Digest, address: Address, slots: readonly Digest[]): StateProof {
    return this.#tree.proof(root, address, slots);
  }

  /** Where a committed transaction is. */
  transactionPosition(hash: Digest): TransactionPlace | null {
    return this.#blocks.transaction(hash);
  }

  async close(): Promise<void> {
    this.#tree.stop();
    await this.#learning;
    await this.#keyValue.close();
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    const reason = error instanceof Error ? error.message : "";
    throw new NodeError("E_DATA", `cannot make the data folder ${folder}: ${reason}`, {
      cause: error,
      hint: "make the folder writable, or choose another with data.path",
    });
  }
}

async function writeGenesis(keyValue: KeyValue, tree: StateTree, genesis: Genesis): Promise<void> {
  const { changes, committee } = genesisState(genesis, coreRegistry, tree.reader(emptyRoot));
  const stateRoot = tree.apply(emptyRoot, changes);
  const block = genesisBlock(genesis, coreRegistry, { stateRoot, committee });
  const hash = blockHash(block.header);
  const parameters = coreRegistry.parametersWith(genesis.content.parameters);
  const epoch = firstEpoch({
    genesisHeader: block.header,
    genesisBlock: hash,
    committee,
    epochBlocks: parameters.count("chain.epochBlocks"),
  });
  const writes = [
    ...blockWrites({ height: 0, hash }, encodedBlock(block)),
    ...tree.commitWrites(0, stateRoot),
    ...commitBlockWrites({
      height: 0,
      hash,
      receipts: encodeReceipts({ receipts: [], jobReceipt: null }),
      transactions: [],
      proof: new Uint8Array(0),
    }),
    ...epochWrites(epoch),
  ];
  await keyValue.write(writes, { sync: true });
  tree.committed();
}

/** The running epoch, and the same under its number: old signatures are checked against it. */
function epochWrites(epoch: EpochInfo): readonly KeyValueWrite[] {
  const bytes = encodeEpoch(epoch);
  return [recordWrite(epochRecord, bytes), recordWrite(`${epochRecord}/${epoch.epoch}`, bytes)];
}

async function forgetOrphans(keyValue: KeyValue, blocks: BlockStore): Promise<void> {
  const writes = await blocks.orphanWrites(orphansMax);
  if (writes.length > 0) await keyValue.write(writes, { sync: true });
}

async function readHead(blocks: BlockStore): Promise<{
  readonly head: { readonly hash: Digest; readonly header: Header };
  readonly headProof: CommitProof | null;
  readonly epoch: EpochInfo;
  readonly uncommitted: readonly HashedBlock[];
}> {
  const newest = blocks.newest();
  assert(newest !== null, "an opened store has a newest block");
  const { hash } = newest;
  const headerBytes = blocks.header(hash);
  if (headerBytes === null) throw missingBlock(`the newest block ${hash}`);
  const epochBytes = blocks.record(epochRecord);
  const epoch = epochBytes === null ? null : decodeEpoch(epochBytes);
  if (epoch === null) throw missingBlock("the record of the running epoch");
  const uncommitted: HashedBlock[] = [];
  for await (const place of blocks.uncommitted()) {
    const block = readBlock(blocks, place.hash);
    if (block !== null) uncommitted.push({ hash: place.hash, block });
  }
  const head = { hash, header: readHeaderOf(hash, headerBytes) };
  return { head, headProof: readProof(newest.proof), epoch, uncommitted };
}

function readProof(bytes: Uint8Array): CommitProof | null {
  if (bytes.length === 0) return null;
  const proof = decodeCommitProof(bytes);
  if (!proof.ok) throw missingBlock("a readable commit proof");
  return proof.value;
}

function readHeaderOf(hash: Digest, bytes: Uint8Array): Header {
  const header = decodeHeader(bytes);
  if (!header.ok || blockHash(header.value) !== hash) {
    throw missingBlock(`a readable header of block ${hash}`);
  }
  return header.value;
}

function readBlock(blocks: BlockStore, hash: Digest): Block | null {
  const stored = blocks.block(hash);
  if (stored === null) return null;
  const body = decodeBody(stored.body);
  if (!body.ok) throw missingBlock(`a readable body of block ${hash}`);
  return { header: readHeaderOf(hash, stored.header), body: body.value };
}

function encodedBlock({ header, body }: Block): { header: Uint8Array; body: Uint8Array } {
  return { header: encodeHeader(header), body: encodeBody(body) };
}

/** `[receipts[], jobReceipt or empty]`, each in its stored form. */
function encodeReceipts({ receipts, jobReceipt }: StoredReceipts): Uint8Array {
  const job = jobReceipt === null ? new Uint8Array(0) : encodeReceipt(jobReceipt);
  return encodeRlp([receipts.map(encodeReceipt), job]);
}

function decodeReceipts(bytes: Uint8Array): StoredReceipts {
  const { items, job } = receiptItems(bytes);
  const isEmpty = job instanceof Uint8Array && job.length === 0;
  return { receipts: items.map(readReceipt), jobReceipt: isEmpty ? null : readReceipt(job) };
}

function receiptItems(bytes: Uint8Array): {
  readonly items: readonly RlpItem[];
  readonly job: RlpItem;
} {
  const decoded = decodeRlp(bytes);
  const [list, job] = (decoded.ok ? readList(decoded.value, 2) : null) ?? [];
  const items = readList(list);
  if (items === null || job === undefined) throw missingBlock("readable receipts");
  return { items, job };
}

function readReceipt(item: RlpItem | undefined): Receipt {
  const bytes = readBytes(item, receiptBytesMax);
  const receipt = bytes === null ? null : decodeReceipt(bytes);
  if (receipt === null || !receipt.ok) throw missingBlock("readable receipts");
  return receipt.value;
}

/** Logs by receipt, the jobs' last. */
function logsOf({ receipts, jobReceipt }: StoredReceipts): readonly (readonly Log[])[] {
  const logs = receipts.map((receipt) => receipt.logs);
  return jobReceipt === null ? logs : [...logs, jobReceipt.logs];
}
