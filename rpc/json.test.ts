import { expect, test } from "vitest";

import { isNestedDeeper, memberOf, shortened } from "./json.ts";

test("depth counts brackets outside strings", () => {
  expect(isNestedDeeper("[[1],[2]]", 2)).toBe(false);
  expect(isNestedDeeper("[[[1]]]", 2)).toBe(true);
  expect(isNestedDeeper('{"a":"[[[[[["}', 1)).toBe(false);
  expect(isNestedDeeper('{"a\\"[[[[":1}', 1)).toBe(false);
  expect(isNestedDeeper('{"a":"\\\\","b":[[1]]}', 2)).toBe(true);
  expect(isNestedDeeper('"never closed [[[', 1)).toBe(false);
});

test("A1: 100,000 levels are found without recursion", () => {
  expect(isNestedDeeper("[".repeat(100_000), 64)).toBe(true);
  expect(isNestedDeeper('{"a":'.repeat(100_000), 64)).toBe(true);
});

test("a quote-heavy text takes time in proportion to its size", () => {
  expect(isNestedDeeper(`"${"\\".repeat(200_000)}"`, 64)).toBe(false);
  expect(isNestedDeeper('\\"'.repeat(200_000), 64)).toBe(false);
});

test("E10: members come from the object itself, never from its prototype", () => {
  const parsed = JSON.parse('{"__proto__":{"polluted":1},"a":2}') as Record<string, unknown>;
  expect(memberOf(parsed, "a")).toBe(2);
  expect(memberOf(parsed, "constructor")).toBeUndefined();
  expect(memberOf({}, "__proto__")).toBeUndefined();
  expect("polluted" in {}).toBe(false);
});

test("a long text is cut", () => {
  expect(shortened("a".repeat(1_000_000)).length).toBeLessThan(120);
});
