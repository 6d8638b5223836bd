import { hexToBytes } from "../base/bytes.ts";
import type { Outcome } from "../base/outcome.ts";
import {
  decodeRlp,
  encodeRlp,
  RlpReader,
  rlpBigInt,
  rlpNumber,
  type RlpItem,
  type RlpRefusal,
} from "../base/rlp.ts";
import { signersOf } from "./signers.ts";
import type {
  Certificate,
  Committee,
  ProposalStatement,
  SafetyRecord,
  SignedProposal,
  SignedTimeout,
  SignedVote,
  Timeout,
  TimeoutCertificate,
  Validator,
  Vote,
} from "./types.ts";

/*
 * Canonical RLP of what consensus stores, hashes and sends. `xToRlp` gives an item to embed,
 * `readX` reads it back through a reader that keeps the first refusal, `encodeX`/`decodeX` do whole
 * messages. A decoder accepts exactly what the encoder makes. How wide a signer bitmap must be
 * depends on the committee, so `certificateCheck.ts` demands that.
 */

/**
 * Most validators in a committee: 31 by default (DESIGN 5), a power of two above any we simulate.
 */
export const committeeSizeMax = 256;
const signersBytesMax = committeeSizeMax / 8;

/** Bytes of a compressed BLS12-381 G2 point: a signature or an aggregate of them. */
export const blsSignatureSize = 96;

/** Bytes of a compressed BLS12-381 G1 point: a public key. */
export const blsKeySize = 48;

/**
 * Stake in ThetaWei fits this many bits; so does the sum over a committee, with room to multiply.
 */
const stakeBitsMax = 256;

function decodeWith<T>(
  bytes: Uint8Array,
  subject: string,
  read: (reader: RlpReader, item: RlpItem) => T,
): Outcome<T, RlpRefusal> {
  const item = decodeRlp(bytes);
  if (!item.ok) return item;
  const reader = new RlpReader(subject);
  return reader.outcome(read(reader, item.value));
}

/** `[]` for none, else a list of the one item: keeps absent and present apart in one form. */
function optionToRlp<T>(value: T | null, toRlp: (value: T) => RlpItem): RlpItem {
  return value === null ? [] : [toRlp(value)];
}

function readOption<T>(
  reader: RlpReader,
  item: RlpItem | undefined,
  read: (reader: RlpReader, item: RlpItem) => T,
): T | null {
  return reader.array(item, 1, (part) => read(reader, part))[0] ?? null;
}

/** `[epoch, view, block, parentView, signers, signature]`. */
export function certificateToRlp(certificate: Certificate): RlpItem {
  return [
    rlpNumber(certificate.epoch),
    rlpNumber(certificate.view),
    hexToBytes(certificate.block),
    rlpNumber(certificate.parentView),
    certificate.signers,
    certificate.signature,
  ];
}

/** Reads a certificate; at view 0 it must be bare, above it must have signers and a signature. */
export function readCertificate(reader: RlpReader, item: RlpItem | undefined): Certificate {
  const fields = reader.list(item, 6);
  const certificate = {
    epoch: reader.number(fields[0]),
    view: reader.number(fields[1]),
    block: reader.digest(fields[2]),
    parentView: reader.number(fields[3]),
    signers: reader.bytes(fields[4], signersBytesMax),
    signature: reader.bytes(fields[5], blsSignatureSize),
  };
  const { view, parentView, signers, signature } = certificate;
  if (view === 0) {
    reader.check(
      parentView === 0 && signers.length === 0 && signature.length === 0,
      "a certificate of view 0 carries something",
    );
  } else {
    reader.check(parentView < view, `parent view ${parentView} is not below view ${view}`);
    reader.check(signature.length === blsSignatureSize, "the signature has not 96 bytes");
    reader.check(
      signers.some((byte) => byte !== 0),
      "no signers",
    );
  }
  return certificate;
}

/** The bytes of one certificate. */
export function encodeCertificate(certificate: Certificate): Uint8Array {
  return encodeRlp(certificateToRlp(certificate));
}

/** Reads exactly one certificate; signatures are not checked. */
export function decodeCertificate(bytes: Uint8Array): Outcome<Certificate, RlpRefusal> {
  return decodeWith(bytes, "certificate", readCertificate);
}

/** `[epoch, view, [highView…], highCertificate, signers, signature]`. */
export function timeoutCertificateToRlp(certificate: TimeoutCertificate): RlpItem {
  return [
    rlpNumber(certificate.epoch),
    rlpNumber(certificate.view),
    certificate.highViews.map(rlpNumber),
    certificateToRlp(certificate.highCertificate),
    certificate.signers,
    certificate.signature,
  ];
}

/**
 * Reads a timeout certificate; one high view per signer, the highest being that of the certificate.
 */
