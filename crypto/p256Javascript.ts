import { p256 } from "@noble/curves/nist.js";
import { concatBytes } from "../base/bytes.ts";

/** As `verifyP256`, by the pure implementation. */
export function verifyP256InJavascript(
  digest: Uint8Array,
  signature: Uint8Array,
  key: Uint8Array,
): boolean {
  const uncompressed = concatBytes(Uint8Array.of(4), key);
  return p256.verify(signature, digest, uncompressed, { lowS: false, prehash: false });
}
