import { assert, AssertionError, unreachable } from "../../base/assert.ts";
import type { Digest, Verified } from "../../base/brand.ts";
import { accusedBy } from "../../consensus/evidence.ts";
import { Guard } from "../../consensus/guard.ts";
import { Replica } from "../../consensus/replica.ts";
import { emptySafetyRecord } from "../../consensus/rules.ts";
import type {
  BlockSummary,
  CommitProofSummary,
  Effect,
  EpochInfo,
  ExecutionResult,
  Input,
  Message,
  Recipient,
  SafetyRecord,
  Signable,
  Slot,
  Timer,
} from "../../consensus/types.ts";
import { Builder } from "./builder.ts";
import { SimClock, Standstill } from "./clock.ts";
import { SimDisk, startPoint, writeUs, type Disk } from "./disk.ts";
import { Follower, RangeServer } from "./follower.ts";
import type { SimBlock } from "./fakeLedger.ts";
import { HeldBlocks } from "./heldBlocks.ts";
import { Orders } from "./orders.ts";
import { clockDriftMsMax } from "./pace.ts";
import type { Prng } from "./prng.ts";
import { replicaOptions } from "./replicaOptions.ts";
import { identityOf, stubKey, stubSign } from "./stubs.ts";
import { Inbound } from "./inbound.ts";
import type { CatchUpWire, Wire } from "./wire.ts";
import type { Plant, World } from "./world.ts";

/** Least virtual time between two catch-ups. */
const followIntervalUs = 2_000_000;

/** One process: a replica, its guard and disk, and the host that carries out its orders. */
export class SimNode {
  readonly id: number;
  readonly identity: number;
  readonly #world: World;
  readonly #dice: Prng;
  readonly #plant: Plant;
  readonly disk: Disk;
  readonly clock: SimClock;
  readonly standstill: Standstill;
  /** What clients want done. */
  readonly orders = new Orders();
  #replica: Replica | null = null;
  #guard: Guard;
  #incarnation = 0;
  #epoch: EpochInfo;
  readonly blocks: HeldBlocks;
  #isWorkPending = false;
  #inputs: Input[] = [];
  #isDraining = false;
  /** What a slow disk has not taken in yet. */
  #writing: SafetyRecord | null = null;
  /** A commit that a slow disk has not taken in yet, and what waits for it. */
  #committing: { onDone: (() => void) | null } | null = null;
  #slot: Slot = { epoch: 0, view: 1 };
  /** Views entered in its life. */
  views = 0;
  #steps = 0;
  readonly #inbound: Inbound;
  readonly #builder: Builder;
  readonly #server: RangeServer;
  #follower: Follower | null = null;
  #followedUs = -followIntervalUs;
  /** Identities of whom it has evidence against and did not put into a block yet. */
  readonly accused = new Set<number>();
  /** Cleared by the liveness phase: then it neither crashes nor objects any more. */
  isTroubled = true;

  constructor(id: number, identity: number, world: World, dice: Prng, plant: Plant) {
    this.id = id;
    this.identity = identity;
    this.#world = world;
    this.#dice = dice;
    this.#plant = plant;
    this.#epoch = world.ledger.firstEpoch();
    this.disk = new SimDisk(this.#epoch, emptySafetyRecord(this.#epoch));
    this.blocks = new HeldBlocks(this.disk);
    this.clock = new SimClock(world, identity, dice);
    this.standstill = new Standstill(world);
    this.#guard = this.#newGuard();
    this.#inbound = new Inbound(this, world);
    this.#builder = new Builder(this, world, dice);
    const isLiar = world.swarm.roles[identity]?.type === "liar";
    this.#server = new RangeServer(this, dice, isLiar);
  }

  get isUp(): boolean {
    return this.#replica !== null || this.#follower !== null;
  }

  /** Inputs that wait for a slow disk. */
  get queued(): number {
    return this.#inputs.length;
  }

  get epoch(): EpochInfo {
    return this.#epoch;
  }

  get isWorkPending(): boolean {
    return this.#isWorkPending;
  }

  #newGuard(): Guard {
    const sign = (message: Uint8Array) => stubSign(this.identity, message);
    return new Guard(this.#world.scope, stubKey(this.identity), sign);
  }

  // Life.

  /** Starts with what the disk holds. */
  start(): void {
    if (this.isUp) return;
    this.#begin();
  }

  /** Leaves consensus and follows the chain in ranges; what was signed is on disk. */
  follow(): void {
    const nowUs = this.#world.nowUs();
    if (this.#follower !== null || nowUs < this.#followedUs + followIntervalUs) return;
    this.#followedUs = nowUs;
    this.#lose();
    this.#follower = new Follower(this, this.#world, () => {
      this.#follower = null;
      this.#begin();
    });
    this.#world.observe({ node: this, type: "followed" });
    this.#follower.start();
  }

