import type { Address } from "../base/brand.ts";
import { assert } from "../base/assert.ts";
import { bigIntToFixedBytes, bytesToBigInt, concatBytes, equalBytes } from "../base/bytes.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { signerOf } from "../crypto/verify.ts";
import { incrementDigest } from "./typedVoucher.ts";
import type { SignedVoucher, Voucher, VoucherChain, VoucherSigner } from "./voucher.ts";

/*
 * Increments: vouchers for the price of a hash (PayWord [Rivest, Shamir 1996]). The payer signs
 * once where a hash chain starts: a voucher of the amount so far, the chain's anchor, and what each
 * step adds. Then each preimage, shown in turn, is worth one step more, and only the payer can show
 * it. A voucher carries in the place of its signature
 *
 *   signature (65) || token (32) || step (32) || count (2)
 *
 * where `count` times the hash of the token is the anchor, and its amount is the one at the start
 * and `count` steps. So it is a voucher like any other: the newest is kept, and the chain pays it.
 */

/** Bytes that an increment has in the place of a signature. */
export const incrementProofBytes = 131;

/** Steps along one chain: what checking a voucher may cost in hashes. */
export const incrementsMax = 1_024;

const signatureBytes = 65;
const tokenBytes = 32;

/** What an increment is proven by. */
export type IncrementProof = {
  /** Over the start: `r || s || v`. */
  readonly signature: Uint8Array;
  /** 32 bytes; the anchor itself where no step was taken. */
  readonly token: Uint8Array;
  /** TFuelWei that each step adds; above 0. */
  readonly step: bigint;
  /** Steps taken. */
  readonly count: number;
};

/** The bytes that stand in the place of a signature. */
export function encodeIncrement({ signature, token, step, count }: IncrementProof): Uint8Array {
  assert(count <= incrementsMax && token.length === tokenBytes, "a step of a chain");
  const steps = bigIntToFixedBytes(BigInt(count), 2);
  const bytes = concatBytes(signature, token, bigIntToFixedBytes(step, 32), steps);
  assert(bytes.length === incrementProofBytes, "an increment has 131 bytes");
  return bytes;
}

/** Reads what `encodeIncrement` gives; `null` if no amount could be proven by it. */
export function decodeIncrement(bytes: Uint8Array): IncrementProof | null {
  if (bytes.length !== incrementProofBytes) return null;
  const stepStart = signatureBytes + tokenBytes;
  const step = bytesToBigInt(bytes.subarray(stepStart, stepStart + 32));
  const count = incrementCount(bytes);
  if (step === 0n || count > incrementsMax) return null;
  const token = bytes.subarray(signatureBytes, stepStart);
  return { signature: bytes.subarray(0, signatureBytes), token, step, count };
}

/** Hashes that a voucher's proof takes to check; 0 for a plain signature. */
export function incrementCount(proof: Uint8Array): number {
  if (proof.length !== incrementProofBytes) return 0;
  return ((proof[incrementProofBytes - 2] ?? 0) << 8) | (proof[incrementProofBytes - 1] ?? 0);
}

/** The payer of an increment, if the chain and its signature hold; `null` if not. */
export function incrementVoucherPayer(voucher: SignedVoucher, chain: VoucherChain): Address | null {
  const proof = decodeIncrement(voucher.signature);
  if (proof === null) return null;
  const amount = voucher.amount - proof.step * BigInt(proof.count);
  if (amount < 0n) return null;
  const anchor = hashed(proof.token, proof.count);
  const digests = [incrementDigest({ ...voucher, amount }, { anchor, step: proof.step }, chain)];
  return signerOf({ digests, signature: proof.signature, address: voucher.source });
}

function hashed(token: Uint8Array, times: number): Uint8Array {
  let hash = token;
  for (let i = 0; i < times; i += 1) hash = keccak256(hash);
  return hash;
}

/** How many hashes lead from a token back to an older one, up to `most`; `null` if none do. */
export function stepsBetween(older: Uint8Array, token: Uint8Array, most: number): number | null {
  let hash = token;
  for (let steps = 1; steps <= most; steps += 1) {
    hash = keccak256(hash);
    if (equalBytes(hash, older)) return steps;
  }
  return null;
}

/** A payer's chain: made whole from 32 secret bytes, shown from the anchor on. */
export class IncrementChain {
  readonly step: bigint;
  readonly signature: Uint8Array;
  readonly #tokens: readonly Uint8Array[];
  #count = 0;

  /** Signs a chain of `length` steps that starts at the voucher's amount. */
  constructor(
    start: Voucher,
    terms: { readonly step: bigint; readonly length: number; readonly secret: Uint8Array },
    by: { readonly chain: VoucherChain; readonly signer: VoucherSigner },
  ) {
    const { step, length, secret } = terms;
    assert(length >= 1 && length <= incrementsMax && step > 0n, "a chain of some steps");
    assert(secret.length === tokenBytes, "32 secret bytes");
    const tokens = [secret];
    for (let i = 0; i < length; i += 1) tokens.push(keccak256(tokens[i] ?? secret));
    this.#tokens = tokens.reverse();
    this.step = step;
    this.signature = by.signer.sign(incrementDigest(start, { anchor: this.token, step }, by.chain));
  }

  /** Steps that are left. */
  get left(): number {
    return this.#tokens.length - 1 - this.#count;
  }

  /** What was shown last. */
  get token(): Uint8Array {
    const token = this.#tokens[this.#count];
    assert(token !== undefined, "a chain has a token for each step");
    return token;
  }

  /** Takes the next step: from now on its token may be shown. */
  advance(): void {
    assert(this.left > 0, "a chain was used up");
    this.#count += 1;
  }

  /** The proof of all steps taken. */
  get proof(): Uint8Array {
    const { signature, token, step } = this;
    return encodeIncrement({ signature, token, step, count: this.#count });
  }
}
