import { assert } from "../../base/assert.ts";
import type { Address } from "../../base/brand.ts";
import { refuse, type Outcome } from "../../base/outcome.ts";
import { decodeOverspendingProof } from "../overspendingProof.ts";
import {
  applied,
  notApplied,
  type Call,
  type Module,
  type OperationDefinition,
  type ReadContext,
} from "../module.ts";
import type { Pool, PoolId } from "../pool.ts";
import type { Refusal } from "../refusal.ts";
import { amountField, listField, numberField, recordField, textField } from "../schema.ts";
import { resourceIdBytesMax, resourceIdsMax } from "../thetaCodec.ts";
import type { ThetaTransaction } from "../thetaTypes.ts";
import { paymentToVoucher } from "../voucher.ts";
import { cannotPay, feeFault } from "./bank.ts";
import { settleBatch, voucherRefused } from "./reserveBatch.ts";
import { reserveParameters } from "./reserveParameters.ts";
import {
  assess,
  closed,
  closePool,
  condemn,
  condemned,
  feeOf,
  isReleasable,
  opened,
  openPool,
  poolJobs,
  settle,
  settled,
  tfuel,
  type Settlement,
} from "./reservePool.ts";
import { overspentPool } from "./reserveProof.ts";
import { poolInvariants, poolQueries } from "./reserveQueries.ts";
import { poolCount, readPool, reserveKey as key } from "./reserveRecords.ts";

/*
 * Micropayment pools: Theta's transactions 3, 4, 5 and 1 (theta.md 3, DESIGN 6), and two operations
 * that Theta has not: a pool with limits, and settling many vouchers at once. The rules are those
 * of `reservePool.ts`; here is who may ask for them and what it costs.
 */

type Reserve = Extract<ThetaTransaction, { type: "reserveFund" }>;
type Release = Extract<ThetaTransaction, { type: "releaseFund" }>;
type Payment = Extract<ThetaTransaction, { type: "servicePayment" }>;
type Slash = Extract<ThetaTransaction, { type: "slash" }>;

/** What a pool is opened with, by either operation. */
type Terms = {
  readonly fund: bigint;
  readonly collateral: bigint;
  readonly resourceIds: readonly string[];
  readonly durationBlocks: bigint | number;
};

/** Why a pool may not be opened so, in Theta's order of checks (theta.md 3.3), or `null`. */
function termsFault(context: ReadContext, owner: Address, terms: Terms): Refusal | null {
  const { fund, collateral, resourceIds, durationBlocks } = terms;
  if (fund === 0n) return { code: "fundMissing", got: 0n, expected: "above 0 TFuelWei" };
  const unpaid = cannotPay(context, owner, tfuel(fund + collateral));
  if (unpaid !== null) return unpaid;
  const durationMin = context.parameters.amount("reserve.durationBlocksMin");
  const durationMax = context.parameters.amount("reserve.durationBlocksMax");
  const duration = BigInt(durationBlocks);
  if (duration < durationMin || duration > durationMax) {
    const expected = `${durationMin} to ${durationMax} blocks`;
    return { code: "durationOutOfRange", got: duration, expected };
  }
  if (collateral <= fund) {
    return { code: "collateralTooLow", got: collateral, expected: `above the fund of ${fund}` };
  }
  if (resourceIds.length === 0) {
    return { code: "resourcesMissing", got: 0, expected: "at least one resource id" };
  }
  const poolsMax = context.parameters.count("reserve.poolsPerAccountMax");
  const count = poolCount(context, owner);
  return count < poolsMax
    ? null
    : { code: "poolsTooMany", got: count, expected: `below ${poolsMax}`, address: owner };
}

function openingGas(resources: number, parameters: ReadContext["parameters"]): bigint {
  return (
    parameters.amount("reserve.gas") +
    parameters.amount("reserve.gasPerResource") * BigInt(resources)
  );
}

