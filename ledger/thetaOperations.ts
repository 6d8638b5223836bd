import type { ThetaTransaction } from "./thetaTypes.ts";

/**
 * Which module's operation carries out each Theta type; the decoder fills `Transaction.op` from
 * here.
 */
export const thetaOperations: Readonly<
  Record<ThetaTransaction["type"], { readonly module: string; readonly name: string }>
> = {
  coinbase: { module: "reward", name: "coinbase" },
  slash: { module: "reserve", name: "slash" },
  send: { module: "bank", name: "send" },
  reserveFund: { module: "reserve", name: "reserveFund" },
  releaseFund: { module: "reserve", name: "releaseFund" },
  servicePayment: { module: "reserve", name: "servicePayment" },
  splitRule: { module: "split", name: "splitRule" },
  smartContract: { module: "evm", name: "smartContract" },
  depositStake: { module: "stake", name: "depositStake" },
  withdrawStake: { module: "stake", name: "withdrawStake" },
  depositStakeV2: { module: "stake", name: "depositStakeV2" },
  stakeRewardDistribution: { module: "reward", name: "stakeRewardDistribution" },
};

/** The operation of every Ethereum envelope; its body is an `EthereumTransaction`. */
export const ethereumOperation = { module: "evm", name: "transact" } as const;
