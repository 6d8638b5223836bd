import { bytesToHex, equalBytes } from "../base/bytes.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import { consensusDomains, signableBytes, type SigningScope } from "./statements.ts";
import type { SafetyRecord, Signable } from "./types.ts";

/*
 * The second of two keys to sign. The replica decides what to sign; this page of code, written
 * apart from it, signs only what stands in the newest record that is on disk, and takes no record
 * that contradicts the one before. A refusal here is a bug there, and the host ends the process.
 */

/** Why nothing was signed. */
export type GuardRefusal =
  | { readonly code: "nothingPersisted" }
  | { readonly code: "notPersisted"; readonly domain: string; readonly view: number }
  | { readonly code: "recordContradicts"; readonly detail: string };

/** Signs bytes with the consensus key; pure and deterministic, as BLS is. */
export type Sign = (message: Uint8Array) => Uint8Array;

/** Guards one consensus key in one scope of one chain. */
export class Guard {
  readonly #scope: SigningScope;
  readonly #keyId: string;
  readonly #sign: Sign;
  #record: SafetyRecord | null = null;
  #contradiction: string | null = null;
  /** The newest signature by (genesis, key, domain, scope). */
  readonly #signed = new Map<
    string,
    { readonly message: Uint8Array; readonly signature: Uint8Array }
  >();

  /** `publicKey` is the key's own: records of another never match. */
  constructor(scope: SigningScope, publicKey: Uint8Array, sign: Sign) {
    this.#scope = scope;
    this.#keyId = bytesToHex(publicKey);
    this.#sign = sign;
  }

  /** The newest record on disk; `null` before the first. */
  get record(): SafetyRecord | null {
    return this.#record;
  }

  /** Tells that a record is on disk: at the start, and after each `persist`. */
  onPersisted(record: SafetyRecord): void {
    if (this.#record !== null) this.#contradiction ??= contradictionOf(this.#record, record);
    this.#contradiction ??= ownContradictionOf(record);
    this.#record = record;
  }

  /** Signs what the newest record holds; the same bytes give the same signature. */
  sign(signable: Signable): Outcome<Uint8Array, GuardRefusal> {
    if (this.#contradiction !== null) {
      return refuse({ code: "recordContradicts", detail: this.#contradiction });
    }
    if (this.#record === null) return refuse({ code: "nothingPersisted" });
    const message = signableBytes(this.#scope, signable);
    const held = heldIn(this.#record, signable.type);
    if (held === null || !equalBytes(signableBytes(this.#scope, held), message)) {
      const view = viewOf(signable);
      return refuse({ code: "notPersisted", domain: consensusDomains[signable.type], view });
    }
    const { genesis, scope } = this.#scope;
    const id = `${genesis}/${this.#keyId}/${consensusDomains[signable.type]}/${scope}`;
    const before = this.#signed.get(id);
    if (before !== undefined && equalBytes(before.message, message))
      return accept(before.signature);
    const signature = this.#sign(message);
    this.#signed.set(id, { message, signature });
    return accept(signature);
  }
}

function viewOf(signable: Signable): number {
  switch (signable.type) {
    case "vote":
      return signable.vote.view;
    case "timeout":
      return signable.timeout.view;
    case "proposal":
      return signable.statement.view;
  }
}

function heldIn(record: SafetyRecord, type: Signable["type"]): Signable | null {
  switch (type) {
    case "vote":
      return record.vote === null ? null : { type, vote: record.vote };
    case "timeout":
      return record.timeout === null ? null : { type, timeout: record.timeout };
    case "proposal":
      return record.proposal === null ? null : { type, statement: record.proposal };
  }
}

/** What is wrong within one record, or `null`. */
function ownContradictionOf(record: SafetyRecord): string | null {
  const { epoch, votedView, lockView, highCertificate, vote, timeout, proposal } = record;
  if (highCertificate.epoch !== epoch) return "the high certificate is of another epoch";
  if (highCertificate.view < lockView) return "the high certificate is below the lock";
  for (const entry of [vote, timeout, proposal]) {
    if (entry !== null && entry.epoch !== epoch) return "an entry is of another epoch";
  }
  if (vote !== null && vote.view > votedView) return "the vote is above the voted view";
  if (vote !== null && vote.parentView > lockView) return "the vote is above the lock";
  if (timeout !== null && timeout.view > votedView) return "the timeout is above the voted view";
  if (
    vote !== null &&
    timeout !== null &&
    vote.view <= timeout.view &&
    timeout.highCertificate.view < vote.parentView
  ) {
    return "the timeout denies the vote";
  }
  return null;
}

/** What a record takes back of the one before it, or `null`. */
function contradictionOf(before: SafetyRecord, after: SafetyRecord): string | null {
  if (after.epoch !== before.epoch) {
    return after.epoch < before.epoch ? `epoch ${before.epoch} to ${after.epoch}` : null;
  }
  if (after.votedView < before.votedView) {
    return `voted view ${before.votedView} to ${after.votedView}`;
  }
  if (after.lockView < before.lockView) return `lock ${before.lockView} to ${after.lockView}`;
  const { vote, timeout, proposal } = after;
  const isOldVote =
    before.vote !== null &&
    vote !== null &&
    vote.view === before.vote.view &&
    vote.block === before.vote.block &&
    vote.parentView === before.vote.parentView;
  if (vote !== null && !isOldVote && vote.view <= before.votedView) {
    return `a vote in view ${vote.view} after view ${before.votedView} was voted or left`;
  }
  const isOldTimeout =
    before.timeout !== null &&
    timeout !== null &&
    timeout.view === before.timeout.view &&
    timeout.highCertificate.view === before.timeout.highCertificate.view;
  if (timeout !== null && !isOldTimeout) {
    if (before.timeout !== null && timeout.view <= before.timeout.view) {
      return `a timeout of view ${timeout.view} after one of view ${before.timeout.view}`;
    }
    if (timeout.highCertificate.view < before.lockView) {
      const signed = timeout.highCertificate.view;
      return `a timeout that signs view ${signed} under lock ${before.lockView}`;
    }
  }
  const isOldProposal = proposal !== null && before.proposal?.block === proposal.block;
  if (
    proposal !== null &&
    before.proposal !== null &&
    !isOldProposal &&
    proposal.view <= before.proposal.view
  ) {
    return `a proposal for view ${proposal.view} after one for view ${before.proposal.view}`;
  }
  return null;
}
