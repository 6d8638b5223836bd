import { bls12_381 } from "@noble/curves/bls12-381.js";
import { assert } from "../base/assert.ts";
import type { BlsBackend, BlsPublicKey } from "./blsBackend.ts";

const scheme = bls12_381.longSignatures;

type KeyPoint = ReturnType<typeof scheme.getPublicKey>;
type SignaturePoint = ReturnType<typeof scheme.hash>;

const points = new WeakMap<BlsPublicKey, KeyPoint>();

function keep(point: KeyPoint): BlsPublicKey {
  const key: BlsPublicKey = { bytes: point.toBytes(true) };
  points.set(key, point);
  return key;
}

function pointOf(key: BlsPublicKey): KeyPoint {
  let point = points.get(key);
  if (point === undefined) {
    point = bls12_381.G1.Point.fromBytes(key.bytes); // Parsed by the other backend, or copied.
    points.set(key, point);
  }
  return point;
}

function parseSignature(bytes: Uint8Array): SignaturePoint | null {
  if (bytes.length !== 96) return null;
  try {
    const point = bls12_381.G2.Point.fromBytes(bytes);
    point.assertValidity();
    return point.is0() || !point.isTorsionFree() ? null : point;
  } catch {
    return null; // Thrown for bytes that are no point.
  }
}

/**
 * Pure JavaScript for a ciphersuite; 25 to 50 times slower than blst. Fallback, and oracle in
 * tests.
 */
export function createJavascriptBls(ciphersuite: string): BlsBackend {
  const hash = (message: Uint8Array): SignaturePoint => scheme.hash(message, ciphersuite);
  return {
    name: "javascript",
    publicKey(secretKey) {
      return scheme.getPublicKey(secretKey).toBytes(true);
    },
    sign(message, secretKey) {
      return scheme.sign(hash(message), secretKey).toBytes(true);
    },
    parsePublicKey(bytes) {
      if (bytes.length !== 48) return null;
      try {
        const point = bls12_381.G1.Point.fromBytes(bytes);
        point.assertValidity();
        return point.is0() || !point.isTorsionFree() ? null : keep(point);
      } catch {
        return null;
      }
    },
    aggregatePublicKeys(keys) {
      if (keys.length === 0) return null;
      const sum = scheme.aggregatePublicKeys(keys.map(pointOf));
      return sum.is0() ? null : keep(sum);
    },
    aggregateSignatures(signatures) {
      const parsed: SignaturePoint[] = [];
      for (const bytes of signatures) {
        const point = parseSignature(bytes);
        if (point === null) return null;
        parsed.push(point);
      }
      if (parsed.length === 0) return null;
      const sum = scheme.aggregateSignatures(parsed);
      return sum.is0() ? null : sum.toBytes(true);
    },
    verify({ key, message, signature }) {
      const point = parseSignature(signature);
      return point !== null && scheme.verify(point, hash(message), pointOf(key));
    },
    verifyDiffering(keys, messages, signature) {
      assert(keys.length === messages.length, `${keys.length} keys, ${messages.length} messages`);
      const point = parseSignature(signature);
      if (point === null || keys.length === 0) return false;
      const items = keys.map((key, i) => ({
        publicKey: pointOf(key),
        message: hash(messages[i] ?? new Uint8Array(0)),
      }));
      return scheme.verifyBatch(point, items);
    },
    verifyBatch(claims) {
      return claims.every((claim) => this.verify(claim));
    },
  };
}
