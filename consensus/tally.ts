import { signersToBitmap } from "./signers.ts";
import type { Rules } from "./rules.ts";
import type {
  Certificate,
  Committee,
  SignedTimeout,
  SignedVote,
  TimeoutCertificate,
  Vote,
} from "./types.ts";

/** Adds BLS signatures up; pure. In ascending order of the signers. */
export type Aggregate = (signatures: readonly Uint8Array[]) => Uint8Array;

function weight(committee: Committee, rules: Rules, indices: Iterable<number>): bigint {
  let sum = 0n;
  for (const index of indices) {
    const validator = committee.validators[index];
    if (validator !== undefined) sum += rules.weightOf(validator);
  }
  return sum;
}

function isQuorumOf(committee: Committee, rules: Rules, indices: readonly number[]): boolean {
  const all = committee.validators.keys();
  return rules.isQuorum(weight(committee, rules, indices), weight(committee, rules, all));
}

function isSameVote(a: Vote, b: Vote): boolean {
  return a.view === b.view && a.block === b.block && a.parentView === b.parentView;
}

/**
 * Votes and timeouts of one epoch. Holds the newest vote and the newest timeout of each validator
 * and nothing else, so that no one can fill it: whoever signs for far views only hides itself.
 */
export class Tally {
  readonly #committee: Committee;
  readonly #rules: Rules;
  readonly #aggregate: Aggregate;
  readonly #votes = new Map<number, SignedVote>();
  readonly #timeouts = new Map<number, SignedTimeout>();

  constructor(committee: Committee, rules: Rules, aggregate: Aggregate) {
    this.#committee = committee;
    this.#rules = rules;
    this.#aggregate = aggregate;
  }

  /** Votes and timeouts held: at most two for each validator. */
  get size(): number {
    return this.#votes.size + this.#timeouts.size;
  }

  /** Takes a vote of this epoch; says whether it was new. */
  addVote(signed: SignedVote): boolean {
    const { vote, signer } = signed;
    if (this.#committee.validators[signer] === undefined) return false;
    const before = this.#votes.get(signer);
    if (before !== undefined && before.vote.view >= vote.view) return false;
    this.#votes.set(signer, signed);
    return true;
  }

  /** Takes a timeout of this epoch; says whether it was new. */
  addTimeout(signed: SignedTimeout): boolean {
    const { timeout, signer } = signed;
    if (this.#committee.validators[signer] === undefined) return false;
    const before = this.#timeouts.get(signer);
    if (before !== undefined && before.timeout.view >= timeout.view) return false;
    this.#timeouts.set(signer, signed);
    return true;
  }

  /** The certificate of what this vote is for, if a quorum stands. */
  certificateFor(vote: Vote): Certificate | null {
    const votes = [...this.#votes.values()].filter((held) => isSameVote(held.vote, vote));
    const indices = votes.map((held) => held.signer);
    if (!isQuorumOf(this.#committee, this.#rules, indices)) return null;
    votes.sort((a, b) => a.signer - b.signer);
    return {
      epoch: vote.epoch,
      view: vote.view,
      block: vote.block,
      parentView: vote.parentView,
      signers: signersToBitmap(indices, this.#committee.validators.length),
      signature: this.#aggregate(votes.map((held) => held.signature)),
    };
  }

  /** Indices of those who left this view. */
  leaversOf(view: number): readonly number[] {
    return this.#timeoutsOf(view).map((held) => held.signer);
  }

  /** The certificate of having left this view, if a quorum stands. */
  timeoutCertificateFor(view: number): TimeoutCertificate | null {
    const timeouts = this.#timeoutsOf(view);
    const indices = timeouts.map((held) => held.signer);
    const first = timeouts[0];
    if (first === undefined || !isQuorumOf(this.#committee, this.#rules, indices)) return null;
    const certificates = timeouts.map((held) => held.timeout.highCertificate);
    return {
      epoch: first.timeout.epoch,
      view,
      highViews: certificates.map((certificate) => certificate.view),
      highCertificate: certificates.reduce((a, b) => (b.view > a.view ? b : a)),
      signers: signersToBitmap(indices, this.#committee.validators.length),
      signature: this.#aggregate(timeouts.map((held) => held.signature)),
    };
  }

  #timeoutsOf(view: number): SignedTimeout[] {
    return [...this.#timeouts.values()]
      .filter((held) => held.timeout.view === view)
      .sort((a, b) => a.signer - b.signer);
  }
}
