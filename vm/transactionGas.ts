import { isFrom, type ForkName } from "./forks.ts";

/*
 * What a transaction costs before its first instruction runs, and what it costs at least: EIP-2,
 * 2028, 2930, 3860, 7702, 7623.
 */

/** What prices a transaction. */
export type PricedTransaction = {
  /** `null` creates a contract. */
  readonly to: unknown;
  readonly data: Uint8Array;
  readonly accessList: readonly { readonly storageKeys: readonly unknown[] }[];
  readonly authorizations: readonly unknown[];
};

/** Bytes of init code from Shanghai on [EIP-3860]. */
export const initCodeBytesMax = 49_152;

const transactionGas = 21_000n;
const creationGas = 32_000n;
const zeroByteGas = 4n;
const otherByteGas = 16n;
const initCodeWordGas = 2n;
const accessListAddressGas = 2_400n;
const accessListKeyGas = 1_900n;
const authorizationGas = 25_000n;
/** Calldata floor [EIP-7623]: a zero byte is one token, any other four. */
const tokenFloorGas = 10n;

function zerosIn(data: Uint8Array): number {
  let zeros = 0;
  for (const byte of data) if (byte === 0) zeros += 1;
  return zeros;
}

/** Gas that is due whatever the transaction does. */
export function intrinsicGasOf(tx: PricedTransaction, fork: ForkName): bigint {
  let gas = transactionGas;
  if (tx.data.length > 0) {
    const zeros = zerosIn(tx.data);
    gas += zeroByteGas * BigInt(zeros) + otherByteGas * BigInt(tx.data.length - zeros);
  }
  if (tx.authorizations.length > 0) gas += authorizationGas * BigInt(tx.authorizations.length);
  if (tx.to === null) {
    gas += creationGas;
    if (isFrom(fork, "shanghai")) gas += initCodeWordGas * BigInt(Math.ceil(tx.data.length / 32));
  }
  for (const entry of tx.accessList) {
    gas += accessListAddressGas + accessListKeyGas * BigInt(entry.storageKeys.length);
  }
  return gas;
}

/** Gas that a transaction uses at least, for its calldata; 0 before Prague. */
export function floorGasOf(tx: PricedTransaction, fork: ForkName): bigint {
  if (!isFrom(fork, "prague")) return 0n;
  const zeros = zerosIn(tx.data);
  return transactionGas + tokenFloorGas * BigInt(zeros + 4 * (tx.data.length - zeros));
}

/** The lowest gas limit that a transaction may have. */
export function gasLimitMin(tx: PricedTransaction, fork: ForkName): bigint {
  const intrinsic = intrinsicGasOf(tx, fork);
  if (tx.data.length === 0) return intrinsic;
  const floor = floorGasOf(tx, fork);
  return intrinsic > floor ? intrinsic : floor;
}
