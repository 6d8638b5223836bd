import type { Prng } from "./prng.ts";

type Event = { readonly atUs: number; readonly tie: number; readonly run: () => void };

function isBefore(a: Event, b: Event): boolean {
  return a.atUs < b.atUs || (a.atUs === b.atUs && a.tie < b.tie);
}

/**
 * Virtual time: a binary heap of events; those of one instant come in an order drawn from the seed.
 */
export class EventQueue {
  readonly #ties: Prng;
  readonly #heap: Event[] = [];
  #nowUs = 0;
  #count = 0;

  constructor(ties: Prng) {
    this.#ties = ties;
  }

  /** Virtual microseconds since the start. */
  get nowUs(): number {
    return this.#nowUs;
  }

  /** Events that ran. */
  get count(): number {
    return this.#count;
  }

  /** Runs something `delayUs` from now. */
  push(delayUs: number, run: () => void): void {
    const heap = this.#heap;
    const event = { atUs: this.#nowUs + Math.max(0, delayUs), tie: this.#ties.next(), run };
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || !isBefore(event, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = event;
  }

  /** Runs the next event; says whether there was one. */
  runNext(): boolean {
    const heap = this.#heap;
    const next = heap[0];
    const last = heap.pop();
    if (next === undefined || last === undefined) return false;
    if (heap.length > 0) this.#sink(last);
    this.#nowUs = next.atUs;
    this.#count += 1;
    next.run();
    return true;
  }

  #sink(event: Event): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      let least = heap[left];
      let leastAt = left;
      const right = heap[left + 1];
      if (right !== undefined && least !== undefined && isBefore(right, least)) {
        least = right;
        leastAt = left + 1;
      }
      if (least === undefined || !isBefore(least, event)) break;
      heap[at] = least;
      at = leastAt;
    }
    heap[at] = event;
  }
}
