import type { Address } from "../base/brand.ts";
import type { Entry } from "./senderQueue.ts";
import type { FeeBid } from "./transaction.ts";

/*
 * What pending transactions bid, and which of two goes first, gives way or is replaced.
 */

/** A replacement must offer this much more, in per cent. */
export const replacementBumpPercent = 10n;

/** Highest price that a bid offers, TFuelWei per gas. */
export function priceOf(bid: FeeBid, gas: bigint): bigint {
  return bid.type === "whole" ? bid.fee / gas : bid.maxFeePerGas;
}

/** Whether a bid, at most `price` per gas, may take the place of a pending transaction. */
export function outbids(bid: FeeBid, price: bigint, old: Entry): boolean {
  const isHigher = (next: bigint, before: bigint): boolean =>
    next * 100n >= before * (100n + replacementBumpPercent) && next > before;
  if (!isHigher(price, old.price)) return false;
  const oldBid = old.transaction.feeBid;
  if (bid.type === "whole" || oldBid.type === "whole") return true;
  const { maxPriorityFeePerGas: tip } = oldBid;
  return tip === 0n || isHigher(bid.maxPriorityFeePerGas, tip);
}

/** TFuelWei that a pending transaction may take from an account. */
export function costOn(entry: Entry, payer: Address): bigint {
  return entry.transaction.payer === payer ? entry.cost : 0n;
}

/** A pending transaction and the price that it is ranked by, TFuelWei per gas. */
export type Ranked = { readonly entry: Entry; readonly price: bigint };

/** What the entry pays per gas at this base fee. */
export function rank(entry: Entry, baseFee: bigint): Ranked {
  const bid = entry.transaction.feeBid;
  if (bid.type === "whole") return { entry, price: entry.price };
  const offered = baseFee + bid.maxPriorityFeePerGas;
  return { entry, price: offered < bid.maxFeePerGas ? offered : bid.maxFeePerGas };
}

/** Dearest first, and of equal ones the oldest. */
export function isRankedBefore(a: Ranked, b: Ranked): boolean {
  return a.price > b.price || (a.price === b.price && a.entry.arrival < b.entry.arrival);
}

/** Cheapest first, and of equal ones the newest. */
export function isCheaper(a: Entry, b: Entry): boolean {
  return a.price < b.price || (a.price === b.price && a.arrival > b.arrival);
}
