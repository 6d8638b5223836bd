import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Digest } from "../base/brand.ts";
import { bytesToAddress, bytesToDigest } from "../base/bytes.ts";
import type { Outcome } from "../base/outcome.ts";
import { encodeRlp, rlpNumber, type RlpRefusal } from "../base/rlp.ts";
import {
  certificateToRlp,
  decodeCertificate,
  decodeCommittee,
  decodeSafetyRecord,
  decodeSignedProposal,
  decodeSignedTimeout,
  decodeSignedVote,
  decodeTimeoutCertificate,
  encodeCertificate,
  encodeCommittee,
  encodeSafetyRecord,
  encodeSignedProposal,
  encodeSignedTimeout,
  encodeSignedVote,
  encodeTimeoutCertificate,
} from "./codec.ts";
import { decodeEvidence, encodeEvidence } from "./evidence.ts";
import { signersOf } from "./signers.ts";
import type { Certificate, Evidence, TimeoutCertificate } from "./types.ts";

const digests: fc.Arbitrary<Digest> = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map(bytesToDigest);
const signatures = fc.uint8Array({ minLength: 96, maxLength: 96 });
const bitmaps = fc
  .uint8Array({ minLength: 1, maxLength: 4 })
  .filter((bitmap) => bitmap.some((byte) => byte !== 0));
const epochs = fc.maxSafeNat();
const signers = fc.nat(255);

function certificates(epoch: number, viewMax: number): fc.Arbitrary<Certificate> {
  const views = fc.integer({ min: 1, max: viewMax });
  return fc
    .tuple(views, fc.nat(), digests, bitmaps, signatures)
    .map(([view, parent, block, bitmap, signature]) => {
      return { epoch, view, block, parentView: parent % view, signers: bitmap, signature };
    });
}

const votes = fc.record({
  vote: fc
    .tuple(epochs, fc.integer({ min: 1 }), digests, fc.nat())
    .map(([epoch, view, block, parent]) => ({ epoch, view, block, parentView: parent % view })),
  signer: signers,
  signature: signatures,
});

const proposals = fc.record({
  statement: fc.record({ epoch: epochs, view: fc.integer({ min: 1 }), block: digests }),
  signer: signers,
  signature: signatures,
});

const timeoutCertificates: fc.Arbitrary<TimeoutCertificate> = fc
  .tuple(certificates(7, 99), bitmaps, signatures)
  .map(([highCertificate, bitmap, signature]) => {
    const highViews = signersOf(bitmap).map((_, i) => (i === 0 ? highCertificate.view : 0));
    const view = 100;
    return { epoch: 7, view, highViews, highCertificate, signers: bitmap, signature };
  });

const timeouts = fc
  .tuple(timeoutCertificates, signers, signatures)
  .map(([entryCertificate, signer, signature]) => ({
    timeout: {
      epoch: 7,
      view: 101,
      highCertificate: entryCertificate.highCertificate,
      entryCertificate,
    },
    signer,
    signature,
  }));

const timeoutStatements = fc.record({
  statement: fc.record({ epoch: epochs, view: fc.constant(9), highView: fc.nat(8) }),
  signer: signers,
  signature: signatures,
});

const evidence: fc.Arbitrary<Evidence> = fc.oneof(
  fc.record({ type: fc.constant("doubleVote" as const), first: votes, second: votes }),
  fc.record({ type: fc.constant("doubleProposal" as const), first: proposals, second: proposals }),
  fc.record({
    type: fc.constant("doubleTimeout" as const),
    first: timeoutStatements,
    second: timeoutStatements,
  }),
  fc.record({
    type: fc.constant("timeoutDeniesVote" as const),
    vote: votes,
    timeout: timeoutStatements,
  }),
  fc.record({
    type: fc.constant("conflictingCertificates" as const),
    first: certificates(3, 50),
    second: certificates(3, 50),
  }),
);