export function readTimeoutCertificate(
  reader: RlpReader,
  item: RlpItem | undefined,
): TimeoutCertificate {
  const fields = reader.list(item, 6);
  const certificate = {
    epoch: reader.number(fields[0]),
    view: reader.number(fields[1]),
    highViews: reader.array(fields[2], committeeSizeMax, (part) => reader.number(part)),
    highCertificate: readCertificate(reader, fields[3]),
    signers: reader.bytes(fields[4], signersBytesMax),
    signature: reader.fixed(fields[5], blsSignatureSize),
  };
  const { epoch, view, highViews, highCertificate, signers } = certificate;
  reader.check(
    highViews.length > 0 && highViews.length === signersOf(signers).length,
    `${highViews.length} high views for ${signersOf(signers).length} signers`,
  );
  const highest = highViews.reduce((a, b) => Math.max(a, b), 0);
  reader.check(
    highCertificate.epoch === epoch && highCertificate.view === highest && highest < view,
    `high certificate of view ${highCertificate.view}, highest signed ${highest}, view ${view}`,
  );
  return certificate;
}

/** The bytes of one timeout certificate; their keccak stands in the header. */
export function encodeTimeoutCertificate(certificate: TimeoutCertificate): Uint8Array {
  return encodeRlp(timeoutCertificateToRlp(certificate));
}

/** Reads exactly one timeout certificate; signatures are not checked. */
export function decodeTimeoutCertificate(
  bytes: Uint8Array,
): Outcome<TimeoutCertificate, RlpRefusal> {
  return decodeWith(bytes, "timeout certificate", readTimeoutCertificate);
}

/** `[epoch, view, block, parentView]`. */
export function voteToRlp(vote: Vote): RlpItem {
  return [
    rlpNumber(vote.epoch),
    rlpNumber(vote.view),
    hexToBytes(vote.block),
    rlpNumber(vote.parentView),
  ];
}

/** Reads a vote; view 0 is never voted on. */
export function readVote(reader: RlpReader, item: RlpItem | undefined): Vote {
  const fields = reader.list(item, 4);
  const vote = {
    epoch: reader.number(fields[0]),
    view: reader.number(fields[1]),
    block: reader.digest(fields[2]),
    parentView: reader.number(fields[3]),
  };
  reader.check(
    vote.parentView < vote.view,
    `parent view ${vote.parentView} is not below view ${vote.view}`,
  );
  return vote;
}

/** `[vote, signer, signature]`. */
export function signedVoteToRlp(vote: SignedVote): RlpItem {
  return [voteToRlp(vote.vote), rlpNumber(vote.signer), vote.signature];
}

/** Reads a vote with its signer. */
export function readSignedVote(reader: RlpReader, item: RlpItem | undefined): SignedVote {
  const fields = reader.list(item, 3);
  return {
    vote: readVote(reader, fields[0]),
    signer: readSigner(reader, fields[1]),
    signature: reader.fixed(fields[2], blsSignatureSize),
  };
}

/** Reads a committee index; whether it names a member is for the committee to say. */
export function readSigner(reader: RlpReader, item: RlpItem | undefined): number {
  const signer = reader.number(item);
  reader.check(signer < committeeSizeMax, `signer ${signer} is beyond any committee`);
  return signer;
}

/** The bytes of one signed vote. */
export function encodeSignedVote(vote: SignedVote): Uint8Array {
  return encodeRlp(signedVoteToRlp(vote));
}

/** Reads exactly one signed vote; the signature is not checked. */
export function decodeSignedVote(bytes: Uint8Array): Outcome<SignedVote, RlpRefusal> {
  return decodeWith(bytes, "vote", readSignedVote);
}

/** `[epoch, view, highCertificate, [entryCertificate] or []]`. */
export function timeoutToRlp(timeout: Timeout): RlpItem {
  return [
    rlpNumber(timeout.epoch),
    rlpNumber(timeout.view),
    certificateToRlp(timeout.highCertificate),
    optionToRlp(timeout.entryCertificate, timeoutCertificateToRlp),
  ];
}

/** Reads a timeout; it must show how its view was reached, and in no more ways than needed. */
export function readTimeout(reader: RlpReader, item: RlpItem | undefined): Timeout {
  const fields = reader.list(item, 4);
  const timeout = {
    epoch: reader.number(fields[0]),
    view: reader.number(fields[1]),
    highCertificate: readCertificate(reader, fields[2]),
    entryCertificate: readOption(reader, fields[3], readTimeoutCertificate),
  };
  const { epoch, view, highCertificate, entryCertificate } = timeout;
  const followsCertificate = highCertificate.epoch === epoch && highCertificate.view === view - 1;
  const followsTimeout =
    entryCertificate !== null &&
    entryCertificate.epoch === epoch &&
    entryCertificate.view === view - 1 &&
    highCertificate.epoch === epoch &&
    highCertificate.view < view - 1;
  reader.check(
    entryCertificate === null ? followsCertificate : followsTimeout,
    `nothing shows that view ${view} was reached`,
  );
  return timeout;
}

/** The bytes of one signed timeout: `[timeout, signer, signature]`. */
export function encodeSignedTimeout(timeout: SignedTimeout): Uint8Array {
  return encodeRlp([timeoutToRlp(timeout.timeout), rlpNumber(timeout.signer), timeout.signature]);
}

