import { assert } from "../base/assert.ts";
import type { Address, Digest } from "../base/brand.ts";
import { bytesToBigInt, bytesToHexDigits, hexToBytes } from "../base/bytes.ts";
import { encodeRlp, rlpText } from "../base/rlp.ts";
import type { BlsBackend, BlsClaim, BlsPublicKey } from "./blsBackend.ts";
import { createJavascriptBls } from "./blsJavascript.ts";

/*
 * BLS signatures over BLS12-381 with public keys in G1 (48 bytes) and signatures in G2 (96 bytes),
 * the proof-of-possession ciphersuite of draft-irtf-cfrg-bls-signature-05 with the hashing of RFC
 * 9380. Infinity is refused wherever it can appear, keys and signatures are checked to be in the
 * subgroup, and an aggregate that sums to infinity is refused, so keys that cancel each other prove
 * nothing.
 */

/** Ciphersuite of every signature of this program. */
export const blsCiphersuite = "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/** Ciphersuite of the standard proof of possession, as other chains check it. */
export const blsProofCiphersuite = "BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/** Starts the message of a bound proof; no signed statement starts so. */
export const blsProofTag = "ledger.proofOfPossession.1";

/** Order r of the subgroups. */
const order = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n;

/**
 * Pure JavaScript with the same bytes: the fallback where no binding loads, and the oracle in
 * tests.
 */
export const javascriptBls: BlsBackend = createJavascriptBls(blsCiphersuite);

const javascriptProofBls = createJavascriptBls(blsProofCiphersuite);

async function loadNative(): Promise<BlsBackend | null> {
  if (!("process" in globalThis)) return null; // A browser.
  try {
    return (await import("./bls.node.ts")).nativeBls;
  } catch {
    return null; // No prebuilt binding for this platform: `blsBackend` says so at start.
  }
}

/** The native binding, or `null` where it does not load. */
export const nativeBlsOrNull: BlsBackend | null = await loadNative();

const backend = nativeBlsOrNull ?? javascriptBls;

/** Which implementation runs; both give the same bytes. */
export const blsBackend: "native" | "javascript" = backend.name;

/** Whether 32 bytes are a secret key: from 1 to r - 1. */
export function isBlsSecretKey(bytes: Uint8Array): boolean {
  if (bytes.length !== 32) return false;
  const value = bytesToBigInt(bytes);
  return value > 0n && value < order;
}

/** The compressed public key (48 bytes) of a secret key. */
export function blsPublicKeyOf(secretKey: Uint8Array): Uint8Array {
  assert(isBlsSecretKey(secretKey), "not a BLS secret key");
  return backend.publicKey(secretKey);
}

/** Signs a message: a compressed point, 96 bytes, the same for the same key and message. */
export function blsSign(message: Uint8Array, secretKey: Uint8Array): Uint8Array {
  assert(isBlsSecretKey(secretKey), "not a BLS secret key");
  return backend.sign(message, secretKey);
}

/** Validated keys kept in memory: all validators and the guardians of a large network. */
export const blsKeysKeptMax = 16_384;

const keptKeys = new Map<string, BlsPublicKey>();

/**
 * Parses and validates a public key; `null` if the bytes are not one. Validation costs as much as
 * half a signature, so keys seen before are kept, the oldest dropped first.
 */
export function parseBlsPublicKey(bytes: Uint8Array): BlsPublicKey | null {
  if (bytes.length !== 48) return null;
  const name = bytesToHexDigits(bytes);
  const kept = keptKeys.get(name);
  if (kept !== undefined) return kept;
  const key = backend.parsePublicKey(bytes);
  if (key === null) return null;
  const oldest = keptKeys.size < blsKeysKeptMax ? undefined : keptKeys.keys().next().value;
  if (oldest !== undefined) keptKeys.delete(oldest);
  keptKeys.set(name, key);
  return key;
}

/** Whether `signature` is of `key` over `message`. */
export function blsVerify(key: BlsPublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  return backend.verify({ key, message, signature });
}