const reserveFund: OperationDefinition<Reserve> = {
  description: "opens a micropayment pool: a fund for receivers, a collateral against overspending",
  schema: null,
  gas: (body, parameters) => openingGas(body.resourceIds.length, parameters),
  signers: (body) => [body.source.address],
  spends: (body) => body.source.coins.tfuelWei + body.collateral.tfuelWei,
  validate: (_context, { body }) => feeFault(body.fee),
  check: (context, { body }) => {
    const { source, collateral, resourceIds, duration: durationBlocks } = body;
    const theta = source.coins.thetaWei + collateral.thetaWei;
    if (theta > 0n) return { code: "fundInTheta", got: `${theta} ThetaWei`, expected: "none" };
    const fund = source.coins.tfuelWei;
    const terms = { fund, collateral: collateral.tfuelWei, resourceIds, durationBlocks };
    return termsFault(context, source.address, terms);
  },
  apply: (context, { body }) => {
    const { source, collateral, resourceIds } = body;
    const id = { owner: source.address, sequence: source.sequence };
    const refusal = openPool(context, id, {
      fund: source.coins.tfuelWei,
      collateral: collateral.tfuelWei,
      resourceIds,
      durationBlocks: Number(body.duration),
      receiversMax: 0,
      perReceiverMax: 0n,
    });
    return refusal === null ? applied : notApplied(refusal);
  },
};

const openSchema = recordField({
  fund: amountField,
  collateral: amountField,
  resourceIds: listField(textField(resourceIdBytesMax), resourceIdsMax),
  durationBlocks: numberField,
  receiversMax: numberField,
  perReceiverMax: amountField,
});

type Open = {
  readonly fund: bigint;
  readonly collateral: bigint;
  readonly resourceIds: readonly string[];
  readonly durationBlocks: number;
  readonly receiversMax: number;
  readonly perReceiverMax: bigint;
};

/**
 * A pool that says how many receivers it pays and how much each. Where each receiver settles a
 * first voucher, and so has its place, before it serves for more, all of them together can lose no
 * more than the collateral.
 */
const open: OperationDefinition<Open> = {
  description: "opens a micropayment pool with limits that the collateral covers",
  schema: openSchema,
  gas: (body, parameters) => openingGas(body.resourceIds.length, parameters),
  signers: (_body, payer) => [payer],
  spends: (body) => body.fund + body.collateral,
  check: (context, { body, payer }) => {
    const covered = BigInt(body.receiversMax) * body.perReceiverMax;
    if (covered > 0n && covered <= body.collateral) return termsFault(context, payer, body);
    const got = `${body.receiversMax} receivers of ${body.perReceiverMax}`;
    return { code: "poolLimitsTooHigh", got, expected: `1 to ${body.collateral} TFuelWei in all` };
  },
  apply: (context, { body, payer, signers }) => {
    const sequence = signers.find(({ address }) => address === payer)?.sequence ?? null;
    assert(sequence !== null, "the payer of an operation has a sequence");
    const refusal = openPool(context, { owner: payer, sequence }, body);
    return refusal === null ? applied : notApplied(refusal);
  },
};

function poolOf(body: Release): PoolId {
  return { owner: body.source.address, sequence: body.reserveSequence };
}

function releaseFault(context: ReadContext, id: PoolId, pool: Pool | null): Refusal | null {
  if (pool === null) {
    return { code: "releaseUnknown", got: id.sequence, expected: "a pool", address: id.owner };
  }
  if (isReleasable(context, pool)) return null;
  const height = pool.endHeight + context.parameters.count("reserve.freezeBlocks");
  const expected = `height ${height} and the end of the freeze`;
  return { code: "releaseTooEarly", got: context.block.height, expected };
}

const releaseFund: OperationDefinition<Release> = {
  description: "closes a pool whose freeze is over; a job does the same without it",
  schema: null,
  gas: (_body, parameters) => parameters.amount("reserve.releaseGas"),
  signers: (body) => [body.source.address],
  validate: (_context, { body }) => feeFault(body.fee),
  check: (context, { body }) => {
    const id = poolOf(body);
    return releaseFault(context, id, readPool(context, id));
  },
  apply: (context, { body }) => {
    closePool(context, poolOf(body));
    return applied;
  },
};

function settlementIn(body: Payment): Settlement {
  const voucher = paymentToVoucher(body);
  return { voucher, targetMin: body.target.coins.tfuelWei, consent: true };
}

/** Coins that the receiver signs for, and the payer: TFuel only. */
function paymentFault({ fee, source, target }: Payment): Refusal | null {
  const theta = source.coins.thetaWei + target.coins.thetaWei;
  if (theta > 0n) return { code: "paymentInTheta", got: `${theta} ThetaWei`, expected: "none" };
  return feeFault(fee);
}

