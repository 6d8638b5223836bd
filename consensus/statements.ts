import type { Digest } from "../base/brand.ts";
import { hexToBytes } from "../base/bytes.ts";
import { rlpNumber } from "../base/rlp.ts";
import { encodeStatement, type Statement } from "../base/statement.ts";
import type { ProposalStatement, Signable, Slot, TimeoutStatement, Vote } from "./types.ts";

/** The chain and the engine that signatures are for. */
export type SigningScope = {
  readonly genesis: Digest;
  /** Which of several engines of one chain; empty for the main one. */
  readonly scope: string;
};

/** Domain tags of consensus; part of the format, so never reused for another meaning. */
export const consensusDomains = {
  vote: "consensus.vote",
  timeout: "consensus.timeout",
  proposal: "consensus.proposal",
  randomness: "consensus.randomness",
} as const;

/** What a vote signs: every field it carries. */
export function voteStatement(scope: SigningScope, vote: Vote): Statement {
  const value = [hexToBytes(vote.block), rlpNumber(vote.parentView)];
  return statement(scope, consensusDomains.vote, vote, value);
}

/**
 * What a timeout signs: the view of its high certificate; certificates beside it prove themselves.
 */
export function timeoutStatement(scope: SigningScope, timeout: TimeoutStatement): Statement {
  return statement(scope, consensusDomains.timeout, timeout, rlpNumber(timeout.highView));
}

/** What a leader signs: the hash covers everything in the block. */
export function proposalStatement(scope: SigningScope, proposal: ProposalStatement): Statement {
  return statement(scope, consensusDomains.proposal, proposal, hexToBytes(proposal.block));
}

/**
 * What a proposer signs to make `Header.randomness`: the parent's randomness, in the block's slot.
 */
export function randomnessStatement(
  scope: SigningScope,
  slot: Slot,
  parentRandomness: Digest,
): Statement {
  return statement(scope, consensusDomains.randomness, slot, hexToBytes(parentRandomness));
}

/** The statement of anything that the replica asks to sign. */
export function signableStatement(scope: SigningScope, signable: Signable): Statement {
  switch (signable.type) {
    case "vote":
      return voteStatement(scope, signable.vote);
    case "timeout": {
      const { epoch, view, highCertificate } = signable.timeout;
      return timeoutStatement(scope, { epoch, view, highView: highCertificate.view });
    }
    case "proposal":
      return proposalStatement(scope, signable.statement);
  }
}

/** The bytes to sign. */
export function signableBytes(scope: SigningScope, signable: Signable): Uint8Array {
  return encodeStatement(signableStatement(scope, signable));
}

function statement(
  scope: SigningScope,
  domain: string,
  slot: Slot,
  value: Statement["value"],
): Statement {
  const { epoch, view } = slot;
  return { domain, genesis: scope.genesis, scope: scope.scope, slot: { epoch, view }, value };
}
