import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Signer } from "../sdk/wallet.ts";
import { runLoad, type LoadResult } from "./load.ts";
import { calibrate, percentile, printCalibration } from "./measure.ts";
import { viewTimeoutMsShort } from "../node/replicaOptions.ts";
import { heightOf, readMetrics, startNetwork, type NetworkServer } from "./network.ts";
import { benchSenders } from "./senders.ts";
import { pause, temporaryFolder, type Server } from "./server.ts";
import { measureMessageDelay } from "./p2p.ts";
import { writeTransactionFile, type TransactionFile } from "./transactionFile.ts";

/*
 * Four validators in four processes beside one, on one machine: what agreement costs in processor
 * time and throughput, how long a transfer takes when nothing else happens, and what one dead
 * validator costs in blocks.
 */

const usage = `usage: npm run bench -- validators [flags]
  --validators N    how many processes beside the one (4)
  --seconds N       measured seconds of a load (10)
  --warmup N        seconds before that (3)
  --latency N       seconds of each latency run, without load and at half of it; 0 for none (10)
  --blocks N        seconds in which blocks are counted, 0 for none (15)
  --faults N        rounds of kills, 0 for none (4)`;

const flags = {
  validators: { type: "string", default: "4" },
  seconds: { type: "string", default: "10" },
  warmup: { type: "string", default: "3" },
  latency: { type: "string", default: "10" },
  blocks: { type: "string", default: "15" },
  faults: { type: "string", default: "4" },
  help: { type: "boolean", default: false },
} as const;

/** Transfers signed for each second: more than one validator commits. */
const perSecondMax = 8_000;

/** Transfers a second in the latency run: the pool is empty nearly always. */
const idleRate = 4;

/** Most transfers a second in the run at half the load. */
const halfRateMax = 2_500;

/** Requests of the ping that a message's delay is taken from. */
const pings = 500;

/**
 * Messages, one after another, from submission to commit: the news of a transaction, the question
 * for it and the answer, then proposal and votes of its block, the same of the block that commits
 * it, and the proof. One less each for the news if the node that was asked leads.
 */
const messagesToCommit = 8;

type Settings = {
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly latencySeconds: number;
  readonly blockSeconds: number;
};

/** What one network did. */
type Measured = {
  readonly load: LoadResult;
  /** BLS signatures verified by each process, for each block of the load. */
  readonly checks: readonly number[];
  readonly idle: LoadResult | null;
  /** At half the throughput of `load`. */
  readonly half: LoadResult | null;
};

type Files = {
  readonly load: TransactionFile;
  readonly idle: TransactionFile;
  readonly half: TransactionFile;
};

/** `npm run bench -- validators`. */
export async function run(argv: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...argv], options: flags });
  if (values.help) return console.log(usage);
  const settings = {
    seconds: Number(values.seconds),
    warmupSeconds: Number(values.warmup),
    latencySeconds: Number(values.latency),
    blockSeconds: Number(values.blocks),
  };
  const before = calibrate();
  printCalibration("before", before);
  const senders = benchSenders(640);
  const count = perSecondMax * (settings.seconds + settings.warmupSeconds);
  const folder = temporaryFolder();
  // Groups of senders: what one file has sent is no news to the others.
  const write = (name: string, from: number, to: number, transfers: number): TransactionFile =>
    writeTransactionFile(join(folder, name), "ethereum", {
      senders: senders.slice(from, to),
      count: Math.max(1, transfers),
    });
  const files = {
    idle: write("idle", 0, 40, idleRate * settings.latencySeconds),
    half: write("half", 40, 240, halfRateMax * settings.latencySeconds),
    load: write("load", 240, 640, count),
  };
  const one = await measure(1, { settings, senders, files });
  const many = await measure(Number(values.validators), { settings, senders, files });
  report(one, many, Number(values.validators));
  if (many.idle !== null) printBreakdown(many.idle, await measureMessageDelay(pings));
  if (settings.blockSeconds > 0) await printBlockRates(Number(values.validators), settings);
  const faults = Number(values.faults);
  if (faults > 0) await printRecovery(Number(values.validators), faults);
  printCalibration("after", calibrate(), before);
}

