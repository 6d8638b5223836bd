import type {
  CommitGrounds,
  Effect,
  EpochInfo,
  Evidence,
  Input,
  Message,
  Recipient,
  SafetyRecord,
  Signable,
  Timer,
} from "../consensus/types.ts";
import { unreachable } from "../base/assert.ts";
import { NodeError } from "../base/nodeError.ts";
import type { Address, Digest } from "../base/brand.ts";

/** What the host drives: `consensus/replica.ts`. */
export interface StepMachine {
  step(input: Input): readonly Effect[];
}

type BuildProposal = Extract<Effect, { readonly type: "buildProposal" }>;
type Commit = Extract<Effect, { readonly type: "commit" }>;

/**
 * One method per effect: disks, keys and sockets here, arrays in tests. What answers later does so
 * through `deliver` of the host.
 */
export interface World {
  storeBlock(block: Digest): Promise<void>;
  persist(record: SafetyRecord): Promise<void>;
  /** The signature, or `null` if the guard refuses: then nothing is signed. */
  sign(signable: Signable): Uint8Array | null;
  send(to: Recipient, message: Message): void;
  setTimer(timer: Timer, delayMs: number): void;
  buildProposal(effect: BuildProposal): void;
  executeBlock(block: Digest): void;
  reviewBlock(block: Digest): void;
  tellCommit(proof: CommitGrounds): void;
  /**
   * Resolves once the commit before is on disk: no vote waits for this one, as certificates show
   * again what is committed.
   */
  commit(effect: Commit): Promise<void>;
  /** Resolves once it has begun, after all commits. */
  startEpoch(epoch: EpochInfo): Promise<void>;
  fetchBlock(block: Digest): void;
  sendEpochProof(epoch: number, to: Address | null): void;
  report(evidence: Evidence): void;
  fallSilent(reason: string): Promise<void>;
  alarm(reason: string): void;
}

/**
 * Most inputs that may wait; beyond it messages from peers are dropped, never local results or
 * timers.
 */
export const inputsMax = 10_000;

function isFromPeers(input: Input): boolean {
  switch (input.type) {
    case "proposalReceived":
    case "voteReceived":
    case "timeoutReceived":
    case "certificateReceived":
    case "commitProofReceived":
      return true;
    case "started":
    case "blockFetched":
    case "proposalBuilt":
    case "blockExecuted":
    case "blockReviewed":
    case "signed":
    case "timerFired":
    case "workChanged":
      return false;
    default:
      return unreachable(input);
  }
}

/**
 * Drives one replica: one input at a time, its effects in order and to the end before the next.
 * A failed `storeBlock`, `persist` or `commit` ends in `onFailure` and silences this host for good:
 * a vote that is not on disk must not be sent.
 */
export class Host {
  readonly #machine: StepMachine;
  readonly #world: World;
  readonly #onFailure: (error: unknown) => void;
  readonly #inputs: Input[] = [];
  /** What the running step has signed, in order: a proposal leaves before the vote for it. */
  readonly #signed: Input[] = [];
  #isDraining = false;
  #drained: Promise<void> = Promise.resolve();
  #stopped = false;
  #droppedCount = 0;

  constructor(machine: StepMachine, world: World, onFailure: (error: unknown) => void) {
    this.#machine = machine;
    this.#world = world;
    this.#onFailure = onFailure;
  }

  /** How many messages from peers were dropped because too many inputs waited. */
  get droppedCount(): number {
    return this.#droppedCount;
  }

  /** How many inputs wait. */
  get queuedCount(): number {
    return this.#inputs.length;
  }

  /** Takes a fact. Returns at once; effects follow in order. */
  deliver(input: Input): void {
    if (this.#stopped) return;
    if (this.#inputs.length >= inputsMax && isFromPeers(input)) {
      this.#droppedCount += 1;
      return;
    }
    this.#inputs.push(input);
    if (!this.#isDraining) this.#drained = this.#drain();
  }

  /** Resolves when what was delivered so far has had its effects, those answered later aside. */
  settled(): Promise<void> {
    return this.#drained;
  }

  /** No further effect starts; resolves when the running one has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#drained;
  }

  async #drain(): Promise<void> {
    this.#isDraining = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
        for (const effect of this.#machine.step(next)) {
          if (this.#stopped) return;
          const wait = this.#perform(effect);
          if (wait !== null) await wait;
        }
        // Ahead of what waits: the replica's next step may depend on its own vote.
        this.#inputs.unshift(...this.#signed.splice(0));
      }
    } catch (error) {
      this.#stopped = true;
      this.#onFailure(error);
    } finally {
      this.#isDraining = false;
    }
  }

  #perform(effect: Effect): Promise<void> | null {
    switch (effect.type) {
      case "storeBlock":
        return this.#world.storeBlock(effect.block);
      case "persist":
        return this.#world.persist(effect.record);
      case "sign":
        return this.#sign(effect.signable);
      case "send":
        return done(() => this.#world.send(effect.to, effect.message));
      case "setTimer":
        return done(() => this.#world.setTimer(effect.timer, effect.delayMs));
      case "buildProposal":
        return done(() => this.#world.buildProposal(effect));
      case "executeBlock":
        return done(() => this.#world.executeBlock(effect.block));
      case "reviewBlock":
        return done(() => this.#world.reviewBlock(effect.block));
      case "tellCommit":
        return done(() => this.#world.tellCommit(effect.proof));
      case "commit":
        return this.#world.commit(effect);
      case "startEpoch":
        return this.#world.startEpoch(effect.epoch);
      case "fetchBlock":
        return done(() => this.#world.fetchBlock(effect.block));
      case "sendEpochProof":
        return done(() => this.#world.sendEpochProof(effect.epoch, effect.to));
      case "report":
        return done(() => this.#world.report(effect.evidence));
      case "fallSilent":
        return this.#world.fallSilent(effect.reason);
      case "alarm":
        return done(() => this.#world.alarm(effect.reason));
      default:
        return unreachable(effect);
    }
  }

  #sign(signable: Signable): null {
    const signature = this.#world.sign(signable);
    if (signature !== null) this.#signed.push({ type: "signed", signable, signature });
    return null;
  }
}

function done(act: () => void): null {
  act();
  return null;
}

/** Turns what ended a host into the failure that `node/main.ts` reports. */
export function hostFailure(error: unknown): NodeError {
  if (error instanceof NodeError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new NodeError("E_HALT", `consensus stopped: ${reason}`, { cause: error });
}
