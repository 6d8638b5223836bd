import type { Address } from "../../base/brand.ts";
import { hexToBytes } from "../../base/bytes.ts";
import { refuse, type Outcome } from "../../base/outcome.ts";
import { decodeRlp, encodeRlp, rlpBigInt, rlpNumber, rlpText, RlpReader } from "../../base/rlp.ts";
import type { Voucher } from "../../ledger/voucher.ts";
import { inRecords } from "./keeper.ts";

/*
 * What a payer knows of its pools, and the records that keep it. A lane is what one receiver was
 * promised out of one pool. `authorized` is synced before the first signature beyond it: after a
 * power cut a voucher may be forgotten, but never more than that was signed.
 */

/** A pool of the payer's own. */
export type PayerPool = {
  /** Sequence of the transaction that opened it. */
  readonly sequence: bigint;
  /** TFuelWei, as the collateral. */
  readonly fund: bigint;
  readonly collateral: bigint;
  readonly resourceIds: readonly string[];
  /** Last parent height at which a payment counts; 0 while it is not committed yet. */
  readonly endHeight: number;
};

/** What one receiver was promised out of one pool. Amounts are TFuelWei. */
export type Lane = {
  readonly target: Address;
  paymentSequence: bigint;
  /** Signed under the payment sequence. */
  amount: bigint;
  /** Signed under earlier payment sequences. */
  before: bigint;
  /** Most that may be signed in all; at least `before + amount`. */
  authorized: bigint;
  /** Of the last voucher. */
  resourceId: string;
  /** Cost of what was paid and has not come yet, by the name of its range; the oldest first. */
  readonly unserved: Map<string, bigint>;
};

/** A pool with its lanes. */
export type PoolBook = { pool: PayerPool; readonly lanes: Map<Address, Lane> };

/** Ranges of one lane that were paid and have not come; a server that owes more is no server. */
export const unservedMax = 1_024;

/** Resource ids of one pool that a payer uses. */
const resourceIdsMax = 10_000;

/** A lane on which nothing was signed. */
export function createLane(target: Address): Lane {
  return {
    target,
    paymentSequence: 1n,
    amount: 0n,
    before: 0n,
    authorized: 0n,
    resourceId: "",
    unserved: new Map(),
  };
}

/** All that was signed on a lane. */
export function signedOn(lane: Lane): bigint {
  return lane.before + lane.amount;
}

/** What is left of a pool's fund when every lane takes all that it may. */
export function leftIn({ pool, lanes }: PoolBook): bigint {
  let left = pool.fund;
  for (const lane of lanes.values()) left -= lane.authorized;
  return left;
}

/** The one lane of a receiver: two payments at once must not each begin one. */
export function laneOf({ lanes }: PoolBook, target: Address): Lane {
  const lane = lanes.get(target) ?? createLane(target);
  lanes.set(target, lane);
  return lane;
}

/** What may still be signed in a pool when every lane gives back what it did not use. */
export function roomIn({ pool, lanes }: PoolBook): bigint {
  let room = pool.fund;
  for (const lane of lanes.values()) room -= signedOn(lane);
  return room;
}

/** The fields of the lane's newest voucher. */
export function voucherOf(lane: Lane, reserveSequence: bigint): Omit<Voucher, "source"> {
  const { target, amount, paymentSequence, resourceId } = lane;
  return { target, amount, paymentSequence, reserveSequence, resourceId };
}

/** What was paid for by name. */
export type PaidRange = {
  readonly range: string;
  /** TFuelWei. */
  readonly cost: bigint;
};

/** One thing that the journal keeps; each says what is, so twice is once. */
export type PayerRecord =
  | { readonly type: "pool"; readonly pool: PayerPool }
  | { readonly type: "poolEnd"; readonly sequence: bigint }
  | {
      readonly type: "lane";
      readonly sequence: bigint;
      readonly lane: Omit<Lane, "unserved">;
      /** Paid since the record before. */
      readonly paid: readonly PaidRange[];
    }
  | {
      readonly type: "served";
      readonly sequence: bigint;
      readonly target: Address;
      readonly ranges: readonly string[];
    };

/** Bytes of a record. */
export function encodePayerRecord(record: PayerRecord): Uint8Array {
  switch (record.type) {
    case "pool": {
      const { sequence, fund, collateral, resourceIds, endHeight } = record.pool;
      const amounts = [rlpBigInt(sequence), rlpBigInt(fund), rlpBigInt(collateral)];
      return encodeRlp([rlpNumber(1), ...amounts, resourceIds.map(rlpText), rlpNumber(endHeight)]);
    }
    case "poolEnd":
      return encodeRlp([rlpNumber(2), rlpBigInt(record.sequence)]);
    case "lane": {
      const { target, paymentSequence, amount, before, authorized, resourceId } = record.lane;
      return encodeRlp([
        rlpNumber(3),
        rlpBigInt(record.sequence),
        hexToBytes(target),
        ...[paymentSequence, amount, before, authorized].map(rlpBigInt),
        rlpText(resourceId),
        record.paid.map(({ range, cost }) => [rlpText(range), rlpBigInt(cost)]),
      ]);
    }
    case "served": {
      const head = [rlpNumber(4), rlpBigInt(record.sequence), hexToBytes(record.target)];
      return encodeRlp([...head, record.ranges.map(rlpText)]);
    }
  }
}

