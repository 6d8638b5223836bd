import { expect, test } from "vitest";
import { stubDigest } from "../test/sim/stubs.ts";
import { askAgainViews, Missing } from "./missing.ts";

test("what is missing is asked for once, and again after some views, until it is of no use", () => {
  const missing = new Missing();
  const hash = stubDigest("block");
  expect(missing.want(hash)).toEqual([hash]);
  expect(missing.want(hash)).toEqual([]);
  expect(missing.dueIn(askAgainViews)).toEqual([hash]);
  expect(missing.dueIn(2 * askAgainViews - 1)).toEqual([]);
  expect(missing.dueIn(2 * askAgainViews)).toEqual([hash]);
  missing.unwant(hash);
  expect(missing.dueIn(9 * askAgainViews)).toEqual([]);
});
