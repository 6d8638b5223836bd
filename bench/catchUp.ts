import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { ParameterValue } from "../ledger/parameters.ts";
import { runLoad } from "./load.ts";
import { calibrate, printCalibration, processUsage } from "./measure.ts";
import { heightOf, startNetwork, startNode } from "./network.ts";
import { benchSenders } from "./senders.ts";
import { pause, projectRoot, temporaryFolder, type Server } from "./server.ts";
import { writeTransactionFile } from "./transactionFile.ts";

/*
 * How fast a new node follows a chain, against how fast the same blocks were made: validators at
 * full load on this machine, then a node that begins at genesis while they rest.
 */

const usage = `usage: npm run bench -- catchup [flags]
  --blocks N      blocks with transfers that are made, then followed (1000)
  --transfers N   transfers in each of them (100)
  --validators N  processes that make them (4)
  --samples N     lines of the table of height and memory (10)`;

const flags = {
  blocks: { type: "string", default: "1000" },
  transfers: { type: "string", default: "100" },
  validators: { type: "string", default: "4" },
  samples: { type: "string", default: "10" },
  help: { type: "boolean", default: false },
} as const;

/** What a plain transfer costs. */
const transferGas = 21_000n;

/** Longest production, in seconds: far more than any machine needs. */
const secondsMax = 3_600;

/** How often height and memory are looked at, in milliseconds. */
const lookMs = 50;

type Sample = {
  readonly atMs: number;
  readonly height: number;
  readonly residentBytes: number;
};

type Made = { readonly blocks: number; readonly transfers: number; readonly seconds: number };

/** `npm run bench -- catchup`. */
export async function run(argv: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...argv], options: flags });
  if (values.help) return console.log(usage);
  const [blocks, perBlock] = [Number(values.blocks), Number(values.transfers)];
  const before = calibrate();
  printCalibration("before", before);
  const senders = benchSenders(400);
  const count = blocks * perBlock;
  const path = join(temporaryFolder(), "load");
  const file = writeTransactionFile(path, "ethereum", { senders, count });
  // A block's target is its limit, so that full blocks do not raise the base fee.
  const parameters = new Map<string, ParameterValue>([
    ["chain.blockGasLimit", transferGas * BigInt(perBlock)],
    ["chain.elasticityMultiplier", 1n],
  ]);
  // One validator alone listens too: it is to be followed.
  const own = "consensus.blockIntervalMsMin=0,p2p.listen=/ip4/127.0.0.1/tcp/0";
  const isAlone = Number(values.validators) === 1;
  const settings = ["--set", isAlone ? own : "consensus.blockIntervalMsMin=0"];
  const servers = await startNetwork(Number(values.validators), { senders, parameters, settings });
  try {
    const [server] = servers;
    if (server === undefined) throw new Error("a network has nodes");
    const load = await runLoad({
      server,
      file,
      countMax: count,
      laneCount: 10,
      batchSize: 100,
      pace: { type: "closed", outstandingMax: 4_000 },
      seconds: secondsMax,
      warmupSeconds: 0,
      nice: 0,
      withLatency: false,
    });
    const made = {
      blocks: load.blockCount,
      transfers: load.committed,
      seconds: load.committed / Math.max(1, load.perSecond),
    };
    await follow(servers, made, Number(values.samples));
  } finally {
    await Promise.all(servers.map((server) => server.stop("SIGKILL")));
  }
  printCalibration("after", calibrate(), before);
}

/** A new node in a folder of its own, which knows the network by one of its nodes. */
async function startFollower(via: Server): Promise<Server> {
  const folder = join(temporaryFolder(), "follower");
  const argv = ["init", `--config=${folder}`, `--join=${via.url}`];
  const { status, stderr } = spawnSync(join(projectRoot, "bin", "ledger"), argv, {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`ledger init: ${stderr}`);
  return startNode(folder);
}

async function follow(servers: readonly Server[], made: Made, lines: number): Promise<void> {
  const [first] = servers;
  if (first === undefined) throw new Error("a network has nodes");
  const target = await heightOf(first);
  const cpuMsOf = (): number => servers.reduce((sum, { pid }) => sum + processUsage(pid).cpuMs, 0);
  const serversBefore = cpuMsOf();
  const follower = await startFollower(first);
  try {
    const cpuBefore = processUsage(follower.pid).cpuMs;
    const samples: Sample[] = [];
    const startMs = performance.now();
    for (let height = -1; height < target; await pause(lookMs)) {
      height = await heightOf(follower);
      const { residentBytes } = processUsage(follower.pid);
      samples.push({ atMs: performance.now() - startMs, height, residentBytes });
    }
    const cpuMs = processUsage(follower.pid).cpuMs - cpuBefore;
    const serversMs = cpuMsOf() - serversBefore;
    report(made, samples, lines);
    const each = (ms: number): string => ((ms * 1_000) / made.transfers).toFixed(0);
    console.log(
      `processor us for each transfer: follower ${each(cpuMs)}, all who serve it ${each(serversMs)}`,
    );
  } finally {
    await follower.stop("SIGKILL");
  }
}

function report(made: Made, samples: readonly Sample[], lines: number): void {
  const [first] = samples;
  const last = samples.at(-1);
  if (first === undefined || last === undefined) throw new Error("nothing was followed");
  const mib = ({ residentBytes }: Sample): string => (residentBytes / 2 ** 20).toFixed(0);
  console.log("\n   seconds    height   resident MiB");
  for (let line = 1; line <= lines; line += 1) {
    const sample = samples.find(({ height }) => height * lines >= last.height * line) ?? last;
    const seconds = (sample.atMs / 1_000).toFixed(1);
    console.log(
      `${seconds.padStart(10)}${`${sample.height}`.padStart(10)}${mib(sample).padStart(15)}`,
    );
  }
  const seconds = (last.atMs - first.atMs) / 1_000;
  const madeRate = made.blocks / made.seconds;
  const rate = ((last.height - first.height) * made.blocks) / last.height / seconds;
  const size = (made.transfers / made.blocks).toFixed(1);
  console.log(
    `made ${made.blocks} blocks of ${size} transfers at ${madeRate.toFixed(1)} a second; ` +
      `followed at ${rate.toFixed(1)}: ${(rate / madeRate).toFixed(2)} times as fast`,
  );
  const half = samples.slice(Math.floor(samples.length / 2));
  const peak = (of: readonly Sample[]): number => Math.max(...of.map((each) => each.residentBytes));
  const early = peak(samples.slice(0, Math.floor(samples.length / 2) + 1));
  console.log(`peak memory of the second half / of the first: ${(peak(half) / early).toFixed(2)}`);
}
