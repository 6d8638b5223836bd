import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatCoins, parseAmount } from "./units.ts";

describe("parseAmount", () => {
  test.each([
    ["10", 10n * 10n ** 18n],
    ["0.5", 5n * 10n ** 17n],
    ["20000wei", 20_000n],
    ["300000000000000000wei", 3n * 10n ** 17n],
    ["4gwei", 4_000_000_000n],
    ["1.5 gwei", 1_500_000_000n],
    ["1.5tfuel", 15n * 10n ** 17n],
    ["2TFuel", 2n * 10n ** 18n],
    ["0", 0n],
    ["0.000000000000000001", 1n],
    ["1.500000000000000000000", 15n * 10n ** 17n],
    ["5.0wei", 5n],
  ])("reads %s", (text, wei) => {
    expect(parseAmount(text, "tfuel")).toEqual({ ok: true, value: wei });
  });

  test.each([
    ["-1", "negative"],
    ["-0.5wei", "negative"],
    ["", "malformed"],
    ["1e18", "malformed"],
    ["0x10", "malformed"],
    ["1,000", "malformed"],
    [".5", "malformed"],
    ["1.", "malformed"],
    ["NaN", "malformed"],
    ["Infinity", "malformed"],
    ["5 btc", "malformed"],
    ["1.5wei", "tooPrecise"],
    ["0.0000000000000000001", "tooPrecise"],
    [`${2n ** 256n}wei`, "tooLarge"],
    ["9".repeat(200), "tooLarge"],
    ["3theta", "wrongCoin"],
  ])("refuses %s", (text, code) => {
    const outcome = parseAmount(text, "tfuel");
    expect(outcome.ok ? "accepted" : outcome.refusal.code).toBe(code);
  });

  test("what is printed reads back as the same wei", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), (wei) => {
        expect(parseAmount(formatCoins(wei))).toEqual({ ok: true, value: wei });
      }),
    );
  });
});
