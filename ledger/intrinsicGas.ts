import { forkDefault } from "../vm/forks.ts";
import { intrinsicGasOf } from "../vm/transactionGas.ts";
import type { EthereumTransaction } from "./thetaTypes.ts";

/**
 * Gas that is due whatever the transaction does, by the newest rules, which no older ones exceed.
 * The calldata floor of EIP-7623 depends on the chain's fork, so the module `evm` applies it.
 */
export function intrinsicGas(tx: EthereumTransaction): bigint {
  return intrinsicGasOf(tx, forkDefault);
}
