import type { Effect } from "../consensus/types.ts";

/** An order of the replica to build a block. */
export type BuildOrder = Extract<Effect, { readonly type: "buildProposal" }>;

/** Times between blocks, in milliseconds (DESIGN 5, Pace). */
export type Pace = {
  /** Between blocks with transactions, when few wait. */
  readonly intervalMsMin: number;
  /** The same when many wait; below `intervalMsMin` it counts for nothing. */
  readonly intervalMsBusy: number;
  /** Between blocks when nothing is pending. */
  readonly intervalMsIdle: number;
};

/** What the pacing of proposals needs of its surroundings. */
export interface ProposerPorts {
  /** Monotonic milliseconds. */
  nowMs(): number;
  /** Calls back once; the returned function cancels. */
  setTimer(delayMs: number, callback: () => void): () => void;
  /** Transactions that may go into a block. */
  pendingCount(): number;
  /** Builds and delivers the proposal. */
  build(order: BuildOrder, filled: boolean): void;
}

/**
 * Blocks that follow a start at once: the second commits the first, which shows that the node
 * works.
 */
const blocksAtStart = 2;

/**
 * Transactions in wait for which the next block comes a millisecond later. A block costs three
 * synced writes, three signatures and a path of the trie however little it carries, so fewer and
 * larger blocks leave more of the processor to transactions where they come faster than they are
 * committed; where they do not, few wait.
 */
const transactionsPerMs = 8;

/**
 * Part of the time that agreement on the newest filled block took which the next one keeps from it
 * at least: where processors are the bottleneck, agreement takes long, and fewer and larger blocks
 * leave more of them to transactions. It must not reach far: a transaction waits for it.
 */
const agreementsApart = 1.5;

/**
 * An empty block, which only commits what was filled before, takes its view's time. Whoever may
 * fill one within this part of such a time waits for that instead.
 */
const agreementsWaited = 0.5;

/**
 * Decides when an ordered block is built and whether it carries transactions. Blocks with
 * transactions keep their distance; the empty ones that commit them follow at once; without work
 * there is a block now and then.
 */
export class Proposer {
  readonly #pace: Pace;
  readonly #ports: ProposerPorts;
  #order: BuildOrder | null = null;
  #cancelTimer: (() => void) | null = null;
  #blockAtMs = -Infinity;
  #blocksAtOnce = blocksAtStart;
  #filledAtMs = -Infinity;
  /** Whether no block came after the newest that had any. */
  #isFilledNewest = false;
  /** Whether the newest filled block had no room for more: then it helps nobody to wait. */
  #isFullNewest = false;
  /** From a filled block to the order of the next one, when that was last seen here. */
  #agreementMs = 0;

  constructor(pace: Pace, ports: ProposerPorts) {
    this.#pace = pace;
    this.#ports = ports;
  }

  /** Takes an order; a later one replaces an earlier one that still waits. */
  request(order: BuildOrder): void {
    this.#order = order;
    if (this.#isFilledNewest) this.#agreementMs = this.#ports.nowMs() - this.#filledAtMs;
    this.#isFilledNewest = false;
    this.#decide();
  }

  /** A transaction came in. */
  onWork(): void {
    if (this.#order !== null) this.#decide();
  }

  /** A block of another leader came in: the distance is kept from that. */
  onBlock(transactionCount: number, isFull: boolean): void {
    const nowMs = this.#ports.nowMs();
    this.#blocksAtOnce -= 1;
    this.#blockAtMs = nowMs;
    this.#isFilledNewest = transactionCount > 0;
    if (transactionCount === 0) return;
    this.#filledAtMs = nowMs;
    this.#isFullNewest = isFull;
  }

  /** A filled block of this node is built. */
  onBuilt(isFull: boolean): void {
    this.#isFullNewest = isFull;
  }

  /** No block is built any more. */
  stop(): void {
    this.#order = null;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  #decide(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    const order = this.#order;
    if (order === null) return;
    const nowMs = this.#ports.nowMs();
    const pendingCount = this.#ports.pendingCount();
    const filledInMs = this.#filledAtMs + this.#intervalMs(pendingCount) - nowMs;
    const mayFill = pendingCount > 0 && !order.emptyRequired;
    if (mayFill && filledInMs <= 0) return this.#build(order, true, nowMs);
    const isFilledSoon = mayFill && filledInMs <= this.#agreementMs * agreementsWaited;
    if (order.isUrgent && !isFilledSoon) return this.#build(order, false, nowMs);
    const idleInMs =
      this.#blocksAtOnce > 0 ? 0 : this.#blockAtMs + this.#pace.intervalMsIdle - nowMs;
    const waitMs = mayFill ? filledInMs : idleInMs;
    if (waitMs <= 0) return this.#build(order, false, nowMs);
    this.#cancelTimer = this.#ports.setTimer(waitMs, () => {
      this.#cancelTimer = null;
      this.#decide();
    });
  }

  #intervalMs(pendingCount: number): number {
    const { intervalMsMin, intervalMsBusy } = this.#pace;
    if (this.#isFullNewest) return intervalMsMin;
    const wantedMs = Math.max(
      intervalMsMin + pendingCount / transactionsPerMs,
      this.#agreementMs * agreementsApart,
    );
    return Math.max(intervalMsMin, Math.min(intervalMsBusy, wantedMs));
  }

  #build(order: BuildOrder, filled: boolean, nowMs: number): void {
    this.#order = null;
    this.#blocksAtOnce -= 1;
    this.#blockAtMs = nowMs;
    this.#isFilledNewest = filled;
    if (filled) this.#filledAtMs = nowMs;
    this.#ports.build(order, filled);
  }
}
