import type { Address } from "../../base/brand.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import type { ReadContext } from "../module.ts";
import type { Pool, PoolId, PoolReceiver } from "../pool.ts";
import type { Refusal } from "../refusal.ts";
import type { Voucher } from "../voucher.ts";
import { dueOf, isReleasable, poolIdOf } from "./reservePool.ts";
import { paysFor, readPool, readReceiver } from "./reserveRecords.ts";

/*
 * Proof of an overspend before any settlement (DESIGN 6): vouchers that together are worth more
 * than the fund still has. Each counts for what it would really be paid, settled in ascending
 * sequence after those before it. So what was settled already, superseded by a greater amount,
 * given twice, or made out for another pool counts nothing, and a payer who signed for no more than
 * the fund can never be condemned. The end of payments does not matter here: the freeze exists so
 * that a proof can still come after it.
 */

/** The pool that the vouchers overspend, or why they do not prove that. */
export function overspentPool(
  context: ReadContext,
  id: PoolId,
  vouchers: readonly Voucher[],
): Outcome<Pool, Refusal> {
  const pool = readPool(context, id);
  if (pool === null || isReleasable(context, pool)) {
    const got = pool === null ? id.sequence : "a pool to be released";
    return refuse({ code: "poolUnknown", got, expected: "an open pool", address: id.owner });
  }
  if (pool.condemned) {
    return refuse({ code: "poolCondemned", got: "condemned already", expected: "an open pool" });
  }
  const total = pool.used + worthOf(context, { id, pool }, vouchers);
  if (total > pool.fund) return accept(pool);
  return refuse({ code: "overspendUnproven", got: total, expected: `above ${pool.fund}` });
}

/** TFuelWei that these vouchers would be paid by a pool without a bottom. */
function worthOf(
  context: ReadContext,
  given: { readonly id: PoolId; readonly pool: Pool },
  vouchers: readonly Voucher[],
): bigint {
  const { id } = given;
  const receivers = new Map<Address, PoolReceiver>();
  let pool = given.pool;
  let sum = 0n;
  for (const voucher of [...vouchers].sort(bySequence)) {
    if (!isFor(context, id, voucher)) continue;
    const { target, paymentSequence, amount } = voucher;
    const receiver = receivers.get(target) ?? readReceiver(context, id, target);
    const due = dueOf(pool, receiver, voucher);
    if (!due.ok) continue;
    sum += due.value;
    const paidTotal = receiver.paidTotal + due.value;
    receivers.set(target, { paymentSequence, paid: amount, paidTotal });
    const isNew = receiver.paymentSequence === 0n;
    pool = { ...pool, receivers: pool.receivers + (isNew ? 1 : 0) };
  }
  return sum;
}

function isFor(context: ReadContext, id: PoolId, voucher: Voucher): boolean {
  const { owner, sequence } = poolIdOf(voucher);
  if (owner !== id.owner || sequence !== id.sequence) return false;
  const { source, target, amount, paymentSequence, resourceId } = voucher;
  if (source === target || amount === 0n || paymentSequence === 0n) return false;
  return paysFor(context, id, resourceId);
}

function bySequence(a: Voucher, b: Voucher): number {
  if (a.paymentSequence !== b.paymentSequence)
    return a.paymentSequence < b.paymentSequence ? -1 : 1;
  if (a.amount !== b.amount) return a.amount < b.amount ? -1 : 1;
  return a.target < b.target ? -1 : a.target > b.target ? 1 : 0;
}
