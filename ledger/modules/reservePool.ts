import { assert } from "../../base/assert.ts";
import type { Address } from "../../base/brand.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import { addressTopic, createEvent, createJob, integerTopic } from "../definitions.ts";
import type { ModuleContext, ReadContext } from "../module.ts";
import type { Pool, PoolId, PoolReceiver } from "../pool.ts";
import type { Refusal } from "../refusal.ts";
import { addressField, amountField, numberField, recordField } from "../schema.ts";
import { divide, type Division } from "../splitRule.ts";
import type { Coins } from "../thetaTypes.ts";
import { sequenceField, type Voucher } from "../voucher.ts";
import { burnHeld, hold, release } from "./bank.ts";
import {
  addPool,
  paysFor,
  readPool,
  readReceiver,
  removePool,
  reserveKey as key,
  sweepPool,
  writePool,
  writeReceiver,
} from "./reserveRecords.ts";
import { sharesOf } from "./split.ts";

/*
 * Pools as an escrow (DESIGN 6), for the operations of `reserve` and for other modules. A voucher
 * that gets here has a good signature; everything else about it is judged here.
 *
 * Within a payment sequence amounts are cumulative: settling pays the difference, so neither order
 * nor submitter matters. A higher sequence closes the lower ones and starts again from zero, which
 * is why only the target may go on to it: else a payer could close a sequence with a voucher of one
 * wei. An overspend burns the collateral and condemns the pool: its fund goes on being paid, but
 * what is left in the end is burned.
 */

/** A voucher with a good signature, on its way to be paid. */
export type Settlement = {
  readonly voucher: Voucher;
  /** Least TFuelWei that must reach the target; 0 for any. */
  readonly targetMin: bigint;
  /** Whether the target signed this settlement, `targetMin` included. */
  readonly consent: boolean;
};

/** What settling a voucher would do now. */
export type Assessment = {
  readonly pool: Pool;
  readonly receiver: PoolReceiver;
  /** TFuelWei that the voucher is still worth. */
  readonly due: bigint;
  /** TFuelWei that leave the fund: less than what is due where the fund does not cover it. */
  readonly paid: bigint;
  readonly division: Division;
  /** The voucher proves that its payer signed for more than there is. */
  readonly overspends: boolean;
};

const poolFields = { owner: addressField, sequence: sequenceField };

type PoolNamed = { readonly owner: Address; readonly sequence: bigint };

const byPool = ({ owner, sequence }: PoolNamed): ReturnType<typeof addressTopic>[] => [
  addressTopic(owner),
  integerTopic(sequence),
];

/** A pool was opened. */
export const opened = createEvent(
  key,
  "Opened",
  recordField({
    ...poolFields,
    fund: amountField,
    collateral: amountField,
    endHeight: numberField,
  }),
  byPool,
);

/** A voucher was paid; amounts in TFuelWei. */
export const settled = createEvent(
  key,
  "Settled",
  recordField({
    ...poolFields,
    target: addressField,
    paymentSequence: sequenceField,
    /** Taken from the fund under this sequence, this time included. */
    paidUnder: amountField,
    /** Taken from the fund this time. */
    paid: amountField,
    /** Of which the target got this. */
    net: amountField,
  }),
  ({ owner, sequence, target }) => [...byPool({ owner, sequence }), addressTopic(target)],
);

/** A payer overspent: the collateral is gone, and the rest of the fund will not come back. */
export const condemned = createEvent(
  key,
  "Condemned",
  recordField({ ...poolFields, collateral: amountField }),
  byPool,
);

/** A pool has ended: what its owner got back, or what was burned because it was condemned. */
export const closed = createEvent(
  key,
  "Closed",
  recordField({ ...poolFields, returned: amountField, burned: amountField }),
  byPool,
);

/** Of TFuel only. */
export function tfuel(amount: bigint): Coins {
  return { thetaWei: 0n, tfuelWei: amount };
}

