import type { Digest } from "../base/brand.ts";
import { bytesToHex } from "../base/bytes.ts";
import { soundRules } from "../consensus/rules.ts";
import type { EpochInfo, SignedTimeout, SignedVote } from "../consensus/types.ts";
import type { Block, CommitProof } from "../ledger/blockTypes.ts";
import { blockHash } from "../ledger/header.ts";
import type { PeerId } from "../p2p/peerId.ts";
import type { Verdict } from "../p2p/transport.ts";
import { bodyFaultOnce, randomnessClaim } from "./blockCheck.ts";
import type { BlockFetcher } from "./blockFetcher.ts";
import type { Chain } from "./chain.ts";
import type { DiskStore } from "./diskStore.ts";
import type { Engine } from "./engine.ts";
import type { CompactProposal, PeerMessage } from "./messages.ts";
import { blockSummary, commitProofSummary } from "./summaries.ts";
import { submissionOf, type TransactionPool } from "./transactionPool.ts";
import type { Verifier } from "./verifier.ts";

/** Proposals that are being put together at one time; beyond, they are dropped and fetched later. */
export const openProposalsMax = 16;

/** Proposals remembered, so that copies from other peers cost nothing. */
export const proposalsKeptMax = 1_024;

/** Votes of views further apart from ours than this are of no use. */
export const voteViewsMax = 64;

/** Why a message was not handed to the replica although nothing in it is wrong. */
export type Unused = "notRunning" | "epochPast" | "epochAhead" | "viewFar" | "busy";

/** What the border needs of the node behind it. */
export type InboundParts = {
  readonly genesis: Digest;
  readonly chain: Pick<Chain, "epoch" | "add" | "heldHeader">;
  readonly store: Pick<DiskStore, "epochInfo">;
  readonly engine: Pick<
    Engine,
    "isRunning" | "status" | "leader" | "deliver" | "settled" | "onBlock"
  >;
  readonly pool: Pick<TransactionPool, "get" | "submit">;
  readonly verifier: Pick<Verifier, "vote" | "timeout" | "certificate" | "proof" | "proposal">;
  readonly fetcher: Pick<BlockFetcher, "transactionsOf" | "blockFrom">;
  /** Someone speaks of a later epoch than ours: we may be behind. */
  readonly onAhead: () => void;
  /** Told of what was not used, e.g. to look for contradictions in it; its signatures are open. */
  readonly onUnused: (message: PeerMessage, why: Unused) => void;
  readonly nowMs: () => number;
};

/**
 * Messages of other nodes on their way to the replica: verified here, once, and completed with what
 * this node holds. What it answers is the verdict on whoever brought the message.
 */
export class Inbound {
  readonly #parts: InboundParts;
  /** Verified proposals, oldest first. */
  readonly #known = new Set<string>();
  readonly #open = new Set<string>();

  constructor(parts: InboundParts) {
    this.#parts = parts;
  }

  /** Takes a message that a peer sent, or passed on. */
  receive(message: PeerMessage, from: PeerId): Verdict | Promise<Verdict> {
    if (!this.#parts.engine.isRunning) return this.#leave(message, "notRunning");
    switch (message.type) {
      case "vote":
        return this.#onVote(message, message.vote);
      case "timeout":
        return this.#onTimeout(message, message.timeout);
      case "proposal":
        return this.#onProposal(message, message.proposal, from);
      case "proof":
        return this.onProof(message.proof);
    }
  }

  /** A commit proof of the running epoch: the replica judges what follows from it. */
  onProof(proof: CommitProof): Verdict {
    const { chain, verifier, engine, onAhead } = this.#parts;
    const { epoch } = chain;
    if (proof.certificate.epoch > epoch.epoch) onAhead();
    if (proof.certificate.epoch !== epoch.epoch) return "ignore";
    const summary = commitProofSummary(proof);
    if (!soundRules.isCommitProof(epoch, summary)) return "reject";
    const verified = verifier.proof(summary, epoch);
    if (verified === null) return "reject";
    engine.deliver({ type: "commitProofReceived", proof: verified });
    return "accept";
  }

  #leave(message: PeerMessage, why: Unused): Verdict {
    this.#parts.onUnused(message, why);
    return "ignore";
  }

