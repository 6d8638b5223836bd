import { unreachable } from "../../base/assert.ts";
import type { Verified } from "../../base/brand.ts";
import type {
  BlockSummary,
  CommitProofSummary,
  EpochInfo,
  SignedTimeout,
  SignedVote,
} from "../../consensus/types.ts";
import { farBlocksMax } from "./follower.ts";
import type { SimNode } from "./node.ts";
import type { Verifier } from "./verifier.ts";
import type { Wire } from "./wire.ts";
import type { World } from "./world.ts";

/** Least time between two questions for a commit proof. */
const askIntervalUs = 500_000;

/** The border of a node: what comes from outside is verified here, and nowhere else. */
export class Inbound {
  readonly #node: SimNode;
  readonly #world: World;
  #askedUs = -askIntervalUs;
  /** Height that somebody in a later epoch spoke of. */
  #claimed = 0;

  constructor(node: SimNode, world: World) {
    this.#node = node;
    this.#world = world;
  }

  receive(wire: Wire): void {
    switch (wire.type) {
      case "vote":
        return this.#onVote(wire.vote);
      case "timeout":
        return this.#onTimeout(wire);
      case "proposal":
        return this.#onProposal(wire);
      case "fetch": {
        const block = this.#node.blocks.get(wire.hash);
        if (block !== null) this.#answer(wire.from, { type: "block", block });
        return;
      }
      case "block":
        return this.#onBlock(wire);
      case "ask": {
        const { epochProofs, newestProof } = this.#node.disk;
        const proof = epochProofs.get(wire.epoch) ?? newestProof;
        if (proof !== null) this.#answer(wire.from, { type: "proof", proof });
        return;
      }
      case "proof":
        return this.#onProof(wire.proof);
      case "catchUp":
        return this.#node.onCatchUp(wire.wire);
      default:
        unreachable(wire);
    }
  }

  #answer(to: number, wire: Wire): void {
    this.#world.send(this.#node.id, [to], wire);
  }

  #previousOf(epoch: EpochInfo): EpochInfo | null {
    return this.#node.disk.epochs.get(epoch.epoch - 1) ?? null;
  }

  #onVote(signed: SignedVote): void {
    const { epoch } = this.#node;
    if (!isVoteRight(signed, epoch, this.#world.verifier)) return;
    const { view, block, parentView } = signed.vote;
    const value = `${block}/${parentView}`;
    this.#hear({ kind: "vote", signer: signed.signer, view, value, rests: parentView });
    const vote = signed as Verified<typeof signed>;
    this.#node.deliver({ type: "voteReceived", vote });
  }

  #onTimeout(wire: Extract<Wire, { readonly type: "timeout" }>): void {
    const { timeout, signer } = wire.timeout;
    const { verifier } = this.#world;
    const epoch = this.#node.disk.epochs.get(timeout.epoch);
    if (epoch === undefined) return this.askForProof();
    if (!isTimeoutRight(wire.timeout, epoch, verifier)) return;
    if (epoch.epoch === this.#node.epoch.epoch) {
      const { view, highCertificate } = timeout;
      const rests = highCertificate.view;
      this.#hear({ kind: "timeout", signer, view, value: `${rests}`, rests });
    }
    const verified = wire.timeout as Verified<typeof wire.timeout>;
    this.#node.deliver({ type: "timeoutReceived", timeout: verified });
  }

  #onProposal(wire: Extract<Wire, { readonly type: "proposal" }>): void {
    const node = this.#node;
    const { summary } = wire.block;
    if (summary.epoch === node.epoch.epoch + 1 && summary.epochProof !== null) {
      this.#onProof(summary.epochProof);
    }
    if (summary.epoch > node.epoch.epoch) this.#onAhead(summary.height);
    if (summary.epoch !== node.epoch.epoch || !node.isUp) return;
    const { verifier } = this.#world;
    if (!isProposalRight(wire, node.epoch, this.#previousOf(node.epoch), verifier)) return;
    const { view, hash } = summary;
    this.#hear({ kind: "proposal", signer: wire.proposal.signer, view, value: hash, rests: 0 });
    if (summary.height > node.disk.committed.length + farBlocksMax) this.askForProof();
    node.blocks.keep(wire.block);
    const proposal = wire.proposal as Verified<typeof wire.proposal>;
    node.deliver({ type: "proposalReceived", proposal, nowMs: node.nowMs });
  }

  #onBlock({ block }: Extract<Wire, { readonly type: "block" }>): void {
    const { epoch } = this.#node;
    if (!this.#world.verifier.isBlock(block, epoch, this.#previousOf(epoch))) return;
    if (!this.#node.wants(block.summary.hash)) return;
    this.#node.blocks.keep(block);
    const verified = block.summary as Verified<BlockSummary>;
    this.#node.deliver({ type: "blockFetched", block: verified });
  }

  #hear(statement: Omit<Heard, "holder">): void {
    const holder = this.#node.epoch.committee.validators[statement.signer]?.address ?? "";
    this.#world.observe({ node: this.#node, type: "heard", statement: { ...statement, holder } });
  }

  /** Someone is in a later epoch, or says so: the answer is a proof, so a lie costs one message. */
  askForProof(): void {
    const nowUs = this.#world.nowUs();
    if (nowUs < this.#askedUs + askIntervalUs) return;
    this.#askedUs = nowUs;
    const { id, epoch } = this.#node;
    this.#world.send(id, "all", { type: "ask", epoch: epoch.epoch, from: id });
  }

  /** Only a word: it counts once a proof shows that the own epoch has ended. */
  #onAhead(height: number): void {
    this.#claimed = Math.max(this.#claimed, height);
    this.askForProof();
  }

  #onProof(proof: CommitProofSummary): void {
    const { epoch, disk } = this.#node;
    const [first] = proof.links;
    if (first === undefined) return;
    if (proof.certificate.epoch > epoch.epoch) this.#onAhead(first.height);
    const { rules, verifier } = this.#world;
    if (!verifier.isCertificate(proof.certificate, epoch)) return;
    const verified = proof as Verified<typeof proof>;
    this.#node.deliver({ type: "commitProofReceived", proof: verified });
    if (!rules.isCommitProof(epoch, proof)) return;
    const height = first.height === epoch.lastHeight ? this.#claimed : first.height;
    this.#claimed = 0;
    if (height > disk.committed.length + farBlocksMax) this.#node.follow();
  }
}

