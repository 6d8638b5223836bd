import type { EpochInfo, SignedTimeout, SignedVote } from "../../consensus/types.ts";
import type { Verifier } from "./verifier.ts";
import type { Wire } from "./wire.ts";

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