  #onVote(message: PeerMessage, signed: SignedVote): Verdict {
    const { chain, engine, verifier, onAhead } = this.#parts;
    const { epoch, view } = signed.vote;
    if (epoch > chain.epoch.epoch) onAhead();
    if (epoch !== chain.epoch.epoch) {
      return this.#leave(message, epoch < chain.epoch.epoch ? "epochPast" : "epochAhead");
    }
    if (Math.abs(view - engine.status.view) > voteViewsMax) return this.#leave(message, "viewFar");
    const verified = verifier.vote(signed, chain.epoch);
    if (verified === null) return "reject";
    engine.deliver({ type: "voteReceived", vote: verified });
    return "accept";
  }

  #onTimeout(message: PeerMessage, signed: SignedTimeout): Verdict {
    const { chain, store, engine, verifier, onAhead } = this.#parts;
    const { epoch } = signed.timeout;
    // Of an epoch before too: its sender is behind, and the replica answers with a proof.
    const info = epoch > chain.epoch.epoch ? null : store.epochInfo(epoch);
    if (info === null) {
      onAhead();
      return this.#leave(message, "epochAhead");
    }
    const verified = verifier.timeout(signed, info);
    if (verified === null) return "reject";
    engine.deliver({ type: "timeoutReceived", timeout: verified });
    return epoch === chain.epoch.epoch ? "accept" : "ignore";
  }

  async #onProposal(
    message: PeerMessage,
    proposal: CompactProposal,
    from: PeerId,
  ): Promise<Verdict> {
    const { header, signature } = proposal;
    const hash = blockHash(header);
    const name = `${hash}/${bytesToHex(signature)}`;
    if (this.#known.has(name)) return "accept";
    if (this.#open.has(name)) return "ignore";
    if (this.#open.size >= openProposalsMax) return this.#leave(message, "busy");
    this.#open.add(name);
    try {
      const verdict = await this.#takeProposal(message, { hash, proposal }, from);
      if (verdict === "accept") this.#remember(name);
      return verdict;
    } finally {
      this.#open.delete(name);
    }
  }

  #remember(name: string): void {
    this.#known.add(name);
    for (const oldest of this.#known) {
      if (this.#known.size <= proposalsKeptMax) break;
      this.#known.delete(oldest);
    }
  }

  async #takeProposal(
    message: PeerMessage,
    { hash, proposal }: { readonly hash: Digest; readonly proposal: CompactProposal },
    from: PeerId,
  ): Promise<Verdict> {
    const { genesis, chain, store, engine, verifier, onAhead } = this.#parts;
    const { header, body, signer, signature } = proposal;
    if (header.genesisHash !== genesis) return "reject";
    const entered = await this.#enterEpoch(proposal);
    if (entered === "reject") return "reject";
    const { epoch } = chain;
    if (header.epoch !== epoch.epoch) {
      if (header.epoch > epoch.epoch) onAhead();
      return this.#leave(message, header.epoch < epoch.epoch ? "epochPast" : "epochAhead");
    }
    const bare = blockSummary(hash, { header, body });
    const block = { ...bare, isEmpty: proposal.transactions.length === 0 };
    const previous = body.epochProof === null ? null : store.epochInfo(epoch.epoch - 1);
    // Verified in one go where the parent is held; if not all holds, it is seen which does not.
    const parent = chain.heldHeader(header.parentHash);
    const claim = parent === null ? null : randomnessClaim({ header, body }, parent, epoch);
    const signed = { block, signer, signature };
    const both =
      claim === null ? null : verifier.proposal(signed, { epoch, previous, claimed: [claim] });
    const verified = both ?? verifier.proposal(signed, { epoch, previous });
    if (verified === null) return "reject";
    if (!(await this.#mayLead(proposal, epoch))) return "ignore";
    const whole = await this.#complete(proposal, hash, from);
    if (whole === null || chain.epoch !== epoch || chain.add(whole, both !== null) === null)
      return "ignore";
    engine.onBlock(header, proposal.transactions.length);
    const nowMs = this.#parts.nowMs();
    engine.deliver({ type: "proposalReceived", proposal: verified, nowMs });
    return "accept";
  }

  /**
   * A proposal of the next epoch brings the proof that ours has ended. No hash covers that proof,
   * so it is verified by itself, and before anything else of the proposal can be.
   */
  async #enterEpoch({ header, body }: CompactProposal): Promise<Verdict> {
    const { chain, engine } = this.#parts;
    if (header.epoch !== chain.epoch.epoch + 1 || body.epochProof === null) return "ignore";
    const verdict = this.onProof(body.epochProof);
    if (verdict === "accept") await engine.settled();
    return verdict;
  }

  /**
   * Whether the signer leads the view, as far as that is known here. The certificate in the
   * proposal is delivered first: it brings the replica into the view. Otherwise any member could
   * fill the places that the replica keeps for one view's proposals.
   */
  async #mayLead({ header, signer }: CompactProposal, epoch: EpochInfo): Promise<boolean> {
    const { engine, verifier } = this.#parts;
    const { parentCertificate, parentHash, view } = header;
    const certificate = verifier.certificate(parentCertificate, epoch);
    if (certificate !== null) engine.deliver({ type: "certificateReceived", certificate });
    await engine.settled();
    const { status, leader } = engine;
    const isKnown = status.view === view && status.highCertificate.block === parentHash;
    return !isKnown || leader === null || leader === signer;
  }

  /** The block with its transactions: from the pool, the rest from whoever brought it. */
  async #complete(proposal: CompactProposal, hash: Digest, from: PeerId): Promise<Block | null> {
    const { pool, fetcher } = this.#parts;
    const { header, body } = proposal;
    const held = proposal.transactions.map((name) => pool.get(name)?.encoded ?? null);
    const missing = held.flatMap((encoded, index) => (encoded === null ? [index] : []));
    const rest =
      missing.length === 0
        ? []
        : await fetcher.transactionsOf(from, { block: hash, indexes: missing });
    if (rest !== null) {
      let at = 0;
      const transactions = held.map((encoded) => encoded ?? rest[at++] ?? new Uint8Array(0));
      const block = { header, body: { ...body, transactions } };
      if (bodyFaultOnce(block) === null) {
        // The news of them may come yet: what is in the pool is neither fetched nor verified again.
        if (rest.length > 0) await pool.submit(rest.map(submissionOf), "remote");
        return block;
      }
    }
    const whole = await fetcher.blockFrom(from, hash);
    // No hash covers the epoch proof: the one that was verified stays.
    return whole === null ? null : { header, body: { ...whole.body, epochProof: body.epochProof } };
  }
}