/**
 * Whether all claims hold: 3.5 times faster than one by one; on `false` look for the culprit
 * singly.
 */
export function blsVerifyBatch(claims: readonly BlsClaim[]): boolean {
  return backend.verifyBatch(claims);
}

/** Sum of the keys, a key may stand in the list several times; `null` for none or for infinity. */
export function aggregatePublicKeys(keys: readonly BlsPublicKey[]): BlsPublicKey | null {
  return backend.aggregatePublicKeys(keys);
}

/** Sum of the signatures, each validated; `null` for a bad one, for none, or for infinity. */
export function aggregateSignatures(signatures: readonly Uint8Array[]): Uint8Array | null {
  return backend.aggregateSignatures(signatures);
}

/** The sum of signatures that were each verified before: what the consensus core is given. */
export function aggregate(signatures: readonly Uint8Array[]): Uint8Array {
  const sum = backend.aggregateSignatures(signatures);
  assert(sum !== null, "verified signatures must have a sum");
  return sum;
}

/**
 * Whether `signature` aggregates one signature over `message` by each key; keys need proofs of
 * possession.
 */
export function verifyAggregate(
  keys: readonly BlsPublicKey[],
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const key = backend.aggregatePublicKeys(keys);
  return key !== null && backend.verify({ key, message, signature });
}

/** Whether `signature` aggregates, for each index, a signature of `keys[i]` over `messages[i]`. */
export function verifyAggregateDiffering(
  keys: readonly BlsPublicKey[],
  messages: readonly Uint8Array[],
  signature: Uint8Array,
): boolean {
  return keys.length === messages.length && backend.verifyDiffering(keys, messages, signature);
}

/**
 * Whether `signature` aggregates, for each group, a signature over its message by each of its keys;
 * `false` too where a key is no point. Keys need proofs of possession.
 */
export function verifyGroups(
  groups: readonly { readonly keys: readonly Uint8Array[]; readonly message: Uint8Array }[],
  signature: Uint8Array,
): boolean {
  const keys: BlsPublicKey[] = [];
  const messages: Uint8Array[] = [];
  for (const group of groups) {
    const parsed = group.keys.map(parseBlsPublicKey).filter((key) => key !== null);
    const sum = parsed.length === group.keys.length ? aggregatePublicKeys(parsed) : null;
    if (sum === null) return false;
    keys.push(sum);
    messages.push(group.message);
  }
  return verifyAggregateDiffering(keys, messages, signature);
}

/** What a proof of possession is for: one key of one holder on one chain. */
export type BlsProofSubject = {
  readonly holder: Address;
  readonly genesis: Digest;
};

function proofMessage(subject: BlsProofSubject, publicKey: Uint8Array): Uint8Array {
  return encodeRlp([
    rlpText(blsProofTag),
    hexToBytes(subject.genesis),
    hexToBytes(subject.holder),
    publicKey,
  ]);
}

/**
 * Proves knowledge of a key to one chain for one holder, so that nobody can register it as theirs.
 */
export function proveBlsPossession(subject: BlsProofSubject, secretKey: Uint8Array): Uint8Array {
  return blsSign(proofMessage(subject, blsPublicKeyOf(secretKey)), secretKey);
}

/** Checks a bound proof of possession. */
export function verifyBlsPossession(
  subject: BlsProofSubject,
  key: BlsPublicKey,
  proof: Uint8Array,
): boolean {
  return blsVerify(key, proofMessage(subject, key.bytes), proof);
}

/**
 * The standard proof (PopProve of the draft): bound to nothing, slow, for exchange with other
 * tools.
 */
export function proveBlsPossessionStandard(secretKey: Uint8Array): Uint8Array {
  return javascriptProofBls.sign(blsPublicKeyOf(secretKey), secretKey);
}

/** Checks a standard proof (PopVerify of the draft). */
export function verifyBlsPossessionStandard(key: BlsPublicKey, proof: Uint8Array): boolean {
  return javascriptProofBls.verify({ key, message: key.bytes, signature: proof });
}
