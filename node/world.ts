import type { Address, Digest } from "../base/brand.ts";
import { bytesToHex, zeroAddress } from "../base/bytes.ts";
import { NodeError } from "../base/nodeError.ts";
import { encodeStatement } from "../base/statement.ts";
import { encodeSafetyRecord } from "../consensus/codec.ts";
import { indexOfValidator, validatorAt, type KeyHolder } from "../consensus/committee.ts";
import { evidenceSlot } from "../consensus/evidence.ts";
import type { Guard } from "../consensus/guard.ts";
import { randomnessStatement } from "../consensus/statements.ts";
import type {
  CommitGrounds,
  EpochInfo,
  Evidence,
  Message,
  Recipient,
  SafetyRecord,
  Signable,
  Timer,
} from "../consensus/types.ts";
import { blsSign } from "../crypto/bls.ts";
import type { CommitProof, Header } from "../ledger/blockTypes.ts";
import { refusalSentence } from "../ledger/refusal.ts";
import type { BlockClock } from "./blockClock.ts";
import type { Chain, CommittedBlock } from "./chain.ts";
import type { EvidencePool } from "./evidencePool.ts";
import type { Host, World } from "./host.ts";
import type { Log } from "./log.ts";
import type { BuildOrder, Pace } from "./proposer.ts";
import { Proposer } from "./proposer.ts";
import type { ReviewStage } from "./review.ts";
import type { TransactionPool } from "./transactionPool.ts";

/** Where messages for other validators go; a network of one has none. */
export interface Outbound {
  send(to: Recipient, message: Message): void;
  fetchBlock(block: Digest): void;
  tellCommit(proof: CommitGrounds): void;
  sendEpochProof(epoch: number, to: Address | null): void;
}

/** A file of safety records; either resolves when what it writes would survive a power cut. */
export interface SafetyRecords {
  append(record: Uint8Array): Promise<void>;
  /** Notes that the records may not hold all that the key signed. */
  fallSilent(): Promise<void>;
}

/** What a node that signs has beyond one that only follows. */
export type Signing = {
  readonly address: Address;
  readonly blsSecretKey: Uint8Array;
  /** Compressed, 48 bytes. */
  readonly blsPublicKey: Uint8Array;
  readonly guard: Guard;
  readonly records: SafetyRecords;
};

