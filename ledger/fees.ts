import type { Parameters } from "./parameters.ts";
import type { Refusal } from "./refusal.ts";
import type { FeeBid } from "./transaction.ts";

/** What a transaction pays: fixed before it runs. All in TFuelWei. */
export type Charge = {
  /** Taken before it runs. */
  readonly upfront: bigint;
  /** Per gas. */
  readonly gasPrice: bigint;
  /** Per gas, to be shared with the proposer; zero for a whole fee, which is burned. */
  readonly tip: bigint;
};

/** The price of a bid at this base fee, or why it is too low. */
export function chargeOf(
  bid: FeeBid,
  gas: bigint,
  baseFee: bigint,
): { readonly charge: Charge } | { readonly refusal: Refusal } {
  if (bid.type === "whole") {
    if (bid.fee < gas * baseFee) {
      return { refusal: { code: "feeTooLow", got: bid.fee, expected: gas * baseFee } };
    }
    return { charge: { upfront: bid.fee, gasPrice: bid.fee / gas, tip: 0n } };
  }
  const { maxFeePerGas, maxPriorityFeePerGas } = bid;
  if (maxFeePerGas < baseFee) {
    return { refusal: { code: "feeTooLow", got: maxFeePerGas, expected: baseFee } };
  }
  if (maxPriorityFeePerGas > maxFeePerGas) {
    return { refusal: { code: "tipAboveFee", got: maxPriorityFeePerGas, expected: maxFeePerGas } };
  }
  if (gas * maxFeePerGas >= 1n << 256n) {
    return { refusal: { code: "feeOverflow", got: gas * maxFeePerGas, expected: "below 2^256" } };
  }
  const room = maxFeePerGas - baseFee;
  const tip = maxPriorityFeePerGas < room ? maxPriorityFeePerGas : room;
  const gasPrice = baseFee + tip;
  return { charge: { upfront: gas * gasPrice, gasPrice, tip } };
}

/** What the payer must own for the bid to stand: the most it may cost. TFuelWei. */
export function costMaxOf(bid: FeeBid, gas: bigint): bigint {
  return bid.type === "whole" ? bid.fee : gas * bid.maxFeePerGas;
}

/** Base fee of the child of a block (EIP-1559), never below the floor. */
export function nextBaseFee(
  parent: { readonly gasUsed: bigint; readonly gasLimit: bigint; readonly baseFee: bigint },
  parameters: Parameters,
): bigint {
  const floor = parameters.amount("chain.baseFeeFloor");
  const denominator = parameters.amount("chain.baseFeeChangeDenominator");
  const target = parent.gasLimit / parameters.amount("chain.elasticityMultiplier");
  const { gasUsed, baseFee } = parent;
  let next = baseFee;
  if (gasUsed > target) {
    const rise = (baseFee * (gasUsed - target)) / target / denominator;
    next = baseFee + (rise > 1n ? rise : 1n);
  } else if (gasUsed < target) {
    next = baseFee - (baseFee * (target - gasUsed)) / target / denominator;
  }
  return next > floor ? next : floor;
}
