import type { Digest } from "../base/brand.ts";

/**
 * Blocks of the current view that may be voted for, in order of arrival, and what became of their
 * review. Most are the two of an equivocating leader: more of one view are not looked at.
 */
export class Candidates {
  readonly #isReviewed: boolean;
  #blocks: Digest[] = [];
  readonly #reviews = new Map<Digest, "asked" | "passed" | "failed">();

  /** `isReviewed`: whether a review stands between execution and vote. */
  constructor(isReviewed: boolean) {
    this.#isReviewed = isReviewed;
  }

  get blocks(): readonly Digest[] {
    return this.#blocks;
  }

  add(block: Digest): void {
    this.#blocks.push(block);
  }

  /** Forgets everything: another view. */
  clear(): void {
    this.#blocks = [];
    this.#reviews.clear();
  }

  /** Takes the answer to a review that was asked for in this view. */
  onReviewed(block: Digest, passed: boolean): void {
    if (this.#reviews.get(block) === "asked")
      this.#reviews.set(block, passed ? "passed" : "failed");
  }

  /** Whether the block passed; `due` once, when its review is to be asked for. */
  reviewOf(block: Digest): "due" | "asked" | "passed" | "failed" {
    if (!this.#isReviewed) return "passed";
    const review = this.#reviews.get(block);
    if (review === undefined) this.#reviews.set(block, "asked");
    return review ?? "due";
  }
}
