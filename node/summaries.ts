import type { Digest } from "../base/brand.ts";
import type { BlockSummary, CommitProofSummary } from "../consensus/types.ts";
import { headerLink } from "../ledger/header.ts";
import type { Block, CommitProof } from "../ledger/blockTypes.ts";

/** A commit proof as consensus sees it. */
export function commitProofSummary(proof: CommitProof): CommitProofSummary {
  return { links: proof.headers.map(headerLink), certificate: proof.certificate };
}

/** A block as the replica sees it. `hash` is the header's, computed before. */
export function blockSummary(hash: Digest, { header, body }: Block): BlockSummary {
  return {
    epoch: header.epoch,
    view: header.view,
    hash,
    parent: header.parentHash,
    height: header.height,
    proposer: header.proposer,
    timestampMs: header.timestampMs,
    parentCertificate: header.parentCertificate,
    timeoutCertificate: body.timeoutCertificate,
    epochProof: body.epochProof === null ? null : commitProofSummary(body.epochProof),
    isEmpty: body.transactions.length === 0 && body.evidence.length === 0,
    nextCommitteeHash: header.nextCommitteeHash,
  };
}