  #begin(): void {
    this.#incarnation += 1;
    const { disk } = this;
    const epoch = [...disk.epochs.values()].at(-1);
    assert(epoch !== undefined, "an epoch is on disk");
    this.#epoch = epoch;
    const read = disk.readRecord();
    const record = this.#plant.readRecord?.(read) ?? read;
    this.#guard = this.#newGuard();
    this.#guard.onPersisted(record);
    const point = startPoint(disk, {
      epoch,
      record,
      doubtUntilMs: this.nowMs + 2 * clockDriftMsMax,
      losesBlocks: this.#plant.losesBlocks === true,
    });
    this.#replica = new Replica(replicaOptions(this.identity, this.#world), epoch);
    this.deliver({ type: "started", point });
    this.deliver({ type: "workChanged", pending: this.#isWorkPending });
  }

  /** Loses everything that is not on disk. */
  crash(): void {
    this.#world.observe({ node: this, type: "crashed" });
    if (this.#writing !== null && this.#plant.forgets !== true) {
      this.disk.tear(this.#writing, this.#dice);
    }
    this.#lose();
  }

  /** Whatever is not on disk. */
  #lose(): void {
    this.#incarnation += 1;
    this.standstill.end();
    this.#writing = null;
    this.#committing = null;
    this.#follower = null;
    this.#replica = null;
    this.blocks.forget();
    this.#builder.forget();
    this.#inputs = [];
    this.#isDraining = false;
  }

  #crashForAWhile(): void {
    this.crash();
    const downMs = this.#dice.between(1, 2 * this.#world.swarm.downMsMean);
    this.#world.schedule(downMs * 1_000, () => this.start());
  }

  /** Runs later, unless the process has died by then. */
  later(delayUs: number, run: () => void): void {
    const incarnation = this.#incarnation;
    this.#world.schedule(delayUs, () =>
      this.standstill.awake(() => {
        if (this.#incarnation === incarnation) run();
      }),
    );
  }

  /** Its own clock. */
  get nowMs(): number {
    return this.clock.nowMs;
  }

  /** Work arrives: transactions wait until a block with transactions is committed. */
  addWork(): void {
    this.standstill.awake(() => {
      this.#isWorkPending = true;
      this.#builder.onWork();
      this.deliver({ type: "workChanged", pending: true });
    });
  }

  // The host: one input at a time, its effects in order.

  deliver(input: Input): void {
    if (this.#replica === null) return; // It died of the input before.
    this.#inputs.push(input);
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#drain();
  }

  #drain(): void {
    const incarnation = this.#incarnation;
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
      const replica = this.#replica;
      if (replica === null) return;
      const isDone = this.#carryOut(this.#step(replica, next), 0);
      if (!isDone || this.#incarnation !== incarnation) return;
    }
    this.#isDraining = false;
  }

