import { getHeapStatistics } from "node:v8";

/** Between two looks at the heap: one costs a few microseconds, a request should not. */
const sampleIntervalMs = 250;

/**
 * Tells whether so much of the heap is used that calls must be refused, so that consensus can go
 * on.
 */
export class HeapPressure {
  readonly #usedPercentMax: number;
  #sampledMs = Number.NEGATIVE_INFINITY;
  #high = false;

  constructor(usedPercentMax: number) {
    this.#usedPercentMax = usedPercentMax;
  }

  isHigh(nowMs: number): boolean {
    if (nowMs - this.#sampledMs < sampleIntervalMs) return this.#high;
    this.#sampledMs = nowMs;
    const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
    this.#high = used * 100 > limit * this.#usedPercentMax;
    return this.#high;
  }
}
