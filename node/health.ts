/** How long transactions may wait without a commit before a node says that it is not well. */
export const stallMsMax = 30_000;

/** Whether the node should be sent work, from what happens to it. */
export class Health {
  readonly #nowMs: () => number;
  readonly #hasPending: () => boolean;
  #progressAtMs: number;
  #hadPending = false;
  #alarm: string | null = null;

  /** `nowMs`: monotonic milliseconds. */
  constructor(nowMs: () => number, hasPending: () => boolean) {
    this.#nowMs = nowMs;
    this.#hasPending = hasPending;
    this.#progressAtMs = nowMs();
  }

  /** A transaction came in; an idle time before it counts for nothing. */
  onWork(): void {
    if (!this.#hadPending) this.#progressAtMs = this.#nowMs();
    this.#hadPending = true;
  }

  /** A block was committed. */
  onCommitted(): void {
    this.#progressAtMs = this.#nowMs();
    this.#hadPending = this.#hasPending();
  }

  /** The chain cannot be followed any more. */
  onAlarm(reason: string): void {
    this.#alarm ??= reason;
  }

  /** One sentence, or `null` if all is well. */
  reason(): string | null {
    if (this.#alarm !== null) return this.#alarm;
    const waitMs = this.#nowMs() - this.#progressAtMs;
    if (!this.#hasPending() || waitMs <= stallMsMax) return null;
    return `transactions wait, and no block was committed for ${Math.floor(waitMs / 1_000)} s`;
  }
}