const committees = fc
  .tuple(
    epochs,
    fc.uniqueArray(fc.nat(255), { minLength: 1, maxLength: 31 }),
    fc.bigInt({ min: 1n, max: (1n << 256n) - 1n }),
  )
  .map(([epoch, bytes, stake]) => ({
    epoch,
    validators: bytes
      .toSorted((a, b) => a - b)
      .map((byte) => ({
        address: bytesToAddress(new Uint8Array(20).fill(byte)),
        blsKey: new Uint8Array(48).fill(byte),
        stake,
      })),
  }));

const records = fc
  .tuple(certificates(7, 99), timeouts, votes, proposals, fc.boolean())
  .map(([highCertificate, { timeout }, { vote }, { statement }, isEmpty]) => ({
    epoch: 7,
    votedView: 101,
    lockView: 3,
    highCertificate,
    vote: isEmpty ? null : vote,
    timeout: isEmpty ? null : timeout,
    proposal: isEmpty ? null : statement,
  }));

/**
 * What is encoded decodes to the same; what is decoded from changed bytes encodes to those bytes.
 */
function checkCodec<T>(
  values: fc.Arbitrary<T>,
  encode: (value: T) => Uint8Array,
  decode: (bytes: Uint8Array) => Outcome<T, RlpRefusal>,
): void {
  fc.assert(
    fc.property(values, fc.nat(), fc.nat(255), (value, at, byte) => {
      const bytes = encode(value);
      const decoded = decode(bytes);
      expect(decoded).toEqual({ ok: true, value });
      const changed = bytes.slice();
      changed[at % bytes.length] = byte;
      for (const mutated of [changed, bytes.subarray(0, at % bytes.length)]) {
        const again = decode(mutated);
        expect(again.ok ? encode(again.value) : mutated.slice()).toEqual(mutated.slice());
      }
    }),
    { numRuns: 300 },
  );
}

describe("canonical encodings, both ways", () => {
  it("certificate", () => checkCodec(certificates(7, 99), encodeCertificate, decodeCertificate));
  it("timeout certificate", () => {
    checkCodec(timeoutCertificates, encodeTimeoutCertificate, decodeTimeoutCertificate);
  });
  it("vote", () => checkCodec(votes, encodeSignedVote, decodeSignedVote));
  it("timeout", () => checkCodec(timeouts, encodeSignedTimeout, decodeSignedTimeout));
  it("proposal", () => checkCodec(proposals, encodeSignedProposal, decodeSignedProposal));
  it("committee", () => checkCodec(committees, encodeCommittee, decodeCommittee));
  it("safety record", () => checkCodec(records, encodeSafetyRecord, decodeSafetyRecord));
  it("evidence", () => checkCodec(evidence, encodeEvidence, decodeEvidence));
});

describe("decoders refuse", () => {
  it("K25: an epoch or view at 2^53 and at 2^64 - 1", () => {
    const [certificate] = fc.sample(certificates(7, 99), 1);
    if (certificate === undefined) return;
    const fields = certificateToRlp(certificate);
    if (fields instanceof Uint8Array) return;
    const largest = rlpNumber(Number.MAX_SAFE_INTEGER);
    const beyond = [Uint8Array.of(0x20, 0, 0, 0, 0, 0, 0), new Uint8Array(8).fill(0xff)];
    for (const place of [0, 1, 3]) {
      for (const number of beyond) {
        expect(decodeCertificate(encodeRlp(fields.with(place, number))).ok).toBe(false);
      }
    }
    expect(decodeCertificate(encodeRlp(fields.with(0, largest))).ok).toBe(true);
  });

  it("a committee out of order, empty, or with a stake of zero", () => {
    const [committee] = fc.sample(committees, 1);
    if (committee === undefined) return;
    const { epoch, validators } = committee;
    const [first] = validators;
    if (first === undefined) return;
    const decodes = (list: typeof validators) =>
      decodeCommittee(encodeCommittee({ epoch, validators: list })).ok;
    expect(decodes([])).toBe(false);
    expect(decodes([first, first])).toBe(false);
    expect(decodes([{ ...first, stake: 0n }])).toBe(false);
  });
});
