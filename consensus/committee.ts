import { assert } from "../base/assert.ts";
import type { Address, Digest } from "../base/brand.ts";
import {
  bigIntToFixedBytes,
  bytesToBigInt,
  concatBytes,
  equalBytes,
  hexToBytes,
} from "../base/bytes.ts";
import type { Committee, Validator } from "./types.ts";

/** A 256-bit hash, handed in so that this folder depends on no implementation. */
export type Hash = (bytes: Uint8Array) => Uint8Array;

/** Whether `power` is more than two thirds of `total`. Exact: multiplies instead of dividing. */
export function isQuorum(power: bigint, total: bigint): boolean {
  return power * 3n > total * 2n;
}

/** Whether `power` is more than one third: at least one of its holders is honest. */
export function includesHonest(power: bigint, total: bigint): boolean {
  return power * 3n > total;
}

/** The whole stake of a committee, in ThetaWei. */
export function stakeTotal(committee: Committee): bigint {
  return committee.validators.reduce((sum, validator) => sum + validator.stake, 0n);
}

/** The member at an index that was checked before. */
export function validatorAt(committee: Committee, index: number): Validator {
  const validator = committee.validators[index];
  assert(validator !== undefined, `no validator ${index} of ${committee.validators.length}`);
  return validator;
}

/** A validator and the key that it signs with. */
export type KeyHolder = Pick<Validator, "address" | "blsKey">;

/**
 * The index of a member, or `null` if the address is not one, or is known by another key than the
 * one given: what that signs, nobody can verify.
 */
export function indexOfValidator(
  committee: Committee,
  who: Address | KeyHolder | null,
): number | null {
  if (who === null) return null;
  const { address, blsKey } = typeof who === "string" ? { address: who, blsKey: null } : who;
  const index = committee.validators.findIndex((validator) => validator.address === address);
  const key = committee.validators[index]?.blsKey;
  if (key === undefined) return null;
  return blsKey === null || equalBytes(key, blsKey) ? index : null;
}

/** Stake of the members at these indices; an index outside the committee counts nothing. */
export function stakeOf(committee: Committee, indices: Iterable<number>): bigint {
  let stake = 0n;
  for (const index of indices) stake += committee.validators[index]?.stake ?? 0n;
  return stake;
}

/**
 * The leader of a view: a draw weighted by stake, from H(seed || view as 8 bytes), among those who
 * are not passed over (DESIGN 5). The bias of the modulus is below 2^-128.
 */
export function leaderOf(
  draw: { readonly committee: Committee; readonly seed: Digest; readonly view: number },
  passedOver: ReadonlySet<number>,
  hash: Hash,
): number {
  const { validators } = draw.committee;
  let total = 0n;
  validators.forEach((validator, index) => {
    if (!passedOver.has(index)) total += validator.stake;
  });
  assert(total > 0n, "everyone is passed over");
  const bytes = concatBytes(hexToBytes(draw.seed), bigIntToFixedBytes(BigInt(draw.view), 8));
  let rest = bytesToBigInt(hash(bytes)) % total;
  for (const [index, validator] of validators.entries()) {
    if (passedOver.has(index)) continue;
    if (rest < validator.stake) return index;
    rest -= validator.stake;
  }
  assert(false, "the draw fell outside the stake");
}
