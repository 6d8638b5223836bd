/** A type that is told apart by name although its representation is shared. */
export type Brand<T, Name extends string> = T & { readonly __brand: Name };

/** A Keccak-256 digest: `0x` and 64 lowercase hex digits, so that `===` and `Map` work. */
export type Digest = Brand<string, "Digest">;

/**
 * An account address: `0x` and 40 lowercase hex digits. The checksum form (EIP-55) is for display
 * only.
 */
export type Address = Brand<string, "Address">;

/**
 * Its signatures and certificates were checked; the only maker is `crypto/verify.ts` (and tests).
 */
export type Verified<T> = Brand<T, "Verified">;
