import { expect, test } from "vitest";
import { bigIntToDigest } from "../base/bytes.ts";
import { CodeCache } from "./codeCache.ts";

test("codes are kept up to the limit in bytes, and the oldest go first", () => {
  const cache = new CodeCache(100);
  const hashOf = (number: number): ReturnType<typeof bigIntToDigest> =>
    bigIntToDigest(BigInt(number));
  for (let number = 0; number < 1_000; number += 1) {
    cache.add(hashOf(number), new Uint8Array(30).fill(number));
    expect(cache.bytes).toBeLessThanOrEqual(100);
  }
  expect(cache.get(hashOf(996))).toBeUndefined();
  for (const number of [997, 998, 999]) {
    expect(cache.get(hashOf(number))).toEqual(new Uint8Array(30).fill(number));
  }
  cache.add(hashOf(1_000), new Uint8Array(101));
  expect(cache.bytes).toBe(0);
});
