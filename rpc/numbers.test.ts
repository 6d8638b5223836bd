import { expect, test } from "vitest";

import { accept } from "../base/outcome.ts";
import { readQuantity, readSafeNumber, readThetaNumber } from "./numbers.ts";

test("a Theta number is a number, a decimal string or 0x-hex", () => {
  for (const value of [3, "3", "0x3", "0x03", "0X3"])
    expect(readThetaNumber(value)).toEqual(accept(3n));
  expect(readThetaNumber(0)).toEqual(accept(0n));
  expect(readThetaNumber(`${2n ** 255n}`)).toEqual(accept(2n ** 255n));
  expect(readThetaNumber(Number.MAX_SAFE_INTEGER)).toEqual(accept(2n ** 53n - 1n));
});

test("what is ambiguous or has lost digits is refused", () => {
  const refused = [2 ** 53, 1e300, -1, 0.5, Number.NaN, "", " 1", "-1", "+1", "1.0", "1e3", "007"];
  for (const value of [
    ...refused,
    "0x",
    "0xg",
    `1${"0".repeat(78)}`,
    null,
    true,
    [],
    {},
    undefined,
  ])
    expect(readThetaNumber(value).ok, JSON.stringify(value)).toBe(false);
  expect(readThetaNumber(2 ** 53)).toMatchObject({ refusal: expect.stringContaining("2^53") });
});

test("heights stay within the safe integers", () => {
  expect(readSafeNumber("9007199254740991").ok).toBe(true);
  expect(readSafeNumber("9007199254740992").ok).toBe(false);
});

test("an Ethereum quantity has no leading zeros and bounded bits", () => {
  expect(readQuantity("0x0", 64)).toEqual(accept(0n));
  expect(readQuantity("0xffffffffffffffff", 64)).toEqual(accept(2n ** 64n - 1n));
  for (const value of ["0x", "0x01", "1", 1, "0x10000000000000000", "-0x1", null])
    expect(readQuantity(value, 64).ok, String(value)).toBe(false);
});
