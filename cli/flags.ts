import type { Address, Digest } from "../base/brand.ts";
import { textToDigestOrNull } from "../base/bytes.ts";
import { parseAddress } from "../crypto/address.ts";
import { parseAmount, type Coin } from "../sdk/units.ts";
import { UsageError } from "./failure.ts";

/** Longest piece of the user's input that an error repeats. */
const echoMax = 80;

/** What the user typed, cut, and without what could steer a terminal. */
function echo(text: string): string {
  let shown = "";
  for (const character of text.slice(0, echoMax)) {
    const code = character.codePointAt(0) ?? 0;
    shown += code < 0x20 || (code >= 0x7f && code < 0xa0) ? "?" : character;
  }
  return text.length > echoMax ? `${shown}…` : shown;
}

/**
 * An address flag: hex of any letter case, `0x` optional; mixed case must be the EIP-55 checksum.
 */
export function addressFlag(flag: string, text: string): Address {
  const outcome = parseAddress(text.trim());
  if (outcome.ok) return outcome.value;
  if (outcome.refusal.code === "checksumWrong")
    throw new UsageError(
      `${flag} ${echo(text)} has a wrong checksum: one of its letters is mistyped`,
      { code: "E_BAD_CHECKSUM", hint: "check the address; all lower case skips this check" },
    );
  throw new UsageError(`${flag} ${echo(text)} is not an address: 40 hex digits`, {
    code: "E_BAD_ADDRESS",
  });
}

/** An amount flag in wei: `10`, `0.5`, `20000wei`, `4gwei`. */
export function amountFlag(flag: string, text: string, coin: Coin | null): bigint {
  const outcome = parseAmount(text, coin);
  if (outcome.ok) return outcome.value;
  throw new UsageError(`${flag} ${echo(outcome.refusal.text)} ${outcome.refusal.detail}`, {
    code: "E_BAD_AMOUNT",
  });
}

/** A whole number flag within bounds, inclusive. */
export function integerFlag(
  flag: string,
  text: string,
  bounds: { readonly min: bigint; readonly max: bigint },
): bigint {
  const value = /^-?\d{1,40}$/.test(text.trim()) ? BigInt(text.trim()) : null;
  if (value === null) throw new UsageError(`${flag} ${echo(text)} is not a whole number`);
  if (value < bounds.min || value > bounds.max)
    throw new UsageError(`${flag} ${value} is not between ${bounds.min} and ${bounds.max}`);
  return value;
}

/** A hash flag: 64 hex digits, `0x` optional. */
export function digestFlag(flag: string, text: string): Digest {
  const digest = textToDigestOrNull(text.trim());
  if (digest === null) throw new UsageError(`${flag} ${echo(text)} is not a hash: 64 hex digits`);
  return digest;
}

/** A flag that the command cannot do without. */
export function requiredFlag(flag: string, value: string | undefined): string {
  if (value === undefined || value === "") throw new UsageError(`${flag} is missing`);
  return value;
}

/** Largest gas limit that is read. */
export const gasMax: bigint = (1n << 63n) - 1n;

/** Largest sequence: Theta's are 64 bits wide. */
export const sequenceMax: bigint = (1n << 64n) - 1n;

/** Largest height that is asked for. */
export const heightMax: bigint = BigInt(Number.MAX_SAFE_INTEGER);
