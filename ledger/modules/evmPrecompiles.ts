import type { Address } from "../../base/brand.ts";
import { bigIntToFixedBytes, bytesToAddress, bytesToBigInt } from "../../base/bytes.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import type { PrecompileFrame } from "../../vm/precompiles.ts";
import type { PrecompileDefinition } from "../module.ts";
import type { Refusal } from "../refusal.ts";

/*
 * What Theta's precompiles have in common (theta.md 4.4). Each belongs to the module whose state it
 * reads or changes.
 */

/** The address of a precompile of Theta, by its number. */
export function precompileAddress(number: number): Address {
  return bytesToAddress(bigIntToFixedBytes(BigInt(number), 20));
}

/** The address in the right-most 20 bytes of the input; shorter input is padded on its left. */
export function lastAddress(input: Uint8Array): Address {
  const bytes = new Uint8Array(20);
  const last = input.subarray(Math.max(0, input.length - 20));
  bytes.set(last, 20 - last.length);
  return bytesToAddress(bytes);
}

/** An amount as a word. */
export function amountWord(amount: bigint): Uint8Array {
  return bigIntToFixedBytes(amount, 32);
}

/** Reads `recipient (20 bytes) || amount (32 bytes)`. */
export function readOrder(
  input: Uint8Array,
): Outcome<{ readonly to: Address; readonly amount: bigint }, Refusal> {
  if (input.length !== 52) {
    return refuse({ code: "precompileInput", got: input.length, expected: "52 bytes" });
  }
  const to = bytesToAddress(input.subarray(0, 20));
  return accept({ to, amount: bytesToBigInt(input.subarray(20)) });
}

/**
 * Why a frame may not change state: it is static, or it runs in another account's name, or it
 * brought TFuel, which nobody could take out again.
 */
export function frameFault(frame: PrecompileFrame): Refusal | null {
  if (frame.type !== "call") {
    return { code: "precompileFrame", got: `a ${frame.type} frame`, expected: "a plain call" };
  }
  if (frame.value === 0n) return null;
  return { code: "precompileInput", got: `${frame.value} TFuelWei`, expected: "no value" };
}

/** Numbers of the precompiles for guardians and elite edge nodes. */
const laterNumbers = [204, 205, 206, 207];

/** They answer, but with a refusal, until a module knows such nodes. */
export const laterPrecompiles: readonly PrecompileDefinition[] = laterNumbers.map((number) => ({
  address: precompileAddress(number),
  gas: () => 21_000n,
  run: () =>
    refuse({
      code: "operationUnavailable",
      got: `precompile ${number}`,
      expected: "a module for guardians and elite edge nodes",
    }),
}));
