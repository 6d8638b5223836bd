import { accusedBy, isContradiction } from "./evidence.ts";
import type {
  Certificate,
  Evidence,
  SignedProposal,
  SignedTimeout,
  SignedTimeoutStatement,
  SignedVote,
} from "./types.ts";

/*
 * What was heard in one epoch, kept to be held against whoever contradicts it. Everything in here
 * is verified. The window of views follows certificates, which no liar can make alone, so that
 * nobody pushes out what others said; and in each view one statement of a kind is kept per signer.
 */

/** A verified statement of the epoch, or a certificate that was found in one. */
export type Testimony =
  | { readonly type: "vote"; readonly vote: SignedVote }
  | { readonly type: "timeout"; readonly timeout: SignedTimeout }
  | { readonly type: "proposal"; readonly proposal: SignedProposal }
  | { readonly type: "certificate"; readonly certificate: Certificate };

/** Views on either side of the highest certified one of which statements are kept. */
export const witnessViewsMax = 64;

/** Statements of one signer that are kept, at most: three kinds in a window, and one vote. */
export const witnessStatementsMax = 3 * (2 * witnessViewsMax + 1) + 1;

/** What one key signed. */
type Said = {
  readonly votes: Map<number, SignedVote>;
  readonly timeouts: Map<number, SignedTimeoutStatement>;
  readonly proposals: Map<number, SignedProposal>;
  /** The vote that rests on the highest certificate: what a later timeout may deny. */
  highest: SignedVote | null;
};

/** Finds contradictions between the verified statements of one epoch. */
export class Witness {
  readonly #said = new Map<number, Said>();
  readonly #certificates = new Map<number, Certificate>();
  /** `type/signer`: each kind of offence of a key is told once an epoch. */
  readonly #told = new Set<string>();
  #anchor = 0;
  #prunedAt = 0;

  /** Statements and certificates held. */
  get size(): number {
    let size = this.#certificates.size;
    for (const { votes, timeouts, proposals, highest } of this.#said.values()) {
      size += votes.size + timeouts.size + proposals.size + (highest === null ? 0 : 1);
    }
    return size;
  }

  /** Forgets everything: a new epoch. */
  clear(): void {
    this.#said.clear();
    this.#certificates.clear();
    this.#told.clear();
    this.#anchor = 0;
    this.#prunedAt = 0;
  }

  /** Takes what was heard; gives what it proves together with what was heard before. */
  see(testimony: Testimony): readonly Evidence[] {
    const found = this.#find(testimony);
    return found.filter((evidence) => isContradiction(evidence) && this.#isNews(evidence));
  }

  #find(testimony: Testimony): readonly Evidence[] {
    switch (testimony.type) {
      case "vote":
        return this.#onVote(testimony.vote);
      case "timeout":
        return this.#onTimeout(statementOf(testimony.timeout));
      case "proposal":
        return this.#onProposal(testimony.proposal);
      case "certificate":
        return this.#onCertificate(testimony.certificate);
    }
  }

  #onVote(vote: SignedVote): readonly Evidence[] {
    const { view, parentView } = vote.vote;
    const said = this.#of(vote.signer);
    const first = this.#isNear(view) ? keep(said.votes, view, vote) : null;
    if (this.#isNear(view) && parentView > (said.highest?.vote.parentView ?? -1)) {
      said.highest = vote;
    }
    const denials = [...said.timeouts.values()].map(
      (timeout) => ({ type: "timeoutDeniesVote", vote, timeout }) as const,
    );
    return first === null
      ? denials
      : [{ type: "doubleVote", first, second: vote } as const, ...denials];
  }

  #onTimeout(timeout: SignedTimeoutStatement): readonly Evidence[] {
    const { view } = timeout.statement;
    const said = this.#of(timeout.signer);
    const first = this.#isNear(view) ? keep(said.timeouts, view, timeout) : null;
    const votes =
      said.highest === null ? said.votes.values() : [said.highest, ...said.votes.values()];
    const denials = [...votes].map(
      (vote) => ({ type: "timeoutDeniesVote", vote, timeout }) as const,
    );
    return first === null
      ? denials
      : [{ type: "doubleTimeout", first, second: timeout } as const, ...denials];
  }

  #onProposal(proposal: SignedProposal): readonly Evidence[] {
    const { view } = proposal.statement;
    if (!this.#isNear(view)) return [];
    const first = keep(this.#of(proposal.signer).proposals, view, proposal);
    return first === null ? [] : [{ type: "doubleProposal", first, second: proposal }];
  }

  #onCertificate(certificate: Certificate): readonly Evidence[] {
    const { view } = certificate;
    if (view === 0) return [];
    if (view > this.#anchor) {
      this.#anchor = view;
      this.#prune();
    }
    if (!this.#isNear(view)) return [];
    const first = keep(this.#certificates, view, certificate);
    return first === null ? [] : [{ type: "conflictingCertificates", first, second: certificate }];
  }

  #isNear(view: number): boolean {
    return Math.abs(view - this.#anchor) <= witnessViewsMax;
  }

  #isNews(evidence: Evidence): boolean {
    const ids = accusedBy(evidence).map((signer) => `${evidence.type}/${signer}`);
    const isNews = ids.some((id) => !this.#told.has(id));
    for (const id of ids) this.#told.add(id);
    return isNews;
  }

  #of(signer: number): Said {
    const known = this.#said.get(signer);
    if (known !== undefined) return known;
    const said = { votes: new Map(), timeouts: new Map(), proposals: new Map(), highest: null };
    this.#said.set(signer, said);
    return said;
  }

  /** Not at each view: what is beyond the window is not kept, so a few more do no harm. */
  #prune(): void {
    if (this.#anchor < this.#prunedAt + witnessViewsMax / 4) return;
    this.#prunedAt = this.#anchor;
    const kinds = [...this.#said.values()].flatMap((said) => [
      said.votes,
      said.timeouts,
      said.proposals,
    ]);
    for (const held of [this.#certificates, ...kinds]) {
      for (const view of held.keys()) if (view < this.#anchor - witnessViewsMax) held.delete(view);
    }
  }
}

/** Keeps the first of a view; gives it if there was one. */
function keep<T>(held: Map<number, T>, view: number, said: T): T | null {
  const first = held.get(view);
  if (first === undefined) held.set(view, said);
  return first ?? null;
}

function statementOf({ timeout, signer, signature }: SignedTimeout): SignedTimeoutStatement {
  const { epoch, view, highCertificate } = timeout;
  return { statement: { epoch, view, highView: highCertificate.view }, signer, signature };
}
