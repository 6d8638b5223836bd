import { assert, unreachable } from "../base/assert.ts";
import type { Digest } from "../base/brand.ts";
import { BlockTree, type BlockNode } from "./blockTree.ts";
import { Candidates } from "./candidates.ts";
import { Committer } from "./committer.ts";
import { includesHonest, indexOfValidator, stakeOf, stakeTotal } from "./committee.ts";
import { assertForward } from "./invariants.ts";
import { Missing } from "./missing.ts";
import { Pacemaker } from "./pacemaker.ts";
import { ProposalLog, proposalViewsMax } from "./proposalLog.ts";
import type { ReplicaOptions, ReplicaStatus } from "./replicaOptions.ts";
import { isTimely, rootCertificate } from "./rules.ts";
import { Tally } from "./tally.ts";
import type {
  BlockSummary,
  Certificate,
  CommitProofSummary,
  Effect,
  EpochInfo,
  Input,
  Message,
  Proposal,
  Signable,
  SignedTimeout,
  SignedVote,
  StartPoint,
  TimeoutCertificate,
  Timer,
} from "./types.ts";
import { isWellFormed, type ValidityContext } from "./validity.ts";
import { Voter } from "./voter.ts";
import { Witness, type Testimony } from "./witness.ts";

/*
 * Two-chain HotStuff with timeout certificates (Jolteon, DiemBFT v4) as one step function: facts
 * in, orders out, no clock, dice, disk or network. DESIGN 5 and docs/adr/001 say what it adds:
 * stake weights, epochs, leaders passed over, commit proofs. The parts: `rules.ts` decides,
 * `voter.ts` owns the safety record, `blockTree.ts` the uncommitted blocks, `tally.ts` the votes.
 */

/** One validator's, or one follower's, part in the agreement. */
export class Replica {
  readonly #options: ReplicaOptions;
  #epoch: EpochInfo;
  #previousEpoch: EpochInfo | null = null;
  #tree: BlockTree;
  #tally: Tally;
  #pacemaker: Pacemaker;
  #missing = new Missing();
  readonly #voter: Voter;
  #highCertificate: Certificate;
  #committer: Committer;
  readonly #candidates: Candidates;
  readonly #proposals = new ProposalLog();
  readonly #witness = new Witness();
  #ownTimeout: SignedTimeout | null = null;
  /** View whose proposal was asked for; 0 for none. */
  #askedView = 0;
  #isWorkPending = false;
  #isStarted = false;
  #effects: Effect[] = [];

  /** `epoch` is the one that the first input, `started`, names again. */
  constructor(options: ReplicaOptions, epoch: EpochInfo) {
    this.#options = options;
    this.#epoch = epoch;
    this.#tree = new BlockTree(epoch, options.hash);
    this.#tally = new Tally(epoch.committee, options.rules, options.aggregate);
    this.#pacemaker = new Pacemaker(options.timing);
    this.#voter = new Voter(options.rules, epoch);
    this.#candidates = new Candidates(options.isReviewed);
    this.#committer = new Committer(options.rules);
    this.#highCertificate = rootCertificate(epoch);
  }

  get status(): ReplicaStatus {
    const { record } = this.#voter;
    const committed = this.#tree.committed;
    return {
      epoch: this.#epoch.epoch,
      view: this.#pacemaker.view,
      committed: committed.hash,
      committedHeight: committed.height,
      highCertificate: this.#highCertificate,
      votedView: record.votedView,
      lockView: record.lockView,
      isActive: this.#voter.isActive,
      held: {
        blocks: this.#tree.size,
        orphans: this.#missing.orphanCount,
        wanted: this.#missing.wanted.size,
        votes: this.#tally.size,
        proposals: this.#proposals.size,
        testimony: this.#witness.size,
      },
    };
  }

  /** Whether this block was asked for and is still of use: others are dropped. */
  wants(block: Digest): boolean {
    return this.#missing.wanted.has(block);
  }

