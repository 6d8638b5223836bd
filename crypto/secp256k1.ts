import { secp256k1 as noble } from "@noble/curves/secp256k1.js";
import { assert } from "../base/assert.ts";
import type { Address } from "../base/brand.ts";
import { bytesToAddress, hexToBytes } from "../base/bytes.ts";
import { keccak256 } from "./keccak.ts";
import type { Secp256k1Backend } from "./secp256k1Backend.ts";

/** Pure JavaScript: the fallback where no native binding loads, and the oracle in tests. */
export const javascriptSecp256k1: Secp256k1Backend = {
  name: "javascript",
  sign(digest, privateKey) {
    const recovered = noble.sign(digest, privateKey, {
      prehash: false,
      lowS: true,
      format: "recovered",
    });
    const signature = new Uint8Array(65);
    signature.set(recovered.subarray(1), 0);
    signature[64] = recovered[0] ?? 0;
    return signature;
  },
  recover(digest, signature) {
    const recovered = new Uint8Array(65);
    recovered[0] = signature[64] ?? 0;
    recovered.set(signature.subarray(0, 64), 1);
    try {
      return noble.Signature.fromBytes(recovered, "recovered")
        .recoverPublicKey(digest)
        .toBytes(false);
    } catch {
      return null; // Thrown where r is the x of no point.
    }
  },
  publicKey(privateKey) {
    return noble.getPublicKey(privateKey, false);
  },
};

async function loadNative(): Promise<Secp256k1Backend | null> {
  if (!("process" in globalThis)) return null; // A browser.
  try {
    return (await import("./secp256k1.node.ts")).nativeSecp256k1;
  } catch {
    return null; // No prebuilt binding for this platform: `secp256k1Backend` says so at start.
  }
}

/** The native binding, or `null` where it does not load. */
export const nativeSecp256k1OrNull: Secp256k1Backend | null = await loadNative();

const backend = nativeSecp256k1OrNull ?? javascriptSecp256k1;

/** Which implementation runs; both give the same bytes. */
export const secp256k1Backend: "native" | "javascript" = backend.name;

/** The order n of the group [SEC 2, 2.4.1], 32 bytes. */
const order = hexToBytes("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");

/** Half the order, rounded down: the greatest s of a low-s signature [EIP-2]. */
const halfOrder = hexToBytes("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0");

function isZero(bytes: Uint8Array, offset: number): boolean {
  for (let i = 0; i < 32; i += 1) if (bytes[offset + i] !== 0) return false;
  return true;
}

/** Compares 32 bytes at `offset` with `bound`; negative, zero or positive. */
function compareAt(bytes: Uint8Array, offset: number, bound: Uint8Array): number {
  for (let i = 0; i < 32; i += 1) {
    const difference = (bytes[offset + i] ?? 0) - (bound[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Whether 32 bytes are a private key: from 1 to n - 1. */
export function isPrivateKey(bytes: Uint8Array): boolean {
  return bytes.length === 32 && !isZero(bytes, 0) && compareAt(bytes, 0, order) < 0;
}

/**
 * Whether the bytes are `r || s || v` with 0 < r < n, 0 < s <= n / 2 and v 0 or 1: the one form we
 * take.
 */
export function isCanonicalSignature(signature: Uint8Array): boolean {
  return (
    signature.length === 65 &&
    (signature[64] ?? 2) <= 1 &&
    !isZero(signature, 0) &&
    compareAt(signature, 0, order) < 0 &&
    !isZero(signature, 32) &&
    compareAt(signature, 32, halfOrder) <= 0
  );
}

/** Signs a 32-byte digest: `r || s || v`, 65 bytes, nonce by RFC 6979, low s, v 0 or 1. */
export function signDigest(digest: Uint8Array, privateKey: Uint8Array): Uint8Array {
  assert(digest.length === 32, `a digest has 32 bytes, not ${digest.length}`);
  assert(isPrivateKey(privateKey), "not a private key");
  const signature = backend.sign(digest, privateKey);
  assert(
    isCanonicalSignature(signature),
    "the curve library gave a signature that is not canonical",
  );
  return signature;
}

/**
 * The public key (65 bytes, `04 || x || y`) that made a canonical signature; `null` if there is
 * none.
 */
export function recoverPublicKey(digest: Uint8Array, signature: Uint8Array): Uint8Array | null {
  assert(digest.length === 32, `a digest has 32 bytes, not ${digest.length}`);
  return isCanonicalSignature(signature) ? backend.recover(digest, signature) : null;
}

/**
 * As `recoverPublicKey`, but a high s is taken too: contracts may ask for any signature's key.
 * `null` if it is nobody's.
 */
export function recoverAnyPublicKey(digest: Uint8Array, signature: Uint8Array): Uint8Array | null {
  assert(digest.length === 32, `a digest has 32 bytes, not ${digest.length}`);
  assert(signature.length === 65 && (signature[64] ?? 2) <= 1, "a signature is r, s and 0 or 1");
  const inRange = (offset: number): boolean =>
    !isZero(signature, offset) && compareAt(signature, offset, order) < 0;
  return inRange(0) && inRange(32) ? backend.recover(digest, signature) : null;
}

/**
 * The address whose key made a canonical signature over a 32-byte digest; `null` if there is none.
 */
export function recoverAddress(digest: Uint8Array, signature: Uint8Array): Address | null {
  const address = recoverAddressBytes(digest, signature);
  return address === null ? null : bytesToAddress(address);
}

/** The same as 20 bytes. */
export function recoverAddressBytes(digest: Uint8Array, signature: Uint8Array): Uint8Array | null {
  const publicKey = recoverPublicKey(digest, signature);
  return publicKey === null ? null : addressBytesOf(publicKey);
}

/** The public key of a private key: 65 bytes, `04 || x || y`. */
export function publicKeyOf(privateKey: Uint8Array): Uint8Array {
  assert(isPrivateKey(privateKey), "not a private key");
  return backend.publicKey(privateKey);
}

/** The address of a public key (65 bytes): the last 20 bytes of the keccak of x and y. */
export function addressOfPublicKey(publicKey: Uint8Array): Address {
  return bytesToAddress(addressBytesOf(publicKey));
}

function addressBytesOf(publicKey: Uint8Array): Uint8Array {
  assert(publicKey.length === 65, `a public key has 65 bytes, not ${publicKey.length}`);
  return keccak256(publicKey.subarray(1)).subarray(12);
}

/** The address of a private key. */
export function addressOf(privateKey: Uint8Array): Address {
  return addressOfPublicKey(publicKeyOf(privateKey));
}