const fieldCounts = [0, 6, 2, 9, 4];

/** Reads a record; the refusal is for people. */
export function decodePayerRecord(bytes: Uint8Array): Outcome<PayerRecord, string> {
  const item = decodeRlp(bytes, { itemsMax: 2 * resourceIdsMax, depthMax: 4 });
  if (!item.ok) return refuse(item.refusal.detail);
  const reader = new RlpReader("payer record");
  const fields = reader.list(item.value);
  const type = reader.number(fields[0]);
  reader.check(fields.length === fieldCounts[type], `${fields.length} fields of type ${type}`);
  const outcome = reader.outcome(readFields(reader, type, fields.slice(1)));
  return outcome.ok ? outcome : refuse(outcome.refusal.detail);
}

type Fields = Parameters<RlpReader["list"]>[0][];

function readFields(reader: RlpReader, type: number, fields: Fields): PayerRecord {
  const sequence = reader.bigInt(fields[0], 64);
  if (type === 2) return { type: "poolEnd", sequence };
  if (type === 1) {
    const fund = reader.bigInt(fields[1], 256);
    const collateral = reader.bigInt(fields[2], 256);
    const resourceIds = reader.array(fields[3], resourceIdsMax, (id) => reader.text(id, 256));
    const endHeight = reader.number(fields[4]);
    return { type: "pool", pool: { sequence, fund, collateral, resourceIds, endHeight } };
  }
  const target = reader.address(fields[1]);
  if (type === 4) {
    const ranges = reader.array(fields[2], unservedMax, (name) => reader.text(name, 2_048));
    return { type: "served", sequence, target, ranges };
  }
  const [paymentSequence = 0n, amount = 0n, before = 0n, authorized = 0n] = fields
    .slice(2, 6)
    .map((field, i) => reader.bigInt(field, i === 0 ? 64 : 256));
  const resourceId = reader.text(fields[6], 256);
  const paid = reader.array(fields[7], unservedMax, (pair) => {
    const [range, cost] = reader.list(pair, 2);
    return { range: reader.text(range, 2_048), cost: reader.bigInt(cost, 256) };
  });
  const lane = { target, paymentSequence, amount, before, authorized, resourceId };
  return { type: "lane", sequence, lane, paid };
}

/** Brings the books to what a record says. */
export function applyPayerRecord(books: Map<bigint, PoolBook>, record: PayerRecord): void {
  if (record.type === "pool") {
    const { pool } = record;
    const lanes = books.get(pool.sequence)?.lanes ?? new Map<Address, Lane>();
    books.set(pool.sequence, { pool, lanes });
    return;
  }
  if (record.type === "poolEnd") {
    books.delete(record.sequence);
    return;
  }
  const book = books.get(record.sequence);
  if (book === undefined) return;
  if (record.type === "served") {
    const lane = book.lanes.get(record.target);
    for (const range of record.ranges) lane?.unserved.delete(range);
    return;
  }
  const unserved = book.lanes.get(record.lane.target)?.unserved ?? new Map<string, bigint>();
  for (const { range, cost } of record.paid) unserved.set(range, cost);
  book.lanes.set(record.lane.target, { ...record.lane, unserved });
}

/** Records that make the same books again. */
export function payerRecords(books: ReadonlyMap<bigint, PoolBook>): readonly PayerRecord[] {
  const records: PayerRecord[] = [];
  for (const [sequence, { pool, lanes }] of books) {
    records.push({ type: "pool", pool });
    for (const { unserved, ...lane } of lanes.values()) {
      const paid = [...unserved].map(([range, cost]) => ({ range, cost }));
      for (const list of inRecords(paid))
        records.push({ type: "lane", sequence, lane, paid: list });
    }
  }
  return records;
}

/** The record of a lane, and of what was paid on it since the record before. */
export function laneRecord(
  { pool }: PoolBook,
  { unserved: _, ...lane }: Lane,
  { authorized, paid }: { readonly authorized: bigint; readonly paid: readonly PaidRange[] },
): Uint8Array {
  const { sequence } = pool;
  return encodePayerRecord({ type: "lane", sequence, lane: { ...lane, authorized }, paid });
}
