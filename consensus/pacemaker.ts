import { assert } from "../base/assert.ts";
import type { TimeoutCertificate } from "./types.ts";

/** How long a view may last, in milliseconds. */
export type ViewTiming = {
  /** While transactions are pending or uncommitted. */
  readonly shortMs: number;
  /** Otherwise; above the idle block interval, since a leader may wait that long. */
  readonly longMs: number;
  /** No view lasts longer, whatever failed before. */
  readonly msMax: number;
};

/** Consecutive failed views beyond this do not lengthen the next any more. */
const growthStepsMax = 16;

/**
 * Which view it is, how it was reached, and how long it may last; grows by half with each failure.
 */
export class Pacemaker {
  readonly #timing: ViewTiming;
  #view = 1;
  #entry: TimeoutCertificate | null = null;
  #timersOut = 0;
  #isShort = false;

  constructor(timing: ViewTiming) {
    this.#timing = timing;
  }

  /** The current view, from 1. */
  get view(): number {
    return this.#view;
  }

  /** Timeouts of the view before; `null` if that view was certified. */
  get entry(): TimeoutCertificate | null {
    return this.#entry;
  }

  /** Goes to a later view. */
  enter(view: number, entry: TimeoutCertificate | null): void {
    assert(view > this.#view, "views go forward");
    this.#view = view;
    this.#entry = entry;
    this.#timersOut = 0;
    this.#isShort = false;
  }

  /** Duration of the next timer of this view, given the view of the highest certificate. */
  startTimer(highView: number, isWorking: boolean): number {
    this.#timersOut += 1;
    this.#isShort = isWorking;
    const { shortMs, longMs, msMax } = this.#timing;
    const failures = Math.min(this.#view - highView - 1, growthStepsMax);
    const base = isWorking ? shortMs : longMs;
    return Math.min(msMax, Math.floor((base * 3 ** failures) / 2 ** failures));
  }

  /** Whether a timer of this view fired and none is left, so that the next must be started. */
  onTimer(): boolean {
    this.#timersOut -= 1;
    return this.#timersOut <= 0;
  }

  /** Whether the running timer was set for idle times, which are now over. */
  get isIdle(): boolean {
    return !this.#isShort;
  }
}