/** Reads exactly one signed timeout; no signature is checked. */
export function decodeSignedTimeout(bytes: Uint8Array): Outcome<SignedTimeout, RlpRefusal> {
  return decodeWith(bytes, "timeout", (reader, item) => {
    const fields = reader.list(item, 3);
    return {
      timeout: readTimeout(reader, fields[0]),
      signer: readSigner(reader, fields[1]),
      signature: reader.fixed(fields[2], blsSignatureSize),
    };
  });
}

/** `[epoch, view, block]`. */
export function proposalStatementToRlp(statement: ProposalStatement): RlpItem {
  return [rlpNumber(statement.epoch), rlpNumber(statement.view), hexToBytes(statement.block)];
}

/** Reads a proposal statement. */
export function readProposalStatement(
  reader: RlpReader,
  item: RlpItem | undefined,
): ProposalStatement {
  const fields = reader.list(item, 3);
  const statement = {
    epoch: reader.number(fields[0]),
    view: reader.number(fields[1]),
    block: reader.digest(fields[2]),
  };
  reader.check(statement.view > 0, "a proposal for view 0");
  return statement;
}

/** `[statement, signer, signature]`. */
export function signedProposalToRlp(proposal: SignedProposal): RlpItem {
  return [
    proposalStatementToRlp(proposal.statement),
    rlpNumber(proposal.signer),
    proposal.signature,
  ];
}

/** Reads a proposal statement with its signer. */
export function readSignedProposal(reader: RlpReader, item: RlpItem | undefined): SignedProposal {
  const fields = reader.list(item, 3);
  return {
    statement: readProposalStatement(reader, fields[0]),
    signer: readSigner(reader, fields[1]),
    signature: reader.fixed(fields[2], blsSignatureSize),
  };
}

/** The bytes of one signed proposal, which travel beside the block. */
export function encodeSignedProposal(proposal: SignedProposal): Uint8Array {
  return encodeRlp(signedProposalToRlp(proposal));
}

/** Reads exactly one signed proposal; the signature is not checked. */
export function decodeSignedProposal(bytes: Uint8Array): Outcome<SignedProposal, RlpRefusal> {
  return decodeWith(bytes, "proposal", readSignedProposal);
}

/**
 * The bytes of one committee, `[epoch, [[address, blsKey, stake]…]]`; their keccak names it in the
 * header.
 */
export function encodeCommittee(committee: Committee): Uint8Array {
  return encodeRlp([
    rlpNumber(committee.epoch),
    committee.validators.map((validator) => [
      hexToBytes(validator.address),
      validator.blsKey,
      rlpBigInt(validator.stake),
    ]),
  ]);
}

/** Reads exactly one committee: not empty, addresses strictly ascending, stakes positive. */
export function decodeCommittee(bytes: Uint8Array): Outcome<Committee, RlpRefusal> {
  return decodeWith(bytes, "committee", (reader, item) => {
    const fields = reader.list(item, 2);
    const committee = {
      epoch: reader.number(fields[0]),
      validators: reader.array(fields[1], committeeSizeMax, (part) => readValidator(reader, part)),
    };
    reader.check(committee.validators.length > 0, "nobody in it");
    let before = "";
    for (const { address } of committee.validators) {
      reader.check(before < address, `address ${address} does not follow ${before}`);
      before = address;
    }
    return committee;
  });
}

function readValidator(reader: RlpReader, item: RlpItem): Validator {
  const fields = reader.list(item, 3);
  const validator = {
    address: reader.address(fields[0]),
    blsKey: reader.fixed(fields[1], blsKeySize),
    stake: reader.bigInt(fields[2], stakeBitsMax),
  };
  reader.check(validator.stake > 0n, "a stake of zero");
  return validator;
}

/** The bytes of one safety record, as the safety file holds them. */
export function encodeSafetyRecord(record: SafetyRecord): Uint8Array {
  return encodeRlp([
    rlpNumber(record.epoch),
    rlpNumber(record.votedView),
    rlpNumber(record.lockView),
    certificateToRlp(record.highCertificate),
    optionToRlp(record.vote, voteToRlp),
    optionToRlp(record.timeout, timeoutToRlp),
    optionToRlp(record.proposal, proposalStatementToRlp),
  ]);
}

/** Reads exactly one safety record. */
export function decodeSafetyRecord(bytes: Uint8Array): Outcome<SafetyRecord, RlpRefusal> {
  return decodeWith(bytes, "safety record", (reader, item) => {
    const fields = reader.list(item, 7);
    return {
      epoch: reader.number(fields[0]),
      votedView: reader.number(fields[1]),
      lockView: reader.number(fields[2]),
      highCertificate: readCertificate(reader, fields[3]),
      vote: readOption(reader, fields[4], readVote),
      timeout: readOption(reader, fields[5], readTimeout),
      proposal: readOption(reader, fields[6], readProposalStatement),
    };
  });
}