/**
 * All checks decide whether it may be in a block at all: one that fails costs its receiver nothing
 * (DESIGN 3). An overspend is no failure but a proof, and its fee comes from the collateral.
 */
const servicePayment: OperationDefinition<Payment> = {
  description: "pays a receiver what a voucher is worth out of its payer's pool",
  schema: null,
  gas: (_body, parameters) => parameters.amount("reserve.settleGas"),
  signers: (body) => [body.target.address, body.source.address],
  subject: ({ source, target, reserveSequence }) =>
    `pool ${source.address} ${reserveSequence} for ${target.address}`,
  yields: (context, { body, fee }) => {
    const assessed = assess(context, settlementIn(body));
    if (!assessed.ok) return 0n;
    const { overspends, pool, division } = assessed.value;
    const prover = { address: body.target.address, fee };
    return division.net + (overspends ? feeOf(prover, pool.collateral) : 0n);
  },
  validate: (context, { body }) => {
    const fault = paymentFault(body);
    if (fault !== null) return fault;
    const assessed = assess(context, settlementIn(body));
    return assessed.ok ? null : assessed.refusal;
  },
  check: () => null,
  apply: (context, { body, fee }) => {
    const order = settlementIn(body);
    const assessed = assess(context, order);
    assert(assessed.ok, "a payment in a block was assessed before");
    const prover = { address: body.target.address, fee };
    settle(context, { voucher: order.voucher, prover }, assessed.value);
    return applied;
  },
};

/** The pool that a slash proves to be overspent. */
function slashed(context: ReadContext, body: Slash): Outcome<Pool, Refusal> {
  const proof = decodeOverspendingProof(body.slashProof);
  if (!proof.ok) {
    const { detail } = proof.refusal;
    return refuse({ code: "proofMalformed", got: detail, expected: "a pool and its payments" });
  }
  const { reserveSequence, payments } = proof.value;
  if (reserveSequence !== body.reserveSequence) {
    const expected = body.reserveSequence;
    return refuse({ code: "proofMalformed", got: reserveSequence, expected });
  }
  const id = { owner: body.slashedAddress, sequence: reserveSequence };
  return overspentPool(context, id, payments.map(paymentToVoucher));
}

function proverOf({ payer, fee }: Call<Slash>): { address: Address; fee: bigint } {
  return { address: payer, fee };
}

/** Bytes of one payment in a proof, at least: two addresses and a signature. */
const proofPaymentBytesMin = 130;

/** Type 1, signed by whoever proves. Its fee is what its input bids, taken from the collateral. */
const slash: OperationDefinition<Slash> = {
  description: "proves by vouchers that a payer signed for more than its fund",
  schema: null,
  gas: (body, parameters) => {
    const payments = BigInt(Math.ceil(body.slashProof.length / proofPaymentBytesMin));
    return (
      parameters.amount("reserve.slashGas") +
      parameters.amount("reserve.slashGasPerVoucher") * payments
    );
  },
  signers: (body) => [body.proposer.address],
  subject: (body) => `slash ${body.slashedAddress} ${body.reserveSequence}`,
  yields: (context, call) => {
    const pool = slashed(context, call.body);
    return pool.ok ? feeOf(proverOf(call), pool.value.collateral) : 0n;
  },
  validate: (context, { body }) => {
    const fault = feeFault(body.proposer.coins);
    if (fault !== null) return fault;
    const pool = slashed(context, body);
    return pool.ok ? null : pool.refusal;
  },
  check: () => null,
  apply: (context, call) => {
    const { slashedAddress: owner, reserveSequence: sequence } = call.body;
    condemn(context, { owner, sequence }, proverOf(call));
    return applied;
  },
};

/** The module `reserve`. */
export const reserveModule: Module = {
  key,
  name: key.name,
  version: 1,
  parameters: reserveParameters,
  operations: { reserveFund, open, releaseFund, servicePayment, slash, settleBatch },
  queries: poolQueries,
  events: [opened, settled, condemned, closed, voucherRefused],
  jobs: poolJobs,
  genesis: { init: () => {} },
  invariants: poolInvariants,
};