/** The node's world: the replica's orders become disk writes, signatures, timers and blocks. */
export class NodeWorld implements World {
  readonly #options: WorldOptions;
  readonly #proposer: Proposer;
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Blocks that are being built or executed. */
  readonly #running = new Set<Promise<void>>();
  /** The newest commit, which follows those before it. */
  #committing: Promise<void> = Promise.resolve();
  #host: Host | null = null;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#proposer = new Proposer(options.pace, {
      nowMs: () => performance.now(),
      setTimer: (delayMs, callback) => this.#after(delayMs, callback),
      pendingCount: () => (options.holdsWork() ? 0 : options.pool.size),
      build: (order, filled) => this.#build(order, filled),
    });
  }

  /** The host whose orders this carries out; set once, before the first input. */
  attach(host: Host): void {
    this.#host = host;
  }

  /** A transaction came in. */
  onWork(): void {
    this.#proposer.onWork();
  }

  /** A block of another came in. */
  onBlock(header: Header, transactionCount: number): void {
    this.#proposer.onBlock(transactionCount, isFull(header));
  }

  /** Starts nothing any more; resolves when blocks under way are built and executed. */
  async stop(): Promise<void> {
    this.#proposer.stop();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#host = null;
    await Promise.all(this.#running);
  }

  storeBlock(block: Digest): Promise<void> {
    return this.#options.chain.storeBlock(block);
  }

  async persist(record: SafetyRecord): Promise<void> {
    const { signing } = this.#options;
    if (signing === null) return;
    await signing.records.append(encodeSafetyRecord(record));
    signing.guard.onPersisted(record);
  }

  sign(signable: Signable): Uint8Array | null {
    const { signing } = this.#options;
    if (signing === null) return null;
    const signed = signing.guard.sign(signable);
    if (signed.ok) {
      this.#options.log.debug("signed", describe(signable));
      return signed.value;
    }
    const { refusal } = signed;
    // The replica asked for what its own record forbids: a bug, and not to be signed away.
    throw new NodeError("E_HALT", `the signing guard refused: ${JSON.stringify(refusal)}`);
  }

  send(to: Recipient, message: Message): void {
    this.#options.outbound.send(to, message);
  }

  setTimer(timer: Timer, delayMs: number): void {
    this.#after(delayMs, () => this.#host?.deliver({ type: "timerFired", timer }));
  }

  #after(delayMs: number, callback: () => void): () => void {
    const handle = setTimeout(() => {
      this.#timers.delete(handle);
      callback();
    }, delayMs);
    this.#timers.add(handle);
    return () => {
      clearTimeout(handle);
      this.#timers.delete(handle);
    };
  }

  buildProposal(order: BuildOrder): void {
    this.#proposer.request(order);
  }

  #build(order: BuildOrder, filled: boolean): void {
    const { chain, pool, signing, transactionsMax, genesis, clock } = this.#options;
    if (signing === null) return;
    const work = async (): Promise<void> => {
      const baseFee = chain.nextBaseFee(order.parent, order.epoch);
      if (baseFee === null) return;
      const candidates = filled
        ? pool.candidates({
            baseFee,
            uncommitted: chain.uncommitted(order.parent),
            limit: transactionsMax,
          })
        : [];
      const built = await chain.build({
        epoch: order.epoch,
        view: order.view,
        parent: order.parent,
        parentCertificate: order.parentCertificate,
        timeoutCertificate: order.timeoutCertificate,
        epochProof: order.epochProofRequired ? await this.#options.epochProof() : null,
        proposer: signing.address,
        signRandomness: (parentRandomness) =>
          blsSign(
            encodeStatement(randomnessStatement({ genesis, scope: "" }, order, parentRandomness)),
            signing.blsSecretKey,
          ),
        nowMs: clock.blockMs(filled),
        candidates,
        transactionsMax,
        evidence: this.#options.evidence.forBlock(),
      });
      if (built === null) return;
      pool.onDropped(built.dropped);
      const header = chain.heldHeader(built.summary.hash);
      if (filled && header !== null) this.#proposer.onBuilt(isFull(header));
      if (!(await this.#passesReview(built.summary.hash))) return;
      this.#host?.deliver({
        type: "proposalBuilt",
        block: built.summary,
        result: built.result,
        nowMs: clock.nowMs(),
      });
    };
    this.#run(work);
  }

  executeBlock(block: Digest): void {
    const { chain, signing } = this.#options;
    // A vote needs it on disk, and a vote is the likely outcome.
    if (signing !== null) this.#run(() => chain.storeBlock(block));
    this.#run(async () => {
      const result = await chain.execute(block);
      this.#host?.deliver({ type: "blockExecuted", block, result });
    });
  }

  reviewBlock(block: Digest): void {
    this.#run(async () => {
      const passed = await this.#passesReview(block);
      this.#host?.deliver({ type: "blockReviewed", block, passed });
    });
  }

  async #passesReview(hash: Digest): Promise<boolean> {
    const { chain, review } = this.#options;
    const executed = chain.executedBlock(hash);
    return review === null || executed === null || (await review.passes(executed));
  }

  /** Runs work whose failure ends the node: it touches state or disk. */
  #run(work: () => Promise<void>): void {
    const running: Promise<void> = work()
      .catch((error: unknown) => this.#options.onFailure(error))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  tellCommit(proof: CommitGrounds): void {
    this.#options.outbound.tellCommit(proof);
  }

  /** Begins to write, and resolves once the commit before is written. */
  commit({ blocks, proof }: Parameters<World["commit"]>[0]): Promise<void> {
    const { chain, onCommitted } = this.#options;
    const whole = chain.proofOf(proof);
    const before = this.#committing;
    this.#committing = before.then(async () => onCommitted(await chain.commit(blocks, whole)));
    this.#run(() => this.#committing);
    return before;
  }

  async startEpoch(epoch: EpochInfo): Promise<void> {
    const { chain, signing, log } = this.#options;
    await this.#committing;
    chain.startEpoch(epoch);
    if (signing !== null) {
      warnOfOtherKey(log, epoch, { address: signing.address, blsKey: signing.blsPublicKey });
    }
    this.#options.log.info("epoch started", {
      epoch: epoch.epoch,
      rootHeight: epoch.rootHeight,
      validators: epoch.committee.validators.length,
    });
  }

  fetchBlock(block: Digest): void {
    this.#options.outbound.fetchBlock(block);
  }

  sendEpochProof(epoch: number, to: Address | null): void {
    this.#options.outbound.sendEpochProof(epoch, to);
  }

  report(evidence: Evidence): void {
    const { evidence: waiting, signing, log } = this.#options;
    const added = waiting.add(evidence, signing?.address ?? zeroAddress);
    const { epoch, view } = evidenceSlot(evidence);
    const outcome = added.ok ? added.value : refusalSentence(added.refusal);
    log.warn("a validator broke the rules", { offence: evidence.type, epoch, view, outcome });
  }

  async fallSilent(reason: string): Promise<void> {
    const { log, signing } = this.#options;
    log.error("this key signs nothing until the next epoch", {
      reason,
      hint: "does another process run with it, or was this data folder put back from a backup?",
    });
    await signing?.records.fallSilent();
  }

  alarm(reason: string): void {
    this.#options.onAlarm(reason);
  }
}

