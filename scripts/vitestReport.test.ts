import { expect, test } from "vitest";
import { addCounts, countTests, noTests, summaryOf } from "./vitestReport.ts";

test("counts tests by status, and a file that could not be imported as one failure", () => {
  const counts = countTests({
    testResults: [
      { status: "passed", assertionResults: [{ status: "passed" }, { status: "skipped" }] },
      { status: "failed", assertionResults: [{ status: "failed" }, { status: "passed" }] },
      { status: "failed", assertionResults: [] },
    ],
  });
  expect(counts).toEqual({ filesPassed: 1, filesFailed: 2, passed: 2, failed: 2, skipped: 1 });
});

test("the summary has vitest's words and the sum of the runs", () => {
  const run = { filesPassed: 2, filesFailed: 0, passed: 5, failed: 0, skipped: 0 };
  expect(summaryOf(addCounts(run, { ...run, skipped: 1 }))).toBe(
    " Test Files  4 passed (4)\n      Tests  10 passed | 1 skipped (11)",
  );
  expect(summaryOf(noTests)).toContain("none (0)");
});
