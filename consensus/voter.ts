import { assert } from "../base/assert.ts";
import { emptySafetyRecord, type Rules } from "./rules.ts";
import type {
  BlockSummary,
  Certificate,
  Effect,
  EpochInfo,
  ProposalStatement,
  SafetyRecord,
  StartPoint,
  TimeoutCertificate,
} from "./types.ts";
import type { Testimony } from "./witness.ts";

/**
 * The safety record and the orders that change it: persist, then sign. Nothing else in the replica
 * asks for a signature.
 */
export class Voter {
  readonly #rules: Rules;
  #record: SafetyRecord;
  /** Index in the epoch's committee; `null` for one who only follows. */
  #index: number | null = null;
  #isSilent = true;
  /** Whether the record may not hold all that this key signed. */
  #isDoubted = false;
  /** An epoch with a later root is beyond doubt: its root was made after whatever was lost. */
  #doubtUntilMs = 0;
  /** A record of a later epoch than the chain has reached: silent until then. */
  #laterRecord: SafetyRecord | null = null;

  constructor(rules: Rules, epoch: EpochInfo) {
    this.#rules = rules;
    this.#record = emptySafetyRecord(epoch);
  }

  get record(): SafetyRecord {
    return this.#record;
  }

  get index(): number | null {
    return this.#index;
  }

  /** Whether this key votes: it is a member, and its record is to be trusted. */
  get isActive(): boolean {
    return this.#index !== null && !this.#isSilent;
  }

  /**
   * Takes up a record that was read back, or stays silent for this epoch if that is not to be
   * trusted. Certificates that are known are to be heard before anything is signed.
   */
  restore(
    epoch: EpochInfo,
    index: number | null,
    { record, doubtUntilMs }: Pick<StartPoint, "record" | "doubtUntilMs">,
  ): void {
    this.#index = index;
    this.#isDoubted = record === null;
    this.#doubtUntilMs = doubtUntilMs;
    this.#isSilent = record === null || record.epoch > epoch.epoch;
    this.#laterRecord = record !== null && record.epoch > epoch.epoch ? record : null;
    const isCurrent = record !== null && record.epoch === epoch.epoch;
    this.#record = isCurrent ? record : emptySafetyRecord(epoch);
  }

  /**
   * Listens for its own key: a statement that the record does not know of was signed by another
   * process, or by this one before its data was put back to an old copy. Either way the record does
   * not say any more what was promised, so the key is silent until an epoch beyond doubt.
   */
  hear(testimony: Testimony): Effect[] {
    if (this.#index === null || this.#isSilent) return [];
    const foreign = this.#rules.foreignIn(testimony, this.#index, this.#record);
    if (foreign === null) return [];
    this.#isSilent = true;
    this.#isDoubted = true;
    const reason = `${foreign} by this key, and its record ends at view ${this.#record.votedView}`;
    return [{ type: "fallSilent", reason }];
  }

  /**
   * Starts afresh, as locks do not cross epochs; a doubted key only where the epoch's root is later
   * than whatever it may have signed. `rootMs` is that block's timestamp.
   */
  startEpoch(epoch: EpochInfo, index: number | null, rootMs: number): Effect[] {
    const later = this.#laterRecord;
    this.#index = index;
    this.#isDoubted = this.#isDoubted && rootMs <= this.#doubtUntilMs;
    this.#isSilent = this.#isDoubted || (later !== null && later.epoch > epoch.epoch);
    const isReached = later !== null && later.epoch === epoch.epoch;
    this.#record = isReached ? later : emptySafetyRecord(epoch);
    if (!this.#isSilent) this.#laterRecord = null;
    return this.isActive ? [{ type: "persist", record: this.#record }] : [];
  }

  /** Whether a vote for this block is still allowed. */
  mayVote(block: BlockSummary): boolean {
    return this.isActive && this.#rules.mayVote(block, this.#record);
  }

  /** Votes; the block is on disk before the record, and the record before the signature. */
  vote(block: BlockSummary, highCertificate: Certificate): Effect[] {
    this.#recordVote(block, highCertificate);
    return [
      { type: "storeBlock", block: block.hash },
      { type: "persist", record: this.#record },
      ...this.signVote(),
    ];
  }

  /** Proposes a block and votes for it in one record, if a vote is still allowed. */
  propose(block: BlockSummary, highCertificate: Certificate): Effect[] {
    const { epoch, view, hash } = block;
    const statement: ProposalStatement = { epoch, view, block: hash };
    const votes = this.mayVote(block);
    if (votes) this.#recordVote(block, highCertificate);
    this.#record = { ...this.#record, proposal: statement };
    return [
      { type: "storeBlock", block: hash },
      { type: "persist", record: this.#record },
      { type: "sign", signable: { type: "proposal", statement } },
      ...(votes ? this.signVote() : []),
    ];
  }

  /** Leaves a view: no vote in it any more. */
  leave(
    view: number,
    highCertificate: Certificate,
    entryCertificate: TimeoutCertificate | null,
  ): Effect[] {
    const { epoch, votedView } = this.#record;
    const followsCertificate = highCertificate.view === view - 1;
    assert(followsCertificate || entryCertificate !== null, "a view is entered with a reason");
    const timeout = {
      epoch,
      view,
      highCertificate,
      entryCertificate: followsCertificate ? null : entryCertificate,
    };
    this.#record = {
      ...this.#record,
      votedView: Math.max(votedView, view),
      highCertificate,
      timeout,
    };
    return [{ type: "persist", record: this.#record }, ...this.signTimeout()];
  }

  /** Signs the newest vote, again or for the first time. */
  signVote(): Effect[] {
    const { vote } = this.#record;
    if (vote === null || !this.isActive) return [];
    return [{ type: "sign", signable: { type: "vote", vote } }];
  }

  /** Signs the newest timeout, again or for the first time. */
  signTimeout(): Effect[] {
    const { timeout } = this.#record;
    if (timeout === null || !this.isActive) return [];
    return [{ type: "sign", signable: { type: "timeout", timeout } }];
  }

  /**
   * After a restart in this view: what was on disk may never have left, and must leave the same.
   */
  signAgain(view: number): Effect[] {
    const { vote, timeout, proposal } = this.#record;
    if (!this.isActive) return [];
    const effects: Effect[] = [];
    if (proposal?.view === view) {
      effects.push({ type: "sign", signable: { type: "proposal", statement: proposal } });
    }
    if (vote !== null && vote.view + 1 >= view) effects.push(...this.signVote());
    if (timeout?.view === view) effects.push(...this.signTimeout());
    return effects;
  }

  #recordVote(block: BlockSummary, highCertificate: Certificate): void {
    const { epoch, view, hash, parentCertificate } = block;
    this.#record = {
      ...this.#record,
      votedView: view,
      lockView: Math.max(this.#record.lockView, parentCertificate.view),
      highCertificate,
      vote: { epoch, view, block: hash, parentView: parentCertificate.view },
    };
  }
}
