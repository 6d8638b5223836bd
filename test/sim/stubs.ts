import type { Address, Digest } from "../../base/brand.ts";
import { bytesToAddress, bytesToDigest, equalBytes } from "../../base/bytes.ts";
import type { AggregateVerifier } from "../../consensus/certificateCheck.ts";
import { blsKeySize, blsSignatureSize } from "../../consensus/codec.ts";

/*
 * Keyed hashes in place of BLS: a signature is bound to (key, message), an aggregate is the sum of
 * its parts and can be checked against keys and messages only. So a simulated signature fails where
 * a real one would, and costs a microsecond.
 */

const seeds = [0x9e3779b9, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f] as const;

/** 128 bits of a hash of the bytes, as four lanes; not for cryptography. */
function lanesOf(bytes: Uint8Array, salt: number): [number, number, number, number] {
  let a: number = seeds[0] ^ salt;
  let b: number = seeds[1] + salt;
  let c: number = seeds[2] ^ bytes.length;
  let d: number = seeds[3];
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i] ?? 0;
    a = Math.imul(a ^ byte, 0x01000193) + d;
    b = Math.imul(b ^ a, 0x85ebca6b) + byte;
    c = Math.imul(c + (b >>> 7), 0x27d4eb2f) ^ a;
    d = Math.imul(d ^ (c >>> 11), 0x165667b1) + b;
  }
  for (let i = 0; i < 4; i += 1) {
    a = Math.imul(a ^ (d >>> 15), 0x2c1b3c6d);
    b = Math.imul(b ^ (a >>> 13), 0x297a2d39);
    c = Math.imul(c ^ (b >>> 16), 0x7feb352d);
    d = Math.imul(d ^ (c >>> 15), 0x846ca68b);
  }
  return [a >>> 0, b >>> 0, c >>> 0, d >>> 0];
}

/** A 256-bit hash for simulated leaders and blocks. */
export function stubHash(bytes: Uint8Array): Uint8Array {
  const hash = new Uint8Array(32);
  const words = new DataView(hash.buffer);
  lanesOf(bytes, 1).forEach((lane, i) => words.setUint32(i * 4, lane));
  lanesOf(bytes, 2).forEach((lane, i) => words.setUint32(16 + i * 4, lane));
  return hash;
}

const encoder = new TextEncoder();

/** The digest of a text that names a thing completely. */
export function stubDigest(text: string): Digest {
  return bytesToDigest(stubHash(encoder.encode(text)));
}

/** The public key of identity `i`; the secret is the same number. */
export function stubKey(identity: number): Uint8Array {
  const key = new Uint8Array(blsKeySize);
  new DataView(key.buffer).setUint32(0, identity + 1);
  return key;
}

/** The identity behind a member's key; -1 for no member. */
export function identityOf(member: { readonly blsKey: Uint8Array } | undefined): number {
  return member === undefined ? -1 : keyNumber(member.blsKey) - 1;
}

/** The address of identity `i`; ascending, as committees are. */
export function stubAddress(identity: number): Address {
  const address = new Uint8Array(20);
  new DataView(address.buffer).setUint32(16, identity + 1);
  return bytesToAddress(address);
}

function keyNumber(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset).getUint32(0);
}

type Lanes = readonly [number, number, number, number];

/**
 * What a key makes of a message's hash: different for each key, and not to be had from another's.
 */
function keyed([a, b, c, d]: Lanes, identity: number): Lanes {
  const key = Math.imul(identity + 1, 0x9e3779b1);
  const mix = (lane: number, salt: number): number => {
    let mixed = Math.imul(lane ^ key ^ salt, 0x2c1b3c6d);
    mixed = Math.imul(mixed ^ (mixed >>> 15) ^ key, 0x297a2d39);
    return (mixed ^ (mixed >>> 13)) >>> 0;
  };
  return [mix(a, 1), mix(b, 2), mix(c, 3), mix(d, 4)];
}

function lanesToSignature(lanes: Lanes): Uint8Array {
  const signature = new Uint8Array(blsSignatureSize);
  const words = new DataView(signature.buffer);
  lanes.forEach((lane, i) => words.setUint32(i * 4, lane));
  return signature;
}

/** Signs with the key of an identity. */
export function stubSign(identity: number, message: Uint8Array): Uint8Array {
  return lanesToSignature(keyed(lanesOf(message, 0), identity));
}

/** Adds signatures up, lane by lane. */
export function stubAggregate(signatures: readonly Uint8Array[]): Uint8Array {
  const sum = new Uint8Array(blsSignatureSize);
  const words = new DataView(sum.buffer);
  for (const signature of signatures) {
    const part = new DataView(signature.buffer, signature.byteOffset);
    for (let at = 0; at < 16; at += 4) {
      words.setUint32(at, (words.getUint32(at) + part.getUint32(at)) >>> 0);
    }
  }
  return sum;
}

/** Checks an aggregate by adding up what each key would have signed. */
export const stubVerify: AggregateVerifier = (groups, signature) => {
  let [a, b, c, d] = [0, 0, 0, 0];
  for (const { keys, message } of groups) {
    const lanes = lanesOf(message, 0);
    for (const key of keys) {
      const part = keyed(lanes, keyNumber(key) - 1);
      a = (a + part[0]) >>> 0;
      b = (b + part[1]) >>> 0;
      c = (c + part[2]) >>> 0;
      d = (d + part[3]) >>> 0;
    }
  }
  return equalBytes(lanesToSignature([a, b, c, d]), signature);
};
