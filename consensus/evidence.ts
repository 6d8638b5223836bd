import { accept, refuse, type Outcome } from "../base/outcome.ts";
import {
  decodeRlp,
  encodeRlp,
  rlpNumber,
  RlpReader,
  type RlpItem,
  type RlpRefusal,
} from "../base/rlp.ts";
import { encodeStatement, type Statement } from "../base/statement.ts";
import { checkCertificate, type CertificateContext } from "./certificateCheck.ts";
import {
  blsSignatureSize,
  certificateToRlp,
  readCertificate,
  readSignedProposal,
  readSignedVote,
  readSigner,
  signedProposalToRlp,
  signedVoteToRlp,
} from "./codec.ts";
import { hasSigner, signersOf } from "./signers.ts";
import { proposalStatement, timeoutStatement, voteStatement } from "./statements.ts";
import type { Evidence, SignedTimeoutStatement, Slot } from "./types.ts";

/** The number that starts each kind of evidence: part of the format. */
const kinds = {
  doubleVote: 1,
  doubleProposal: 2,
  doubleTimeout: 3,
  timeoutDeniesVote: 4,
  conflictingCertificates: 5,
} as const;

/** Why evidence proves nothing. */
export type EvidenceRefusal =
  | { readonly code: "epochWrong"; readonly got: number; readonly expected: number }
  | { readonly code: "signersDiffer"; readonly first: number; readonly second: number }
  | { readonly code: "noContradiction" }
  | { readonly code: "signatureInvalid" };

/** `[[epoch, view, highView], signer, signature]`. */
function timeoutToRlp({ statement, signer, signature }: SignedTimeoutStatement): RlpItem {
  const { epoch, view, highView } = statement;
  return [[epoch, view, highView].map(rlpNumber), rlpNumber(signer), signature];
}

function readTimeout(reader: RlpReader, item: RlpItem | undefined): SignedTimeoutStatement {
  const fields = reader.list(item, 3);
  const views = reader.list(fields[0], 3);
  const statement = {
    epoch: reader.number(views[0]),
    view: reader.number(views[1]),
    highView: reader.number(views[2]),
  };
  reader.check(statement.highView < statement.view, "a high view not below the view");
  return {
    statement,
    signer: readSigner(reader, fields[1]),
    signature: reader.fixed(fields[2], blsSignatureSize),
  };
}

function partsToRlp(evidence: Evidence): readonly [RlpItem, RlpItem] {
  switch (evidence.type) {
    case "doubleVote":
      return [signedVoteToRlp(evidence.first), signedVoteToRlp(evidence.second)];
    case "doubleProposal":
      return [signedProposalToRlp(evidence.first), signedProposalToRlp(evidence.second)];
    case "doubleTimeout":
      return [timeoutToRlp(evidence.first), timeoutToRlp(evidence.second)];
    case "timeoutDeniesVote":
      return [signedVoteToRlp(evidence.vote), timeoutToRlp(evidence.timeout)];
    case "conflictingCertificates":
      return [certificateToRlp(evidence.first), certificateToRlp(evidence.second)];
  }
}

/** The bytes of one piece of evidence: `[kind, first, second]`. */
export function encodeEvidence(evidence: Evidence): Uint8Array {
  return encodeRlp([rlpNumber(kinds[evidence.type]), ...partsToRlp(evidence)]);
}

function readEvidence(reader: RlpReader, item: RlpItem): Evidence | null {
  const [kind, a, b] = reader.list(item, 3);
  switch (reader.number(kind)) {
    case kinds.doubleVote: {
      const first = readSignedVote(reader, a);
      return { type: "doubleVote", first, second: readSignedVote(reader, b) };
    }
    case kinds.doubleProposal: {
      const first = readSignedProposal(reader, a);
      return { type: "doubleProposal", first, second: readSignedProposal(reader, b) };
    }
    case kinds.doubleTimeout: {
      const first = readTimeout(reader, a);
      return { type: "doubleTimeout", first, second: readTimeout(reader, b) };
    }
    case kinds.timeoutDeniesVote: {
      const vote = readSignedVote(reader, a);
      return { type: "timeoutDeniesVote", vote, timeout: readTimeout(reader, b) };
    }
    case kinds.conflictingCertificates: {
      const first = readCertificate(reader, a);
      return { type: "conflictingCertificates", first, second: readCertificate(reader, b) };
    }
    default:
      reader.refuse("an unknown kind");
      return null;
  }
}

/** Reads exactly one piece of evidence; whether it proves anything is `checkEvidence`'s. */
export function decodeEvidence(bytes: Uint8Array): Outcome<Evidence, RlpRefusal> {
  const item = decodeRlp(bytes);
  if (!item.ok) return item;
  const reader = new RlpReader("evidence");
  const evidence = readEvidence(reader, item.value);
  if (evidence !== null) return reader.outcome(evidence);
  return refuse(reader.refusal ?? { code: "wrongForm", detail: "evidence: nothing read" });
}