async function checksOf(servers: readonly Server[]): Promise<readonly number[]> {
  const counts: number[] = [];
  for (const server of servers) {
    counts.push((await readMetrics(server)).get("ledger_checked_signatures_total") ?? 0);
  }
  return counts;
}

async function measure(
  count: number,
  {
    settings,
    senders,
    files,
  }: {
    readonly settings: Settings;
    readonly senders: readonly Signer[];
    readonly files: Files;
  },
): Promise<Measured> {
  const servers = await startNetwork(count, { senders });
  try {
    const [server] = servers;
    if (server === undefined) throw new Error("a network has nodes");
    const common = { server, batchSize: 1, nice: 0 };
    const latencyAt = async (
      file: TransactionFile,
      { ratePerSecond, laneCount }: { readonly ratePerSecond: number; readonly laneCount: number },
    ): Promise<LoadResult | null> => {
      if (settings.latencySeconds === 0) return null;
      return runLoad({
        ...common,
        file,
        laneCount,
        countMax: Math.min(file.hashes.length, Math.ceil(ratePerSecond * settings.latencySeconds)),
        pace: { type: "open", ratePerSecond },
        seconds: settings.latencySeconds,
        warmupSeconds: 1,
        withLatency: true,
      });
    };
    const checksBefore = await checksOf(servers);
    const load = await runLoad({
      ...common,
      file: files.load,
      laneCount: 40,
      pids: servers.map(({ pid }) => pid),
      countMax: files.load.hashes.length,
      pace: { type: "closed", outstandingMax: 4_000 },
      seconds: settings.seconds,
      warmupSeconds: settings.warmupSeconds,
      withLatency: false,
    });
    const checksAfter = await checksOf(servers);
    const checks = checksAfter.map(
      (after, i) => (after - (checksBefore[i] ?? 0)) / Math.max(1, load.blockCount),
    );
    const ratePerSecond = Math.min(halfRateMax, load.perSecond / 2);
    const half = await latencyAt(files.half, { ratePerSecond, laneCount: 40 });
    // Last: a validator runs for months, and its code is compiled by then.
    const idle = await latencyAt(files.idle, { ratePerSecond: idleRate, laneCount: 4 });
    return { load, checks, idle, half };
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

function report(one: Measured, many: Measured, count: number): void {
  const latency = (name: string, result: LoadResult | null): string => {
    const p = (fraction: number): string =>
      result === null ? "-" : percentile(result.latenciesMs, fraction).toFixed(0);
    return `   ${name} ms p50 ${p(0.5)} p99 ${p(0.99)}`;
  };
  const line = (name: string, { load, idle, half }: Measured): void => {
    console.log(
      `${name.padEnd(14)}${load.perSecond.toFixed(0).padStart(7)} /s` +
        `${load.cpuUs.toFixed(0).padStart(8)} us each   blocks ${load.blockCount}` +
        `${latency("idle", idle)}${latency("half load", half)}`,
    );
  };
  console.log();
  line("1 validator", one);
  line(`${count} validators`, many);
  const ratio = (many.load.perSecond / Math.max(1, one.load.perSecond)).toFixed(2);
  console.log(
    `throughput ${ratio} of one; processor time ${(many.load.cpuUs / one.load.cpuUs).toFixed(2)}`,
  );
  const checks = many.checks.map((each) => each.toFixed(1)).join(" ");
  console.log(`signatures verified for each filled block, by process: ${checks}`);
}

/** Where the time of a transfer goes when nothing else happens, as the node it is sent to sees it. */
function printBreakdown({ latenciesMs, stageUs }: LoadResult, delayMs: number): void {
  const stages = [...stageUs].map(([stage, us]) => `${stage} ${(us / 1_000).toFixed(1)}`);
  const p50 = percentile(latenciesMs, 0.5);
  console.log(
    `idle p50 ${p50.toFixed(0)} ms (goal 100): ${messagesToCommit} messages of ` +
      `${delayMs.toFixed(2)} ms are ${(messagesToCommit * delayMs).toFixed(1)}, 12 were ` +
      `${(12 * delayMs).toFixed(1)}; stages, ms for each transfer: ${stages.join(", ")}`,
  );
}

/** Blocks in the same time with all validators, and with one of them killed. */
async function printBlockRates(count: number, { blockSeconds }: Settings): Promise<void> {
  const settings = ["--set", "consensus.blockIntervalMsIdle=100"];
  const servers = await startNetwork(count, { senders: benchSenders(1), settings });
  try {
    const [first] = servers;
    const last = servers.at(-1);
    if (first === undefined || last === undefined) throw new Error("a network has nodes");
    const rate = async (): Promise<number> => {
      const from = await heightOf(first);
      const startMs = performance.now();
      await pause(blockSeconds * 1_000);
      return ((await heightOf(first)) - from) / ((performance.now() - startMs) / 1_000);
    };
    const full = await rate();
    await last.stop("SIGKILL");
    const early = await rate();
    const later = await rate();
    console.log(
      `blocks a second with all ${full.toFixed(2)}, one dead ${early.toFixed(2)} ` +
        `then ${later.toFixed(2)}: ${(later / full).toFixed(2)} of the full rate`,
    );
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** How often the height is looked at while a network recovers, in milliseconds. */
const lookMs = 5;

/** Commits after a kill among which the longest silence is sought: every other leads among them. */
const commitsAfterKill = 30;

/** Longest time without a commit until the height has grown by so many, in milliseconds. */
async function longestSilence(server: Server, commits: number): Promise<number> {
  let seen = await heightOf(server);
  const goal = seen + commits;
  let sinceMs = performance.now();
  let longest = 0;
  while (seen < goal) {
    const height = await heightOf(server);
    longest = Math.max(longest, performance.now() - sinceMs);
    if (height > seen) sinceMs = performance.now();
    seen = height;
    await pause(lookMs);
  }
  return longest;
}

/**
 * Kills one validator after another, so that some are killed while they lead or are about to, and
 * then a third of the stake or more at once, which stops the chain until they are back.
 */
async function printRecovery(count: number, rounds: number): Promise<void> {
  const settings = ["--set", "consensus.blockIntervalMsIdle=100"];
  const servers = [...(await startNetwork(count, { senders: benchSenders(1), settings }))];
  const timeoutMs = viewTimeoutMsShort;
  const views = (ms: number): string => `${ms.toFixed(0)} ms, ${(ms / timeoutMs).toFixed(2)} views`;
  try {
    const [witness] = servers;
    if (witness === undefined) throw new Error("a network has nodes");
    const killed: number[] = [];
    const restored: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const at = 1 + (round % (count - 1));
      await servers[at]?.stop("SIGKILL");
      killed.push(await longestSilence(witness, commitsAfterKill));
      await restart(servers, [at]);
      await longestSilence(witness, commitsAfterKill);
      const third = Array.from({ length: Math.ceil(count / 3) }, (_, i) => count - 1 - i);
      await Promise.all(third.flatMap((each) => servers[each]?.stop("SIGKILL") ?? []));
      await restart(servers, third);
      const begunMs = performance.now();
      const before = await heightOf(witness);
      while ((await heightOf(witness)) === before) await pause(lookMs);
      restored.push(performance.now() - begunMs);
      await longestSilence(witness, commitsAfterKill);
    }
    console.log(`one killed: longest silence ${views(Math.max(...killed))} (goal 2)`);
    console.log(
      `a third killed and back: next commit after ${views(Math.max(...restored))} (goal 3)`,
    );
  } finally {
    await Promise.all(servers.map((server) => server.stop("SIGKILL")));
  }
}

/** Resolves when all of them answer again. */
async function restart(servers: NetworkServer[], which: readonly number[]): Promise<void> {
  await Promise.all(
    which.map(async (at) => {
      const again = await servers[at]?.again();
      if (again !== undefined) servers[at] = again;
    }),
  );
}
