import { parseArgs } from "node:util";
import type { Signer } from "../sdk/wallet.ts";
import { runLoad, type LoadResult } from "./load.ts";
import { calibrate, printCalibration, printTable } from "./measure.ts";
import { proveWork } from "./proof.ts";
import { benchSenders } from "./senders.ts";
import { fileOf, oursEthereum, oursNative, signTransfers, type Contestant } from "./systems.ts";
import type { TransactionFile } from "./transactionFile.ts";

/*
 * Three times what the node can take. The committed rate must hold, clients must be told to wait,
 * and memory must stay bounded. The generator runs at the lowest priority, so that it takes only
 * the processor time that the node leaves.
 */

const usage = `usage: npm run bench -- overload [flags]
  --kind NAME     native or ethereum (ethereum)
  --seconds N     measured seconds of each of the two runs (15)
  --warmup N      seconds before that (4)
  --factor N      offered load in multiples of saturation (3)
  --batch N       transactions in a request (100)`;

const flags = {
  kind: { type: "string", default: "ethereum" },
  seconds: { type: "string", default: "15" },
  warmup: { type: "string", default: "4" },
  factor: { type: "string", default: "3" },
  batch: { type: "string", default: "100" },
  help: { type: "boolean", default: false },
} as const;

/** Transfers signed for each second of a run: more than the node commits. */
const perSecondMax = 16_000;

type Settings = {
  readonly contestant: Contestant;
  readonly senders: readonly Signer[];
  readonly file: TransactionFile;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly batchSize: number;
};

/** `npm run bench -- overload`. */
export async function run(argv: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...argv], options: flags });
  if (values.help) return console.log(usage);
  const before = calibrate();
  printCalibration("before", before);
  const contestant = values.kind === "native" ? oursNative : oursEthereum;
  const senders = benchSenders(1_000);
  const [seconds, warmupSeconds] = [Number(values.seconds), Number(values.warmup)];
  const count = perSecondMax * (seconds + warmupSeconds) + 70_000; // And a full pool.
  const file = fileOf(signTransfers(senders, count, [contestant.kind]), contestant.kind);
  const batchSize = Number(values.batch);
  const settings = { contestant, senders, file, seconds, warmupSeconds, batchSize };
  const peak = await runOnce(settings, null);
  const offered = peak.perSecond * Number(values.factor);
  const overloaded = await runOnce(settings, offered);
  console.log();
  printResult(settings, { peak, overloaded, offered });
  printCalibration("after", calibrate(), before);
}

/**
 * At saturation when nothing is said about the rate, else at that rate whatever the node answers.
 */
async function runOnce(settings: Settings, ratePerSecond: number | null): Promise<LoadResult> {
  const { contestant, senders, file, seconds, warmupSeconds } = settings;
  const server = await contestant.start(senders);
  try {
    const result = await runLoad({
      server,
      file,
      countMax: Number.MAX_SAFE_INTEGER,
      laneCount: ratePerSecond === null ? 50 : 500,
      batchSize: settings.batchSize,
      pace:
        ratePerSecond === null
          ? { type: "closed", outstandingMax: 12_000 }
          : { type: "overload", ratePerSecond },
      // An overload is not paused: its warm-up is part of it.
      seconds: ratePerSecond === null ? seconds : seconds + warmupSeconds,
      warmupSeconds,
      nice: 19,
      withLatency: false,
    });
    const { accepted } = result.report;
    const { committed } = result;
    const { kind } = contestant;
    console.log(await proveWork(server, senders, { kind, accepted, committed }));
    return result;
  } finally {
    await server.stop("SIGKILL");
  }
}

function printResult(
  { contestant, batchSize }: Settings,
  runs: { readonly peak: LoadResult; readonly overloaded: LoadResult; readonly offered: number },
): void {
  const { peak, overloaded, offered } = runs;
  const ratio = overloaded.perSecond / peak.perSecond;
  console.log(`committed rate under overload / peak: ${ratio.toFixed(2)} (goal 0.8)`);
  const row = (name: string, result: LoadResult, wanted: number | null): readonly string[] => {
    const { report } = result;
    const fedSeconds = (report.fedUntilMs - report.startedAtMs) / 1_000;
    return [
      name,
      result.perSecond.toFixed(0),
      wanted === null ? "" : wanted.toFixed(0),
      (report.attempted / fedSeconds).toFixed(0),
      result.cpuUs.toFixed(0),
      `${((report.cpuMs / fedSeconds / 1_000) * 100).toFixed(0)} %`,
      (result.residentBytesPeak / 2 ** 20).toFixed(0),
    ];
  };
  printTable(
    [
      `${contestant.name}, batch ${batchSize}`,
      "committed/s",
      "wanted/s",
      "offered/s",
      "cpu µs/tx",
      "generator cpu",
      "peak MiB",
    ],
    [row("peak", peak, null), row("overload", overloaded, offered)],
  );
  const { pressure, refused, missedTurns } = overloaded.report;
  for (const [reason, count] of Object.entries(pressure))
    console.log(`told to wait: ${count} × ${reason}`);
  for (const [reason, count] of Object.entries(refused))
    console.log(`refused for good: ${count} × ${reason}`);
  console.log(`turns that found their connection still waiting for an answer: ${missedTurns}`);
}