/** Committee indices that a piece of evidence is against. */
export function accusedBy(evidence: Evidence): readonly number[] {
  switch (evidence.type) {
    case "doubleVote":
    case "doubleProposal":
    case "doubleTimeout":
      return [evidence.first.signer];
    case "timeoutDeniesVote":
      return [evidence.vote.signer];
    case "conflictingCertificates":
      return signersOf(evidence.first.signers).filter((index) =>
        hasSigner(evidence.second.signers, index),
      );
  }
}

/** Where the offence was: the later slot where there are two. */
export function evidenceSlot(evidence: Evidence): Slot {
  switch (evidence.type) {
    case "doubleVote":
      return slotOf(evidence.first.vote);
    case "doubleProposal":
    case "doubleTimeout":
      return slotOf(evidence.first.statement);
    case "timeoutDeniesVote":
      return slotOf(evidence.timeout.statement);
    case "conflictingCertificates":
      return slotOf(evidence.first);
  }
}

function slotOf({ epoch, view }: Slot): Slot {
  return { epoch, view };
}

function isSameSlot(a: Slot, b: Slot): boolean {
  return a.epoch === b.epoch && a.view === b.view;
}

/** Whether no honest key could have signed both parts, taking the signatures for granted. */
export function isContradiction(evidence: Evidence): boolean {
  switch (evidence.type) {
    case "doubleVote": {
      const { vote: a } = evidence.first;
      const { vote: b } = evidence.second;
      return isSameSlot(a, b) && (a.block !== b.block || a.parentView !== b.parentView);
    }
    case "doubleProposal": {
      const { statement: a } = evidence.first;
      const { statement: b } = evidence.second;
      return isSameSlot(a, b) && a.block !== b.block;
    }
    case "doubleTimeout": {
      const { statement: a } = evidence.first;
      const { statement: b } = evidence.second;
      return isSameSlot(a, b) && a.highView !== b.highView;
    }
    case "timeoutDeniesVote": {
      const { vote } = evidence.vote;
      const { statement } = evidence.timeout;
      const isLater = vote.epoch === statement.epoch && vote.view <= statement.view;
      return isLater && statement.highView < vote.parentView;
    }
    case "conflictingCertificates": {
      const { first: a, second: b } = evidence;
      const differs = a.block !== b.block || a.parentView !== b.parentView;
      return a.view > 0 && isSameSlot(a, b) && differs;
    }
  }
}

type SignedPart = {
  readonly statement: Statement;
  readonly signer: number;
  readonly signature: Uint8Array;
};

/**
 * The committee indices proved guilty, or why nobody is. `context` is of the evidence's own epoch.
 */
export function checkEvidence(
  context: CertificateContext,
  evidence: Evidence,
): Outcome<readonly number[], EvidenceRefusal> {
  if (!isContradiction(evidence)) return refuse({ code: "noContradiction" });
  if (evidence.type === "conflictingCertificates") {
    const areValid = [evidence.first, evidence.second].every(
      (certificate) => checkCertificate(context, certificate).ok,
    );
    return areValid ? accept(accusedBy(evidence)) : refuse({ code: "signatureInvalid" });
  }
  const [first, second] = signedParts(context, evidence);
  if (first.signer !== second.signer) {
    return refuse({ code: "signersDiffer", first: first.signer, second: second.signer });
  }
  const { epoch, committee } = context.epoch;
  const got = first.statement.slot.epoch;
  if (got !== epoch) return refuse({ code: "epochWrong", got, expected: epoch });
  const key = committee.validators[first.signer]?.blsKey;
  const areSigned =
    key !== undefined &&
    [first, second].every(({ statement, signature }) =>
      context.verify([{ keys: [key], message: encodeStatement(statement) }], signature),
    );
  return areSigned ? accept(accusedBy(evidence)) : refuse({ code: "signatureInvalid" });
}

function signedParts(
  { scope }: CertificateContext,
  evidence: Exclude<Evidence, { readonly type: "conflictingCertificates" }>,
): readonly [SignedPart, SignedPart] {
  switch (evidence.type) {
    case "doubleVote": {
      const { first, second } = evidence;
      return [
        { ...first, statement: voteStatement(scope, first.vote) },
        { ...second, statement: voteStatement(scope, second.vote) },
      ];
    }
    case "doubleProposal": {
      const { first, second } = evidence;
      return [
        { ...first, statement: proposalStatement(scope, first.statement) },
        { ...second, statement: proposalStatement(scope, second.statement) },
      ];
    }
    case "doubleTimeout": {
      const { first, second } = evidence;
      return [
        { ...first, statement: timeoutStatement(scope, first.statement) },
        { ...second, statement: timeoutStatement(scope, second.statement) },
      ];
    }
    case "timeoutDeniesVote": {
      const { vote, timeout } = evidence;
      return [
        { ...vote, statement: voteStatement(scope, vote.vote) },
        { ...timeout, statement: timeoutStatement(scope, timeout.statement) },
      ];
    }
  }
}
