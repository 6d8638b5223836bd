import { assert } from "../../base/assert.ts";
import type { Address } from "../../base/brand.ts";
import { bytesToAddress, bytesToBigInt } from "../../base/bytes.ts";
import { rlpNumber } from "../../base/rlp.ts";
import { createModuleKey } from "../definitions.ts";
import type { ModuleContext, ReadContext } from "../module.ts";
import {
  poolCountKey,
  poolKey,
  poolKeys,
  poolReceiverKey,
  poolReceiverKeys,
  poolResourceKey,
  poolResourceKeys,
  poolSchema,
  receiverSchema,
  resourceSchema,
  type Pool,
  type PoolId,
  type PoolReceiver,
} from "../pool.ts";
import { decodeOwn, encodeWith } from "../schema.ts";

/* Reading and writing the records of `ledger/pool.ts`. */

/** The right to the state of `reserve`, and to what it holds. */
export const reserveKey = createModuleKey("reserve");

/** A pool, or `null`. */
export function readPool(context: ReadContext, id: PoolId): Pool | null {
  const bytes = context.state(reserveKey).get(poolKey(id));
  return bytes === null ? null : decodeOwn(poolSchema, bytes);
}

/** Writes a pool. */
export function writePool(context: ModuleContext, id: PoolId, pool: Pool): void {
  context.state(reserveKey).set(poolKey(id), encodeWith(poolSchema, pool));
}

/** The pools of an owner, or of everybody, in ascending order. */
export function poolsOf(
  context: ReadContext,
  owner: Address | null,
): readonly { readonly id: PoolId; readonly pool: Pool }[] {
  return context
    .state(reserveKey)
    .range(poolKeys(owner))
    .map(([at, value]) => ({
      id: { owner: bytesToAddress(at.subarray(1, 21)), sequence: bytesToBigInt(at.subarray(21)) },
      pool: decodeOwn(poolSchema, value),
    }));
}

/** How many pools an owner has. */
export function poolCount(context: ReadContext, owner: Address): number {
  const bytes = context.state(reserveKey).get(poolCountKey(owner));
  return bytes === null ? 0 : Number(bytesToBigInt(bytes));
}

function addToCount(context: ModuleContext, owner: Address, change: number): void {
  const count = poolCount(context, owner) + change;
  assert(count >= 0, `${owner} would have ${count} pools`);
  context.state(reserveKey).set(poolCountKey(owner), count === 0 ? null : rlpNumber(count));
}

/** Writes a new pool and its resources, of which none occurs twice. */
export function addPool(
  context: ModuleContext,
  id: PoolId,
  parts: { readonly pool: Pool; readonly resourceIds: readonly string[] },
): void {
  assert(readPool(context, id) === null, "a pool's id is new: it is an account's sequence");
  addToCount(context, id.owner, 1);
  writePool(context, id, parts.pool);
  for (const [index, resourceId] of parts.resourceIds.entries()) {
    const value = encodeWith(resourceSchema, { index, resourceId });
    context.state(reserveKey).set(poolResourceKey(id, resourceId), value);
  }
}

/** The resources of a pool, in the order of its owner. */
export function resourceIdsOf(context: ReadContext, id: PoolId): readonly string[] {
  return context
    .state(reserveKey)
    .range(poolResourceKeys(id))
    .map(([, value]) => decodeOwn(resourceSchema, value))
    .sort((a, b) => a.index - b.index)
    .map(({ resourceId }) => resourceId);
}

/** Whether a pool pays for a resource. */
export function paysFor(context: ReadContext, id: PoolId, resourceId: string): boolean {
  return context.state(reserveKey).get(poolResourceKey(id, resourceId)) !== null;
}

const unpaid: PoolReceiver = { paymentSequence: 0n, paid: 0n, paidTotal: 0n };

/** What a receiver was paid out of a pool; zeros if nothing. */
export function readReceiver(context: ReadContext, id: PoolId, receiver: Address): PoolReceiver {
  const bytes = context.state(reserveKey).get(poolReceiverKey(id, receiver));
  return bytes === null ? unpaid : decodeOwn(receiverSchema, bytes);
}

/** Writes what a receiver was paid. */
export function writeReceiver(
  context: ModuleContext,
  id: PoolId,
  entry: { readonly receiver: Address; readonly record: PoolReceiver },
): void {
  const value = encodeWith(receiverSchema, entry.record);
  context.state(reserveKey).set(poolReceiverKey(id, entry.receiver), value);
}

/** All receivers of a pool that were paid, at most `limit`, in ascending order. */
export function receiversOf(
  context: ReadContext,
  id: PoolId,
  limit: number,
): readonly { readonly receiver: Address; readonly record: PoolReceiver }[] {
  const range = { ...poolReceiverKeys(id), limit };
  return context
    .state(reserveKey)
    .range(range)
    .map(([at, value]) => ({
      receiver: bytesToAddress(at.subarray(29)),
      record: decodeOwn(receiverSchema, value),
    }));
}

/** Records that one job removes; those of a large pool go in more than one block. */
const removalsMax = 32;

/** Removes a pool: from now on it is unknown. What belongs to it is for `sweepPool`. */
export function removePool(context: ModuleContext, id: PoolId): void {
  context.state(reserveKey).set(poolKey(id), null);
  addToCount(context, id.owner, -1);
}

/** Removes what belonged to a removed pool; whether some of it is left for another time. */
export function sweepPool(context: ModuleContext, id: PoolId): boolean {
  const state = context.state(reserveKey);
  let left = removalsMax;
  for (const keys of [poolResourceKeys(id), poolReceiverKeys(id)]) {
    if (left === 0) return true;
    for (const [at] of state.range({ ...keys, limit: left })) {
      state.set(at, null);
      left -= 1;
    }
  }
  return left === 0;
}
