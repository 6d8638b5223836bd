import type { Address } from "../../base/brand.ts";
import { assert } from "../../base/assert.ts";
import { emptyBytes, hexToBytes } from "../../base/bytes.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import { decodeRlp, encodeRlp, rlpBigInt, rlpText, RlpReader } from "../../base/rlp.ts";
import type { PoolId } from "../../ledger/pool.ts";
import { signedVoucherSchema, type SignedVoucher, type Voucher } from "../../ledger/voucher.ts";
import { unsettledOf, type PoolView, type Settled } from "./pool.ts";

/*
 * What a receiver knows of one pool, and its rules. Pure: time, disk and chain are the caller's.
 *
 * A voucher's amount is cumulative within its payment sequence, so only the best one is kept. What
 * it adds is the payer's balance; what is served is taken from there. A higher sequence is taken
 * only when nothing is unsettled under the present one: whoever settled the new voucher first would
 * kill the old one.
 */

/** Served ranges that are remembered of one pool, so that one lost on the way is sent again. */
export const rangesMax = 128;

/** How often a range that was paid for is sent again. */
export const resendsMax = 3;

/** Characters of a range's name. */
export const rangeCharactersMax = 512;

/** What a receiver knows of one pool. */
export type Account = {
  readonly id: PoolId;
  /** Read last; its `hasResource` and `keptPercent` are of the resource asked about then. */
  view: PoolView;
  /** Of the pool's resources: per cent that the receiver keeps, `null` if it is not the pool's. */
  readonly resources: Map<string, number | null>;
  /** The voucher worth most; `null` before the first. */
  best: SignedVoucher | null;
  /** TFuelWei paid and not used. */
  balance: bigint;
  /** When what is unsettled began to be, ms since 1970; `null` if nothing is. */
  unsettledSinceMs: number | null;
  /** Name of a served range, and how often it was sent again; the oldest first. */
  readonly ranges: Map<string, number>;
};

/** The bounds within which a receiver works. */
export type ReceiverPolicy = {
  /** Unsettled TFuelWei of one pool are at most its collateral divided by this. */
  readonly exposureDivisor: bigint;
  /** Blocks before a pool's end from which no voucher is taken and all are settled. */
  readonly blocksLeftMin: number;
  /** Age of an unsettled voucher at which it is settled, in ms. */
  readonly ageMsMax: number;
  /** TFuelWei below which a settlement is not worth its fee, unless the pool ends. */
  readonly settleMin: bigint;
  /** Least per cent that a split rule must leave to the receiver. */
  readonly keptPercentMin: number;
};

/** A collateral of sixteen exposures: a cheat gains less than it costs with up to 16 receivers. */
export const policyDefault: ReceiverPolicy = {
  exposureDivisor: 16n,
  blocksLeftMin: 30,
  ageMsMax: 10 * 60_000,
  settleMin: 0n,
  keptPercentMin: 100,
};

/** Why a payment was not taken. Amounts are TFuelWei. */
export type PayRefusal =
  | { readonly code: "voucherMalformed"; readonly detail: string }
  | { readonly code: "targetWrong"; readonly got: Address; readonly expected: Address }
  | { readonly code: "resourceWrong"; readonly got: string; readonly expected: string }
  | { readonly code: "signatureInvalid" }
  | { readonly code: "poolUnknown"; readonly pool: string }
  | { readonly code: "poolCondemned"; readonly pool: string }
  | { readonly code: "poolEnding"; readonly height: number; readonly endHeight: number }
  | { readonly code: "resourceNotInPool"; readonly resourceId: string }
  | { readonly code: "shareTooSmall"; readonly got: number; readonly needed: number }
  | { readonly code: "sequenceStale"; readonly got: bigint; readonly expected: bigint }
  | { readonly code: "sequenceUnsettled"; readonly got: bigint; readonly expected: bigint }
  | { readonly code: "overspent"; readonly got: bigint; readonly left: bigint }
  | { readonly code: "receiverMax"; readonly got: bigint; readonly max: bigint }
  | { readonly code: "exposure"; readonly got: bigint; readonly max: bigint }
  | { readonly code: "unpaid"; readonly cost: bigint; readonly balance: bigint }
  | { readonly code: "chainSilent"; readonly silentMs: number }
  | { readonly code: "chainUnreachable"; readonly detail: string }
  | { readonly code: "accountsFull"; readonly max: number };

