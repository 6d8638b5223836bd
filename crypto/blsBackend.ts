/**
 * A validated BLS public key: on the curve, in the subgroup, not infinity. The parsed point stays
 * with the backend that made it: parsing 48 bytes again costs 24 times an addition, validating 92
 * times.
 */
export type BlsPublicKey = {
  /** Compressed point of G1, 48 bytes. */
  readonly bytes: Uint8Array;
};

/** One signature by one key over one message. */
export type BlsClaim = {
  readonly key: BlsPublicKey;
  readonly message: Uint8Array;
  /** Compressed point of G2, 96 bytes. */
  readonly signature: Uint8Array;
};

/**
 * What a BLS12-381 library must do; keys in G1, signatures in G2. Bad points are refused, never
 * thrown.
 */
export interface BlsBackend {
  readonly name: "native" | "javascript";
  /** Compressed public key of a valid secret key. */
  publicKey(secretKey: Uint8Array): Uint8Array;
  /** Compressed signature, 96 bytes. */
  sign(message: Uint8Array, secretKey: Uint8Array): Uint8Array;
  /** Parses and validates 48 bytes; `null` if they are not a key. */
  parsePublicKey(bytes: Uint8Array): BlsPublicKey | null;
  /** Sum of the keys; `null` if there is none or the sum is infinity. */
  aggregatePublicKeys(keys: readonly BlsPublicKey[]): BlsPublicKey | null;
  /**
   * Sum of the signatures, each validated; `null` if one is bad, there is none, or the sum is
   * infinity.
   */
  aggregateSignatures(signatures: readonly Uint8Array[]): Uint8Array | null;
  /** Whether `signature` is of `key` over `message`; the signature is validated. */
  verify(claim: BlsClaim): boolean;
  /** Whether `signature` aggregates one signature per key over the message of the same index. */
  verifyDiffering(
    keys: readonly BlsPublicKey[],
    messages: readonly Uint8Array[],
    signature: Uint8Array,
  ): boolean;
  /** Whether all claims hold; says nothing of which one does not. */
  verifyBatch(claims: readonly BlsClaim[]): boolean;
}