/** Says that this node only follows, where the committee has another key of its validator. */
export function warnOfOtherKey(log: Log, { epoch, committee }: EpochInfo, self: KeyHolder): void {
  const index = indexOfValidator(committee, self.address);
  if (index === null || indexOfValidator(committee, self) !== null) return;
  log.warn("the committee knows this validator by another BLS key: this node signs nothing", {
    epoch,
    registered: bytesToHex(validatorAt(committee, index).blsKey),
    own: bytesToHex(self.blsKey),
  });
}

/** Whether a block has hardly room for more: its last tenth is too little for some. */
function isFull({ gasUsed, gasLimit }: Header): boolean {
  return gasUsed * 10n >= gasLimit * 9n;
}

/** A signed statement in a line of the log: what was said, where. */
function describe(signable: Signable): Record<string, string | number> {
  const { type } = signable;
  switch (type) {
    case "vote": {
      const { epoch, view, block } = signable.vote;
      return { type, epoch, view, value: block };
    }
    case "proposal": {
      const { epoch, view, block } = signable.statement;
      return { type, epoch, view, value: block };
    }
    case "timeout": {
      const { epoch, view, highCertificate } = signable.timeout;
      return { type, epoch, view, value: highCertificate.view };
    }
  }
}

/** What the world is made of. */
export type WorldOptions = {
  readonly genesis: Digest;
  readonly chain: Chain;
  readonly pool: TransactionPool;
  readonly evidence: EvidencePool;
  /** `null` where nobody reviews. */
  readonly review: ReviewStage | null;
  /** `null` for a node that only follows. */
  readonly signing: Signing | null;
  readonly outbound: Outbound;
  readonly pace: Pace;
  readonly clock: BlockClock;
  /** Whether transactions wait although there is room for them: a devnet's choice. */
  readonly holdsWork: () => boolean;
  /** Most transactions of one block that this node builds. */
  readonly transactionsMax: number;
  /** Stored commit proof of the current epoch's root. */
  readonly epochProof: () => Promise<CommitProof | null>;
  readonly log: Log;
  readonly onCommitted: (blocks: readonly CommittedBlock[]) => void;
  readonly onAlarm: (reason: string) => void;
  /** Called once; the node stops. */
  readonly onFailure: (error: unknown) => void;
};

/** A network of one validator: there is nobody to send to. */
export const noOutbound: Outbound = {
  send: () => {},
  fetchBlock: () => {},
  sendEpochProof: () => {},
  tellCommit: () => {},
};
