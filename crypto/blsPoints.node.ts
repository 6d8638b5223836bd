import { aggregatePublicKeys, aggregateSignatures, PublicKey, Signature } from "@chainsafe/blst";

/*
 * Sums by blst's binding, which knows points of G1 as public keys and points of G2 as signatures,
 * in its uncompressed form. It sees that each is on the curve, and nothing else unless asked.
 */

/** The sum of two points of G1, 96 bytes each; throws if one of them is none. */
export function addG1Natively(a: Uint8Array, b: Uint8Array): Uint8Array {
  return aggregatePublicKeys([PublicKey.fromBytes(a), PublicKey.fromBytes(b)]).toBytes(false);
}

/** The sum of two points of G2, 192 bytes each; throws if one of them is none. */
export function addG2Natively(a: Uint8Array, b: Uint8Array): Uint8Array {
  return aggregateSignatures([Signature.fromBytes(a), Signature.fromBytes(b)]).toBytes(false);
}