/** A new account. */
export function createAccount(view: PoolView): Account {
  return {
    id: view.id,
    view,
    resources: new Map(),
    best: null,
    balance: 0n,
    unsettledSinceMs: null,
    ranges: new Map(),
  };
}

/** TFuelWei that the best voucher would bring now. */
export function exposureOf(account: Account): bigint {
  return account.best === null ? 0n : unsettledOf(account.best, account.view.settled);
}

/** Most TFuelWei that may be unsettled. */
export function exposureMax({ view }: Account, policy: ReceiverPolicy): bigint {
  return view.collateral / policy.exposureDivisor;
}

/** What a voucher adds to the best one; refuses what would be worth less than it says. */
export function incrementOf(account: Account, voucher: Voucher): Outcome<bigint, PayRefusal> {
  const { paymentSequence: got, amount } = voucher;
  const known = bestKnown(account);
  const expected = known.paymentSequence;
  if (got < expected) return refuse({ code: "sequenceStale", got, expected });
  if (got === expected) return accept(amount > known.amount ? amount - known.amount : 0n);
  if (exposureOf(account) > 0n) return refuse({ code: "sequenceUnsettled", got, expected });
  return accept(amount);
}

/** The best voucher, or what was settled beyond it: a payer may settle others himself. */
function bestKnown({
  best,
  view: { settled },
}: Account): Pick<Settled, "paymentSequence" | "amount"> {
  if (best === null || settled.paymentSequence > best.paymentSequence) return settled;
  const isSame = settled.paymentSequence === best.paymentSequence;
  return isSame && settled.amount > best.amount ? settled : best;
}

/** Whether the account may take a voucher that adds something. */
export function checkVoucher(
  account: Account,
  voucher: Voucher,
  policy: ReceiverPolicy,
): PayRefusal | null {
  const { view } = account;
  const unsettled = unsettledOf(voucher, view.settled);
  const left = view.fund - view.used;
  if (unsettled > left) return { code: "overspent", got: unsettled, left };
  const total = view.settled.total + unsettled;
  if (view.perReceiverMax !== null && total > view.perReceiverMax)
    return { code: "receiverMax", got: total, max: view.perReceiverMax };
  const max = exposureMax(account, policy);
  return unsettled > max ? { code: "exposure", got: unsettled, max } : null;
}

/** Whether the pool may be served from at this height at all. */
export function checkPool(
  { view, resources, id }: Account,
  resourceId: string,
  now: { readonly height: number; readonly policy: ReceiverPolicy },
): PayRefusal | null {
  const { height, policy } = now;
  if (view.isCondemned) return { code: "poolCondemned", pool: `${id.owner}/${id.sequence}` };
  if (height + policy.blocksLeftMin > view.endHeight)
    return { code: "poolEnding", height, endHeight: view.endHeight };
  const kept = resources.get(resourceId) ?? null;
  if (kept === null) return { code: "resourceNotInPool", resourceId };
  if (kept < policy.keptPercentMin)
    return { code: "shareTooSmall", got: kept, needed: policy.keptPercentMin };
  return null;
}

/** Takes a voucher that was checked. */
export function takeVoucher(
  account: Account,
  voucher: SignedVoucher,
  increment: bigint,
  nowMs: number,
): void {
  assert(increment > 0n, "a better voucher adds something");
  account.best = voucher;
  account.balance += increment;
  if (exposureOf(account) > 0n) account.unsettledSinceMs ??= nowMs;
}

