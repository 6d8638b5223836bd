import { expect, test } from "vitest";
import { printedDepthMax, printValue } from "./print.ts";

test("what JSON cannot hold is printed all the same", () => {
  expect(printValue({ amount: 10n ** 30n, raw: new Uint8Array([1, 255]), none: undefined })).toBe(
    `{"amount":"1${"0".repeat(30)}","raw":"0x01ff","none":"(undefined)"}`,
  );
  expect(printValue(new Map([[1n, new Set(["a"])]]))).toBe('{"\\"1\\"":["a"]}');
  expect(printValue(Number.NaN)).toBe('"NaN"');
  expect(printValue(new Error("outer", { cause: new RangeError("inner") }))).toBe(
    '{"error":"Error: outer","cause":"RangeError: inner"}',
  );
});

test("output is bounded and a cycle ends", () => {
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  expect(printValue(cycle).split("self").length - 1).toBe(printedDepthMax);
  expect(printValue("x".repeat(1e6)).length).toBeLessThan(1_100);
  expect(printValue(new Uint8Array(1e6)).length).toBeLessThan(600);
  expect(printValue(Array.from({ length: 1e5 }, () => 7)).length).toBeLessThan(300);
});

test("a getter that throws does not throw here", () => {
  const trap = {
    get value(): string {
      throw new Error("trap");
    },
  };
  expect(printValue(trap)).toBe('"(not printable)"');
});
