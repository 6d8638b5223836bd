import type { Digest } from "../base/brand.ts";
import type { BlockSummary } from "./types.ts";

/** Blocks that wait for a parent; beyond it the highest go first, since they are needed last. */
export const orphansMax = 1_024;

/** Blocks asked for at one time; a chain is fetched from its tip, so few are needed at once. */
export const wantedMax = 64;

/**
 * Views after which a block is asked for again: where others go on quickly no timer of a view ever
 * fires, and the question or its answer may be lost.
 */
export const askAgainViews = 8;

/**
 * Blocks that certificates speak of and that are not here, and blocks that came before their
 * parents.
 */
export class Missing {
  readonly #wanted = new Set<Digest>();
  #askedView = 0;
  readonly #orphans = new Map<Digest, BlockSummary>();

  /** Hashes asked for. */
  get wanted(): ReadonlySet<Digest> {
    return this.#wanted;
  }

  /** Blocks held without a parent. */
  get orphanCount(): number {
    return this.#orphans.size;
  }

  /** Whether the block is held without a parent. */
  hasOrphan(hash: Digest): boolean {
    return this.#orphans.has(hash);
  }

  /** Wants the first ancestor of this block that is not held; gives it, if that is news. */
  want(hash: Digest): readonly Digest[] {
    let at = hash;
    for (let orphan = this.#orphans.get(at); orphan !== undefined; orphan = this.#orphans.get(at)) {
      at = orphan.parent;
    }
    if (this.#wanted.has(at)) return [];
    for (const oldest of this.#wanted) {
      if (this.#wanted.size < wantedMax) break;
      this.#wanted.delete(oldest);
    }
    this.#wanted.add(at);
    return [at];
  }

  /** What is to be asked for again when a view is entered. */
  dueIn(view: number): readonly Digest[] {
    if (view < this.#askedView + askAgainViews) return [];
    this.#askedView = view;
    return [...this.#wanted];
  }

  /** The block is here, or of no use any more. */
  unwant(hash: Digest): void {
    this.#wanted.delete(hash);
  }

  /** Keeps a block until its parent comes. */
  addOrphan(block: BlockSummary): void {
    this.#orphans.set(block.hash, block);
    if (this.#orphans.size <= orphansMax) return;
    let highest = block;
    for (const orphan of this.#orphans.values())
      if (orphan.height > highest.height) highest = orphan;
    this.#orphans.delete(highest.hash);
  }

  /** Takes out the children of a block that has come. */
  takeChildren(parent: Digest): BlockSummary[] {
    const children = [...this.#orphans.values()].filter((orphan) => orphan.parent === parent);
    for (const child of children) this.#orphans.delete(child.hash);
    return children;
  }

  /**
   * Blocks up to this height are committed: forks below it and questions about them are of no use.
   */
  forgetUpTo(height: number): void {
    for (const [hash, { height: own }] of this.#orphans) {
      if (own <= height) this.#orphans.delete(hash);
    }
    this.#wanted.clear();
  }

  /** Drops all that descends from a block which is no use, and says what that was. */
  dropBelow(hash: Digest): ReadonlySet<Digest> {
    const dropped = new Set<Digest>([hash]);
    for (const parent of dropped) {
      for (const child of this.takeChildren(parent)) dropped.add(child.hash);
    }
    for (const each of dropped) this.#wanted.delete(each);
    return dropped;
  }
}
