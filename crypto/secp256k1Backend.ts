/** What a curve library must do. Arguments are checked already: sizes, ranges, low s, v 0 or 1. */
export interface Secp256k1Backend {
  readonly name: "native" | "javascript";
  /** RFC 6979 nonce, low s; `r || s || v`. */
  sign(digest: Uint8Array, privateKey: Uint8Array): Uint8Array;
  /** 65 bytes `04 || x || y`; `null` if no point has that signature. */
  recover(digest: Uint8Array, signature: Uint8Array): Uint8Array | null;
  /** 65 bytes `04 || x || y`. */
  publicKey(privateKey: Uint8Array): Uint8Array;
}
