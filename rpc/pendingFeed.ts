import type { Digest } from "../base/brand.ts";
import type { NodeApi } from "./api.ts";

/** Hashes that are kept for filters which have not asked yet. */
export const pendingFeedMax = 16_384;

/** The newest pending transactions by number, so that each filter remembers only how far it read. */
export class PendingFeed {
  readonly #node: Pick<NodeApi, "onPending">;
  #hashes: Digest[] = [];
  /** Number of the first hash that is kept. */
  #first = 0;
  #end: (() => void) | null = null;

  constructor(node: Pick<NodeApi, "onPending">) {
    this.#node = node;
  }

  /** Where the feed stands; it runs from the first such question on. */
  get next(): number {
    this.#end ??= this.#node.onPending((hash) => this.#add(hash));
    return this.#first + this.#hashes.length;
  }

  /** Hashes from a number on; those that are kept no more are left out. */
  since(number: number): readonly Digest[] {
    return this.#hashes.slice(Math.max(0, number - this.#first));
  }

  stop(): void {
    this.#end?.();
    this.#end = null;
  }

  #add(hash: Digest): void {
    this.#hashes.push(hash);
    // Cut in halves: moving the whole list for each hash would cost more than keeping it.
    if (this.#hashes.length < 2 * pendingFeedMax) return;
    this.#hashes = this.#hashes.slice(pendingFeedMax);
    this.#first += pendingFeedMax;
  }
}