/** A verified statement of the running epoch, as the checker of evidence needs it. */
export type Heard = {
  readonly kind: "vote" | "timeout" | "proposal";
  readonly signer: number;
  readonly holder: string;
  readonly view: number;
  /** What is signed in the slot. */
  readonly value: string;
  /** View of the certificate that it rests on; 0 for proposals. */
  readonly rests: number;
};

/** Whether a vote is one that a decoder lets through, of this epoch, and signed. */
export function isVoteRight(signed: SignedVote, epoch: EpochInfo, verifier: Verifier): boolean {
  const { vote, signer, signature } = signed;
  return (
    vote.epoch === epoch.epoch &&
    vote.parentView < vote.view &&
    verifier.isSigned(signed, { signable: { type: "vote", vote }, signer, signature }, epoch)
  );
}

/** Whether a timeout shows how its view was reached, and every signature in it holds. */
export function isTimeoutRight(
  signed: SignedTimeout,
  epoch: EpochInfo,
  verifier: Verifier,
): boolean {
  const { timeout, signer, signature } = signed;
  const { highCertificate, entryCertificate, view } = timeout;
  const isReached =
    entryCertificate === null
      ? highCertificate.view === view - 1
      : entryCertificate.view === view - 1 &&
        verifier.isTimeoutCertificate(entryCertificate, epoch);
  return (
    isReached &&
    highCertificate.view < view &&
    verifier.isCertificate(highCertificate, epoch) &&
    verifier.isSigned(signed, { signable: { type: "timeout", timeout }, signer, signature }, epoch)
  );
}

/** Whether a proposal is signed by the proposer it names, and its block is what the hash says. */
export function isProposalRight(
  wire: Extract<Wire, { readonly type: "proposal" }>,
  epoch: EpochInfo,
  previous: EpochInfo | null,
  verifier: Verifier,
): boolean {
  const { summary } = wire.block;
  const { signer, signature } = wire.proposal;
  const statement = { epoch: summary.epoch, view: summary.view, block: summary.hash };
  const signed = { signable: { type: "proposal", statement }, signer, signature } as const;
  return (
    wire.proposal.block === summary &&
    epoch.committee.validators[signer]?.address === summary.proposer &&
    verifier.isSigned(wire.proposal, signed, epoch) &&
    verifier.isBlock(wire.block, epoch, previous)
  );
}
