import { expand, extract } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { assert } from "../base/assert.ts";
import { bigIntToFixedBytes, bytesToBigInt, concatBytes, textToBytes } from "../base/bytes.ts";
import { isBlsSecretKey } from "./bls.ts";
import { randomBytes } from "./kdf.ts";

/*
 * Trees of BLS keys from a seed of their own [EIP-2333], along the paths of EIP-2334. A child is
 * derived through a Lamport key of its parent, so a leaked child tells nothing of its siblings.
 */

/** Order r of the subgroups. */
const order = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n;

/** Fewest bytes of a seed. */
export const blsSeedBytesMin = 32;

function hashToSecretKey(material: Uint8Array): Uint8Array {
  const input = concatBytes(material, new Uint8Array(1));
  const info = new Uint8Array([0, 48]); // Length of the output, two bytes, after empty key_info.
  let salt = textToBytes("BLS-SIG-KEYGEN-SALT-");
  for (;;) {
    salt = sha256(salt);
    const output = expand(sha256, extract(sha256, input, salt), info, 48);
    const value = bytesToBigInt(output) % order;
    if (value !== 0n) return bigIntToFixedBytes(value, 32);
  }
}

/** The root of the tree of a seed (at least 32 bytes). */
export function deriveBlsMaster(seed: Uint8Array): Uint8Array {
  assert(seed.length >= blsSeedBytesMin, `a BLS seed has at least 32 bytes, not ${seed.length}`);
  return hashToSecretKey(seed);
}

function lamportChunks(material: Uint8Array, salt: Uint8Array): Uint8Array[] {
  const output = expand(sha256, extract(sha256, material, salt), new Uint8Array(0), 255 * 32);
  return Array.from({ length: 255 }, (_, i) => sha256(output.subarray(i * 32, i * 32 + 32)));
}

/** The child of a secret key at `index`, below 2^32. */
export function deriveBlsChild(parent: Uint8Array, index: number): Uint8Array {
  assert(isBlsSecretKey(parent), "not a BLS secret key");
  assert(Number.isInteger(index) && index >= 0 && index < 2 ** 32, `no index: ${index}`);
  const salt = bigIntToFixedBytes(BigInt(index), 4);
  const inverted = parent.map((byte) => byte ^ 0xff);
  const chunks = [...lamportChunks(parent, salt), ...lamportChunks(inverted, salt)];
  return hashToSecretKey(sha256(concatBytes(...chunks)));
}

/** The path of the signing key of an account, below 2^32 [EIP-2334]. */
export function blsSigningPath(account: number): string {
  return `m/12381/3600/${account}/0/0`;
}

/** The secret key of a seed along a path `m/a/b/…`; `null` if the path is not one. */
export function deriveBlsPath(seed: Uint8Array, path: string): Uint8Array | null {
  if (!/^m(\/\d{1,10}){0,16}$/.test(path)) return null;
  const indexes = path.split("/").slice(1).map(Number);
  if (indexes.some((index) => index >= 2 ** 32)) return null;
  return indexes.reduce(deriveBlsChild, deriveBlsMaster(seed));
}

/** A fresh secret key from a fresh seed of its own, never from another key. */
export function createBlsSecretKey(): Uint8Array {
  return deriveBlsMaster(randomBytes(32));
}
