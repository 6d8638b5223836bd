import { voucherSignatureBytes, type SignedVoucher } from "../../ledger/voucher.ts";
import { poolOf, poolText, unsettledOf, type PayChain, type PoolView } from "./pool.ts";

/*
 * A stand-in for receivers that are offline. It holds their best vouchers, settles them before
 * their pool ends or runs dry, and hands in a proof when together they exceed what a pool has left.
 * It needs none of their keys: whoever settles a voucher, its receiver is paid.
 */

/** What a watcher is made of. */
export type WatcherParts = {
  readonly chain: PayChain;
  /** The best vouchers of the receivers that it stands in for, asked at each tick. */
  readonly vouchers: () => Promise<readonly SignedVoucher[]>;
  /** Blocks before a pool's end from which its vouchers are settled. */
  readonly blocksLeftMin: number;
};

/** What a watcher did at one tick. */
export type Watched = {
  readonly settled: readonly SignedVoucher[];
  /** Pools that were proven to be overspent. */
  readonly slashed: readonly string[];
};

type Claim = { readonly voucher: SignedVoucher; readonly view: PoolView; readonly due: bigint };

/** Settles and proves in the name of others. */
export class Watcher {
  readonly #chain: PayChain;
  readonly #vouchers: () => Promise<readonly SignedVoucher[]>;
  readonly #blocksLeftMin: number;

  constructor({ chain, vouchers, blocksLeftMin }: WatcherParts) {
    this.#chain = chain;
    this.#vouchers = vouchers;
    this.#blocksLeftMin = blocksLeftMin;
  }

  /** To be called every few seconds. */
  async tick(): Promise<Watched> {
    const height = await this.#chain.height();
    const pools = new Map<string, Claim[]>();
    for (const voucher of await this.#vouchers()) {
      const id = poolOf(voucher);
      const view = await this.#chain.pool(id, voucher.target, voucher.resourceId);
      const due = view === null ? 0n : unsettledOf(voucher, view.settled);
      if (view === null || due === 0n || !view.hasResource) continue;
      const key = poolText(id);
      pools.set(key, [...(pools.get(key) ?? []), { voucher, view, due }]);
    }
    const settled: SignedVoucher[] = [];
    const slashed: string[] = [];
    for (const [key, claims] of pools) {
      const [first] = claims;
      if (first === undefined) continue;
      const { view } = first;
      const left = view.fund - view.used;
      const due = claims.reduce((sum, claim) => sum + claim.due, 0n);
      // One voucher above the rest proves it by being settled; several need a proof first, in
      // which Theta's format has no place for steps along hash chains.
      const provable = claims.filter(
        ({ voucher }) => voucher.signature.length === voucherSignatureBytes,
      );
      const proven = provable.reduce((sum, claim) => sum + claim.due, 0n);
      if (proven > left && !view.isCondemned && provable.length > 1) {
        await this.#chain.slash(
          view.id,
          provable.map(({ voucher }) => voucher),
        );
        slashed.push(key);
      }
      const isEnding = height + this.#blocksLeftMin >= view.endHeight;
      if (isEnding || view.isCondemned || due * 2n > left)
        settled.push(...claims.map(({ voucher }) => voucher));
    }
    const orders = settled.map((voucher) => ({ voucher, targetMin: 0n }));
    if (orders.length > 0) await this.#chain.settle(orders);
    return { settled, slashed };
  }
}
