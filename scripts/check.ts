/*
 * Everything continuous integration does, in the order that fails fastest (`npm run check`,
 * `npm test`). Every stage runs even when one before it failed, so that one run tells all;
 * `--bail` stops at the first. Names after it pick stages: `npm run check -- types lint`.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { addCounts, countTests, noTests, summaryOf } from "./vitestReport.ts";
import type { TestCounts, VitestReport } from "./vitestReport.ts";

type Stage = {
  readonly name: string;
  readonly command: readonly string[];
  /** Runs vitest, whose JSON report is counted. */
  readonly tests: boolean;
};

const stages: readonly Stage[] = [
  { name: "types", command: ["tsc", "-p", "."], tests: false },
  { name: "lint", command: ["oxlint", "--type-aware", "--deny-warnings"], tests: false },
  { name: "format", command: ["oxfmt", "--check"], tests: false },
  { name: "tidy", command: ["vitest", "run", "--project", "tidy"], tests: true },
  { name: "unit", command: ["vitest", "run", "--project", "unit"], tests: true },
  { name: "sim", command: ["vitest", "run", "--project", "sim"], tests: true },
  { name: "integration", command: ["vitest", "run", "--project", "integration"], tests: true },
];

const root = join(import.meta.dirname, "..");
const reports = mkdtempSync(join(tmpdir(), "ledger-check-"));
const binaries = [join(root, "node_modules/node/bin"), join(root, "node_modules/.bin")];
const path = [...binaries, process.env["PATH"] ?? ""].join(delimiter);

type Result = {
  readonly name: string;
  readonly ok: boolean;
  readonly seconds: number;
  readonly counts: TestCounts;
};

function run(stage: Stage): Result {
  console.log(`\n== ${stage.name}: ${stage.command.join(" ")}`);
  const report = join(reports, `${stage.name}.json`);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const [program = "", ...flags] = stage.command;
  const begunMs = performance.now();
  const { status } = spawnSync(program, stage.tests ? [...flags, ...reporters] : flags, {
    cwd: root,
    env: { ...process.env, PATH: path },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const seconds = (performance.now() - begunMs) / 1_000;
  const counts = stage.tests ? countsOf(report, status === 0) : noTests;
  console.log(`== ${stage.name}: ${status === 0 ? "ok" : "FAILED"} in ${seconds.toFixed(1)} s`);
  return { name: stage.name, ok: status === 0, seconds, counts };
}

function countsOf(report: string, ok: boolean): TestCounts {
  const counts = existsSync(report)
    ? countTests(JSON.parse(readFileSync(report, "utf8")) as VitestReport)
    : noTests;
  // Vitest also fails for an error outside any test, or before it could write a report.
  return ok || counts.failed > 0 ? counts : { ...counts, failed: 1 };
}

function main(): void {
  const bail = process.argv.includes("--bail");
  const names = process.argv.slice(2).filter((argument) => argument !== "--bail");
  const unknown = names.filter((name) => !stages.some((stage) => stage.name === name));
  if (unknown.length > 0) {
    const known = stages.map((stage) => stage.name).join(", ");
    console.error(`error: no stage named ${unknown.join(", ")}. Stages: ${known}`);
    process.exitCode = 2;
    return;
  }
  const results: Result[] = [];
  for (const stage of stages) {
    if (names.length > 0 && !names.includes(stage.name)) continue;
    const result = run(stage);
    results.push(result);
    if (bail && !result.ok) break;
  }
  rmSync(reports, { recursive: true });
  report(results);
}

function report(results: readonly Result[]): void {
  const counts = results.reduce((sum, result) => addCounts(sum, result.counts), noTests);
  const failed = results.filter((result) => !result.ok).map((result) => result.name);
  const seconds = results.reduce((sum, result) => sum + result.seconds, 0);
  console.log("");
  for (const { name, ok, seconds: took } of results)
    console.log(`${name.padStart(12)}  ${took.toFixed(1).padStart(6)} s  ${ok ? "ok" : "FAILED"}`);
  console.log(`\n${summaryOf(counts)}\n   Duration  ${seconds.toFixed(1)}s`);
  if (failed.length > 0) console.log(`failed stages: ${failed.join(", ")}`);
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  process.exitCode = failed.length > 0 ? 1 : 0;
}

main();
