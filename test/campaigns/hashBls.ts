import { createHash } from "node:crypto";
import { bytesToHexDigits, equalBytes } from "../../base/bytes.ts";
import type { BlsBackend, BlsPublicKey } from "../../crypto/blsBackend.ts";

/*
 * Signatures of one process that cost microseconds, for runs of many blocks: hashes under secrets
 * that this module remembers by their public keys, added by exclusive or. Whoever is not in the
 * process cannot be verified. Takes the place of `crypto/bls.node.ts` (./soakHooks.ts).
 */

const secrets = new Map<string, Uint8Array>();
/** The secrets behind a key, or behind a sum of keys. */
const members = new WeakMap<BlsPublicKey, readonly Uint8Array[]>();

function digest(kind: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha512").update(kind);
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function publicKey(secretKey: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(digest("public key", secretKey).subarray(0, 48));
  secrets.set(bytesToHexDigits(bytes), secretKey.slice());
  return bytes;
}

function sign(message: Uint8Array, secretKey: Uint8Array): Uint8Array {
  const signature = new Uint8Array(96);
  const first = digest("signature", secretKey, message);
  signature.set(first);
  signature.set(first.subarray(0, 32), 64);
  return signature;
}

function sumOf(parts: readonly Uint8Array[], size: number): Uint8Array {
  const sum = new Uint8Array(size);
  for (const part of parts)
    for (let i = 0; i < size; i += 1) sum[i] = (sum[i] ?? 0) ^ (part[i] ?? 0);
  return sum;
}

function isOf(key: BlsPublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  return isSum([{ key, message }], signature);
}

function isSum(
  parts: readonly { readonly key: BlsPublicKey; readonly message: Uint8Array }[],
  signature: Uint8Array,
): boolean {
  const signatures = parts.flatMap(({ key, message }) =>
    (members.get(key) ?? []).map((secret) => sign(message, secret)),
  );
  return equalBytes(sumOf(signatures, 96), signature);
}

/** Exported under the name of what it stands in for. */
export const nativeBls: BlsBackend = {
  name: "native",
  publicKey,
  sign,
  parsePublicKey(bytes) {
    const secret = secrets.get(bytesToHexDigits(bytes));
    if (secret === undefined) return null;
    const key: BlsPublicKey = { bytes: bytes.slice() };
    members.set(key, [secret]);
    return key;
  },
  aggregatePublicKeys(keys) {
    if (keys.length === 0) return null;
    const sum: BlsPublicKey = {
      bytes: sumOf(
        keys.map(({ bytes }) => bytes),
        48,
      ),
    };
    members.set(
      sum,
      keys.flatMap((key) => members.get(key) ?? []),
    );
    return sum;
  },
  aggregateSignatures(signatures) {
    const isRight = signatures.length > 0 && signatures.every(({ length }) => length === 96);
    return isRight ? sumOf(signatures, 96) : null;
  },
  verify: ({ key, message, signature }) => isOf(key, message, signature),
  verifyDiffering(keys, messages, signature) {
    const empty = new Uint8Array(0);
    return isSum(
      keys.map((key, i) => ({ key, message: messages[i] ?? empty })),
      signature,
    );
  },
  verifyBatch: (claims) =>
    claims.every(({ key, message, signature }) => isOf(key, message, signature)),
};
