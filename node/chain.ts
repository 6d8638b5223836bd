import { assert } from "../base/assert.ts";
import type { Address, Digest, Verified } from "../base/brand.ts";
import { NodeError } from "../base/nodeError.ts";
import type {
  BlockSummary,
  CommitGrounds,
  EpochInfo,
  ExecutionResult as ConsensusResult,
} from "../consensus/types.ts";
import { blsVerify } from "../crypto/bls.ts";
import { bodyDigests } from "../ledger/block.ts";
import type { Block, Body, CommitProof, Header } from "../ledger/blockTypes.ts";
import {
  blockContextOf,
  type BuiltBlock,
  type ExecutionResult,
  type Executor,
} from "../ledger/execute.ts";
import { blockHash, headerVersion } from "../ledger/header.ts";
import { receiptsRoot } from "../ledger/receipt.ts";
import type { StateReader } from "../ledger/state.ts";
import type { Transaction } from "../ledger/transaction.ts";
import { executedFault, formFault, randomnessClaim, randomnessOf } from "./blockCheck.ts";
import type { ChainStore } from "./chainStore.ts";
import { committeeHash, nextEpoch } from "./epochs.ts";
import type { NodeMetrics } from "./metrics.ts";
import type { ReviewedBlock } from "./review.ts";
import { blockSummary } from "./summaries.ts";

/** A block beyond the committed head: known, perhaps stored, perhaps executed. */
type PendingBlock = {
  readonly hash: Digest;
  readonly block: Block;
  transactions: readonly Verified<Transaction>[] | null;
  result: ExecutionResult | null;
  /** State root that `result` was applied to. */
  parentRoot: Digest | null;
  /** Resolves when its bytes would survive a power cut; `null` before they are written. */
  storing: Promise<void> | null;
  isStored: boolean;
  /** The claim of its randomness was verified together with other signatures. */
  isRandomnessSigned: boolean;
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
  /** Encoded reports that wait for a block. */
  readonly evidence: readonly Uint8Array[];
};

/** What `build` made. */
export type BuiltProposal = {
  readonly summary: BlockSummary;
  readonly result: ConsensusResult;
  readonly dropped: BuiltBlock["dropped"];
};

/** Most blocks beyond the head that are held; an honest chain has a few. */
export const pendingBlocksMax = 4_096;

