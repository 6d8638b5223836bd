import type { Address } from "../../base/brand.ts";
import type { PoolId } from "../../ledger/pool.ts";
import type { SignedVoucher, VoucherChain } from "../../ledger/voucher.ts";

/*
 * What both sides of a payment ask of the chain. `nodeChain.ts` asks a node and checks its proofs;
 * tests use a chain in memory.
 */

/** A pool and what it has paid to one receiver, as of a committed height. */
export type PoolView = {
  readonly id: PoolId;
  /** TFuelWei, as the two below; 0 once it is lost. */
  readonly collateral: bigint;
  /** What was put in for receivers. */
  readonly fund: bigint;
  /** What receivers have got so far. */
  readonly used: bigint;
  /** Whether it pays for the resource that was asked about. */
  readonly hasResource: boolean;
  /** Whole per cent of a payment for that resource that reach the receiver, at worst. */
  readonly keptPercent: number;
  /** Last parent height at which a payment counts. */
  readonly endHeight: number;
  /** An overspend was proven: what is left goes first come, first served. */
  readonly isCondemned: boolean;
  /** What the receiver has settled so far: 0, 0 at first. */
  readonly settled: Settled;
  /** Most TFuelWei that one receiver may get in all; `null` if the pool declares none. */
  readonly perReceiverMax: bigint | null;
  /** Committed height that this was read at. */
  readonly height: number;
};

/** The highest payment sequence that a receiver has settled, what it got under it, and in all. */
export type Settled = {
  readonly paymentSequence: bigint;
  readonly amount: bigint;
  readonly total: bigint;
};

/** A voucher on its way to be paid. */
export type SettlementOrder = {
  readonly voucher: SignedVoucher;
  /** Least TFuelWei that must reach the receiver, whatever a split rule takes. */
  readonly targetMin: bigint;
};

/** The chain, as receivers and watchers need it. */
export interface PayChain {
  readonly names: VoucherChain;
  /** Newest committed height. */
  height(): Promise<number>;
  /** The pool as it concerns this receiver and resource; `null` if there is none. */
  pool(id: PoolId, receiver: Address, resourceId: string): Promise<PoolView | null>;
  /** Hands vouchers in, in this order; resolves when that is committed. Some may not be paid. */
  settle(orders: readonly SettlementOrder[]): Promise<void>;
  /** Proves that these vouchers of one pool exceed its fund; resolves when it is committed. */
  slash(id: PoolId, proof: readonly SignedVoucher[]): Promise<void>;
}

/** One text for each pool, for maps and for people. */
export function poolText({ owner, sequence }: PoolId): string {
  return `${owner}/${sequence}`;
}

/** The pool that a voucher draws on. */
export function poolOf(voucher: Pick<SignedVoucher, "source" | "reserveSequence">): PoolId {
  return { owner: voucher.source, sequence: voucher.reserveSequence };
}

/** What a voucher would still bring by the pool's record, before the fund is looked at. */
export function unsettledOf(
  voucher: Pick<SignedVoucher, "paymentSequence" | "amount">,
  settled: Settled,
): bigint {
  if (voucher.paymentSequence > settled.paymentSequence) return voucher.amount;
  if (voucher.paymentSequence < settled.paymentSequence) return 0n;
  return voucher.amount > settled.amount ? voucher.amount - settled.amount : 0n;
}
