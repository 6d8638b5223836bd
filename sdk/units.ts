import { accept, refuse, type Outcome } from "../base/outcome.ts";

/** Wei in one THETA or TFUEL. */
export const weiPerCoin: bigint = 10n ** 18n;

/** Wei in one gwei. */
export const weiPerGwei: bigint = 10n ** 9n;

/** Amounts lie below this: a word of the EVM. */
const amountEnd = 1n << 256n;

/** Longest amount that is read, in characters. */
const amountTextMax = 120;

/** Why a text is not an amount; `text` is what was given, cut to a printable length. */
export type AmountRefusal = {
  readonly code: "malformed" | "negative" | "tooPrecise" | "tooLarge" | "wrongCoin";
  readonly text: string;
  readonly detail: string;
};

/** The two coins of the ledger. */
export type Coin = "theta" | "tfuel";

type Unit = { readonly decimals: number; readonly coin: Coin | null };

const units: ReadonlyMap<string, Unit> = new Map([
  ["", { decimals: 18, coin: null }],
  ["theta", { decimals: 18, coin: "theta" }],
  ["tfuel", { decimals: 18, coin: "tfuel" }],
  ["gwei", { decimals: 9, coin: null }],
  ["wei", { decimals: 0, coin: null }],
]);

function refusal(
  code: AmountRefusal["code"],
  text: string,
  detail: string,
): Outcome<never, AmountRefusal> {
  return refuse({ code, text: text.slice(0, 80), detail });
}

/**
 * Reads `10`, `0.5` (coins), `20000wei`, `4gwei`, `1.5tfuel`, `3 theta` into wei, exactly. A suffix
 * that names the other coin than `coin` is refused.
 */
export function parseAmount(
  text: string,
  coin: Coin | null = null,
): Outcome<bigint, AmountRefusal> {
  const trimmed = text.trim();
  if (trimmed.length > amountTextMax) return refusal("tooLarge", text, "is longer than any amount");
  if (/^-\s*[\d.]/.test(trimmed)) return refusal("negative", text, "is negative");
  const match = /^(\d+)(?:\.(\d+))?\s*([a-z]*)$/i.exec(trimmed);
  const unit = units.get((match?.[3] ?? "?").toLowerCase());
  if (match === null || unit === undefined)
    return refusal("malformed", text, "is not an amount such as 10, 0.5, 20000wei or 4gwei");
  if (unit.coin !== null && coin !== null && unit.coin !== coin)
    return refusal("wrongCoin", text, `is in ${unit.coin}, but this amount is in ${coin}`);
  const fraction = (match[2] ?? "").replace(/0+$/, "");
  if (fraction.length > unit.decimals)
    return refusal(
      "tooPrecise",
      text,
      `has more than ${unit.decimals} decimals: less than one wei`,
    );
  const scale = 10n ** BigInt(unit.decimals);
  const part = fraction === "" ? 0n : BigInt(fraction.padEnd(unit.decimals, "0"));
  const wei = BigInt(match[1] ?? "0") * scale + part;
  if (wei >= amountEnd) return refusal("tooLarge", text, "is 2^256 wei or more");
  return accept(wei);
}

/** Wei as a decimal number of coins without trailing zeros, such as `20.000001`. */
export function formatCoins(wei: bigint): string {
  const sign = wei < 0n ? "-" : "";
  const size = wei < 0n ? -wei : wei;
  const fraction = (size % weiPerCoin).toString().padStart(18, "0").replace(/0+$/, "");
  return `${sign}${size / weiPerCoin}${fraction === "" ? "" : `.${fraction}`}`;
}
