import type { SignedProposal } from "./types.ts";

/** Distinct signed blocks looked at for one view: a leader that sends more hurts only itself. */
const proposalsPerViewMax = 2;

/** Signed proposals are remembered for this many views. */
export const proposalViewsMax = 64;

/** The first signed blocks of each recent view of one epoch. */
export class ProposalLog {
  readonly #seen = new Map<number, SignedProposal[]>();

  /** Views remembered. */
  get size(): number {
    return this.#seen.size;
  }

  /** Says whether the block is to be looked at. */
  add(signed: SignedProposal): boolean {
    const { view, block } = signed.statement;
    const seen = this.#seen.get(view) ?? [];
    const isKnown = seen.some((other) => other.statement.block === block);
    if (isKnown || seen.length >= proposalsPerViewMax) return false;
    this.#seen.set(view, [...seen, signed]);
    return true;
  }

  /** Forgets views below this one. */
  forgetBelow(view: number): void {
    for (const old of this.#seen.keys()) if (old < view) this.#seen.delete(old);
  }

  /** Forgets everything: a new epoch. */
  clear(): void {
    this.#seen.clear();
  }
}
