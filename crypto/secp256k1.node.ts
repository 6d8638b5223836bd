import bindings from "secp256k1/bindings.js";
import type { Secp256k1Backend } from "./secp256k1Backend.ts";

/** libsecp256k1 through its prebuilt binding; importing this file throws where there is none. */
export const nativeSecp256k1: Secp256k1Backend = {
  name: "native",
  sign(digest, privateKey) {
    const signature = new Uint8Array(65);
    const { recid } = bindings.ecdsaSign(digest, privateKey, {}, signature.subarray(0, 64));
    signature[64] = recid;
    return signature;
  },
  recover(digest, signature) {
    try {
      return bindings.ecdsaRecover(signature.subarray(0, 64), signature[64] ?? 0, digest, false);
    } catch {
      return null; // The binding throws where r is the x of no point.
    }
  },
  publicKey(privateKey) {
    return bindings.publicKeyCreate(privateKey, false);
  },
};
