import { Address as EvmAddress } from "@ethereumjs/util";
import type { Address } from "../base/brand.ts";
import { concatBytes, hexToBytes } from "../base/bytes.ts";

/** First bytes of the code of an account that delegates [EIP-7702]. */
const delegationPrefix = hexToBytes("ef0100");

/** Bytes of a delegation: prefix and address. */
const delegationBytes = 23;

/** Whether code is a delegation: its account still is a person's. */
export function isDelegation(code: Uint8Array): boolean {
  return (
    code.length === delegationBytes && delegationPrefix.every((byte, index) => code[index] === byte)
  );
}

/** The code of an account that runs the code of another. */
export function delegationTo(address: Address): Uint8Array {
  return concatBytes(delegationPrefix, hexToBytes(address));
}

/** Whose code an account with this code runs; `null` if it is no delegation. */
export function delegateOf(code: Uint8Array): EvmAddress | null {
  return isDelegation(code) ? new EvmAddress(code.slice(delegationPrefix.length)) : null;
}
