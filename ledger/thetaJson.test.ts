import { describe, expect, test } from "vitest";
import type { Address } from "../base/brand.ts";
import { emptyBytes } from "../base/bytes.ts";
import { jsonToBigIntOrNull, thetaFromJson, thetaToJson } from "./thetaJson.ts";
import type { ThetaTransaction } from "./thetaTypes.ts";

const address = "0x2e833968e5bb786ae419c4d13189fb081cc43bab" as Address;

const send: ThetaTransaction = {
  type: "send",
  fee: { thetaWei: 0n, tfuelWei: 10n ** 12n },
  inputs: [
    {
      address,
      coins: { thetaWei: 2n ** 60n, tfuelWei: 1n },
      sequence: 2n,
      signature: emptyBytes,
    },
  ],
  outputs: [],
};

test("numbers go out as decimal strings, addresses with their checksum", () => {
  expect(thetaToJson(send)).toEqual({
    fee: { thetawei: "0", tfuelwei: "1000000000000" },
    inputs: [
      {
        address: "0x2E833968E5bB786Ae419c4d13189fB081Cc43bab",
        coins: { thetawei: "1152921504606846976", tfuelwei: "1" },
        sequence: "2",
        signature: "0x",
      },
    ],
    outputs: [],
  });
});

describe("E9: numbers from JSON", () => {
  test.each([
    [0, 0n],
    [2 ** 53 - 1, 2n ** 53n - 1n],
    ["0", 0n],
    ["18446744073709551616", 2n ** 64n],
    ["0x10", 16n],
    ["0xfF", 255n],
  ])("E9: %j is %s", (json, value) => {
    expect(jsonToBigIntOrNull(json)).toBe(value);
  });
  test.each([
    -1,
    1.5,
    2 ** 53,
    1e30,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    "",
    "-1",
    "+1",
    "1e18",
    "1.0",
    "0x",
    "0X1",
    "-0x1",
    " 1",
    "1 ",
    "1\n",
    "007",
    "1_000",
    "1n",
    "٣",
    "NaN",
    null,
    true,
    [],
    ["1"],
    {},
    9n,
    "9".repeat(79),
  ])("E9: %s is no number", (json) => {
    expect(jsonToBigIntOrNull(json)).toBe(null);
  });
  test("E9: wider than the field is refused with its path", () => {
    const json = thetaToJson(send);
    const wide = { ...json, fee: { thetawei: "0", tfuelwei: (2n ** 256n).toString() } };
    expect(thetaFromJson("send", wide)).toMatchObject({ refusal: { path: "fee.tfuelwei" } });
    const sequence = [{ address, coins: json["fee"], sequence: "18446744073709551616" }];
    expect(thetaFromJson("send", { ...json, inputs: sequence })).toMatchObject({
      refusal: { path: "inputs[0].sequence" },
    });
  });
});

describe("E10: keys that a form does not have", () => {
  test("E10: __proto__ and constructor are refused and change nothing", () => {
    const text = JSON.stringify(thetaToJson(send));
    for (const key of ["__proto__", "constructor", "toString", "extra"]) {
      const json: unknown = JSON.parse(`{"${key}":{"polluted":true},${text.slice(1)}`);
      expect(thetaFromJson("send", json)).toMatchObject({ ok: false });
    }
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
    const inherited: unknown = Object.create({ fee: {}, inputs: [], outputs: [] });
    expect(thetaFromJson("send", inherited)).toMatchObject({ refusal: { path: "fee" } });
  });
});

test("a wrong checksum, a missing field and a wrong form are refused with their path", () => {
  const json = thetaToJson(send);
  const wrong = [{ address: "0x2e833968E5bB786Ae419c4d13189fB081Cc43bab", sequence: 1 }];
  expect(thetaFromJson("send", { ...json, inputs: wrong })).toMatchObject({
    refusal: { path: "inputs[0].address" },
  });
  expect(thetaFromJson("send", { fee: json["fee"], inputs: [] })).toMatchObject({
    refusal: { path: "outputs" },
  });
  for (const bad of [null, [], "x", 1]) expect(thetaFromJson("send", bad).ok).toBe(false);
});