/** The pool that a voucher draws on. */
export function poolIdOf(voucher: Voucher): PoolId {
  return { owner: voucher.source, sequence: voucher.reserveSequence };
}

const poolIdSchema = recordField(poolFields);

/** At the end a pool freezes, and only now is it known from when it may be released. */
const freezePool = createJob(key, "freezePool", poolIdSchema, (context, id) => {
  const pool = readPool(context, id);
  if (pool === null) return; // Emptied after it was condemned.
  const freezeMs = context.parameters.count("reserve.freezeMs");
  const releaseTimestampMs = context.block.timestampMs + freezeMs;
  writePool(context, id, { ...pool, releaseTimestampMs });
  const heightMin = pool.endHeight + context.parameters.count("reserve.freezeBlocks");
  context.schedule(releasePool, id, { heightMin, timestampMsMin: releaseTimestampMs });
});

const releasePool = createJob(key, "releasePool", poolIdSchema, (context, id) => {
  // It may have been released by a transaction, or emptied.
  if (readPool(context, id) !== null) closePool(context, id);
});

const sweepRest = createJob(key, "sweepPool", poolIdSchema, sweep);

function sweep(context: ModuleContext, id: PoolId): void {
  if (!sweepPool(context, id)) return;
  context.schedule(sweepRest, id, { heightMin: context.block.height + 1, timestampMsMin: 0 });
}

/** What the module `reserve` runs by itself. */
export const poolJobs = [freezePool, releasePool, sweepRest] as const;

/** Whether the freeze is over, so that the pool may be released (theta.md 3.8). */
export function isReleasable(context: ReadContext, pool: Pool): boolean {
  const { height, timestampMs } = context.block;
  const freezeBlocks = context.parameters.count("reserve.freezeBlocks");
  return (
    pool.releaseTimestampMs > 0 &&
    height >= pool.endHeight + freezeBlocks &&
    timestampMs >= pool.releaseTimestampMs
  );
}

/** Opens a pool with coins of its owner, who can pay them. */
export function openPool(
  context: ModuleContext,
  id: PoolId,
  terms: {
    readonly fund: bigint;
    readonly collateral: bigint;
    readonly resourceIds: readonly string[];
    readonly durationBlocks: number;
    readonly receiversMax: number;
    readonly perReceiverMax: bigint;
  },
): Refusal | null {
  const { fund, collateral, receiversMax, perReceiverMax } = terms;
  const refusal = hold(context, key, { from: id.owner, coins: tfuel(fund + collateral) });
  if (refusal !== null) return refusal;
  const resourceIds = [...new Set(terms.resourceIds)];
  const endHeight = context.block.height - 1 + terms.durationBlocks;
  const pool: Pool = {
    collateral,
    fund,
    used: 0n,
    endHeight,
    releaseTimestampMs: 0,
    condemned: false,
    resources: resourceIds.length,
    receivers: 0,
    receiversMax,
    perReceiverMax,
  };
  addPool(context, id, { pool, resourceIds });
  context.schedule(freezePool, id, { heightMin: endHeight + 1, timestampMsMin: 0 });
  context.emit(opened, { ...id, fund, collateral, endHeight });
  return null;
}

/** What is wrong with a voucher whatever was paid on it, or `null`. */
function voucherFault(context: ReadContext, voucher: Voucher): Refusal | null {
  if (voucher.source === voucher.target) {
    const expected = "another account than the source";
    return { code: "paymentToSelf", got: voucher.target, expected };
  }
  if (voucher.amount === 0n) return { code: "paymentZero", got: 0n, expected: "above 0" };
  if (voucher.paymentSequence === 0n) {
    return { code: "paymentSequenceTooLow", got: 0n, expected: "at least 1" };
  }
  const { resourceId } = voucher;
  return paysFor(context, poolIdOf(voucher), resourceId)
    ? null
    : { code: "resourceNotInPool", got: resourceId, expected: "a resource of the pool" };
}

