import type { Address, Verified } from "../base/brand.ts";
import { bytesToAddress } from "../base/bytes.ts";
import { recoverAddress, recoverAddressBytes } from "./secp256k1.ts";

/*
 * The only maker of `Verified<T>`: past this file the type says that signatures were checked, and
 * nobody checks again.
 */

export type { Verified } from "../base/brand.ts";

/** One secp256k1 signature to check: it must recover `address` from one of the digests. */
export type SignatureClaim = {
  /** 32-byte digests that count, in order of trial. */
  readonly digests: readonly Uint8Array[];
  /** Further ones, made only where those settle nothing. */
  readonly otherDigests?: () => readonly Uint8Array[];
  /** `r || s || v`, 65 bytes. */
  readonly signature: Uint8Array;
  /** `null`: whoever it recovers is the signer. */
  readonly address: Address | null;
};

/**
 * Who made the signature; `null` if it is not canonical or not by the address that the claim names.
 */
export function signerOf(claim: SignatureClaim): Address | null {
  return signerFrom(claim, 0);
}

function signerFrom(claim: SignatureClaim, firstDigest: number): Address | null {
  const signer = signerOfAny(claim, claim.digests.slice(firstDigest));
  if (signer !== null || claim.otherDigests === undefined) return signer;
  return signerOfAny(claim, claim.otherDigests());
}

function signerOfAny(claim: SignatureClaim, digests: readonly Uint8Array[]): Address | null {
  for (const digest of digests) {
    const address = recoverAddress(digest, claim.signature);
    if (address !== null && (claim.address === null || address === claim.address)) return address;
  }
  return null;
}

/** The signers in the order of the claims; `null` if one claim does not hold. */
export function signersOf(claims: readonly SignatureClaim[]): readonly Address[] | null {
  const signers: Address[] = [];
  for (const claim of claims) {
    const signer = signerOf(claim);
    if (signer === null) return null;
    signers.push(signer);
  }
  return signers;
}

/**
 * Checks the claims and builds the value that they sign from the signers found; `null` if one
 * fails.
 */
export function verifySigned<T>(
  claims: readonly SignatureClaim[],
  build: (signers: readonly Address[]) => T,
): Verified<T> | null {
  const signers = signersOf(claims);
  return signers === null ? null : (build(signers) as Verified<T>);
}

/** The same with signers that a recovery pool found: one per claim, `null` where a claim failed. */
export function verifySignedBy<T>(
  found: readonly (Address | null)[],
  build: (signers: readonly Address[]) => T,
): Verified<T> | null {
  const signers: Address[] = [];
  for (const signer of found) {
    if (signer === null) return null;
    signers.push(signer);
  }
  return build(signers) as Verified<T>;
}

/** The value, if the check of its signatures holds (certificates, votes, proposals). */
export function verifiedBy<T>(check: (value: T) => boolean, value: T): Verified<T> | null {
  return check(value) ? (value as Verified<T>) : null;
}

/** The value of a check that was made on another thread or in a batch; `holds` is its verdict. */
export function verifiedWhen<T>(holds: boolean, value: T): Verified<T> | null {
  return holds ? (value as Verified<T>) : null;
}

/** What this process signed itself needs no check. */
export function verifiedOwn<T>(value: T): Verified<T> {
  return value as Verified<T>;
}

/*
 * Packed form for worker threads, where objects would cost more than the curve arithmetic they
 * carry.
 *
 *   record   digest (32) || r (32) || s (32) || v (1)     97 bytes
 *   answer   address (20); all zero where nothing is recovered
 */

/** Bytes of one packed record. */
export const recordSizeBytes = 97;

/** Bytes of one packed answer. */
export const answerSizeBytes = 20;

/**
 * One record per claim, with the claim's first digest; a signature of another size is left zero.
 */
export function packClaims(claims: readonly SignatureClaim[]): Uint8Array<ArrayBuffer> {
  const records = new Uint8Array(claims.length * recordSizeBytes);
  for (const [i, { digests, signature }] of claims.entries()) {
    const digest = digests[0];
    if (digest === undefined || digest.length !== 32 || signature.length !== 65) continue;
    records.set(digest, i * recordSizeBytes);
    records.set(signature, i * recordSizeBytes + 32);
  }
  return records;
}

/** Recovers each record; runs in worker threads. */
export function recoverRecords(records: Uint8Array): Uint8Array<ArrayBuffer> {
  const count = Math.floor(records.length / recordSizeBytes);
  const answers = new Uint8Array(count * answerSizeBytes);
  for (let i = 0; i < count; i += 1) {
    const record = records.subarray(i * recordSizeBytes, (i + 1) * recordSizeBytes);
    const address = recoverAddressBytes(record.subarray(0, 32), record.subarray(32));
    if (address !== null) answers.set(address, i * answerSizeBytes);
  }
  return answers;
}

function isZero(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i += 1) if (bytes[i] !== 0) return false;
  return true;
}

/**
 * The signer of each claim; those that their first digest does not settle are tried with the others
 * here.
 */
export function unpackSigners(
  claims: readonly SignatureClaim[],
  answers: Uint8Array,
): (Address | null)[] {
  return claims.map((claim, i) => {
    const answer = answers.subarray(i * answerSizeBytes, (i + 1) * answerSizeBytes);
    if (answer.length === answerSizeBytes && !isZero(answer)) {
      const address = bytesToAddress(answer);
      if (claim.address === null || claim.address === address) return address;
    }
    return signerFrom(claim, 1);
  });
}
