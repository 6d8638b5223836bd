import type { Address } from "../../base/brand.ts";
import { zeroDigest } from "../../base/bytes.ts";
import { assert } from "../../base/assert.ts";
import type { PoolId } from "../../ledger/pool.ts";
import { voucherPayer, type SignedVoucher, type VoucherChain } from "../../ledger/voucher.ts";
import {
  poolOf,
  poolText,
  type PayChain,
  type PoolView,
  type Settled,
} from "../../sdk/pay/pool.ts";

/*
 * Pools in memory, by the rules of the module `reserve` as far as receivers see them: settlement by
 * difference within a sequence, first come first served, an overspend condemns.
 */

type FakePool = {
  readonly id: PoolId;
  readonly fund: bigint;
  collateral: bigint;
  used: bigint;
  readonly resourceIds: readonly string[];
  readonly endHeight: number;
  isCondemned: boolean;
  readonly receivers: Map<Address, Settled>;
};

const nothing: Settled = { paymentSequence: 0n, amount: 0n, total: 0n };

/** A chain of nothing but pools. */
export class FakePayChain implements PayChain {
  readonly names: VoucherChain = { name: "privatenet", id: 366, genesisHash: zeroDigest };
  readonly pools = new Map<string, FakePool>();
  readonly balances = new Map<Address, bigint>();
  /** Vouchers that were handed in, in order. */
  readonly handedIn: SignedVoucher[] = [];
  slashes = 0;
  heightNow = 1;
  keptPercent = 100;
  /** Thrown by the next questions: a node that cannot be reached. */
  failure: Error | null = null;

  open(
    owner: Address,
    terms: {
      readonly sequence: bigint;
      readonly fund: bigint;
      readonly collateral: bigint;
      readonly resourceIds: readonly string[];
      readonly endHeight: number;
    },
  ): void {
    const { sequence, ...rest } = terms;
    const id = { owner, sequence };
    const fresh = { used: 0n, isCondemned: false, receivers: new Map<Address, Settled>() };
    this.pools.set(poolText(id), { id, ...rest, ...fresh });
  }

  height(): Promise<number> {
    if (this.failure !== null) return Promise.reject(this.failure);
    return Promise.resolve(this.heightNow);
  }

  pool(id: PoolId, receiver: Address, resourceId: string): Promise<PoolView | null> {
    if (this.failure !== null) return Promise.reject(this.failure);
    const pool = this.pools.get(poolText(id));
    if (pool === undefined) return Promise.resolve(null);
    const { fund, collateral, used, endHeight, isCondemned } = pool;
    return Promise.resolve({
      id,
      fund,
      collateral,
      used,
      endHeight,
      isCondemned,
      hasResource: pool.resourceIds.includes(resourceId),
      keptPercent: this.keptPercent,
      settled: pool.receivers.get(receiver) ?? nothing,
      perReceiverMax: null,
      height: this.heightNow,
    });
  }

  settle(vouchers: readonly { readonly voucher: SignedVoucher }[]): Promise<void> {
    if (this.failure !== null) return Promise.reject(this.failure);
    for (const { voucher } of vouchers) {
      this.handedIn.push(voucher);
      this.#settle(voucher);
    }
    return Promise.resolve();
  }

  slash(id: PoolId, proof: readonly SignedVoucher[]): Promise<void> {
    const pool = this.pools.get(poolText(id));
    assert(pool !== undefined, "there is no such pool");
    const owed = proof.reduce((sum, voucher) => {
      return sum + worth(voucher, pool.receivers.get(voucher.target) ?? nothing);
    }, pool.used);
    assert(owed > pool.fund, "the vouchers do not exceed the fund");
    this.slashes += 1;
    this.#condemn(pool);
    return Promise.resolve();
  }

  #settle(voucher: SignedVoucher): void {
    const pool = this.pools.get(poolText(poolOf(voucher)));
    if (pool === undefined || voucherPayer(voucher, this.names) === null) return;
    if (this.heightNow > pool.endHeight || !pool.resourceIds.includes(voucher.resourceId)) return;
    const settled = pool.receivers.get(voucher.target) ?? nothing;
    const due = worth(voucher, settled);
    const left = pool.fund - pool.used;
    if (due > left) this.#condemn(pool);
    const paid = due < left ? due : left;
    if (paid === 0n) return;
    pool.used += paid;
    const isSame = voucher.paymentSequence === settled.paymentSequence;
    pool.receivers.set(voucher.target, {
      paymentSequence: voucher.paymentSequence,
      amount: (isSame ? settled.amount : 0n) + paid,
      total: settled.total + paid,
    });
    this.balances.set(voucher.target, (this.balances.get(voucher.target) ?? 0n) + paid);
  }

  #condemn(pool: FakePool): void {
    pool.isCondemned = true;
    pool.collateral = 0n;
  }
}

function worth(voucher: SignedVoucher, settled: Settled): bigint {
  if (voucher.paymentSequence < settled.paymentSequence) return 0n;
  const paid = voucher.paymentSequence === settled.paymentSequence ? settled.amount : 0n;
  return voucher.amount > paid ? voucher.amount - paid : 0n;
}
