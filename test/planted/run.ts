/*
 * Plants one defect at a time into a copy of the tree and demands that the test named after its row
 * fails there, having passed without it. `npm run campaign -- planted [ROW...]`.
 */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import type { Defect } from "./defect.ts";
import { defects } from "./defects.ts";
import { rowPattern } from "./rows.ts";

const root = join(import.meta.dirname, "..", "..");
const leftOut = new Set(["node_modules", ".git", "dist", ".data"]);

/** The copy lies beside a link to the test data, as the project itself does. */
function copyTree(): { readonly base: string; readonly tree: string } {
  const base = mkdtempSync(join(tmpdir(), "ledger-planted-"));
  const tree = join(base, "main");
  cpSync(root, tree, {
    recursive: true,
    filter: (path) => !leftOut.has(relative(root, path).split("/")[0] ?? ""),
  });
  symlinkSync(join(root, "node_modules"), join(tree, "node_modules"));
  const data = join(root, "..", "shared");
  if (existsSync(data)) symlinkSync(data, join(base, "shared"));
  return { base, tree };
}

type Verdict = { readonly passed: number; readonly failed: number; readonly output: string };

type Report = {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
};

/** Runs the tests of one file whose names match; a file that cannot be imported has no verdict. */
function runTests(tree: string, testFile: string, pattern: string): Verdict {
  const reportPath = join(tree, "planted-report.json");
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [
      "node_modules/vitest/vitest.mjs",
      "run",
      testFile,
      "--testNamePattern",
      pattern,
      "--reporter=json",
      `--outputFile.json=${reportPath}`,
    ],
    { cwd: tree, encoding: "utf8", env: { ...process.env, CI: "true" }, timeout: 600_000 },
  );
  const output = `${stdout}\n${stderr}`;
  if (!existsSync(reportPath)) return { passed: 0, failed: 0, output };
  const report = JSON.parse(readFileSync(reportPath, "utf8")) as Report;
  rmSync(reportPath);
  const statuses = report.testResults.flatMap((file) =>
    file.assertionResults.map((result) => result.status),
  );
  const count = (status: string): number => statuses.filter((each) => each === status).length;
  return { passed: count("passed"), failed: count("failed"), output };
}

function patternOf(defect: Defect): string {
  return defect.name ?? rowPattern(defect.row).source;
}

/** What is wrong with a defect or its test; `null` when planting it turns passing into failing. */
function problemOf(tree: string, defect: Defect, unplanted: Map<string, Verdict>): string | null {
  const pattern = patternOf(defect);
  const key = `${defect.test} ${pattern}`;
  const before = unplanted.get(key) ?? runTests(tree, defect.test, pattern);
  unplanted.set(key, before);
  if (before.failed > 0) return `the test fails without the defect\n${before.output}`;
  if (before.passed === 0) return `no test of ${defect.test} matches ${pattern}\n${before.output}`;
  const path = join(tree, defect.file);
  const text = readFileSync(path, "utf8");
  if (text.split(defect.find).length !== 2) return "the text to replace is not there exactly once";
  writeFileSync(path, text.split(defect.find).join(defect.replace));
  const after = runTests(tree, defect.test, pattern);
  writeFileSync(path, text);
  if (after.failed > 0) return null;
  return after.passed > 0 ? "the test passes with the defect" : `no test ran\n${after.output}`;
}

function main(): void {
  const wanted = process.argv.slice(2);
  const chosen = defects.filter(({ row }) => wanted.length === 0 || wanted.includes(row));
  const { base, tree } = copyTree();
  const unplanted = new Map<string, Verdict>();
  let failures = 0;
  for (const defect of chosen) {
    const problem = problemOf(tree, defect, unplanted);
    if (problem !== null) failures += 1;
    console.log(`${problem === null ? "caught" : "NOT CAUGHT"}  ${defect.row}  ${defect.about}`);
    if (problem !== null) console.log(`            ${problem}`);
  }
  rmSync(base, { recursive: true });
  console.log(`${chosen.length - failures} of ${chosen.length} planted defects caught`);
  process.exitCode = failures > 0 || chosen.length === 0 ? 1 : 0;
}

main();
