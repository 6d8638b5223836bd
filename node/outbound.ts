import type { Address, Digest } from "../base/brand.ts";
import { assert } from "../base/assert.ts";
import type { CommitGrounds, Message, Recipient, SignedProposal } from "../consensus/types.ts";
import { verifiedOwn } from "../crypto/verify.ts";
import type { CommitProof } from "../ledger/blockTypes.ts";
import type { Network } from "../p2p/network.ts";
import type { PeerId } from "../p2p/peerId.ts";
import type { Protocol } from "../p2p/protocols.ts";
import type { Topic } from "../p2p/topics.ts";
import type { BlockFetcher } from "./blockFetcher.ts";
import { transactionHashes } from "./blockFetcher.ts";
import type { Chain } from "./chain.ts";
import type { DiskStore } from "./diskStore.ts";
import type { Engine } from "./engine.ts";
import { peerMessageCodec, type PeerMessage } from "./messages.ts";
import type { Reads } from "./reads.ts";
import { blockSummary } from "./summaries.ts";
import type { ValidatorPeers } from "./validatorPeers.ts";
import type { Verifier } from "./verifier.ts";
import type { Outbound } from "./world.ts";

/** Least time between two proofs to the same validator, in milliseconds. */
const proofIntervalMs = 500;

/** Validators whose last proof is remembered. */
const proofsKeptMax = 256;

/** What sending needs. */
export type OutboundParts = {
  readonly network: Pick<Network, "peers">;
  readonly chain: Pick<Chain, "epoch" | "pendingBlock" | "pendingTransactions" | "add" | "proofOf">;
  readonly store: Pick<DiskStore, "epochInfo">;
  readonly reads: Pick<Reads, "commitProof">;
  readonly validators: ValidatorPeers;
  readonly verifier: Pick<Verifier, "block">;
  readonly fetcher: Pick<BlockFetcher, "fetch">;
  /** This node's BLS key; `null` if it only follows. */
  readonly self: Uint8Array | null;
  /** Votes and timeouts: small, never behind a block. */
  readonly statements: Pick<Protocol<PeerMessage, null>, "broadcast">;
  readonly proposals: Pick<Protocol<PeerMessage, null>, "broadcast">;
  readonly gossip: Pick<Topic, "publish" | "listeners">;
};

/**
 * Messages of this validator on their way to others: straight to the nodes of the committee, and by
 * gossip to those that are not connected and to everybody who follows.
 */
export class PeerOutbound implements Outbound {
  readonly #parts: OutboundParts;
  readonly #proofAtMs = new Map<string, number>();
  #engine: Pick<Engine, "deliver" | "wants"> | null = null;

  constructor(parts: OutboundParts) {
    this.#parts = parts;
  }

  /** Who wants the blocks that are fetched; set once, before the first order. */
  attach(engine: Pick<Engine, "deliver" | "wants">): void {
    this.#engine = engine;
  }

  send(to: Recipient, message: Message): void {
    switch (message.type) {
      case "vote":
        return this.#sendTo(to, message);
      case "timeout":
        return this.#sendTo(to, message);
      case "proposal":
        return this.#sendProposal(message.proposal);
    }
  }

