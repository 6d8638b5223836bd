import type { Block } from "../ledger/blockTypes.ts";
import type { Digest } from "../base/brand.ts";
import type { ExecutionResult } from "../ledger/execute.ts";
import type { Log } from "./log.ts";

/*
 * The stage between execution and vote (DESIGN 9, S4). A reviewer may keep this validator from
 * voting for a block; whether the block is valid it does not decide, and what others certify is
 * followed all the same. One that hangs or throws costs its budget once and is then left out for a
 * while, so it can never stop the chain.
 */

/** A block that was executed and found valid, with what it did. */
export type ReviewedBlock = {
  readonly hash: Digest;
  readonly block: Block;
  readonly result: ExecutionResult;
};

/** Somebody who is asked before this validator votes for a block or proposes it. */
export type Reviewer = {
  /** For the log. */
  readonly name: string;
  /** Whether the block may have this validator's vote. `signal` ends with the budget. */
  readonly review: (block: ReviewedBlock, signal: AbortSignal) => Promise<boolean>;
};

/** Reviews that a reviewer is left out of after it hung or threw. */
export const reviewsSuspended = 100;

/** Most reviewers of one node. */
export const reviewersMax = 32;

/** Calls back once after some time; the returned function cancels. */
export type SetTimer = (delayMs: number, callback: () => void) => () => void;

/** The timer of a running node. */
export const realTimer: SetTimer = (delayMs, callback) => {
  const handle = setTimeout(callback, delayMs);
  return () => clearTimeout(handle);
};

/** Asks all reviewers at once; `budgetMs` for all of them together. */
export class ReviewStage {
  readonly #reviewers: readonly Reviewer[];
  readonly #budgetMs: number;
  readonly #setTimer: SetTimer;
  readonly #log: Pick<Log, "warn" | "info">;
  /** Reviews still to be left out, by name. */
  readonly #suspended = new Map<string, number>();

  constructor(
    reviewers: readonly Reviewer[],
    options: {
      readonly budgetMs: number;
      readonly setTimer: SetTimer;
      readonly log: Pick<Log, "warn" | "info">;
    },
  ) {
    this.#reviewers = reviewers.slice(0, reviewersMax);
    this.#budgetMs = options.budgetMs;
    this.#setTimer = options.setTimer;
    this.#log = options.log;
  }

  /** Whether nobody objects; settles within the budget, and never rejects. */
  async passes(block: ReviewedBlock): Promise<boolean> {
    const asked = this.#reviewers.filter((reviewer) => this.#isAsked(reviewer.name));
    if (asked.length === 0) return true;
    const ended = new AbortController();
    const cancel = this.#setTimer(this.#budgetMs, () => ended.abort());
    const verdicts = await Promise.all(
      asked.map((reviewer) => this.#ask(reviewer, block, ended.signal)),
    );
    cancel();
    return verdicts.every((passed) => passed);
  }

  #isAsked(name: string): boolean {
    const left = this.#suspended.get(name) ?? 0;
    if (left > 0) this.#suspended.set(name, left - 1);
    return left === 0;
  }

  async #ask(reviewer: Reviewer, block: ReviewedBlock, signal: AbortSignal): Promise<boolean> {
    const { name } = reviewer;
    const { height } = block.block.header;
    const hung = new Promise<"hung">((resolve) => {
      signal.addEventListener("abort", () => resolve("hung"), { once: true });
    });
    let verdict: boolean | "hung" | "threw";
    try {
      verdict = await Promise.race([reviewer.review(block, signal), hung]);
    } catch {
      verdict = "threw";
    }
    if (verdict === true) return true;
    if (verdict === false) {
      this.#log.info("a reviewer objects to a block", { reviewer: name, height });
      return false;
    }
    this.#suspended.set(name, reviewsSuspended);
    this.#log.warn("a reviewer failed and is left out for a while", {
      reviewer: name,
      height,
      how: verdict,
      reviews: reviewsSuspended,
    });
    return true;
  }
}
