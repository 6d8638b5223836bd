/** How many tests and files of one or more vitest runs passed, failed and were skipped. */
export type TestCounts = {
  readonly filesPassed: number;
  readonly filesFailed: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
};

/** The sum of nothing. */
export const noTests: TestCounts = {
  filesPassed: 0,
  filesFailed: 0,
  passed: 0,
  failed: 0,
  skipped: 0,
};

/** The fields of vitest's JSON report that are read here. */
export type VitestReport = {
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
};

/**
 * Counts a report. A file that failed without a failed test (it could not be imported) counts as
 * one failed test: otherwise it would be missing from the sum.
 */
export function countTests(report: VitestReport): TestCounts {
  let counts = noTests;
  for (const file of report.testResults) {
    const statuses = file.assertionResults.map((result) => result.status);
    const failed = statuses.filter((status) => status === "failed").length;
    const passed = statuses.filter((status) => status === "passed").length;
    const fileFailed = file.status === "failed" || failed > 0;
    counts = addCounts(counts, {
      filesPassed: fileFailed ? 0 : 1,
      filesFailed: fileFailed ? 1 : 0,
      passed,
      failed: fileFailed ? Math.max(failed, 1) : 0,
      skipped: statuses.length - passed - failed,
    });
  }
  return counts;
}

/** Field by field. */
export function addCounts(a: TestCounts, b: TestCounts): TestCounts {
  return {
    filesPassed: a.filesPassed + b.filesPassed,
    filesFailed: a.filesFailed + b.filesFailed,
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
  };
}

/** Vitest's own summary lines, for the sum of its runs. */
export function summaryOf(counts: TestCounts): string {
  const { filesPassed, filesFailed, passed, failed, skipped } = counts;
  return [
    ` Test Files  ${parts([filesFailed, "failed"], [filesPassed, "passed"])}`,
    `      Tests  ${parts([failed, "failed"], [passed, "passed"], [skipped, "skipped"])}`,
  ].join("\n");
}

function parts(...terms: readonly (readonly [number, string])[]): string {
  const total = terms.reduce((sum, [count]) => sum + count, 0);
  const shown = terms.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`);
  return `${shown.length === 0 ? "none" : shown.join(" | ")} (${total})`;
}