  /** Takes one fact and gives the orders that follow, to be carried out front to back. */
  step(input: Input): readonly Effect[] {
    assert(this.#isStarted !== (input.type === "started"), "started comes first, and once");
    const before = this.status;
    this.#effects = [];
    this.#take(input);
    this.#settle();
    assertForward(before, this.status);
    return this.#effects;
  }

  #take(input: Input): void {
    switch (input.type) {
      case "started":
        return this.#onStarted(input.point);
      case "proposalReceived":
        return this.#onProposal(input.proposal, input.nowMs);
      case "voteReceived":
        return this.#onVote(input.vote);
      case "timeoutReceived":
        return this.#onTimeout(input.timeout);
      case "certificateReceived":
        return this.#onCertificate(input.certificate);
      case "commitProofReceived":
        return this.#onCommitProof(input.proof);
      case "blockFetched":
        return this.#onFetched(input.block);
      case "proposalBuilt":
        return this.#onBuilt(input);
      case "blockExecuted":
        return this.#tree.onAnswer(input.block, input.result);
      case "blockReviewed":
        return this.#candidates.onReviewed(input.block, input.passed);
      case "signed":
        return this.#onSigned(input.signable, input.signature);
      case "timerFired":
        return this.#onTimer(input.timer);
      case "workChanged":
        this.#isWorkPending = input.pending;
        if (input.pending && this.#pacemaker.isIdle) this.#startTimer();
        return;
      default:
        unreachable(input);
    }
  }

  /** Does what the facts so far allow: first votes and what votes need, for others wait for them. */
  #settle(): void {
    this.#voteIfDue();
    do this.#effects.push(...this.#tree.takeExecutable());
    while (this.#commitIfDue());
    this.#relaxTimer();
    this.#askForProposalIfDue();
  }

  // Start and epochs.

  #onStarted(point: StartPoint): void {
    this.#isStarted = true;
    assert(point.epoch.epoch === this.#epoch.epoch, "started in the epoch it was made for");
    for (const block of point.blocks) this.#tree.add(block);
    const committed = this.#tree.get(point.committed);
    assert(committed !== null, "the committed block is among the stored ones");
    for (let at: BlockNode | null = committed; at !== null; at = at.parent) at.state = "valid";
    this.#tree.commit(committed);
    const index = indexOfValidator(this.#epoch.committee, this.#options.self);
    const held = point.blocks.map(({ parentCertificate }) => parentCertificate);
    this.#voter.restore(this.#epoch, index, point);
    this.#startTimer();
    for (const each of [...held, ...point.certificates]) this.#onCertificate(each);
    const { record } = this.#voter;
    this.#onCertificate(record.highCertificate);
    for (const { timeoutCertificate } of point.blocks)
      this.#onTimeoutCertificate(timeoutCertificate);
    this.#onTimeoutCertificate(record.timeout?.entryCertificate ?? null);
    this.#effects.push(...this.#voter.signAgain(this.#pacemaker.view));
  }

  #startEpoch(epoch: EpochInfo): void {
    assert(epoch.epoch === this.#epoch.epoch + 1, "epochs follow one another");
    assert(epoch.root === this.#tree.committed.hash, "an epoch starts at a committed block");
    const { rules, aggregate, hash, timing, self } = this.#options;
    const { timestampMs } = this.#tree.committed;
    this.#previousEpoch = this.#epoch;
    this.#epoch = epoch;
    this.#tree = new BlockTree(epoch, hash);
    this.#tally = new Tally(epoch.committee, rules, aggregate);
    this.#pacemaker = new Pacemaker(timing);
    this.#missing = new Missing();
    this.#highCertificate = rootCertificate(epoch);
    this.#committer = new Committer(rules);
    this.#candidates.clear();
    this.#proposals.clear();
    this.#witness.clear();
    this.#ownTimeout = null;
    this.#askedView = 0;
    this.#effects.push({ type: "startEpoch", epoch });
    const index = indexOfValidator(epoch.committee, self);
    this.#effects.push(...this.#voter.startEpoch(epoch, index, timestampMs));
    this.#startTimer();
    this.#onCertificate(this.#voter.record.highCertificate);
    this.#onTimeoutCertificate(this.#voter.record.timeout?.entryCertificate ?? null);
    this.#effects.push(...this.#voter.signAgain(this.#pacemaker.view));
  }

  // Views.

  #enter(view: number, entry: TimeoutCertificate | null): void {
    if (view <= this.#pacemaker.view) return;
    this.#pacemaker.enter(view, entry);
    this.#candidates.clear();
    this.#proposals.forgetBelow(view - proposalViewsMax);
    this.#tree.dropUncertified(view);
    this.#ask(this.#missing.dueIn(view));
    this.#startTimer();
  }

  get #isWorking(): boolean {
    return this.#isWorkPending || this.#tree.hasWork(this.#tree.get(this.#highCertificate.block));
  }

  #startTimer(): void {
    const { view } = this.#highCertificate;
    this.#effects.push(this.#pacemaker.startTimer(this.#epoch.epoch, view, this.#isWorking));
  }

  /** The work is committed that the timer was set for: the leader may wait for more. */
  #relaxTimer(): void {
    if (this.#pacemaker.isIdle || this.#isWorking) return;
    if (this.#voter.record.timeout?.view !== this.#pacemaker.view) this.#startTimer();
  }

  #onTimer(timer: Timer): void {
    if (timer.epoch !== this.#epoch.epoch || !this.#pacemaker.isDue(timer)) return;
    this.#ask(this.#missing.wanted);
    if (this.#voter.isActive) this.#leaveView();
    this.#startTimer();
  }

  /** Signs the view's timeout once, and afterwards sends that again. */
  #leaveView(): void {
    const { view, entry } = this.#pacemaker;
    if (this.#ownTimeout?.timeout.view === view) {
      const message = { type: "timeout", timeout: this.#ownTimeout } as const;
      this.#effects.push({ type: "send", to: { type: "all" }, message });
    } else if (this.#voter.record.timeout?.view === view) {
      this.#effects.push(...this.#voter.signTimeout());
    } else {
      this.#effects.push(...this.#voter.leave(view, this.#highCertificate, entry));
    }
  }

  #onTimeout(signed: SignedTimeout): void {
    const { timeout, signer } = signed;
    if (timeout.epoch < this.#epoch.epoch) return this.#helpBehind(timeout.epoch, signer);
    if (timeout.epoch > this.#epoch.epoch) return;
    this.#onTimeoutCertificate(timeout.entryCertificate);
    this.#onCertificate(timeout.highCertificate);
    this.#see({ type: "timeout", timeout: signed });
    const { view } = this.#pacemaker;
    if (!this.#tally.addTimeout(signed) || timeout.view !== view) return;
    const certificate = this.#tally.timeoutCertificateFor(view);
    if (certificate !== null) return this.#onTimeoutCertificate(certificate);
    const { committee } = this.#epoch;
    const stake = stakeOf(committee, this.#tally.leaversOf(view));
    // An honest one left, so this view may fail: to wait longer would only hold the others up.
    const hasLeft = (this.#voter.record.timeout?.view ?? 0) >= view;
    if (includesHonest(stake, stakeTotal(committee)) && this.#voter.isActive && !hasLeft) {
      this.#leaveView();
    }
  }

  #helpBehind(epoch: number, signer: number): void {
    const previous = this.#previousEpoch?.epoch === epoch ? this.#previousEpoch : null;
    const to = previous?.committee.validators[signer]?.address ?? null;
    this.#effects.push({ type: "sendEpochProof", epoch, to });
  }

  #onTimeoutCertificate(certificate: TimeoutCertificate | null): void {
    if (certificate === null || certificate.epoch !== this.#epoch.epoch) return;
    this.#onCertificate(certificate.highCertificate);
    this.#enter(certificate.view + 1, certificate);
  }

  // Certificates and commits.

  #onCertificate(certificate: Certificate): void {
    const { epoch, view, block } = certificate;
    if (epoch !== this.#epoch.epoch || view === 0) return;
    this.#see({ type: "certificate", certificate });
    if (view < this.#tree.committed.view) return;
    this.#tree.addCertificate(certificate);
    if (view > this.#highCertificate.view) this.#highCertificate = certificate;
    this.#enter(view + 1, null);
    if (this.#tree.get(block) === null) this.#want(block);
    this.#committer.aim(certificate, this.#tree);
  }

  #onCommitProof(proof: CommitProofSummary): void {
    const first = proof.links[0];
    if (first === undefined || !this.#options.rules.isCommitProof(this.#epoch, proof)) return;
    if (first.height <= this.#tree.committed.height) return;
    this.#committer.aimAtProved(proof);
    this.#onCertificate(proof.certificate);
  }

  /** Whether something was committed: then there may be more. */
  #commitIfDue(): boolean {
    const due = this.#committer.due(this.#tree);
    if (due === null) return false;
    const high = this.#tree.get(this.#highCertificate.block);
    const isLeading = this.#voter.isActive && this.leader === this.#voter.index;
    if (due.effect.type === "commit" && isLeading && this.#tree.isAwaited(due.last, high)) {
      this.#effects.push({ type: "tellCommit", proof: due.effect.proof });
    }
    this.#effects.push(due.effect);
    if (due.last === null) return false;
    this.#tree.commit(due.last);
    this.#missing.forgetUpTo(due.last.height);
    const { block } = this.#highCertificate;
    if (this.#tree.get(block) === null) this.#want(block);
    if (due.last.endsEpoch) {
      assert(due.last.nextEpoch !== null, "an epoch's last block names the next epoch");
      this.#startEpoch(due.last.nextEpoch);
    }
    return true;
  }

  // Blocks.

  #onProposal(proposal: Proposal, nowMs: number): void {
    const { block, signer, signature } = proposal;
    const { epoch, view, hash, timestampMs } = block;
    if (epoch !== this.#epoch.epoch) return;
    const signed = { statement: { epoch, view, block: hash }, signer, signature };
    this.#see({ type: "proposal", proposal: signed });
    if (view <= this.#tree.committed.view) return;
    this.#onCertificate(block.parentCertificate);
    this.#onTimeoutCertificate(block.timeoutCertificate);
    if (view + proposalViewsMax < this.#pacemaker.view || !this.#proposals.add(signed)) return;
    // The parent's own time is compared where the parent is held.
    const isNow = isTimely({ ...this.#options, timestampMs, parentTimestampMs: 0, nowMs });
    if (view === this.#pacemaker.view && isNow) this.#candidates.add(hash);
    this.#insert(block);
  }

  #onFetched(block: BlockSummary): void {
    if (block.epoch !== this.#epoch.epoch) return;
    this.#missing.unwant(block.hash);
    this.#onCertificate(block.parentCertificate);
    this.#onTimeoutCertificate(block.timeoutCertificate);
    if (block.height > this.#tree.committed.height) return this.#insert(block);
    if (block.hash === this.#tree.committed.hash) return;
    const dropped = this.#missing.dropBelow(block.hash);
    if (this.#committer.aimsAtAny(dropped)) {
      this.#effects.push({ type: "alarm", reason: `a commit forks off at ${block.hash}` });
    }
  }

  /** Enters a block and whatever waited for it; one whose parent is missing waits itself. */
  #insert(block: BlockSummary): void {
    const pending = [block];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (this.#tree.get(next.hash) !== null) continue;
      const parent = this.#tree.get(next.parent);
      if (parent === null) {
        this.#missing.addOrphan(next);
        this.#want(next.parent);
        continue;
      }
      if (!isWellFormed(next, parent, this.#validity())) continue;
      this.#missing.unwant(next.hash);
      this.#tree.add(next);
      const certificate = this.#tree.certificateOf(next.hash);
      if (certificate !== null) this.#committer.aim(certificate, this.#tree);
      pending.push(...this.#missing.takeChildren(next.hash));
    }
  }

  #validity(): ValidityContext {
    const leaderAfter = (parent: BlockNode, view: number) => this.#tree.leaderAfter(parent, view);
    return { epoch: this.#epoch, rules: this.#options.rules, leaderAfter };
  }

  #want(hash: Digest): void {
    this.#ask(this.#missing.want(hash));
  }

  #ask(blocks: Iterable<Digest>): void {
    for (const block of blocks) this.#effects.push({ type: "fetchBlock", block });
  }

  // Votes and proposals.

  /** Index of the current view's leader; `null` while the block it depends on is missing. */
  get leader(): number | null {
    const high = this.#tree.get(this.#highCertificate.block);
    return high === null ? null : this.#tree.leaderAfter(high, this.#pacemaker.view);
  }

  #voteIfDue(): void {
    for (const hash of this.#candidates.blocks) {
      const node = this.#tree.get(hash);
      if (node?.state !== "valid" || node.block === null) continue;
      if (node.view !== this.#pacemaker.view || !this.#voter.mayVote(node.block)) continue;
      const review = this.#candidates.reviewOf(hash);
      if (review === "due") this.#effects.push({ type: "reviewBlock", block: hash });
      if (review !== "passed") continue;
      this.#effects.push(...this.#voter.vote(node.block, this.#highCertificate));
    }
  }

  #askForProposalIfDue(): void {
    const { view, entry } = this.#pacemaker;
    const { proposal, timeout } = this.#voter.record;
    if (!this.#voter.isActive || this.#askedView >= view) return;
    if ((proposal?.view ?? 0) >= view || (timeout?.view ?? 0) >= view) return;
    const parent = this.#tree.get(this.#highCertificate.block);
    if (parent === null || parent.state !== "valid" || this.leader !== this.#voter.index) return;
    this.#askedView = view;
    this.#effects.push(this.#tree.orderAfter(parent, this.#highCertificate, { view, entry }));
  }

  #onBuilt({ block, result }: Extract<Input, { readonly type: "proposalBuilt" }>): void {
    const { view } = this.#pacemaker;
    const { proposal, timeout } = this.#voter.record;
    if (block.epoch !== this.#epoch.epoch || block.view !== view) return;
    if ((proposal?.view ?? 0) >= view || (timeout?.view ?? 0) >= view) return;
    const parent = this.#tree.get(block.parent);
    if (parent === null || !this.#voter.isActive) return;
    assert(this.#askedView === view, "a proposal was built that nobody asked for");
    assert(result.valid, "a proposal was built that is not valid");
    assert(isWellFormed(block, parent, this.#validity()), "a proposal was built against the rules");
    // The same block may have come from another process that runs with this key.
    this.#tree.onExecuted(this.#tree.get(block.hash) ?? this.#tree.add(block), result);
    this.#effects.push(...this.#voter.propose(block, this.#highCertificate));
  }

  #onSigned(signable: Signable, signature: Uint8Array): void {
    const signer = this.#voter.index;
    if (signer === null) return;
    switch (signable.type) {
      case "vote":
        return this.#sendVote({ vote: signable.vote, signer, signature });
      case "timeout": {
        const timeout = { timeout: signable.timeout, signer, signature };
        if (timeout.timeout.epoch !== this.#epoch.epoch) return;
        this.#ownTimeout = timeout;
        this.#send({ type: "timeout", timeout });
        return this.#onTimeout(timeout);
      }
      case "proposal": {
        const proposal = { statement: signable.statement, signer, signature };
        if (proposal.statement.epoch !== this.#epoch.epoch) return;
        this.#see({ type: "proposal", proposal });
        return this.#send({ type: "proposal", proposal });
      }
      default:
        unreachable(signable);
    }
  }

  #send(message: Message): void {
    this.#effects.push({ type: "send", to: { type: "all" }, message });
  }

  /** Votes go to the next leader alone: it makes the certificate. */
  #sendVote(vote: SignedVote): void {
    const node = this.#tree.get(vote.vote.block);
    if (vote.vote.epoch !== this.#epoch.epoch || node === null) return;
    this.#see({ type: "vote", vote });
    const index = this.#tree.leaderAfter(node, vote.vote.view + 1);
    if (index === this.#voter.index) return this.#onVote(vote);
    const message = { type: "vote", vote } as const;
    this.#effects.push({ type: "send", to: { type: "validator", index }, message });
  }

  #onVote(signed: SignedVote): void {
    const { vote } = signed;
    if (vote.epoch !== this.#epoch.epoch) return;
    this.#see({ type: "vote", vote: signed });
    if (vote.view <= this.#tree.committed.view || !this.#tally.addVote(signed)) return;
    if (this.#tree.certificateOf(vote.block) !== null) return;
    const certificate = this.#tally.certificateFor(vote);
    if (certificate !== null) this.#onCertificate(certificate);
  }

  /** Remembers a verified statement of this epoch; reports whom it proves a liar. */
  #see(testimony: Testimony): void {
    for (const evidence of this.#witness.see(testimony)) {
      this.#effects.push({ type: "report", evidence });
    }
    this.#effects.push(...this.#voter.hear(testimony));
  }
}
