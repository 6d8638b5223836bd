import { assert } from "../base/assert.ts";
import type { Address, Digest, Verified } from "../base/brand.ts";
import { concatBytes, hexToBytes } from "../base/bytes.ts";
import { NodeError } from "../base/nodeError.ts";
import type {
  BlockSummary,
  EpochInfo,
  ExecutionResult as ConsensusResult,
} from "../consensus/types.ts";
import { keccakDigest } from "../crypto/keccak.ts";
import { bodyDigests } from "../ledger/block.ts";
import type { Block, Body, CommitProof, Header } from "../ledger/blockTypes.ts";
import { blockContextOf, type ExecutionResult, type Executor } from "../ledger/execute.ts";
import { blockHash, headerVersion } from "../ledger/header.ts";
import { receiptsRoot } from "../ledger/receipt.ts";
import type { StateReader } from "../ledger/state.ts";
import type { Transaction } from "../ledger/transaction.ts";
import { executedFault } from "./blockCheck.ts";
import type { ChainStore } from "./chainStore.ts";
import { committeeHash, nextEpoch } from "./epochs.ts";
import type { NodeMetrics } from "./metrics.ts";
import { blockSummary } from "./summaries.ts";

/** A block beyond the committed head: known, perhaps stored, perhaps executed. */
type PendingBlock = {
  readonly hash: Digest;
  readonly block: Block;
  transactions: readonly Verified<Transaction>[] | null;
  result: ExecutionResult | null;
  isStored: boolean;
};

/** A committed block with all that was found by executing it. */
export type CommittedBlock = {
  readonly hash: Digest;
  readonly block: Block;
  readonly transactions: readonly Verified<Transaction>[];
  readonly result: ExecutionResult;
};

/** What a proposer hands to `build`. */
export type BuildRequest = {
  readonly epoch: number;
  readonly view: number;
  readonly parent: Digest;
  readonly parentCertificate: Header["parentCertificate"];
  readonly timeoutCertificate: Body["timeoutCertificate"];
  readonly epochProof: CommitProof | null;
  readonly proposer: Address;
  /** Signs the parent's randomness for this slot, 96 bytes. */
  readonly signRandomness: (parentRandomness: Digest) => Uint8Array;
  readonly nowMs: number;
  readonly candidates: Iterable<Verified<Transaction>>;
  readonly transactionsMax: number;
};

/** What `build` made. */
export type BuiltProposal = {
  readonly summary: BlockSummary;
  readonly result: ConsensusResult;
  readonly dropped: readonly {
    readonly transaction: Verified<Transaction>;
    readonly reason: string;
  }[];
};

/** Most blocks beyond the head that are held; an honest chain has a few. */
export const pendingBlocksMax = 4_096;

/**
 * Where the executor meets the store: blocks beyond the head, their execution, and the one atomic write
 * that commits. Nothing of an uncommitted block but its bytes touches the disk.
 */