/** What serving a range came to. */
export type Served = { readonly taken: bigint; readonly isAgain: boolean };

/** Takes a range's cost from the balance, unless the range was paid for and got lost on the way. */
export function takeCost(
  account: Account,
  cost: bigint,
  range: string | null,
): Outcome<Served, PayRefusal> {
  const resends = range === null ? undefined : account.ranges.get(range);
  if (range !== null && resends !== undefined && resends < resendsMax) {
    account.ranges.set(range, resends + 1);
    return accept({ taken: 0n, isAgain: true });
  }
  if (cost > account.balance) return refuse({ code: "unpaid", cost, balance: account.balance });
  account.balance -= cost;
  if (range !== null) rememberRange(account, range, 0);
  return accept({ taken: cost, isAgain: false });
}

function rememberRange(account: Account, range: string, resends: number): void {
  account.ranges.delete(range);
  account.ranges.set(range, resends);
  if (account.ranges.size <= rangesMax) return;
  const [oldest] = account.ranges.keys();
  if (oldest !== undefined) account.ranges.delete(oldest);
}

/** What the disk keeps of an account after one request or more. */
export type AccountRecord = {
  readonly id: PoolId;
  readonly best: SignedVoucher | null;
  readonly balance: bigint;
  readonly unsettledSinceMs: number | null;
  /** The ranges that were served since the record before, in order. */
  readonly ranges: readonly string[];
};

/** Bytes for the journal: they say what is, so applying them twice is applying them once. */
export function encodeAccountRecord(
  account: Omit<AccountRecord, "ranges">,
  ranges: readonly string[],
): Uint8Array {
  return encodeRlp([
    hexToBytes(account.id.owner),
    rlpBigInt(account.id.sequence),
    account.best === null ? emptyBytes : signedVoucherSchema.toItem(account.best),
    rlpBigInt(account.balance),
    rlpBigInt(BigInt(account.unsettledSinceMs ?? 0)),
    ranges.map(rlpText),
  ]);
}

/** Bytes that say that an account is over. */
export function encodeAccountEnd({ owner, sequence }: PoolId): Uint8Array {
  return encodeRlp([hexToBytes(owner), rlpBigInt(sequence)]);
}

/** Reads either; `end` is the pool whose account is over. */
export function decodeAccountRecord(
  bytes: Uint8Array,
): Outcome<AccountRecord | { readonly end: PoolId }, string> {
  const item = decodeRlp(bytes, { itemsMax: 2 * rangesMax, depthMax: 4 });
  if (!item.ok) return refuse(item.refusal.detail);
  const reader = new RlpReader("account record");
  const fields = reader.list(item.value);
  const id = { owner: reader.address(fields[0]), sequence: reader.bigInt(fields[1], 64) };
  if (fields.length === 2) {
    const end = reader.outcome({ end: id });
    return end.ok ? end : refuse(end.refusal.detail);
  }
  const [, , voucher, balance, since, ranges, ...rest] = fields;
  if (rest.length > 0) reader.refuse(`${fields.length} fields`);
  const hasVoucher = !(voucher instanceof Uint8Array);
  const sinceMs = reader.number(since);
  const outcome = reader.outcome<AccountRecord>({
    id,
    best: hasVoucher ? signedVoucherSchema.fromItem(voucher, reader) : null,
    balance: reader.bigInt(balance, 256),
    unsettledSinceMs: sinceMs === 0 ? null : sinceMs,
    ranges: reader.array(ranges, rangesMax, (name) => reader.text(name, rangeCharactersMax * 4)),
  });
  return outcome.ok ? outcome : refuse(outcome.refusal.detail);
}

/** Brings an account to what a record says. */
export function applyRecord(account: Account, record: AccountRecord): void {
  account.best = record.best;
  account.balance = record.balance;
  account.unsettledSinceMs = record.unsettledSinceMs;
  for (const range of record.ranges) rememberRange(account, range, 0);
}
