import {
  aggregatePublicKeys,
  aggregateSignatures,
  aggregateVerify,
  PublicKey,
  SecretKey,
  Signature,
  verify,
  verifyMultipleAggregateSignatures,
} from "@chainsafe/blst";
import { assert } from "../base/assert.ts";
import type { BlsBackend, BlsPublicKey } from "./blsBackend.ts";

// The binding is compiled for BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_ and throws on bad points.

const points = new WeakMap<BlsPublicKey, PublicKey>();

function keep(point: PublicKey): BlsPublicKey {
  const key: BlsPublicKey = { bytes: point.toBytes() };
  points.set(key, point);
  return key;
}

function pointOf(key: BlsPublicKey): PublicKey {
  let point = points.get(key);
  if (point === undefined) {
    point = PublicKey.fromBytes(key.bytes, true); // Parsed by the other backend, or copied.
    points.set(key, point);
  }
  return point;
}

/** A validated signature that is not infinity, or `null`. */
function parseSignature(bytes: Uint8Array): Signature | null {
  if (bytes.length !== 96) return null; // The uncompressed form of 192 bytes is not canonical.
  try {
    return Signature.fromBytes(bytes, true, true);
  } catch {
    return null;
  }
}

function isInfinity(compressed: Uint8Array): boolean {
  return ((compressed[0] ?? 0) & 0x40) !== 0;
}

/** blst through its prebuilt binding; importing this file throws where there is none. */
export const nativeBls: BlsBackend = {
  name: "native",
  publicKey(secretKey) {
    return SecretKey.fromBytes(secretKey).toPublicKey().toBytes();
  },
  sign(message, secretKey) {
    return SecretKey.fromBytes(secretKey).sign(message).toBytes();
  },
  parsePublicKey(bytes) {
    if (bytes.length !== 48) return null;
    try {
      return keep(PublicKey.fromBytes(bytes, true));
    } catch {
      return null;
    }
  },
  aggregatePublicKeys(keys) {
    if (keys.length === 0) return null;
    const sum = keep(aggregatePublicKeys(keys.map(pointOf)));
    return isInfinity(sum.bytes) ? null : sum;
  },
  aggregateSignatures(signatures) {
    const parsed: Signature[] = [];
    for (const bytes of signatures) {
      const signature = parseSignature(bytes);
      if (signature === null) return null;
      parsed.push(signature);
    }
    if (parsed.length === 0) return null;
    const sum = aggregateSignatures(parsed).toBytes();
    return isInfinity(sum) ? null : sum;
  },
  verify({ key, message, signature }) {
    const parsed = parseSignature(signature);
    return parsed !== null && verify(message, pointOf(key), parsed);
  },
  verifyDiffering(keys, messages, signature) {
    assert(keys.length === messages.length, `${keys.length} keys, ${messages.length} messages`);
    const parsed = parseSignature(signature);
    if (parsed === null || keys.length === 0) return false;
    return aggregateVerify([...messages], keys.map(pointOf), parsed);
  },
  verifyBatch(claims) {
    const sets: { msg: Uint8Array; pk: PublicKey; sig: Signature }[] = [];
    for (const { key, message, signature } of claims) {
      const parsed = parseSignature(signature);
      if (parsed === null) return false;
      sets.push({ msg: message, pk: pointOf(key), sig: parsed });
    }
    return sets.length === 0 || verifyMultipleAggregateSignatures(sets);
  },
};
