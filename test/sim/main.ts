import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { assert } from "../../base/assert.ts";
import { Cluster, runSeed, type RunResult } from "./cluster.ts";
import { describeRun } from "./report.ts";
import { shrinkRun, traceTail } from "./shrink.ts";

/*
 * `npm run sim -- --seed N [--verbose]` replays one run; `npm run sim -- --from A --seeds N` is the
 * campaign: exit 1 and the failing seed on the last line, if there is one.
 */

/** Views of the safety phase, unless told otherwise. */
const viewsMinDefault = 50;

type Share = {
  readonly from: number;
  readonly to: number;
  readonly step: number;
  readonly views: number;
};

type Progress =
  | {
      readonly type: "ran";
      readonly views: number;
      readonly commits: number;
      readonly events: number;
    }
  | { readonly type: "failed"; readonly seed: number; readonly line: string };

function replay(seed: number, viewsMin: number, isVerbose: boolean): number {
  const trace = isVerbose ? (line: string) => process.stdout.write(`${line}\n`) : undefined;
  const options = trace === undefined ? { seed, viewsMin } : { seed, viewsMin, trace };
  const result = new Cluster(options).run();
  process.stdout.write(`${describeRun(result)}\ndigest ${result.digest}\n`);
  return result.failure === null ? 0 : explain(result, viewsMin);
}

/** Shows the smallest run found that still fails, and its last events. */
function explain(result: RunResult, viewsMin: number): number {
  const { seed } = result;
  const least = shrinkRun({ seed, viewsMin }, result);
  const lines = [
    `shrunk to: ${JSON.stringify(least.swarm)}`,
    ...traceTail(least),
    describeRun(runSeed(least)),
    `failing seed ${seed}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  return 1;
}

/** In a worker: every `step`-th seed, one message each. */
function runShare({ from, to, step, views }: Share): void {
  for (let seed = from; seed < to; seed += step) {
    const result = runSeed({ seed, viewsMin: views });
    const message: Progress =
      result.failure === null
        ? { type: "ran", views: result.views, commits: result.commits, events: result.events }
        : { type: "failed", seed, line: describeRun(result) };
    parentPort?.postMessage(message);
    if (result.failure !== null) return;
  }
}

type Totals = {
  runs: number;
  views: number;
  viewsLeast: number;
  commits: number;
  events: number;
};

/** Runs the seeds on several cores; the lowest failing seed, or `null`. */
async function campaign(share: Omit<Share, "step">, jobs: number): Promise<number | null> {
  const startMs = performance.now();
  const totals: Totals = {
    runs: 0,
    views: 0,
    viewsLeast: Number.POSITIVE_INFINITY,
    commits: 0,
    events: 0,
  };
  const failed: { readonly seed: number; readonly line: string }[] = [];
  const workers = Array.from({ length: jobs }, (_, job) => {
    const data: Share = { ...share, from: share.from + job, step: jobs };
    const worker = new Worker(new URL(import.meta.url), { workerData: data });
    return new Promise<void>((resolve, reject) => {
      worker.on("message", (progress: Progress) => {
        if (progress.type === "failed") failed.push(progress);
        else count(totals, progress);
      });
      worker.on("error", reject);
      worker.on("exit", () => resolve());
    });
  });
  await Promise.all(workers);
  failed.sort((a, b) => a.seed - b.seed);
  for (const { line } of failed) process.stdout.write(`${line}\n`);
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
  const { runs, views, viewsLeast, commits, events } = totals;
  const did = `${views} views (at least ${viewsLeast} each), ${commits} commits, ${events} events`;
  process.stdout.write(`${runs} seeds ok, ${did}, ${seconds} s on ${jobs} cores\n`);
  return failed[0]?.seed ?? null;
}

function count(totals: Totals, progress: Extract<Progress, { readonly type: "ran" }>): void {
  totals.runs += 1;
  totals.views += progress.views;
  totals.viewsLeast = Math.min(totals.viewsLeast, progress.views);
  totals.commits += progress.commits;
  totals.events += progress.events;
  if (totals.runs % 500 === 0)
    process.stdout.write(`${totals.runs} seeds, ${totals.views} views\n`);
}

function numberOption(text: string | undefined, fallback: number): number {
  const value = text === undefined ? fallback : Number(text);
  assert(Number.isSafeInteger(value) && value >= 0, `not a count: ${text}`);
  return value;
}

const usage = `usage: npm run sim -- [flags]
  --seed N      replay the run of one seed, show its outcome and digest
  --verbose     with --seed: show every event
  --from A      first seed of a campaign (0)
  --seeds N     how many seeds (100); exit 1 and the failing seed last if one fails
  --views N     least views of each run's safety phase (${viewsMinDefault})
  --jobs N      threads (one per core)
  --help        show this
`;

function showUsage(): number {
  process.stdout.write(usage);
  return 0;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      help: { type: "boolean", default: false },
      seed: { type: "string" },
      verbose: { type: "boolean", default: false },
      from: { type: "string" },
      seeds: { type: "string" },
      views: { type: "string" },
      jobs: { type: "string" },
    },
  });
  if (values.help) return showUsage();
  const views = numberOption(values.views, viewsMinDefault);
  if (values.seed !== undefined) return replay(numberOption(values.seed, 0), views, values.verbose);
  const from = numberOption(values.from, 0);
  const to = from + numberOption(values.seeds, 100);
  const jobs = Math.max(1, numberOption(values.jobs, availableParallelism()));
  const seed = await campaign({ from, to, views }, jobs);
  if (seed !== null) explain(runSeed({ seed, viewsMin: views }), views);
  return seed === null ? 0 : 1;
}

if (isMainThread) process.exitCode = await main();
else runShare(workerData as Share);
