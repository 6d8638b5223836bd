import type { Digest } from "../base/brand.ts";
import { messageBytesMax, transactionBytesMax } from "../base/limits.ts";
import { refuse, type Outcome } from "../base/outcome.ts";
import { decodeRlp, encodeRlp, RlpReader, type RlpItem, type RlpRefusal } from "../base/rlp.ts";
import {
  blsSignatureSize,
  certificateToRlp,
  encodeTimeoutCertificate,
  readCertificate,
  readTimeoutCertificate,
  timeoutCertificateToRlp,
} from "../consensus/codec.ts";
import { keccakDigest } from "../crypto/keccak.ts";
import type { Block, Body, CommitProof, Header } from "./blockTypes.ts";
import { headerToRlp, readHeader } from "./header.ts";
import { orderedRoot } from "./orderedRoot.ts";

/*
 * What travels and is stored beside the header, commit proofs, and whole blocks. Absent parts are
 * the empty list, present ones a list of one, so that each has one encoding.
 */

/** Encoded bytes of a block: it must fit a message between nodes. */
export const blockBytesMax = messageBytesMax;

/** Transactions of a block: the smallest has about 64 bytes. */
export const blockTransactionsMax = 65_536;

/** Pieces of evidence in one block. */
export const blockEvidenceMax = 64;

/** Bytes of one piece of evidence: the largest is two certificates with full bitmaps. */
export const evidenceBytesMax = 1_024;

/** Bytes of a checkpoint certificate: two for each of 2^14 guardians, and the rest. */
export const checkpointCertificateBytesMax = 64 * 1024;

/**
 * Headers of a commit proof: blocks certified one after another without consecutive views; as many
 * as `consensus/commitProof.ts` takes.
 */
export const commitProofHeadersMax = 1_024;

const itemsMax = 4 * blockTransactionsMax;

function optionToRlp<T>(value: T | null, toRlp: (value: T) => RlpItem): RlpItem {
  return value === null ? [] : [toRlp(value)];
}

function readOption<T>(
  reader: RlpReader,
  item: RlpItem | undefined,
  read: (part: RlpItem) => T,
): T | null {
  return reader.array(item, 1, read)[0] ?? null;
}

function decodeWith<T>(
  bytes: Uint8Array,
  subject: string,
  read: (reader: RlpReader, item: RlpItem) => T,
): Outcome<T, RlpRefusal> {
  if (bytes.length > blockBytesMax) {
    const detail = `${subject}: ${bytes.length} bytes, at most ${blockBytesMax} are taken`;
    return refuse({ code: "tooManyItems", detail });
  }
  // Copied: what is decoded must not change with the buffer it came in.
  const item = decodeRlp(bytes.slice(), { itemsMax });
  if (!item.ok) return refuse(item.refusal);
  const reader = new RlpReader(subject);
  return reader.outcome(read(reader, item.value));
}

/** `[headers, certificate]`. */
export function commitProofToRlp(proof: CommitProof): RlpItem {
  return [proof.headers.map(headerToRlp), certificateToRlp(proof.certificate)];
}

/** Reads a commit proof; whether it proves anything is for consensus to say. */
export function readCommitProof(reader: RlpReader, item: RlpItem | undefined): CommitProof {
  const [headers, certificate] = reader.list(item, 2);
  return {
    headers: reader.array(headers, commitProofHeadersMax, (part) => readHeader(reader, part)),
    certificate: readCertificate(reader, certificate),
  };
}

/** The bytes of a commit proof. */
export function encodeCommitProof(proof: CommitProof): Uint8Array {
  return encodeRlp(commitProofToRlp(proof));
}

/** Reads exactly one commit proof. */
export function decodeCommitProof(bytes: Uint8Array): Outcome<CommitProof, RlpRefusal> {
  return decodeWith(bytes, "commit proof", readCommitProof);
}

/** The fields in the order of `Body`. */
export function bodyToRlp(body: Body): RlpItem {
  return [
    body.transactions,
    optionToRlp(body.timeoutCertificate, timeoutCertificateToRlp),
    optionToRlp(body.epochProof, commitProofToRlp),
    body.randomnessSignature,
    body.evidence,
    optionToRlp(body.checkpointCertificate, (bytes) => bytes),
  ];
}

/** Reads a body; its transactions stay encoded. */
export function readBody(reader: RlpReader, item: RlpItem | undefined): Body {
  const parts = reader.list(item, 6);
  return {
    transactions: reader.array(parts[0], blockTransactionsMax, (part) =>
      reader.bytes(part, transactionBytesMax + 1),
    ),
    timeoutCertificate: readOption(reader, parts[1], (part) =>
      readTimeoutCertificate(reader, part),
    ),
    epochProof: readOption(reader, parts[2], (part) => readCommitProof(reader, part)),
    randomnessSignature: reader.fixed(parts[3], blsSignatureSize),
    evidence: reader.array(parts[4], blockEvidenceMax, (part) =>
      reader.bytes(part, evidenceBytesMax),
    ),
    checkpointCertificate: readOption(reader, parts[5], (part) =>
      reader.bytes(part, checkpointCertificateBytesMax),
    ),
  };
}

/** The bytes of a body. */
export function encodeBody(body: Body): Uint8Array {
  return encodeRlp(bodyToRlp(body));
}

/** Reads exactly one body. */
export function decodeBody(bytes: Uint8Array): Outcome<Body, RlpRefusal> {
  return decodeWith(bytes, "body", readBody);
}

/** The bytes of a block: `[header, body]`. */
export function encodeBlock(block: Block): Uint8Array {
  return encodeRlp([headerToRlp(block.header), bodyToRlp(block.body)]);
}

/** Reads exactly one block. Whether body and header belong together, `bodyFault` says. */
export function decodeBlock(bytes: Uint8Array): Outcome<Block, RlpRefusal> {
  return decodeWith(bytes, "block", (reader, item) => {
    const [header, body] = reader.list(item, 2);
    return { header: readHeader(reader, header), body: readBody(reader, body) };
  });
}

/** Root over encoded transactions, in order of execution. */
export function transactionsRoot(transactions: readonly Uint8Array[]): Digest {
  return orderedRoot(transactions);
}

/** Root over encoded evidence. */
export function evidenceRoot(evidence: readonly Uint8Array[]): Digest {
  return orderedRoot(evidence);
}

/** What the header says of the body, computed from the body. */
export type BodyDigests = Pick<
  Header,
  "transactionsRoot" | "evidenceRoot" | "timeoutCertificateHash" | "checkpointCertificateHash"
>;

/** The header's fields that follow from the body alone. */
export function bodyDigests(body: Body): BodyDigests {
  const { timeoutCertificate, checkpointCertificate } = body;
  return {
    transactionsRoot: transactionsRoot(body.transactions),
    evidenceRoot: evidenceRoot(body.evidence),
    timeoutCertificateHash:
      timeoutCertificate === null
        ? null
        : keccakDigest(encodeTimeoutCertificate(timeoutCertificate)),
    checkpointCertificateHash:
      checkpointCertificate === null ? null : keccakDigest(checkpointCertificate),
  };
}

/** The first field in which the body is not the one that the header names, or `null`. */
export function bodyFault(block: Block): string | null {
  const computed = bodyDigests(block.body);
  const names = [
    "transactionsRoot",
    "evidenceRoot",
    "timeoutCertificateHash",
    "checkpointCertificateHash",
  ] as const;
  for (const name of names) {
    const said = block.header[name];
    if (said !== computed[name]) return `${name}: got ${computed[name]}, expected ${said}`;
  }
  return null;
}
