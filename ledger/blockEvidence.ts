import type { Address, Digest } from "../base/brand.ts";
import { bytesToAddress, hexToBytes } from "../base/bytes.ts";
import type { Outcome } from "../base/outcome.ts";
import { decodeRlp, encodeRlp, RlpReader, type RlpRefusal } from "../base/rlp.ts";
import { decodeEvidence, encodeEvidence } from "../consensus/evidence.ts";
import type { Evidence } from "../consensus/types.ts";
import { keccakDigest } from "../crypto/keccak.ts";
import { evidenceBytesMax } from "./block.ts";

/** What a block's body holds against an offender, and who is paid for having found it. */
export type EvidenceReport = {
  readonly evidence: Evidence;
  /** The zero address: nobody, so that all that is slashed is burned. */
  readonly reporter: Address;
};

/** `[evidence, reporter]`, the evidence as bytes of its own. */
export function encodeReport({ evidence, reporter }: EvidenceReport): Uint8Array {
  return encodeRlp([encodeEvidence(evidence), hexToBytes(reporter)]);
}

/** Reads exactly one report; whether it proves anything, `judge` says. */
export function decodeReport(bytes: Uint8Array): Outcome<EvidenceReport, RlpRefusal> {
  const item = decodeRlp(bytes);
  if (!item.ok) return item;
  const reader = new RlpReader("report");
  const fields = reader.list(item.value, 2);
  const inner = reader.bytes(fields[0], evidenceBytesMax);
  const reporter = bytesToAddress(reader.fixed(fields[1], 20));
  if (reader.refusal !== null) return { ok: false, refusal: reader.refusal };
  const evidence = decodeEvidence(inner);
  return evidence.ok ? reader.outcome({ evidence: evidence.value, reporter }) : evidence;
}

/** The name of a piece of evidence, whoever reports it. */
export function evidenceHash(evidence: Evidence): Digest {
  return keccakDigest(encodeEvidence(evidence));
}
