import { assert } from "../base/assert.ts";
import type { Effect, TimeoutCertificate, Timer } from "./types.ts";

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
  #round = 0;
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
    this.#round = 0;
    this.#isShort = false;
  }

  /**
   * Orders the next timer of this view, which replaces the one before; given the view of the
   * highest certificate.
   */
  startTimer(epoch: number, highView: number, isWorking: boolean): Effect {
    this.#round += 1;
    this.#isShort = isWorking;
    const { shortMs, longMs, msMax } = this.#timing;
    const failures = Math.min(this.#view - highView - 1, growthStepsMax);
    const base = isWorking ? shortMs : longMs;
    const delayMs = Math.min(msMax, Math.floor((base * 3 ** failures) / 2 ** failures));
    const timer = { epoch, view: this.#view, round: this.#round };
    return { type: "setTimer", timer, delayMs };
  }

  /** Whether this is the timer that counts. */
  isDue({ view, round }: Timer): boolean {
    return view === this.#view && round === this.#round;
  }

  /** Whether the running timer was set for times without work. */
  get isIdle(): boolean {
    return !this.#isShort;
  }
}
