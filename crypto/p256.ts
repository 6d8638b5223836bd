import { p256 } from "@noble/curves/nist.js";
import { bytesToBigInt } from "../base/bytes.ts";
import { verifyP256InJavascript } from "./p256Javascript.ts";

const { Fp, Fn } = p256.Point;
const { a, b } = p256.Point.CURVE();

type Verify = typeof verifyP256InJavascript;

async function loadVerify(): Promise<Verify> {
  if (!("process" in globalThis)) return verifyP256InJavascript; // A browser.
  return (await import("./p256.node.ts")).verifyP256Natively;
}

const verify = await loadVerify();

/**
 * Whether a signature (r and s, 64 bytes) of a digest of 32 bytes is of a key (x and y, 64 bytes)
 * on P-256 [EIP-7951]; false for numbers out of their range and for what is no point of the curve.
 * A high s is as good as a low one.
 */
export function verifyP256(digest: Uint8Array, signature: Uint8Array, key: Uint8Array): boolean {
  const r = bytesToBigInt(signature.subarray(0, 32));
  const s = bytesToBigInt(signature.subarray(32));
  if (r === 0n || r >= Fn.ORDER || s === 0n || s >= Fn.ORDER) return false;
  const x = bytesToBigInt(key.subarray(0, 32));
  const y = bytesToBigInt(key.subarray(32));
  if (x >= Fp.ORDER || y >= Fp.ORDER) return false;
  if ((y * y) % Fp.ORDER !== (x * x * x + a * x + b) % Fp.ORDER) return false;
  return verify(digest, signature, key);
}
