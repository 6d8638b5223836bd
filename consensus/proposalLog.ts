import type { Evidence, SignedProposal } from "./types.ts";

/** Distinct signed blocks looked at for one view: the second is evidence, more say nothing new. */
const proposalsPerViewMax = 2;

/** Signed proposals are remembered for this many views, to notice equivocation. */
export const proposalViewsMax = 64;

/** The first signed blocks of each recent view of one epoch. */
export class ProposalLog {
  readonly #seen = new Map<number, SignedProposal[]>();

  /** Views remembered. */
  get size(): number {
    return this.#seen.size;
  }

  /** Says whether the block is to be looked at, and what it proves against its signer. */
  add(signed: SignedProposal): {
    readonly isAdmitted: boolean;
    readonly evidence: Evidence | null;
  } {
    const { view, block } = signed.statement;
    const seen = this.#seen.get(view) ?? [];
    if (seen.some((other) => other.statement.block === block)) {
      return { isAdmitted: false, evidence: null };
    }
    const first = seen.find((other) => other.signer === signed.signer);
    const evidence =
      first === undefined ? null : ({ type: "doubleProposal", first, second: signed } as const);
    const isAdmitted = seen.length < proposalsPerViewMax;
    if (isAdmitted) this.#seen.set(view, [...seen, signed]);
    return { isAdmitted, evidence };
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