export class Chain {
  readonly #executor: Executor;
  readonly #store: ChainStore;
  readonly #metrics: NodeMetrics;
  readonly #recover: (
    encoded: readonly Uint8Array[],
  ) => Promise<readonly Verified<Transaction>[] | null>;
  readonly #pending = new Map<Digest, PendingBlock>();
  #head: { readonly hash: Digest; readonly header: Header };
  #epoch: EpochInfo;
  #epochRoot: Header;

  constructor(options: {
    readonly executor: Executor;
    readonly store: ChainStore;
    readonly metrics: NodeMetrics;
    /** Decodes and verifies a block's transactions; `null` if one is malformed or unsigned. */
    readonly recover: (
      encoded: readonly Uint8Array[],
    ) => Promise<readonly Verified<Transaction>[] | null>;
    readonly head: { readonly hash: Digest; readonly header: Header };
    readonly epoch: EpochInfo;
    readonly epochRoot: Header;
  }) {
    this.#executor = options.executor;
    this.#store = options.store;
    this.#metrics = options.metrics;
    this.#recover = options.recover;
    this.#head = options.head;
    this.#epoch = options.epoch;
    this.#epochRoot = options.epochRoot;
  }

  /** Newest committed block. */
  get head(): { readonly hash: Digest; readonly header: Header } {
    return this.#head;
  }

  /** The epoch of the next block after the head. */
  get epoch(): EpochInfo {
    return this.#epoch;
  }

  /** State after the head. */
  headState(): StateReader {
    return this.#store.reader(this.#head.header.stateRoot);
  }

  /** Header of a held block: the head, or one beyond it; `null` if it is neither. */
  heldHeader(hash: Digest): Header | null {
    if (hash === this.#head.hash) return this.#head.header;
    return this.#pending.get(hash)?.block.header ?? null;
  }

  /** Transactions of the blocks from the head's child to `hash`, which no child of it may carry again. */
  pendingTransactions(hash: Digest): ReadonlySet<Digest> {
    const found = new Set<Digest>();
    let at = this.#pending.get(hash);
    while (at !== undefined) {
      for (const transaction of at.transactions ?? []) found.add(transaction.hash);
      at = this.#pending.get(at.block.header.parentHash);
    }
    return found;
  }

  /** Takes in a block whose body fits its header; gives its summary, or `null` if too many are held. */
  add(block: Block): BlockSummary | null {
    const hash = blockHash(block.header);
    const summary = blockSummary(hash, block);
    if (this.#pending.has(hash) || hash === this.#head.hash) return summary;
    if (this.#pending.size >= pendingBlocksMax) return null;
    this.#hold({ hash, block, transactions: null, result: null, isStored: false });
    return summary;
  }

  #hold(pending: PendingBlock): void {
    this.#pending.set(pending.hash, pending);
  }

  /** Marks a block that was read back from the store, so that it is not written again. */
  markStored(hash: Digest): void {
    const pending = this.#pending.get(hash);
    if (pending !== undefined) pending.isStored = true;
  }

  /** Executes a held block whose parent was executed, and compares all that its header promises. */
  async execute(hash: Digest): Promise<ConsensusResult> {
    const pending = this.#pending.get(hash);
    assert(pending !== undefined, `execution of a block that is not held: ${hash}`);
    if (pending.result !== null) return this.#consensusResult(pending, pending.result);
    const { header, body } = pending.block;
    const parent = this.heldHeader(header.parentHash);
    assert(parent !== null, "a block is executed after its parent");
    const reader = this.#store.reader(parent.stateRoot);
    if (this.#executor.checkHeader(reader, parent, header) !== null) return { valid: false };
    const transactions = await this.#recover(body.transactions);
    if (transactions === null) return { valid: false };
    const executed = await this.#metrics.timedUntil("execute", async () =>
      this.#executor.executeBlock({ reader, block: blockContextOf(header, parent), transactions }),
    );
    if (!executed.ok) return { valid: false };
    const result = executed.value;
    const stateRoot = this.#metrics.timed("trie", () =>
      this.#store.apply(parent.stateRoot, result.changes),
    );
    const encoded = body.transactions;
    if (executedFault(header, { result, stateRoot, encoded }) !== null) {
      return { valid: false };
    }
    pending.transactions = transactions;
    pending.result = result;
    return this.#consensusResult(pending, result);
  }

  #consensusResult(pending: PendingBlock, result: ExecutionResult): ConsensusResult {
    if (result.nextCommittee === null) return { valid: true, nextEpoch: null };
    const { header } = pending.block;
    const reader = this.#store.reader(header.stateRoot);
    const next = nextEpoch({
      current: this.#epoch,
      currentRoot: this.#epochRoot,
      last: header,
      lastHash: pending.hash,
      committee: result.nextCommittee,
      epochBlocks: this.#executor.parameters(reader).count("chain.epochBlocks"),
    });
    return { valid: true, nextEpoch: next };
  }

  /** Builds and executes a block on a held parent. */
  async build(request: BuildRequest): Promise<BuiltProposal> {
    const parent = this.heldHeader(request.parent);
    assert(parent !== null, "a proposal extends a held block");
    const reader = this.#store.reader(parent.stateRoot);
    const rules = this.#executor.nextRules(reader, parent, request.epoch);
    const randomnessSignature = request.signRandomness(parent.randomness);
    const draft = {
      version: headerVersion,
      genesisHash: parent.genesisHash,
      height: rules.height,
      epoch: request.epoch,
      view: request.view,
      parentHash: request.parent,
      parentCertificate: request.parentCertificate,
      timestampMs: Math.max(request.nowMs, rules.timestampMsMin),
      proposer: request.proposer,
      gasLimit: rules.gasLimit,
      baseFee: rules.baseFee,
      runtimeHash: rules.runtimeHash,
      randomness: randomnessOf(parent.randomness, randomnessSignature),
    };
    const built = await this.#metrics.timedUntil("build", async () =>
      this.#executor.buildBlock({
        reader,
        block: { ...draft, randomness: parent.randomness },
        candidates: rules.epochEnded ? [] : request.candidates,
        transactionsMax: request.transactionsMax,
      }),
    );
    const { result } = built;
    const stateRoot = this.#metrics.timed("trie", () =>
      this.#store.apply(parent.stateRoot, result.changes),
    );
    const body: Body = {
      transactions: built.included.map((transaction) => transaction.encoded),
      timeoutCertificate: request.timeoutCertificate,
      epochProof: request.epochProof,
      randomnessSignature,
      evidence: [],
      checkpointCertificate: null,
    };
    const header: Header = this.#metrics.timed("roots", () => ({
      ...draft,
      ...bodyDigests(body),
      receiptsRoot: receiptsRoot(result.receipts, body.transactions, result.jobReceipt),
      logsBloom: result.logsBloom,
      stateRoot,
      gasUsed: result.gasUsed,
      nextCommitteeHash: result.nextCommittee === null ? null : committeeHash(result.nextCommittee),
    }));
    const block = { header, body };
    const hash = blockHash(header);
    const pending: PendingBlock = {
      hash,
      block,
      transactions: built.included,
      result,
      isStored: false,
    };
    this.#hold(pending);
    return {
      summary: blockSummary(hash, block),
      result: this.#consensusResult(pending, result),
      dropped: built.dropped.map(({ transaction, refusal }) => ({
        transaction,
        reason: refusal.code,
      })),
    };
  }

  /** Puts a held block's bytes on disk; resolves when they would survive a power cut. */
  async storeBlock(hash: Digest): Promise<void> {
    const pending = this.#pending.get(hash);
    if (pending === undefined || pending.isStored) return;
    await this.#metrics.timedUntil("store", async () => this.#store.putBlock(hash, pending.block));
    pending.isStored = true;
  }

  /**
   * Commits blocks, oldest first, in one atomic synced write each with state, receipts, indexes and the
   * proof; then forgets what lies beside them.
   */
  async commit(
    hashes: readonly Digest[],
    proof: { readonly chain: readonly Digest[]; readonly certificate: CommitProof["certificate"] },
  ): Promise<readonly CommittedBlock[]> {
    const committed = hashes.map((hash) => this.#executed(hash));
    const headers = proof.chain.map((hash) => {
      const header = this.heldHeader(hash);
      assert(header !== null, "the blocks of a commit proof are held");
      return header;
    });
    const epochs = committed.flatMap((entry) => this.#epochAfter(entry));
    await this.#metrics.timedUntil("store", async () =>
      this.#store.commit({
        blocks: committed,
        proof: { headers, certificate: proof.certificate },
        epoch: epochs[0] ?? null,
      }),
    );
    const last = committed.at(-1);
    assert(last !== undefined, "a commit names blocks");
    this.#head = { hash: last.hash, header: last.block.header };
    this.#forget(new Set(hashes), last.block.header);
    return committed;
  }

  #executed(hash: Digest): CommittedBlock {
    const pending = this.#pending.get(hash);
    assert(pending !== undefined, `commit of a block that is not held: ${hash}`);
    const { block, transactions, result } = pending;
    assert(transactions !== null && result !== null, "a block is executed before its commit");
    return { hash, block, transactions, result };
  }

  #epochAfter(entry: CommittedBlock): EpochInfo[] {
    const pending = this.#pending.get(entry.hash);
    assert(pending !== undefined, "a committed block was held");
    const result = this.#consensusResult(pending, entry.result);
    return result.valid && result.nextEpoch !== null ? [result.nextEpoch] : [];
  }

  /** Drops committed blocks, and those that can never be committed with their state. */
  #forget(committed: ReadonlySet<Digest>, head: Header): void {
    for (const hash of committed) this.#pending.delete(hash);
    for (const pending of this.#pending.values()) {
      if (!this.#descendsFromHead(pending)) this.#drop(pending, head);
    }
  }

  #descendsFromHead(pending: PendingBlock): boolean {
    let at: PendingBlock | undefined = pending;
    while (at !== undefined) {
      const { parentHash, height } = at.block.header;
      if (parentHash === this.#head.hash) return true;
      // Its parent may still arrive.
      if (!this.#pending.has(parentHash)) return height > this.#head.header.height + 1;
      at = this.#pending.get(parentHash);
    }
    return false;
  }

  #drop(pending: PendingBlock, head: Header): void {
    this.#pending.delete(pending.hash);
    const { stateRoot } = pending.block.header;
    // Blocks that change nothing share their parent's root.
    const isShared =
      stateRoot === head.stateRoot ||
      [...this.#pending.values()].some((other) => other.block.header.stateRoot === stateRoot);
    if (pending.result !== null && !isShared) this.#store.discard(stateRoot);
    if (pending.isStored) this.#store.forgetBlock(pending.hash);
  }

  /** Begins an epoch at the head; what the old one left uncommitted is orphaned. */
  startEpoch(epoch: EpochInfo): void {
    assert(epoch.root === this.#head.hash, "an epoch starts at the head");
    this.#epoch = epoch;
    this.#epochRoot = this.#head.header;
    for (const pending of this.#pending.values()) {
      if (pending.block.header.epoch < epoch.epoch) this.#drop(pending, this.#head.header);
    }
  }
}

/** Randomness of a block: H(parent randomness || the proposer's signature over it) (DESIGN 5). */
export function randomnessOf(parentRandomness: Digest, signature: Uint8Array): Digest {
  return keccakDigest(concatBytes(hexToBytes(parentRandomness), signature));
}

/** The failure of a store that lacks what it must hold. */
export function missingBlock(what: string): NodeError {
  return new NodeError("E_DATA_CORRUPT", `the data folder lacks ${what}`, {
    hint: "restore the data folder from a backup, or remove it and let the node start anew",
  });
}
