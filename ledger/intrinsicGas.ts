import type { EthereumTransaction } from "./thetaTypes.ts";

/*
 * What an Ethereum transaction costs before its first instruction runs, by the rules that every
 * supported fork shares (Shanghai to Osaka): EIP-2, 2028, 2930, 3860, 7702. The calldata floor of
 * EIP-7623 depends on the fork, so the EVM applies it.
 */

/** Bytes of init code [EIP-3860]. */
export const initCodeBytesMax = 49_152;

const transactionGas = 21_000n;
const creationGas = 32_000n;
const zeroByteGas = 4n;
const otherByteGas = 16n;
const initCodeWordGas = 2n;
const accessListAddressGas = 2_400n;
const accessListKeyGas = 1_900n;
const authorizationGas = 25_000n;

/** Gas that is due whatever the transaction does. */
export function intrinsicGas(tx: EthereumTransaction): bigint {
  let zeros = 0;
  for (const byte of tx.data) if (byte === 0) zeros += 1;
  let gas =
    transactionGas +
    zeroByteGas * BigInt(zeros) +
    otherByteGas * BigInt(tx.data.length - zeros) +
    authorizationGas * BigInt(tx.authorizations.length);
  if (tx.to === null) {
    gas += creationGas + initCodeWordGas * BigInt(Math.ceil(tx.data.length / 32));
  }
  for (const entry of tx.accessList) {
    gas += accessListAddressGas + accessListKeyGas * BigInt(entry.storageKeys.length);
  }
  return gas;
}
