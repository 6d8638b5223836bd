import { fork, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { Follower, type SeenBlock } from "./follower.ts";
import type { FromGenerator, GeneratorReport, Pace, ToGenerator } from "./generatorTypes.ts";
import { processUsage } from "./measure.ts";
import { readMetrics } from "./network.ts";
import { pause, type Server } from "./server.ts";
import type { TransactionFile } from "./transactionFile.ts";

/** One load on one server. */
export type LoadOptions = {
  readonly server: Server;
  readonly file: TransactionFile;
  /** Only the first so many transactions of the file. */
  readonly countMax: number;
  readonly laneCount: number;
  readonly batchSize: number;
  readonly pace: Pace;
  /** Sending ends after this time, or when the transactions are used up. */
  readonly seconds: number;
  /** What is sent before this time is not measured. */
  readonly warmupSeconds: number;
  readonly nice: number;
  /** Also measures the time from intended sending to visible commit. */
  readonly withLatency: boolean;
};

/** What was measured. */
export type LoadResult = {
  /**
   * Committed transactions per second between the first block after warm-up and the last while fed.
   */
  readonly perSecond: number;
  /** Server processor microseconds per transaction committed in that window, all threads. */
  readonly cpuUs: number;
  /** The window's length. */
  readonly windowMs: number;
  readonly committed: number;
  readonly blockCount: number;
  readonly report: GeneratorReport;
  /** Generator's processor time per accepted transaction. */
  readonly generatorCpuUs: number;
  readonly residentBytesPeak: number;
  /** Milliseconds of each transaction committed after warm-up; empty unless asked for. */
  readonly latenciesMs: readonly number[];
  /**
   * Microseconds per committed transaction by stage, over the whole load; empty for other servers.
   */
  readonly stageUs: ReadonlyMap<string, number>;
};

/** Between two looks for a new block: short where latency is measured. */
const pollMs = { rate: 50, latency: 10 } as const;

/**
 * A server that commits nothing for so long although accepted transactions are missing has lost
 * them.
 */
const stallMsMax = 20_000;

function tell(child: ChildProcess, message: ToGenerator): void {
  // It may be ending: then nobody needs the message.
  if (child.connected) child.send(message, () => undefined);
}

type Waits = {
  readonly ready: Promise<void>;
  readonly started: Promise<number>;
  readonly done: Promise<GeneratorReport>;
};

function listen(child: ChildProcess): Waits {
  const { promise: ready, resolve: onReady } = Promise.withResolvers<void>();
  const { promise: started, resolve: onStarted } = Promise.withResolvers<number>();
  const { promise: done, resolve: onDone, reject } = Promise.withResolvers<GeneratorReport>();
  child.on("message", (message: FromGenerator) => {
    if (message.type === "ready") onReady();
    else if (message.type === "started") onStarted(message.atMs);
    else onDone(message.report);
  });
  child.once("exit", (code) => reject(new Error(`the generator ended with ${code}`)));
  return { ready, started, done };
}

/** Loads a server and measures it from outside: its committed blocks, and its process. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const { server, withLatency } = options;
  const child = fork(join(import.meta.dirname, "generator.ts"), [], { stdio: "inherit" });
  try {
    const waits = listen(child);
    tell(child, { type: "prepare", order: orderOf(options) });
    await Promise.race([waits.ready, waits.done]);
    const follower = await Follower.start(server, {
      pollMs: withLatency ? pollMs.latency : pollMs.rate,
      withHashes: withLatency,
      onBlock: ({ committed }) => tell(child, { type: "committed", count: committed }),
    });
    const stagesBefore = await stages(server);
    const stop = setTimeout(() => tell(child, { type: "stop" }), options.seconds * 1_000);
    tell(child, { type: "go" });
    const startedAtMs = await waits.started;
    const report = await waits.done;
    clearTimeout(stop);
    await drain(follower, report.accepted);
    await follower.stop();
    const stagesAfter = await stages(server);
    return {
      ...measured(follower.blocks, report, options.warmupSeconds * 1_000),
      committed: follower.committed,
      blockCount: follower.blocks.filter((block) => block.transactionCount > 0).length,
      report,
      generatorCpuUs: (report.cpuMs * 1_000) / Math.max(1, report.accepted),
      residentBytesPeak: processUsage(server.pid).residentBytesPeak,
      latenciesMs: withLatency ? latencies(follower.blocks, startedAtMs, options) : [],
      stageUs: perTransaction(stagesBefore, stagesAfter, follower.committed),
    };
  } finally {
    child.kill("SIGKILL");
  }
}

function orderOf(options: LoadOptions) {
  const { file, server } = options;
  return {
    port: server.port,
    path: new URL(server.url).pathname,
    filePath: file.path,
    kind: file.kind,
    countMax: Math.min(options.countMax, file.hashes.length),
    laneCount: options.laneCount,
    batchSize: options.batchSize,
    pace: options.pace,
    nice: options.nice,
  };
}

/** Waits until all that was accepted is committed, or nothing happens any more. */
async function drain(follower: Follower, accepted: number): Promise<void> {
  let last = follower.committed;
  let sinceMs = Date.now();
  while (follower.committed < accepted && Date.now() - sinceMs < stallMsMax) {
    await pause(pollMs.rate);
    if (follower.committed === last) continue;
    last = follower.committed;
    sinceMs = Date.now();
  }
}

/**
 * Rate and processor time between two blocks: the first after warm-up, the last while it was fed.
 */
function measured(
  blocks: readonly SeenBlock[],
  report: GeneratorReport,
  warmupMs: number,
): Pick<LoadResult, "perSecond" | "cpuUs" | "windowMs"> {
  const fromMs = report.startedAtMs + warmupMs;
  const inside = blocks.filter(
    ({ seenAtMs, transactionCount }) =>
      transactionCount > 0 && seenAtMs >= fromMs && seenAtMs <= report.fedUntilMs,
  );
  const [first] = inside;
  const last = inside.at(-1);
  if (first === undefined || last === undefined || first === last) {
    return { perSecond: 0, cpuUs: 0, windowMs: 0 };
  }
  const windowMs = last.seenAtMs - first.seenAtMs;
  const count = last.committed - first.committed;
  const cpuMs = last.usage.cpuMs - first.usage.cpuMs;
  return { perSecond: (count * 1_000) / windowMs, cpuUs: (cpuMs * 1_000) / count, windowMs };
}

/** From the time at which a transaction was to be sent to the time at which its block was seen. */
function latencies(
  blocks: readonly SeenBlock[],
  startedAtMs: number,
  { pace, file, warmupSeconds }: LoadOptions,
): readonly number[] {
  if (pace.type === "closed") return [];
  const indexOf = new Map(file.hashes.map((hash, index) => [hash, index]));
  const found: number[] = [];
  for (const { hashes, seenAtMs } of blocks) {
    for (const hash of hashes) {
      const index = indexOf.get(hash);
      if (index === undefined) continue;
      const intendedMs = (index * 1_000) / pace.ratePerSecond;
      if (intendedMs >= warmupSeconds * 1_000) found.push(seenAtMs - startedAtMs - intendedMs);
    }
  }
  return found;
}

const stagePattern = /^ledger_stage_seconds_total\{stage="([a-zA-Z]+)"\}$/;

async function stages(server: Server): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  for (const [name, value] of await readMetrics(server)) {
    const stage = stagePattern.exec(name)?.[1];
    if (stage !== undefined) found.set(stage, value);
  }
  return found;
}

function perTransaction(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  count: number,
): ReadonlyMap<string, number> {
  const each = (stage: string, seconds: number): number =>
    ((seconds - (before.get(stage) ?? 0)) * 1_000_000) / Math.max(1, count);
  return new Map([...after].map(([stage, seconds]) => [stage, each(stage, seconds)]));
}