  /** Performs effects in order; `false` if a slow disk makes the rest wait, or the process died. */
  #carryOut(effects: readonly Effect[], from: number): boolean {
    const incarnation = this.#incarnation;
    for (const [at, effect] of effects.entries()) {
      if (at < from) continue;
      const oneIn = this.isTroubled ? this.#world.swarm.crashInEffectsOneIn : 0;
      if (oneIn > 0 && this.#dice.chance(1, oneIn)) {
        if (effect.type === "persist") this.#writing = effect.record;
        this.#crashForAWhile();
        return false;
      }
      const isAfterCommits = effect.type === "commit" || effect.type === "startEpoch";
      if (isAfterCommits && this.#committing !== null) {
        this.#committing.onDone = () => {
          if (this.#carryOut(effects, at)) this.#drain();
        };
        return false;
      }
      const waitUs = writeUs(effect, this.#world.swarm, this.#dice);
      if (waitUs > 0 && effect.type === "commit") {
        this.#commitLater(effect, waitUs);
        continue;
      }
      if (waitUs > 0 && effect.type === "persist" && this.#plant.noBarrier === true) {
        this.#guard.onPersisted(effect.record);
        this.later(waitUs, () => this.disk.persist(effect.record));
        continue;
      }
      if (waitUs > 0) {
        if (effect.type === "persist") this.#writing = effect.record;
        this.later(waitUs, () => {
          this.#writing = null;
          this.#perform(effect);
          if (this.#incarnation !== incarnation || !this.#carryOut(effects, at + 1)) return;
          this.#drain();
        });
        return false;
      }
      this.#perform(effect);
      if (this.#incarnation !== incarnation) return false;
    }
    this.#onStepped();
    return this.#incarnation === incarnation;
  }

  /** Writes a commit beside what follows; another one, or an epoch, waits for it. */
  #commitLater(effect: Effect, waitUs: number): void {
    this.#committing = { onDone: null };
    this.later(waitUs, () => {
      const onDone = this.#committing?.onDone ?? null;
      this.#committing = null;
      this.#perform(effect);
      if (onDone !== null) return onDone();
      if (this.#isDraining) return;
      this.#isDraining = true;
      this.#drain();
    });
  }

  #onStepped(): void {
    const replica = this.#replica;
    if (replica === null) return;
    this.#steps += 1;
    if (this.#steps % 32 === 0) {
      this.#world.observe({
        node: this,
        type: "stepped",
        status: replica.status,
        epoch: this.#epoch,
      });
    }
    const { crashOneIn } = this.#world.swarm;
    if (this.isTroubled && crashOneIn > 0 && this.#dice.chance(1, crashOneIn))
      this.#crashForAWhile();
  }

