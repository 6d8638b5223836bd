import type { Common } from "@ethereumjs/common";
import { getActivePrecompiles, type CustomPrecompile, type PrecompileFunc } from "@ethereumjs/evm";
import { bigIntToFixedBytes, emptyBytes } from "../base/bytes.ts";
import { blake2f } from "../crypto/blake2f.ts";
import { verifyP256 } from "../crypto/p256.ts";
import { onCurves } from "./pairingCurves.ts";

/*
 * Ethereum's precompiles whose gas is priced for faster code than the library's: the same results
 * by ours. What is malformed, unpaid or no point is left to the library, which knows how it fails.
 */

/** The gas of a well-formed input and what works it out; `null` leaves it to the library. */
type Fast = (input: Uint8Array) => {
  readonly gas: bigint;
  readonly run: () => Uint8Array | null;
} | null;

const blake: Fast = (input) => {
  const last = input[212];
  if (input.length !== 213 || (last !== 0 && last !== 1)) return null;
  const rounds = new DataView(input.buffer, input.byteOffset).getUint32(0);
  const state = input.subarray(4, 212);
  return { gas: BigInt(rounds), run: () => blake2f(rounds, state, { isLast: last === 1 }) };
};

/** Gas of a verification [EIP-7951]. */
const verificationGas = 6_900n;

const verified = bigIntToFixedBytes(1n, 32);

const verifying: Fast = (input) => {
  if (input.length !== 160) return null;
  const parts = [input.subarray(0, 32), input.subarray(32, 96), input.subarray(96)] as const;
  // Where it fails, the answer is empty.
  return { gas: verificationGas, run: () => (verifyP256(...parts) ? verified : emptyBytes) };
};

/** Ours, in the library's form; only where the fork has the precompile. */
export function fastPrecompiles(common: Common): CustomPrecompile[] {
  const library = getActivePrecompiles(common);
  const libraryAt = (address: number): PrecompileFunc | undefined => library.get(digits(address));
  const all: readonly (readonly [address: number, fast: Fast])[] = [
    [0x9, blake],
    [0x100, verifying],
  ];
  const ours = all.flatMap(([address, fast]) => {
    const slow = libraryAt(address);
    return slow === undefined ? [] : [[address, either(fast, slow)] as const];
  });
  return [...ours, ...onCurves(common, libraryAt)].map(([address, run]) => {
    return { address: `0x${digits(address)}`, function: run };
  });
}

function digits(address: number): string {
  return address.toString(16).padStart(40, "0");
}

function either(fast: Fast, slow: PrecompileFunc): PrecompileFunc {
  return (call) => {
    const plan = fast(call.data);
    const output = plan === null || plan.gas > call.gasLimit ? null : plan.run();
    if (plan === null || output === null) return slow(call);
    return { executionGasUsed: plan.gas, returnValue: output };
  };
}