/** What a voucher is still worth to a receiver that was paid so much, or why it is nothing. */
export function dueOf(
  pool: Pool,
  receiver: PoolReceiver,
  voucher: Voucher,
): Outcome<bigint, Refusal> {
  const { amount, paymentSequence } = voucher;
  if (paymentSequence < receiver.paymentSequence) {
    const expected = `at least ${receiver.paymentSequence}`;
    return refuse({ code: "paymentSequenceTooLow", got: paymentSequence, expected });
  }
  const paid = paymentSequence === receiver.paymentSequence ? receiver.paid : 0n;
  if (amount <= paid)
    return refuse({ code: "voucherSettled", got: amount, expected: `above ${paid}` });
  const isNew = receiver.paymentSequence === 0n;
  if (isNew && pool.receiversMax > 0 && pool.receivers >= pool.receiversMax) {
    return refuse({
      code: "receiversTooMany",
      got: pool.receivers + 1,
      expected: pool.receiversMax,
    });
  }
  const total = receiver.paidTotal + amount - paid;
  if (pool.perReceiverMax > 0n && total > pool.perReceiverMax) {
    return refuse({ code: "receiverMaxExceeded", got: total, expected: pool.perReceiverMax });
  }
  return accept(amount - paid);
}

/** Payments are taken until the end, out of a condemned pool until its freeze is over. */
function endedFault(context: ReadContext, pool: Pool): Refusal | null {
  const parentHeight = context.block.height - 1;
  if (pool.condemned ? !isReleasable(context, pool) : parentHeight <= pool.endHeight) return null;
  return { code: "poolEnded", got: parentHeight, expected: `at most ${pool.endHeight}` };
}

/** What settling would do now, or why it may not be done; changes nothing. */
export function assess(context: ReadContext, order: Settlement): Outcome<Assessment, Refusal> {
  const { voucher, targetMin } = order;
  const id = poolIdOf(voucher);
  const pool = readPool(context, id);
  if (pool === null) {
    const expected = "an open pool";
    return refuse({ code: "poolUnknown", got: id.sequence, expected, address: id.owner });
  }
  const fault = endedFault(context, pool) ?? voucherFault(context, voucher);
  if (fault !== null) return refuse(fault);
  const receiver = readReceiver(context, id, voucher.target);
  const worth = dueOf(pool, receiver, voucher);
  if (!worth.ok) return worth;
  const due = worth.value;
  const shares = sharesOf(context, voucher.resourceId);
  const { net } = divide(due, voucher.target, shares);
  if (net < targetMin) return refuse({ code: "targetMinUnmet", got: net, expected: targetMin });
  const missing = order.consent ? null : consentFault(receiver, { voucher, due, net });
  if (missing !== null) return refuse(missing);
  const left = pool.fund - pool.used;
  const paid = due < left ? due : left;
  const division = divide(paid, voucher.target, shares);
  const facts = { pool, receiver, due };
  if (paid === due) return accept({ ...facts, paid, division, overspends: false });
  // The target signed for a least amount: a part below it stays with the fund.
  if (division.net >= targetMin) {
    return accept({ ...facts, paid, division, overspends: !pool.condemned });
  }
  if (pool.condemned) {
    return refuse({ code: "targetMinUnmet", got: division.net, expected: targetMin });
  }
  const nothing = { shares: [], net: 0n };
  return accept({ ...facts, paid: 0n, division: nothing, overspends: true });
}

/** Without its target's word a voucher may do nothing that its target could regret. */
function consentFault(
  receiver: PoolReceiver,
  order: { readonly voucher: Voucher; readonly due: bigint; readonly net: bigint },
): Refusal | null {
  const { paymentSequence } = order.voucher;
  // Below sequence 1 there is nothing that could be closed.
  const open = receiver.paymentSequence === 0n ? 1n : receiver.paymentSequence;
  if (paymentSequence !== open) {
    const expected = `the target's signature, or sequence ${open}`;
    return { code: "consentMissing", got: `payment sequence ${paymentSequence}`, expected };
  }
  if (order.net === order.due) return null;
  const expected = `the target's signature, or all of ${order.due}`;
  return { code: "consentMissing", got: `${order.net} for the target`, expected };
}