  #sendTo(to: Recipient, message: PeerMessage): void {
    const { chain, validators, statements, self } = this.#parts;
    if (to.type === "all") {
      const { peers, missing } = validators.reach(chain.epoch.committee, self);
      const sent = statements.broadcast(peers, message);
      if (missing > 0 || sent.length < peers.length) this.#gossip(message);
      return;
    }
    const validator = chain.epoch.committee.validators[to.index];
    assert(validator !== undefined, "a message goes to a member");
    const peers = validators.of(validator.blsKey);
    const sent = statements.broadcast(peers, message);
    if (sent.length > 0) return;
    this.#gossip(message);
    // The leader is not there: everybody makes the certificate, and needs the own vote for it.
    if (message.type !== "vote") return;
    this.#engine?.deliver({ type: "voteReceived", vote: verifiedOwn(message.vote) });
  }

  #sendProposal({ statement, signer, signature }: SignedProposal): void {
    const { chain, validators, proposals, gossip, self } = this.#parts;
    const block = chain.pendingBlock(statement.block);
    if (block === null) return; // Committed or dropped meanwhile: it is of no use any more.
    const { header, body } = block;
    const known = chain.pendingTransactions(statement.block);
    const transactions = known?.map(({ hash }) => hash) ?? transactionHashes(block);
    const compact = {
      signer,
      signature,
      header,
      body: { ...body, transactions: [] },
      transactions,
    };
    const message: PeerMessage = { type: "proposal", proposal: compact };
    const { peers, missing } = validators.reach(chain.epoch.committee, self);
    const sent = new Set(proposals.broadcast(peers, message));
    const isHeardByAll = gossip.listeners().every((peer) => sent.has(peer));
    if (missing > 0 || !isHeardByAll) this.#gossip(message);
  }

  #gossip(message: PeerMessage): void {
    void this.#parts.gossip.publish(peerMessageCodec.encode(message));
  }

  fetchBlock(hash: Digest): void {
    const { chain, store, verifier, fetcher } = this.#parts;
    const held = chain.pendingBlock(hash);
    const { epoch } = chain;
    const previous = epoch.epoch === 0 ? null : store.epochInfo(epoch.epoch - 1);
    const take = (block: NonNullable<typeof held>): boolean => {
      if (chain.epoch !== epoch || this.#engine?.wants(hash) !== true) return true;
      const verified = verifier.block(blockSummary(hash, block), epoch, previous);
      if (verified === null) return block.header.epoch !== epoch.epoch;
      if (chain.add(block) !== null)
        this.#engine.deliver({ type: "blockFetched", block: verified });
      return true;
    };
    // Known from a proposal that the replica has dropped since.
    if (held !== null && take(held)) return;
    void fetcher.fetch(hash, take);
  }

  sendEpochProof(epoch: number, to: Address | null): void {
    const { network, proposals, validators } = this.#parts;
    const key = to === null ? null : this.#keyOf(epoch, to);
    const named = key === null ? [] : validators.of(key);
    const peers = named.length > 0 ? named : network.peers().map(({ peer }) => peer);
    const due = peers.filter((peer) => this.#mayProve(peer));
    const proof = due.length === 0 ? null : this.epochProof(epoch);
    if (proof !== null) proposals.broadcast(due, { type: "proof", proof });
  }

  tellCommit(grounds: CommitGrounds): void {
    const { chain, network, proposals } = this.#parts;
    const peers = network.peers().map(({ peer }) => peer);
    proposals.broadcast(peers, { type: "proof", proof: chain.proofOf(grounds) });
  }

  /** The commit proof of an epoch's last block; `null` while it runs. */
  epochProof(epoch: number): CommitProof | null {
    const next = this.#parts.store.epochInfo(epoch + 1);
    return next === null ? null : this.#parts.reads.commitProof(next.root);
  }

  #mayProve(peer: PeerId): boolean {
    const nowMs = performance.now();
    const beforeMs = this.#proofAtMs.get(peer) ?? -Infinity;
    if (nowMs - beforeMs < proofIntervalMs) return false;
    this.#proofAtMs.delete(peer);
    this.#proofAtMs.set(peer, nowMs);
    for (const oldest of this.#proofAtMs.keys()) {
      if (this.#proofAtMs.size <= proofsKeptMax) break;
      this.#proofAtMs.delete(oldest);
    }
    return true;
  }

  #keyOf(epoch: number, address: Address): Uint8Array | null {
    const committee = this.#parts.store.epochInfo(epoch)?.committee;
    return committee?.validators.find((member) => member.address === address)?.blsKey ?? null;
  }
}
