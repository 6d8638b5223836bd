import type { Digest } from "../../base/brand.ts";
import { NodeError } from "../../base/nodeError.ts";
import { decodeCommittee } from "../../consensus/codec.ts";
import type { AggregateVerifier } from "../../consensus/certificateCheck.ts";
import type { Header } from "../../ledger/blockTypes.ts";
import { ProtocolError } from "../errors.ts";
import { fieldsOf } from "../jsonFields.ts";
import { Turn } from "../turn.ts";
import { readCommitProof, readHeader, readHex } from "./commitProof.ts";
import { Committees, trustedStart, type EpochClaim, type TrustedEpoch } from "./committees.ts";

/*
 * Believes a node only what a committee has committed, and follows the committees from epoch to
 * epoch. Where to begin is told by whoever made this (`anchor`), or remembered from an earlier run
 * (`store`); without either the first node's word is taken, once.
 */

/** Where the newest epoch that is believed is kept from one run to the next. */
export interface TrustStore {
  /** `null` if nothing was kept; throws if it was of another chain. */
  load(genesisHash: Digest): Promise<TrustedEpoch | null>;
  /** Resolves when it would survive a power cut. */
  keep(genesisHash: Digest, trusted: TrustedEpoch): Promise<void>;
}

/** An epoch and the hash of its root, known to be of the chain. */
export type Anchor = { readonly epoch: number; readonly root: Digest };

/** What a light client is made of. */
export type LightClientParts = {
  /** Asks the node that is not believed. */
  readonly node: { call(method: string, parameters: unknown): Promise<unknown> };
  readonly genesisHash: Digest;
  readonly store?: TrustStore;
  readonly anchor?: Anchor;
  /** Called when the node's word was taken for an epoch: only by comparing is a lie found. */
  readonly onFirstContact?: (anchor: Anchor) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly verify?: AggregateVerifier;
};

/**
 * Oldest head that is believed to be the head, in ms: a chain without work makes a block every ten
 * minutes at the least (`blockIntervalMsIdle`).
 */
export const headAgeMsMax = 15 * 60_000;

/** An answer under the state or beside the proof of a committed head. */
export type ProvenAnswer = {
  readonly header: Header;
  readonly fields: Readonly<Record<string, unknown>>;
};

/** A client that takes nothing but proofs. */
export class LightClient {
  readonly #parts: LightClientParts;
  #committees: Committees | null = null;
  readonly #following = new Turn();
  /** Highest head that was proven. */
  #height = 0;

  constructor(parts: LightClientParts) {
    this.#parts = parts;
  }

  /** Newest committed height, proven. */
  async height(): Promise<number> {
    const { header } = await this.ask("ledger.getCommitProof", {}, "proof");
    return header.height;
  }

  /**
   * A method's answer that has a commit proof of the head in this field. Throws `E_PROOF_INVALID`
   * if that proves nothing, or an older head than what was proven before the question.
   */
  async ask(method: string, parameters: unknown, proofField: string): Promise<ProvenAnswer> {
    const floor = this.#height;
    const fields = fieldsOf(await this.#parts.node.call(method, parameters));
    const header = await this.#head(fields[proofField]);
    if (header.height < floor)
      throw proofError(`its newest block is ${header.height}, and ${floor} was seen before`);
    this.#height = Math.max(this.#height, header.height);
    return { header, fields };
  }

  async #head(commitProof: unknown): Promise<Header> {
    const proof = readCommitProof(commitProof);
    if (proof === null) throw proofError("no commit proof");
    const committees = await this.#upTo(proof.certificate.epoch);
    const proven = committees.prove(proof);
    if (!proven.ok) throw proofError(proven.refusal);
    const { height, timestampMs } = proven.value;
    const ageMs = (this.#parts.now ?? Date.now)() - timestampMs;
    if (ageMs > headAgeMsMax)
      throw proofError(`its newest block ${height} is ${Math.round(ageMs / 60_000)} minutes old`);
    return proven.value;
  }

  /** Follows the hand-overs up to an epoch, one question at a time. */
  #upTo(epoch: number): Promise<Committees> {
    return this.#following.take(() => this.#follow(epoch));
  }

  async #follow(epoch: number): Promise<Committees> {
    this.#committees ??= await this.#begin(epoch);
    const committees = this.#committees;
    const before = committees.newest;
    while (committees.newest.committee.epoch < epoch) {
      const claims = await this.#ask(committees.newest.committee.epoch + 1);
      if (claims.length === 0) throw proofError(`nothing hands over to epoch ${epoch}`);
      for (const claim of claims) {
        const followed = committees.follow(claim);
        if (!followed.ok) throw proofError(`a hand-over of committees: ${followed.refusal}`);
      }
    }
    if (committees.newest !== before)
      await this.#parts.store?.keep(this.#parts.genesisHash, committees.newest);
    return committees;
  }

  async #begin(epoch: number): Promise<Committees> {
    const { store, anchor, genesisHash, verify, onFirstContact } = this.#parts;
    const kept = anchor === undefined ? await store?.load(genesisHash) : null;
    if (kept !== null && kept !== undefined) return new Committees(genesisHash, kept, verify);
    const [claim] = await this.#ask(anchor?.epoch ?? epoch);
    if (claim === undefined) throw proofError(`epoch ${anchor?.epoch ?? epoch} is not known there`);
    const started = trustedStart(genesisHash, claim);
    if (!started.ok) throw proofError(`an epoch's beginning: ${started.refusal}`);
    const { root } = started.value;
    if (anchor !== undefined && root !== anchor.root)
      throw proofError(`epoch ${anchor.epoch} began with ${root}, not ${anchor.root}`);
    await store?.keep(genesisHash, started.value);
    if (anchor === undefined) onFirstContact?.({ epoch, root });
    return new Committees(genesisHash, started.value, verify);
  }

  async #ask(from: number): Promise<readonly EpochClaim[]> {
    const { epochs } = fieldsOf(await this.#parts.node.call("ledger.getEpochs", { from }));
    if (!Array.isArray(epochs))
      throw new ProtocolError("the answer to ledger.getEpochs is no list");
    return (epochs as readonly unknown[]).map(readClaim);
  }
}

function readClaim(value: unknown): EpochClaim {
  const fields = fieldsOf(value);
  const root = readHeader(fields["root"]);
  const bytes = readHex(fields["committee"]);
  const committee = bytes === null ? null : decodeCommittee(bytes);
  const proof = fields["proof"] === null ? null : readCommitProof(fields["proof"]);
  if (root === null || committee?.ok !== true) throw proofError("an epoch is unreadable");
  return { root, committee: committee.value, proof };
}

/** A node's answer proves nothing. */
export function proofError(detail: string): NodeError {
  return new NodeError("E_PROOF_INVALID", `the node's proof does not hold: ${detail}`, {
    hint: "ask another node: --rpc URL",
  });
}
