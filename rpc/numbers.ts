import type { Outcome } from "../base/outcome.ts";
import { accept, refuse } from "../base/outcome.ts";
import { shortened } from "./json.ts";

const decimal = /^(?:0|[1-9][0-9]{0,77})$/;
const hexadecimal = /^0[xX][0-9a-fA-F]{1,64}$/;
const quantity = /^0x(?:0|[1-9a-fA-F][0-9a-fA-F]{0,63})$/;

/**
 * An unsigned number as `theta.*` and `ledger.*` accept it: a JSON number up to 2^53 (above that a
 * client has lost digits already), a decimal string without leading zeros, or `0x` hex. theta-js
 * sends heights as numbers, Theta's own tools as strings (ecosystem.md 3.4).
 */
export function readThetaNumber(value: unknown): Outcome<bigint, string> {
  if (typeof value === "number") {
    if (Number.isSafeInteger(value) && value >= 0) return accept(BigInt(value));
    if (Number.isInteger(value) && value > 0)
      return refuse(`${value} is above 2^53: send it as a decimal string`);
    return refuse(`${value} is not a whole number from 0 on`);
  }
  if (typeof value === "string" && (decimal.test(value) || hexadecimal.test(value)))
    return accept(BigInt(value));
  if (typeof value === "string")
    return refuse(`"${shortened(value, 40)}" is neither a decimal nor a 0x-hex number from 0 on`);
  return refuse("wants a number, a decimal string or a 0x-hex string");
}

/** A number for an index or height: at most 2^53 - 1. */
export function readSafeNumber(value: unknown): Outcome<number, string> {
  const read = readThetaNumber(value);
  if (!read.ok) return read;
  if (read.value > BigInt(Number.MAX_SAFE_INTEGER))
    return refuse(`${read.value} is above 2^53 - 1`);
  return accept(Number(read.value));
}

/** An Ethereum quantity: `0x`, no leading zeros, at most `bitsMax` bits (EIP-1474). */
export function readQuantity(value: unknown, bitsMax: number): Outcome<bigint, string> {
  if (typeof value !== "string") return refuse("wants a 0x-hex quantity as a string");
  if (!quantity.test(value))
    return refuse(`"${shortened(value, 40)}" is not a 0x-hex quantity without leading zeros`);
  const number = BigInt(value);
  if (number >> BigInt(bitsMax) !== 0n)
    return refuse(`"${shortened(value, 40)}" has more than ${bitsMax} bits`);
  return accept(number);
}

/** An Ethereum quantity. */
export function toQuantity(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}
