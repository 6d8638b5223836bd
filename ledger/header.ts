import type { Digest } from "../base/brand.ts";
import { emptyBytes, hexToBytes } from "../base/bytes.ts";
import { refuse, type Outcome } from "../base/outcome.ts";
import {
  decodeRlp,
  encodeRlp,
  RlpReader,
  rlpBigInt,
  rlpNumber,
  type RlpItem,
  type RlpRefusal,
} from "../base/rlp.ts";
import { certificateToRlp, readCertificate } from "../consensus/codec.ts";
import type { Certificate, HeaderLink } from "../consensus/types.ts";
import { keccakDigest } from "../crypto/keccak.ts";
import type { Header } from "./blockTypes.ts";
import { bloomSizeBytes } from "./receipt.ts";

/** The one version of the header's form; another one is refused by name. */
export const headerVersion = 1;

const gasBits = 64;
const baseFeeBits = 256;

function optionalDigest(digest: Digest | null): Uint8Array {
  return digest === null ? emptyBytes : hexToBytes(digest);
}

function readOptionalDigest(reader: RlpReader, item: RlpItem | undefined): Digest | null {
  return item instanceof Uint8Array && item.length === 0 ? null : reader.digest(item);
}

/** The fields in the order of `Header`. */
export function headerToRlp(header: Header): RlpItem {
  return [
    rlpNumber(header.version),
    hexToBytes(header.genesisHash),
    rlpNumber(header.height),
    rlpNumber(header.epoch),
    rlpNumber(header.view),
    hexToBytes(header.parentHash),
    certificateToRlp(header.parentCertificate),
    optionalDigest(header.timeoutCertificateHash),
    rlpNumber(header.timestampMs),
    hexToBytes(header.proposer),
    hexToBytes(header.transactionsRoot),
    hexToBytes(header.receiptsRoot),
    header.logsBloom,
    hexToBytes(header.stateRoot),
    rlpBigInt(header.gasUsed),
    rlpBigInt(header.gasLimit),
    rlpBigInt(header.baseFee),
    hexToBytes(header.runtimeHash),
    hexToBytes(header.randomness),
    optionalDigest(header.nextCommitteeHash),
    hexToBytes(header.evidenceRoot),
    optionalDigest(header.checkpointCertificateHash),
  ];
}

/** Reads a header; whether its fields fit a parent is for the executor and consensus to say. */
export function readHeader(reader: RlpReader, item: RlpItem | undefined): Header {
  const parts = reader.list(item, 22);
  const header: Header = {
    version: reader.number(parts[0]),
    genesisHash: reader.digest(parts[1]),
    height: reader.number(parts[2]),
    epoch: reader.number(parts[3]),
    view: reader.number(parts[4]),
    parentHash: reader.digest(parts[5]),
    parentCertificate: readOwnCertificate(reader, parts[6]),
    timeoutCertificateHash: readOptionalDigest(reader, parts[7]),
    timestampMs: reader.number(parts[8]),
    proposer: reader.address(parts[9]),
    transactionsRoot: reader.digest(parts[10]),
    receiptsRoot: reader.digest(parts[11]),
    logsBloom: reader.fixed(parts[12], bloomSizeBytes).slice(),
    stateRoot: reader.digest(parts[13]),
    gasUsed: reader.bigInt(parts[14], gasBits),
    gasLimit: reader.bigInt(parts[15], gasBits),
    baseFee: reader.bigInt(parts[16], baseFeeBits),
    runtimeHash: reader.digest(parts[17]),
    randomness: reader.digest(parts[18]),
    nextCommitteeHash: readOptionalDigest(reader, parts[19]),
    evidenceRoot: reader.digest(parts[20]),
    checkpointCertificateHash: readOptionalDigest(reader, parts[21]),
  };
  reader.check(
    header.version === headerVersion,
    `header version ${header.version}, this program knows ${headerVersion}`,
  );
  return header;
}

/**
 * Headers outlive the message they came in, so theirs are copies, not views that would keep it
 * whole.
 */
function readOwnCertificate(reader: RlpReader, item: RlpItem | undefined): Certificate {
  const certificate = readCertificate(reader, item);
  const { signers, signature } = certificate;
  return { ...certificate, signers: signers.slice(), signature: signature.slice() };
}

/** The bytes of a header. */
export function encodeHeader(header: Header): Uint8Array {
  return encodeRlp(headerToRlp(header));
}

/** Reads exactly one header. */
export function decodeHeader(bytes: Uint8Array): Outcome<Header, RlpRefusal> {
  const item = decodeRlp(bytes);
  if (!item.ok) return refuse(item.refusal);
  const reader = new RlpReader("header");
  return reader.outcome(readHeader(reader, item.value));
}

/** The block's hash: keccak of the header's bytes. */
export function blockHash(header: Header): Digest {
  return keccakDigest(encodeHeader(header));
}

/** A header as commit proofs see it; hashes the header. */
export function headerLink(header: Header): HeaderLink {
  const { epoch, view, height, parentCertificate } = header;
  const hash = blockHash(header);
  return { epoch, view, height, parentCertificate, hash, parent: header.parentHash };
}