/** Whoever proves an overspend, and the fee of the transaction that does: TFuelWei. */
export type Prover = { readonly address: Address; readonly fee: bigint };

/**
 * Carries out what was assessed just now. `prover` gets its fee back if this proves an overspend.
 */
export function settle(
  context: ModuleContext,
  order: { readonly voucher: Voucher; readonly prover: Prover | null },
  given: Assessment,
): void {
  const { voucher } = order;
  const id = poolIdOf(voucher);
  const { receiver, paid, division } = given;
  if (given.overspends) condemn(context, id, order.prover);
  if (paid === 0n) return finishIfEmpty(context, id);
  const pool = readPool(context, id);
  assert(pool !== null, "a pool that was assessed is there");
  const isNew = receiver.paymentSequence === 0n;
  const used = pool.used + paid;
  assert(used <= pool.fund, "a pool pays no more than its fund");
  writePool(context, id, { ...pool, used, receivers: pool.receivers + (isNew ? 1 : 0) });
  const { paymentSequence, target } = voucher;
  const before = paymentSequence === receiver.paymentSequence ? receiver.paid : 0n;
  const paidUnder = before + paid;
  const paidTotal = receiver.paidTotal + paid;
  const record = { paymentSequence, paid: paidUnder, paidTotal };
  writeReceiver(context, id, { receiver: target, record });
  for (const { address, amount } of division.shares) {
    release(context, key, { to: address, coins: tfuel(amount) });
  }
  const { net } = division;
  if (net > 0n) release(context, key, { to: target, coins: tfuel(net) });
  context.emit(settled, { ...id, target, paymentSequence, paidUnder, paid, net });
  finishIfEmpty(context, id);
}

/**
 * Burns the collateral but for the fee of the transaction that proved the overspend, so that a
 * receiver with an empty account can prove; fees are burned, so all of it is lost. The fund is for
 * receivers only, from now on.
 */
export function condemn(context: ModuleContext, id: PoolId, prover: Prover | null): void {
  const pool = readPool(context, id);
  assert(pool !== null && !pool.condemned, "a pool is condemned once");
  const { collateral } = pool;
  const refund = prover === null ? 0n : feeOf(prover, collateral);
  if (prover !== null && refund > 0n) {
    release(context, key, { to: prover.address, coins: tfuel(refund) });
  }
  if (collateral > refund) burnHeld(context, key, tfuel(collateral - refund));
  writePool(context, id, { ...pool, collateral: 0n, condemned: true });
  context.emit(condemned, { ...id, collateral });
}

/** How much of a prover's fee a collateral covers. */
export function feeOf(prover: Prover, collateral: bigint): bigint {
  return prover.fee < collateral ? prover.fee : collateral;
}

/** A condemned pool without a fund is over: nobody can get anything out of it. */
function finishIfEmpty(context: ModuleContext, id: PoolId): void {
  const pool = readPool(context, id);
  if (pool !== null && pool.condemned && pool.used === pool.fund) closePool(context, id);
}

/** Gives the owner back what is left, or burns it if the pool is condemned; the pool is no more. */
export function closePool(context: ModuleContext, id: PoolId): void {
  const pool = readPool(context, id);
  assert(pool !== null, "a pool to be closed is there");
  const left = pool.fund - pool.used + pool.collateral;
  const [returned, burned] = pool.condemned ? [0n, left] : [left, 0n];
  if (returned > 0n) release(context, key, { to: id.owner, coins: tfuel(returned) });
  if (burned > 0n) burnHeld(context, key, tfuel(burned));
  removePool(context, id);
  context.emit(closed, { ...id, returned, burned });
  sweep(context, id);
}
