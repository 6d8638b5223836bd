/**
 * The time that blocks are given, in milliseconds since 1970: the machine's, unless a devnet moved
 * it. A chain's time never goes back, so this clock is only ever set ahead of the last block.
 */
export class BlockClock {
  readonly #machineMs: () => number;
  #aheadMs = 0;
  #nextMs: number | null = null;

  constructor(machineMs: () => number) {
    this.#machineMs = machineMs;
  }

  /** By how much it is ahead of the machine's. */
  get aheadMs(): number {
    return this.#aheadMs;
  }

  nowMs(): number {
    return this.#machineMs() + this.#aheadMs;
  }

  /** The time of a block that is built now; `wanted` if somebody waits for that very block. */
  blockMs(wanted: boolean): number {
    const nextMs = this.#nextMs;
    if (nextMs === null) return this.nowMs();
    if (!wanted) return Math.min(this.nowMs(), nextMs - 1);
    this.#nextMs = null;
    this.#aheadMs = nextMs - this.#machineMs();
    return nextMs;
  }

  /** The next wanted block has this time, and time goes on from there. */
  setNext(timestampMs: number): void {
    this.#nextMs = timestampMs;
  }

  /** Moves on. */
  advance(byMs: number): void {
    this.#aheadMs += byMs;
  }
}
