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
  /** Processes whose processor time counts; default: the server. */
  readonly pids?: readonly number[];
  readonly file: TransactionFile;
  /** Only the first so many transactions of the file. */
  readonly countMax: number;
  readonly laneCount: number;
  readonly batchSize: number;
  readonly pace: Pace;
  /** Sending ends so long after the warm-up, or when the transactions are used up. */
  readonly seconds: number;
  /** What is sent before is not measured; a closed pace then starts from an empty pool. */
  readonly warmupSeconds: number;
  readonly nice: number;
  /** Also measures the time from intended sending to visible commit. */
  readonly withLatency: boolean;
};

/** What was measured. */
export type LoadResult = {
  /** Committed transactions per second from the first block after the warm-up to the last while fed. */
  readonly perSecond: number;
  /** The length of that window. */
  readonly windowMs: number;
  /** Processor microseconds of all that count, all threads, per transaction after the warm-up. */
  readonly cpuUs: number;
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

/** Between two looks for a new block, where latency is not measured. */
const pollMs = 50;

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
  /** Transactions accepted before the pause. */
  readonly paused: Promise<number>;
  readonly done: Promise<GeneratorReport>;
};

function listen(child: ChildProcess): Waits {
  const { promise: ready, resolve: onReady } = Promise.withResolvers<void>();
  const { promise: started, resolve: onStarted } = Promise.withResolvers<number>();
  const { promise: paused, resolve: onPaused } = Promise.withResolvers<number>();
  const { promise: done, resolve: onDone, reject } = Promise.withResolvers<GeneratorReport>();
  child.on("message", (message: FromGenerator) => {
    if (message.type === "ready") onReady();
    else if (message.type === "started") onStarted(message.atMs);
    else if (message.type === "paused") onPaused(message.accepted);
    else onDone(message.report);
  });
  child.once("exit", (code) => reject(new Error(`the generator ended with ${code}`)));
  return { ready, started, paused, done };
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
      pollMs,
      withHashes: withLatency,
      isTold: withLatency,
      onBlock: ({ committed }) => tell(child, { type: "committed", count: committed }),
    });
    tell(child, { type: "go" });
    const startedAtMs = await waits.started;
    const before = await warm(child, waits, follower, options);
    const stop = setTimeout(() => tell(child, { type: "stop" }), options.seconds * 1_000);
    const report = await waits.done;
    clearTimeout(stop);
    await drain(follower, report.accepted);
    await follower.stop();
    const after = await markOf(follower, options);
    const count = Math.max(1, after.committed - before.committed);
    const warmupMs = options.pace.type === "closed" ? 0 : options.warmupSeconds * 1_000;
    const fed = { fromMs: before.atMs + warmupMs, untilMs: report.fedUntilMs };
    return {
      ...rateOf(follower.blocks, fed),
      cpuUs: ((after.cpuMs - before.cpuMs) * 1_000) / count,
      committed: follower.committed,
      blockCount: follower.blocks.filter((block) => block.transactionCount > 0).length,
      report,
      generatorCpuUs: (report.cpuMs * 1_000) / Math.max(1, report.accepted),
      residentBytesPeak: processUsage(server.pid).residentBytesPeak,
      latenciesMs: withLatency ? latencies(follower.blocks, startedAtMs, options) : [],
      stageUs: perTransaction(before.stages, after.stages, count),
    };
  } finally {
    child.kill("SIGKILL");
  }
}

/** Where the measured part begins or ends. */
type Mark = {
  readonly atMs: number;
  readonly committed: number;
  readonly cpuMs: number;
  readonly stages: ReadonlyMap<string, number>;
};

async function markOf(follower: Follower, { server, pids }: LoadOptions): Promise<Mark> {
  const stages = await stagesOf(server);
  const atMs = performance.timeOrigin + performance.now();
  const counted = pids ?? [server.pid];
  const cpuMs = counted.reduce((sum, pid) => sum + processUsage(pid).cpuMs, 0);
  return { atMs, committed: follower.committed, cpuMs, stages };
}

/**
 * The warm-up. A closed pace ends it with an empty pool: what was admitted before the mark and
 * committed after it would be counted by half.
 */
async function warm(
  child: ChildProcess,
  waits: Waits,
  follower: Follower,
  options: LoadOptions,
): Promise<Mark> {
  const { pace, warmupSeconds } = options;
  if (pace.type !== "closed") return markOf(follower, options);
  await Promise.race([pause(warmupSeconds * 1_000), waits.done]);
  tell(child, { type: "pause" });
  const accepted = await Promise.race([waits.paused, waits.done.then((done) => done.accepted)]);
  await drain(follower, accepted);
  const mark = await markOf(follower, options);
  tell(child, { type: "resume" });
  return mark;
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
    await pause(pollMs);
    if (follower.committed === last) continue;
    last = follower.committed;
    sinceMs = Date.now();
  }
}

/**
 * The rate between two blocks: the first and the last while transactions were sent. Where there are
 * no two, from the beginning to the next one, whenever that came.
 */
function rateOf(
  blocks: readonly SeenBlock[],
  fed: { readonly fromMs: number; readonly untilMs: number },
): Pick<LoadResult, "perSecond" | "windowMs"> {
  const filled = blocks.filter(({ transactionCount }) => transactionCount > 0);
  const since = filled.filter(({ seenAtMs }) => seenAtMs >= fed.fromMs);
  const inside = since.filter(({ seenAtMs }) => seenAtMs <= fed.untilMs);
  const isShort = inside.length < 2;
  const before = filled.findLast(({ seenAtMs }) => seenAtMs < fed.fromMs)?.committed ?? 0;
  const first = isShort ? { seenAtMs: fed.fromMs, committed: before } : inside[0];
  const last = isShort ? since[0] : inside.at(-1);
  if (first === undefined || last === undefined) return { perSecond: 0, windowMs: 0 };
  const windowMs = last.seenAtMs - first.seenAtMs;
  return { perSecond: ((last.committed - first.committed) * 1_000) / windowMs, windowMs };
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

async function stagesOf(server: Server): Promise<ReadonlyMap<string, number>> {
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
