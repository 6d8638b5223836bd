import { p256 } from "@noble/curves/nist.js";
import { createECDH, createPublicKey, verify } from "node:crypto";
import { bigIntToFixedBytes, bytesToBigInt, bytesToHexDigits } from "../base/bytes.ts";
import { verifyP256InJavascript } from "./p256Javascript.ts";

/*
 * P-256 by Node's own library, which verifies messages and not digests: it hashes them itself. With
 * R = (z / s) G + (r / s) Q, a digest z under key Q is as good as the digest y of any message under
 * key Q + ((z - y) / r) G; so one point is added, and a fixed message is verified.
 */

const { Point } = p256;
const { Fn } = Point;

const message = new Uint8Array(0);

/** SHA-256 of the message. */
const messageDigest = Fn.create(
  BigInt("0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
);

/** SubjectPublicKeyInfo of an uncompressed key on this curve, up to the key [RFC 5480]. */
const keyPrefix = "3059301306072a8648ce3d020106082a8648ce3d030107034200";

const multiplier = createECDH("prime256v1");

/** A multiple of the base, of at least once. */
function ofBase(scalar: bigint): InstanceType<typeof Point> {
  multiplier.setPrivateKey(bigIntToFixedBytes(scalar, 32));
  const bytes = multiplier.getPublicKey();
  return Point.fromAffine({
    x: bytesToBigInt(bytes.subarray(1, 33)),
    y: bytesToBigInt(bytes.subarray(33)),
  });
}

/**
 * Whether a signature (r and s, 64 bytes) of a digest is of a key (x and y, 64 bytes). The caller
 * has seen that the key is on the curve, and that r and s are from 1 to n - 1.
 */
export function verifyP256Natively(
  digest: Uint8Array,
  signature: Uint8Array,
  key: Uint8Array,
): boolean {
  const r = bytesToBigInt(signature.subarray(0, 32));
  const difference = Fn.sub(Fn.create(bytesToBigInt(digest)), messageDigest);
  const shift = Fn.mul(difference, Fn.inv(r));
  let shifted = Point.fromAffine({
    x: bytesToBigInt(key.subarray(0, 32)),
    y: bytesToBigInt(key.subarray(32)),
  });
  if (shift !== 0n) shifted = shifted.add(ofBase(shift));
  // Then R is a multiple of the base alone, and there is no key to verify with.
  if (shifted.is0()) return verifyP256InJavascript(digest, signature, key);
  const publicKey = createPublicKey({
    key: `${keyPrefix}${bytesToHexDigits(shifted.toBytes(false))}`,
    encoding: "hex",
    format: "der",
    type: "spki",
  });
  return verify("sha256", message, { key: publicKey, dsaEncoding: "ieee-p1363" }, signature);
}
