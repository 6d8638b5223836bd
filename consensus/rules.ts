import { isQuorum } from "./committee.ts";
import { checkCommitProof, commitsParent } from "./commitProof.ts";
import { hasSigner } from "./signers.ts";
import type {
  BlockSummary,
  Certificate,
  CommitProofSummary,
  EpochInfo,
  SafetyRecord,
  Validator,
} from "./types.ts";
import type { Testimony } from "./witness.ts";

/*
 * The rules that safety rests on: Jolteon (Gelashvili and others, 2022), Figure 4, which is DiemBFT
 * v4, with stake weights, epochs and views that start at 1. They are apart and pure, and the
 * replica takes them as an object, so that the simulator can show that it notices when one of them
 * is broken.
 */

/** Which block a certificate commits: the parent of the one it certifies, or none. */
export type CommitTarget = "none" | "parent" | "block";

/** The decisions of the protocol. `soundRules` are the only right ones. */
export type Rules = {
  /** Weight of a validator in a quorum. */
  readonly weightOf: (validator: Validator) => bigint;
  /** Whether this weight decides. */
  readonly isQuorum: (power: bigint, total: bigint) => boolean;
  /** Whether the record still allows a vote in the block's slot. */
  readonly mayVote: (block: BlockSummary, record: SafetyRecord) => boolean;
  /** Whether the block shows that it abandons nothing that may be committed. */
  readonly extendsSafely: (block: BlockSummary) => boolean;
  /** What becomes committed when this certificate of a block is known. */
  readonly commitTarget: (
    certificate: Certificate,
    block: { readonly endsEpoch: boolean },
  ) => CommitTarget;
  /** Whether a chain of headers proves its first block committed. */
  readonly isCommitProof: (
    epoch: Pick<EpochInfo, "epoch" | "lastHeight">,
    proof: CommitProofSummary,
  ) => boolean;
  /** What a key signed without its record knowing, so that it must be silent; `null`: nothing. */
  readonly foreignIn: (testimony: Testimony, index: number, record: SafetyRecord) => string | null;
};

/** One vote a view, none in a view that was left [Jolteon Fig. 4, safe to vote (1)]. */
function mayVote(block: BlockSummary, record: SafetyRecord): boolean {
  return block.epoch === record.epoch && block.view > record.votedView;
}

/**
 * Either the parent was certified in the view just before, or more than two thirds of stake left
 * that view and the block extends at least the highest certificate that any of them had: had a
 * block been committed above it, one of them would have been locked on that [Jolteon Fig. 4, safe
 * to vote (2)].
 */
function extendsSafely(block: BlockSummary): boolean {
  const { view, parentCertificate, timeoutCertificate } = block;
  if (parentCertificate.view === view - 1) return timeoutCertificate === null;
  return (
    timeoutCertificate !== null &&
    timeoutCertificate.epoch === block.epoch &&
    timeoutCertificate.view === view - 1 &&
    parentCertificate.view >= timeoutCertificate.highCertificate.view
  );
}

/** What a testimony shows that a key signed and its record does not hold; `null` for nothing. */
function foreignIn(testimony: Testimony, index: number, record: SafetyRecord): string | null {
  switch (testimony.type) {
    case "vote": {
      const { signer, vote } = testimony.vote;
      const isOther = vote.view === record.vote?.view && vote.block !== record.vote.block;
      const isForeign = signer === index && (vote.view > record.votedView || isOther);
      return isForeign ? `a vote in view ${vote.view}` : null;
    }
    case "timeout": {
      const { signer, timeout } = testimony.timeout;
      const isForeign = signer === index && timeout.view > record.votedView;
      return isForeign ? `a timeout of view ${timeout.view}` : null;
    }
    case "proposal": {
      const { signer, statement } = testimony.proposal;
      const { proposal } = record;
      const isOther = statement.view === proposal?.view && statement.block !== proposal.block;
      const isNewer = statement.view > (proposal?.view ?? 0);
      return signer === index && (isNewer || isOther)
        ? `a proposal in view ${statement.view}`
        : null;
    }
    case "certificate": {
      const { signers, view } = testimony.certificate;
      const isForeign = view > record.votedView && hasSigner(signers, index);
      return isForeign ? `a certified vote in view ${view}` : null;
    }
  }
}

/** The rules of DESIGN 5. */
export const soundRules: Rules = {
  weightOf: (validator) => validator.stake,
  isQuorum,
  mayVote,
  extendsSafely,
  commitTarget: (certificate) => (commitsParent(certificate) ? "parent" : "none"),
  isCommitProof: (epoch, proof) => checkCommitProof(epoch, proof).ok,
  foreignIn,
};

/**
 * The voting rule on time: after the parent's, and not beyond the voter's clock by more than the
 * drift.
 */
export function isTimely(time: {
  readonly timestampMs: number;
  readonly parentTimestampMs: number;
  readonly nowMs: number;
  readonly clockDriftMsMax: number;
}): boolean {
  return (
    Number.isSafeInteger(time.timestampMs) &&
    time.timestampMs > time.parentTimestampMs &&
    time.timestampMs <= time.nowMs + time.clockDriftMsMax
  );
}

/** The certificate of an epoch's root: bare, and valid for that one block only. */
export function rootCertificate(epoch: Pick<EpochInfo, "epoch" | "root">): Certificate {
  const none = new Uint8Array(0);
  return {
    epoch: epoch.epoch,
    view: 0,
    block: epoch.root,
    parentView: 0,
    signers: none,
    signature: none,
  };
}

/** The record of a key that has signed nothing in an epoch. */
export function emptySafetyRecord(epoch: Pick<EpochInfo, "epoch" | "root">): SafetyRecord {
  return {
    epoch: epoch.epoch,
    votedView: 0,
    lockView: 0,
    highCertificate: rootCertificate(epoch),
    vote: null,
    timeout: null,
    proposal: null,
  };
}
