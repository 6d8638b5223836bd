import type { Address } from "../base/brand.ts";
import { bigIntToFixedBytes, textToBytes } from "../base/bytes.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { stateKey, stateKeysWith } from "./keys.ts";
import {
  amountField,
  flagField,
  numberField,
  recordField,
  textField,
  type ValueOf,
} from "./schema.ts";
import { resourceIdBytesMax } from "./thetaCodec.ts";
import { sequenceField } from "./voucher.ts";

/*
 * What the module `reserve` keeps of a micropayment pool, and under which keys: a receiver checks
 * these records by proof against a header, so the forms are here, apart from the rules. All have a
 * constant size, however many payments were made.
 *
 *   tag 1 | owner | sequence u64                     the pool
 *   tag 2 | owner | sequence u64 | keccak(id)        a resource of the pool
 *   tag 3 | owner | sequence u64 | receiver          what a receiver was paid out of the pool
 *   tag 4 | owner                                    how many pools the owner has
 */

/** Which pool: its owner, and the account sequence of the transaction that opened it. */
export type PoolId = { readonly owner: Address; readonly sequence: bigint };

const poolTag = 1;
const resourceTag = 2;
const receiverTag = 3;
const ownerTag = 4;

/** A pool. */
export const poolSchema = recordField({
  /** TFuelWei to be lost by an overspend; 0 once it is lost. */
  collateral: amountField,
  /** TFuelWei for receivers. */
  fund: amountField,
  /** TFuelWei of the fund that were paid. */
  used: amountField,
  /** Last parent height at which payments are taken (theta.md 3.8). */
  endHeight: numberField,
  /** Block time from which it may be released; 0 before the end, when nobody knows it yet. */
  releaseTimestampMs: numberField,
  /** Overspent: the collateral is burned, and nothing goes back to the owner. */
  condemned: flagField,
  /** Resources that it pays for. */
  resources: numberField,
  /** Receivers that were paid. */
  receivers: numberField,
  /** Most receivers that may be paid; 0 for any number. */
  receiversMax: numberField,
  /** Most TFuelWei that one receiver may be paid in all; 0 for any amount. */
  perReceiverMax: amountField,
});

/** A pool, as it is stored. */
export type Pool = ValueOf<typeof poolSchema>;

/** What a receiver was paid out of a pool. */
export const receiverSchema = recordField({
  /** Highest payment sequence that was settled. */
  paymentSequence: sequenceField,
  /** TFuelWei taken from the fund under that sequence. */
  paid: amountField,
  /** TFuelWei taken from the fund under all sequences. */
  paidTotal: amountField,
});

/** What a receiver was paid out of a pool, as it is stored. */
export type PoolReceiver = ValueOf<typeof receiverSchema>;

/** A resource of a pool: its place in the list that the owner gave, and its id. */
export const resourceSchema = recordField({
  index: numberField,
  resourceId: textField(resourceIdBytesMax),
});

function fieldsOf(id: PoolId): readonly [Address, Uint8Array] {
  return [id.owner, bigIntToFixedBytes(id.sequence, 8)];
}

/** The hash under which a resource id enters keys. */
export function resourceHash(resourceId: string): Uint8Array {
  return keccak256(textToBytes(resourceId));
}

/** Key of a pool. */
export function poolKey(id: PoolId): Uint8Array {
  return stateKey(poolTag, ...fieldsOf(id));
}

/** Keys of all pools of an owner, or of everybody. */
export function poolKeys(owner: Address | null): ReturnType<typeof stateKeysWith> {
  return owner === null ? stateKeysWith(poolTag) : stateKeysWith(poolTag, owner);
}

/** Key of a resource of a pool: there is a record if the pool pays for it. */
export function poolResourceKey(id: PoolId, resourceId: string): Uint8Array {
  return stateKey(resourceTag, ...fieldsOf(id), resourceHash(resourceId));
}

/** Keys of all resources of a pool. */
export function poolResourceKeys(id: PoolId): ReturnType<typeof stateKeysWith> {
  return stateKeysWith(resourceTag, ...fieldsOf(id));
}

/** Key of what a receiver was paid out of a pool. */
export function poolReceiverKey(id: PoolId, receiver: Address): Uint8Array {
  return stateKey(receiverTag, ...fieldsOf(id), receiver);
}

/** Keys of what all receivers were paid out of a pool. */
export function poolReceiverKeys(id: PoolId): ReturnType<typeof stateKeysWith> {
  return stateKeysWith(receiverTag, ...fieldsOf(id));
}

/** Key of the number of an owner's pools. */
export function poolCountKey(owner: Address): Uint8Array {
  return stateKey(ownerTag, owner);
}
