import type { Address } from "../../base/brand.ts";
import { accept } from "../../base/outcome.ts";
import { createQuery } from "../definitions.ts";
import type { Invariant, QueryDefinition, ReadContext } from "../module.ts";
import type { Pool, PoolId, PoolReceiver } from "../pool.ts";
import { addressField, recordField, type Json } from "../schema.ts";
import { sequenceField } from "../voucher.ts";
import { heldBy } from "./bank.ts";
import { isReleasable, tfuel } from "./reservePool.ts";
import {
  poolCount,
  poolsOf,
  readPool,
  readReceiver,
  receiversOf,
  reserveKey as key,
  resourceIdsOf,
} from "./reserveRecords.ts";

/* What clients may ask about pools, and what must hold of all of them. */

function coinsJson(amount: bigint): Json {
  const { thetaWei, tfuelWei } = tfuel(amount);
  return { thetawei: thetaWei.toString(), tfuelwei: tfuelWei.toString() };
}

/** Theta's shape (theta.md 3.3); it kept every payment, we keep a sum for each receiver. */
function thetaPoolJson(context: ReadContext, id: PoolId, pool: Pool): Json {
  return {
    collateral: coinsJson(pool.collateral),
    initial_fund: coinsJson(pool.fund),
    used_fund: coinsJson(pool.used),
    resource_ids: [...resourceIdsOf(context, id)],
    end_block_height: `${pool.endHeight}`,
    reserve_sequence: `${id.sequence}`,
    transfer_records: [],
  };
}

function receiverJson({ paymentSequence, paid, paidTotal }: PoolReceiver): Json {
  return { paymentSequence: `${paymentSequence}`, paid: `${paid}`, paidTotal: `${paidTotal}` };
}

function stateOf(context: ReadContext, pool: Pool): string {
  if (pool.condemned) return "condemned";
  if (isReleasable(context, pool)) return "releasable";
  return context.block.height - 1 <= pool.endHeight ? "open" : "frozen";
}

function poolJson(context: ReadContext, id: PoolId, pool: Pool): Json {
  return {
    owner: id.owner,
    sequence: `${id.sequence}`,
    state: stateOf(context, pool),
    fund: `${pool.fund}`,
    used: `${pool.used}`,
    collateral: `${pool.collateral}`,
    resourceIds: [...resourceIdsOf(context, id)],
    endHeight: pool.endHeight,
    releaseHeight: pool.endHeight + context.parameters.count("reserve.freezeBlocks"),
    releaseTimestampMs: pool.releaseTimestampMs,
    receivers: pool.receivers,
    receiversMax: pool.receiversMax,
    perReceiverMax: `${pool.perReceiverMax}`,
  };
}

/** Receivers that one answer names. */
const receiversShownMax = 1_000;

const poolParameters = recordField({ owner: addressField, sequence: sequenceField });

/** Questions about pools. */
export const poolQueries: Readonly<Record<string, QueryDefinition>> = {
  reservedFunds: createQuery(
    "the pools of an account, in Theta's shape",
    recordField({ owner: addressField }),
    (context, { owner }) =>
      accept(poolsOf(context, owner).map(({ id, pool }) => thetaPoolJson(context, id, pool))),
  ),
  pools: createQuery(
    "the pools of an account",
    recordField({ owner: addressField }),
    (context, { owner }) =>
      accept(poolsOf(context, owner).map(({ id, pool }) => poolJson(context, id, pool))),
  ),
  pool: createQuery("a pool; null if there is none", poolParameters, (context, id) => {
    const pool = readPool(context, id);
    return accept(pool === null ? null : poolJson(context, id, pool));
  }),
  receiver: createQuery(
    "what a receiver was paid out of a pool, TFuelWei",
    recordField({ owner: addressField, sequence: sequenceField, receiver: addressField }),
    (context, { owner, sequence, receiver }) =>
      accept(receiverJson(readReceiver(context, { owner, sequence }, receiver))),
  ),
  receivers: createQuery(
    `what receivers were paid out of a pool; at most ${receiversShownMax} of them`,
    poolParameters,
    (context, id) =>
      accept(
        receiversOf(context, id, receiversShownMax).map(({ receiver, record }) =>
          Object.assign({ receiver }, receiverJson(record)),
        ),
      ),
  ),
};

function recountPools(context: ReadContext): string | null {
  let total = 0n;
  const counts = new Map<Address, number>();
  for (const { id, pool } of poolsOf(context, null)) {
    const name = `pool ${id.owner} ${id.sequence}`;
    if (pool.used > pool.fund) return `${name} paid ${pool.used} of ${pool.fund}`;
    if (pool.condemned && pool.collateral > 0n) return `${name} is condemned with a collateral`;
    total += pool.fund - pool.used + pool.collateral;
    counts.set(id.owner, (counts.get(id.owner) ?? 0) + 1);
    const receivers = receiversOf(context, id, Number.POSITIVE_INFINITY);
    const paid = receivers.reduce((sum, { record }) => sum + record.paidTotal, 0n);
    if (paid !== pool.used || receivers.length !== pool.receivers) {
      return `${name} paid ${pool.used} to ${pool.receivers}, receivers say ${paid}`;
    }
    if (resourceIdsOf(context, id).length !== pool.resources) return `${name} lost a resource`;
  }
  for (const [owner, count] of counts) {
    const kept = poolCount(context, owner);
    if (kept !== count) return `${owner} has ${count} pools, recorded are ${kept}`;
  }
  const held = heldBy(context, key);
  if (held.tfuelWei === total && held.thetaWei === 0n) return null;
  return `pools are ${total} TFuelWei, held are ${held.tfuelWei}`;
}

/** What must hold after each block. */
export const poolInvariants: readonly Invariant[] = [
  { name: "pools are held", check: recountPools },
];