/**
 * Where the executor meets the store: blocks beyond the head, their execution, and the one atomic
 * write that commits. Nothing of an uncommitted block but its bytes touches the disk.
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

  /** Transactions of the blocks from the head's child to `hash`, oldest block first. */
  uncommitted(hash: Digest): readonly Transaction[] {
    const blocks: (readonly Transaction[])[] = [];
    for (let at = this.#pending.get(hash); at !== undefined;) {
      blocks.unshift(at.transactions ?? []);
      at = this.#pending.get(at.block.header.parentHash);
    }
    return blocks.flat();
  }

  /** Base fee of a child of a held block; `null` if it is held no more. */
  nextBaseFee(parent: Digest, epoch: number): bigint | null {
    const header = this.heldHeader(parent);
    if (header === null) return null;
    const reader = this.#store.reader(header.stateRoot);
    return this.#executor.nextRules(reader, header, epoch).baseFee;
  }

  /**
   * Takes in a block whose body fits its header; gives its summary, or `null` if too many are held.
   * Whoever has verified the claim of its randomness says so.
   */
  add(block: Block, isRandomnessSigned = false): BlockSummary | null {
    const hash = blockHash(block.header);
    const summary = blockSummary(hash, block);
    if (this.#pending.has(hash) || hash === this.#head.hash) return summary;
    if (this.#pending.size >= pendingBlocksMax) return null;
    this.#hold({
      hash,
      block,
      transactions: null,
      result: null,
      parentRoot: null,
      isRandomnessSigned,
    });
    return summary;
  }

  #hold(pending: Omit<PendingBlock, "storing" | "isStored">): void {
    this.#pending.set(pending.hash, { ...pending, storing: null, isStored: false });
  }

  /** A block beyond the head; `null` if it is not held. */
  pendingBlock(hash: Digest): Block | null {
    return this.#pending.get(hash)?.block ?? null;
  }

  /** Its transactions; `null` if it is not held, or neither built nor executed here yet. */
  pendingTransactions(hash: Digest): readonly Transaction[] | null {
    return this.#pending.get(hash)?.transactions ?? null;
  }

  /** Blocks that are on disk with all their ancestors beyond the head, parents first. */
  storedBlocks(): readonly { readonly hash: Digest; readonly block: Block }[] {
    const reached = new Set([this.#head.hash]);
    const stored = [...this.#pending.values()]
      .filter(({ isStored, block }) => isStored && block.header.epoch === this.#epoch.epoch)
      .toSorted((a, b) => a.block.header.height - b.block.header.height);
    for (const { hash, block } of stored) {
      if (reached.has(block.header.parentHash)) reached.add(hash);
    }
    return stored.filter(({ hash }) => reached.has(hash));
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
    const { genesisHash } = this.#executor.chain;
    if (formFault(pending.block, genesisHash) !== null) return { valid: false };
    if (this.#executor.checkHeader(reader, parent, header) !== null) return { valid: false };
    const claim = randomnessClaim(pending.block, parent, this.#epoch);
    if (claim === null) return { valid: false };
    const { key, message, signature } = claim;
    if (!pending.isRandomnessSigned && !blsVerify(key, message, signature)) return { valid: false };
    const transactions = await this.#recover(body.transactions);
    if (transactions === null || !this.#isHeld(pending)) return { valid: false };
    const executed = await this.#metrics.timedUntil("execute", async () =>
      this.#executor.executeBlock({
        reader,
        block: blockContextOf(header, parent),
        transactions,
        evidence: body.evidence,
      }),
    );
    if (!executed.ok || !this.#isHeld(pending)) return { valid: false };
    const result = executed.value;
    const stateRoot = this.#metrics.timed("trie", () =>
      this.#store.apply(parent.stateRoot, result.changes),
    );
    const encoded = body.transactions;
    if (executedFault(header, { result, stateRoot, encoded }) !== null) {
      this.#store.discard({ parent: parent.stateRoot, root: stateRoot });
      return { valid: false };
    }
    pending.transactions = transactions;
    pending.result = result;
    pending.parentRoot = parent.stateRoot;
    return this.#consensusResult(pending, result);
  }

  /** Whether a block was not dropped meanwhile, and the state that it builds on with it. */
  #isHeld(pending: PendingBlock): boolean {
    return this.#pending.get(pending.hash) === pending;
  }

  #consensusResult(
    { hash, block }: Pick<PendingBlock, "hash" | "block">,
    result: ExecutionResult,
  ): ConsensusResult {
    return { valid: true, nextEpoch: this.#epochAfter({ hash, block, result }) };
  }

  /**
   * Builds and executes a block; `null` if its parent is held no more: the order waited, and the
   * chain went on without it.
   */
  async build(request: BuildRequest): Promise<BuiltProposal | null> {
    const parent = this.heldHeader(request.parent);
    if (parent === null) return null;
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
        evidence: request.evidence,
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
      evidence: built.evidence,
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
    this.#hold({
      hash,
      block,
      transactions: built.included,
      result,
      parentRoot: parent.stateRoot,
      isRandomnessSigned: true,
    });
    return {
      summary: blockSummary(hash, block),
      result: this.#consensusResult({ hash, block }, result),
      dropped: built.dropped,
    };
  }

  /** Puts a held block's bytes on disk; resolves when they would survive a power cut. */
  async storeBlock(hash: Digest): Promise<void> {
    const pending = this.#pending.get(hash);
    if (pending === undefined || pending.isStored) return;
    pending.storing ??= this.#metrics.timedUntil("store", async () => {
      await this.#store.putBlock(hash, pending.block);
      pending.isStored = true;
    });
    await pending.storing;
  }

  /** A commit proof whose blocks are held, with their headers. */
  proofOf({ chain, certificate }: CommitGrounds): CommitProof {
    const headers = chain.map((hash) => {
      const header = this.heldHeader(hash);
      assert(header !== null, "the blocks of a commit proof are held");
      return header;
    });
    return { headers, certificate };
  }

  /**
   * Commits blocks, oldest first, each in one atomic synced write with its state, receipts, indexes
   * and proof; then forgets what lies beside them. Of the last one's proof, which may go on, the
   * other headers need not be held.
   */
  async commit(hashes: readonly Digest[], proof: CommitProof): Promise<readonly CommittedBlock[]> {
    const committed = hashes.map((hash) => this.#executed(hash));
    const before = committed.slice(0, -1).map(({ block }) => block.header);
    const whole = { headers: [...before, ...proof.headers], certificate: proof.certificate };
    for (const [i, entry] of committed.entries()) {
      const pending = this.#pending.get(entry.hash);
      await pending?.storing;
      await this.#metrics.timedUntil("store", async () =>
        this.#store.commit({
          ...entry,
          proof: shortestProof(whole, i),
          epoch: this.#epochAfter(entry),
          isStored: pending?.isStored ?? false,
        }),
      );
      this.#head = { hash: entry.hash, header: entry.block.header };
      this.#pending.delete(entry.hash);
    }
    this.#forgetUnreachable();
    return committed;
  }

  /** A block beyond the head with what executing it found; `null` if it is held no more. */
  executedBlock(hash: Digest): ReviewedBlock | null {
    const pending = this.#pending.get(hash);
    if (pending === undefined || pending.result === null) return null;
    return { hash, block: pending.block, result: pending.result };
  }

  #executed(hash: Digest): CommittedBlock {
    const pending = this.#pending.get(hash);
    assert(pending !== undefined, `commit of a block that is not held: ${hash}`);
    const { block, transactions, result } = pending;
    assert(transactions !== null && result !== null, "a block is executed before its commit");
    return { hash, block, transactions, result };
  }

  /** The epoch that a block begins once it is committed, or `null`. */
  #epochAfter({ hash, block, result }: Omit<CommittedBlock, "transactions">): EpochInfo | null {
    if (result.nextCommittee === null) return null;
    const reader = this.#store.reader(block.header.stateRoot);
    return nextEpoch({
      current: this.#epoch,
      currentRoot: this.#epochRoot,
      last: block.header,
      lastHash: hash,
      committee: result.nextCommittee,
      epochBlocks: this.#executor.parameters(reader).count("chain.epochBlocks"),
      headerOf: (parent) => this.#headerOf(parent),
    });
  }

  /** Header of a block of the running epoch: held, or committed before the head. */
  #headerOf(hash: Digest): Header {
    const header = this.heldHeader(hash) ?? this.#store.committedHeader(hash);
    assert(header !== null, `the header of ${hash} is neither held nor stored`);
    return header;
  }

  /** Drops the blocks that can never be committed, with their state. */
  #forgetUnreachable(): void {
    this.#drop([...this.#pending.values()].filter((pending) => !this.#descendsFromHead(pending)));
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

  /** Highest first: a state is discarded after those that build on it. */
  #drop(dead: readonly PendingBlock[]): void {
    const ordered = dead.toSorted((a, b) => b.block.header.height - a.block.header.height);
    for (const { hash, parentRoot, result, block, storing, isStored } of ordered) {
      this.#pending.delete(hash);
      if (result !== null && parentRoot !== null) {
        this.#store.discard({ parent: parentRoot, root: block.header.stateRoot });
      }
      const forget = (): void => this.#store.forgetBlock(hash, block.header.height);
      if (isStored) forget();
      // A failed write ends the node, which whoever began it is told.
      else void storing?.then(forget, () => undefined);
    }
  }

  /** Begins an epoch at the head; what the old one left uncommitted is orphaned. */
  startEpoch(epoch: EpochInfo): void {
    assert(epoch.root === this.#head.hash, "an epoch starts at the head");
    this.#epoch = epoch;
    this.#epochRoot = this.#head.header;
    this.#drop([...this.#pending.values()].filter(({ block }) => block.header.epoch < epoch.epoch));
  }
}

/**
 * The proof of one header of a longer one: up to the first two in consecutive views whose second's
 * certificate the next header holds, else all that follow.
 */
function shortestProof({ headers, certificate }: CommitProof, at: number): CommitProof {
  for (let end = at + 1; end + 1 < headers.length; end += 1) {
    const next = headers[end + 1];
    const isConsecutive = headers[end]?.view === (headers[end - 1]?.view ?? 0) + 1;
    if (!isConsecutive || next === undefined) continue;
    return { headers: headers.slice(at, end + 1), certificate: next.parentCertificate };
  }
  return { headers: headers.slice(at), certificate };
}

/** The failure of a store that lacks what it must hold. */
export function missingBlock(what: string): NodeError {
  return new NodeError("E_DATA_CORRUPT", `the data folder lacks ${what}`, {
    hint: "restore the data folder from a backup, or remove it and let the node start anew",
  });
}