  #step(replica: Replica, input: Input): readonly Effect[] {
    try {
      return replica.step(input);
    } catch (error) {
      if (!(error instanceof AssertionError)) throw error;
      this.#world.fail("assertion", `node ${this.id}: ${error.message}`);
      return [];
    }
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case "storeBlock": {
        const block = this.blocks.get(effect.block);
        assert(block !== null, "only a held block is stored");
        return this.disk.storeBlock(block);
      }
      case "persist":
        if (this.#plant.forgets !== true) this.disk.persist(effect.record);
        return this.#guard.onPersisted(effect.record);
      case "sign":
        return this.#sign(effect.signable);
      case "send":
        return this.#send(effect.to, effect.message);
      case "setTimer":
        return this.#setTimer(effect.timer, effect.delayMs);
      case "buildProposal":
        return this.#builder.request(effect);
      case "executeBlock":
        return this.#builder.execute(effect.block);
      case "reviewBlock":
        return this.#builder.review(effect.block);
      case "tellCommit":
        return this.#world.send(this.id, "all", {
          type: "proof",
          proof: this.blocks.proofOf(effect.proof),
        });
      case "commit":
        return this.#commit(effect);
      case "startEpoch":
        return this.enterEpoch(effect.epoch);
      case "fetchBlock":
        return this.#fetch(effect.block);
      case "sendEpochProof": {
        const proof = this.disk.epochProofs.get(effect.epoch);
        const to = effect.to === null ? "all" : this.#world.nodesOf(effect.to);
        if (proof !== undefined) this.#world.send(this.id, to, { type: "proof", proof });
        return;
      }
      case "report": {
        const { evidence } = effect;
        if (this.#plant.mute === true) return;
        for (const index of accusedBy(evidence)) {
          this.accused.add(identityOf(this.#epoch.committee.validators[index]));
        }
        return this.#world.observe({ node: this, type: "reported", evidence, epoch: this.#epoch });
      }
      case "fallSilent":
        return this.#world.observe({ node: this, type: "fellSilent", reason: effect.reason });
      case "alarm":
        return this.#world.fail("alarm", `node ${this.id}: ${effect.reason}`);
      default:
        unreachable(effect);
    }
  }

  #sign(signable: Signable): void {
    const guarded = this.#guard.sign(signable);
    if (!guarded.ok && this.#plant.unguarded !== true) {
      return this.#world.fail("guard", `node ${this.id}: ${JSON.stringify(guarded.refusal)}`);
    }
    const signature = guarded.ok ? guarded.value : this.signBytes(signable);
    this.#world.observe({ node: this, type: "signed", signable, signature });
    this.#inputs.push({ type: "signed", signable, signature });
  }

  /** Signs past the guard: for liars, and where a test has removed it. */
  signBytes(signable: Signable): Uint8Array {
    return this.#world.verifier.sign(this.identity, signable);
  }

  #send(to: Recipient, message: Message): void {
    const targets =
      to.type === "all"
        ? "all"
        : this.#world.nodesOf(this.#epoch.committee.validators[to.index]?.address ?? "");
    if (message.type !== "proposal") return this.#world.send(this.id, targets, message);
    const block = this.blocks.get(message.proposal.statement.block);
    if (block === null) return;
    const { signer, signature } = message.proposal;
    const proposal = { block: block.summary, signer, signature };
    this.#world.send(this.id, targets, { type: "proposal", proposal, block });
  }

  #setTimer(timer: Timer, delayMs: number): void {
    const { epoch, view } = this.#slot;
    const entered = timer.epoch === epoch ? timer.view - view : timer.view;
    if (timer.epoch >= epoch && entered > 0) {
      // A restart comes by the same views again, which do not count twice.
      this.#slot = timer;
      this.views += entered;
      this.#world.observe({ node: this, type: "entered", views: this.views });
    }
    // Clocks run up to five percent apart.
    const delayUs = Math.floor(delayMs * this.#dice.between(950, 1_050));
    this.later(delayUs, () => {
      // Who only follows sends no timeouts that others could answer, so it asks.
      if (this.#replica?.status.isActive === false) this.#inbound.askForProof();
      this.deliver({ type: "timerFired", timer });
    });
  }

  /** Executes a block on the state after its parent. */
  judge(epoch: EpochInfo, block: SimBlock, state: Digest): ExecutionResult {
    return this.#world.ledger.execute(epoch, block, {
      state,
      blockOf: (hash) => this.blocks.held(hash),
    });
  }

  #commit({ blocks, proof }: Extract<Effect, { readonly type: "commit" }>): void {
    const committed = blocks.map((hash) => this.blocks.held(hash));
    const last = committed.at(-1);
    assert(last !== undefined, "a commit has blocks");
    this.commitBlocks(committed, last, this.blocks.proofOf(proof));
    if (!committed.some((block) => block.payload !== "")) return;
    this.#inputs.push({ type: "workChanged", pending: false });
  }

  /** Commits held blocks; gives the epoch that begins with them, or `null`. */
  commitBlocks(
    blocks: readonly SimBlock[],
    last: SimBlock,
    proof: CommitProofSummary,
  ): EpochInfo | null {
    const endsEpoch = last.summary.nextCommitteeHash !== null;
    const held = (hash: Digest): SimBlock => this.blocks.held(hash);
    const next = endsEpoch ? this.#world.ledger.nextEpoch(this.#epoch, last, held) : null;
    this.disk.commit(blocks, proof, next);
    this.orders.onCommitted(blocks);
    if (blocks.some((block) => block.payload !== "")) this.#isWorkPending = false;
    const epoch = this.#epoch;
    this.#world.observe({ node: this, type: "committed", blocks, proof, epoch });
    return next;
  }

  /** Goes on in the next epoch. */
  enterEpoch(epoch: EpochInfo): void {
    this.#epoch = epoch;
    this.#world.observe({ node: this, type: "epochStarted", epoch });
  }

  #fetch(hash: Digest): void {
    const held = this.blocks.get(hash);
    if (held !== null && held.summary.epoch === this.#epoch.epoch) {
      // Known from a proposal that the replica has dropped since.
      const block = held.summary as Verified<BlockSummary>;
      this.#inputs.push({ type: "blockFetched", block });
      return;
    }
    this.#world.send(this.id, "all", { type: "fetch", hash, from: this.id });
  }

  // Messages from outside.

  receive(wire: Wire): void {
    this.standstill.awake(() => this.#take(wire));
  }

  #take(wire: Wire): void {
    if (!this.isUp || (this.#follower !== null && wire.type !== "catchUp")) return;
    this.#inbound.receive(wire);
  }

  /** A question or an answer of a catch-up. */
  onCatchUp(wire: CatchUpWire): void {
    const answer = this.#server.answer(wire);
    if (answer === null) return this.#follower?.receive(wire);
    this.#world.send(this.id, [wire.from], { type: "catchUp", wire: answer });
  }

  /** Whether the replica asked for this block. */
  wants(hash: Digest): boolean {
    return this.#replica?.wants(hash) ?? false;
  }

  /** View of the highest certificate that the replica knows. */
  get highView(): number {
    return this.#replica?.status.highCertificate.view ?? 0;
  }
}
