import { parseArgs } from "node:util";
import {
  medianOf,
  printRates,
  printStages,
  saturate,
  type Contest,
  type ContestSettings,
  type Row,
} from "./contest.ts";
import { runLoad, type LoadResult } from "./load.ts";
import { calibrate, percentile, printCalibration, printTable } from "./measure.ts";
import { anvilSettings } from "./network.ts";
import { proveWork } from "./proof.ts";
import { benchSenders } from "./senders.ts";
import {
  anvil,
  fileOf,
  oursEthereum,
  oursNative,
  signTransfers,
  type Contestant,
} from "./systems.ts";

/*
 * Signed transfers over HTTP to one validator, beside anvil in the same run, alternating. Rates are
 * of committed blocks; every rate has its processor time beside it.
 */

type Settings = ContestSettings & {
  readonly latencySeconds: number;
  readonly senderCount: number;
  /** Transfers signed for each second of a run: more than any of the systems commits. */
  readonly perSecondMax: number;
};

type World = Contest & { readonly settings: Settings };

const usage = `usage: npm run bench -- transfers [flags]
  --repetitions N   alternating repetitions (2; the rules want 5)
  --seconds N       measured seconds of a run (8; the rules want 60)
  --warmup N        seconds before that (3; the rules want 10)
  --latency N       seconds of each latency run, 0 for none (8)
  --only NAME       native, ethereum or anvil; several by commas
  --batch N         1 or 100; several by commas
  --sweep           compare settings of anvil instead`;

const flags = {
  repetitions: { type: "string", default: "2" },
  seconds: { type: "string", default: "8" },
  warmup: { type: "string", default: "3" },
  latency: { type: "string", default: "8" },
  only: { type: "string", default: "native,ethereum,anvil" },
  batch: { type: "string", default: "1,100" },
  sweep: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

/** The setting of anvil that the comparison uses: the fastest of the sweep. */
const anvilSetting = Object.keys(anvilSettings)[0] ?? "";

const contestantsByName: Readonly<Record<string, () => Contestant>> = {
  native: () => oursNative,
  ethereum: () => oursEthereum,
  anvil: () => anvil(anvilSetting),
};

/** `npm run bench -- transfers`. */
export async function run(argv: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...argv], options: flags });
  if (values.help) return console.log(usage);
  const named = values.only.split(",").map((name) => {
    const contestant = contestantsByName[name];
    if (contestant === undefined) throw new Error(`--only does not know ${name}\n${usage}`);
    return contestant();
  });
  const sweep = Object.keys(anvilSettings).map((name) => ({ ...anvil(name), name }));
  await measure({
    repetitions: Number(values.repetitions),
    seconds: Number(values.seconds),
    warmupSeconds: Number(values.warmup),
    latencySeconds: values.sweep ? 0 : Number(values.latency),
    senderCount: 1_000,
    laneCount: 200,
    batchLaneCount: 50,
    // Above what anvil commits in its second, and no more, so that admission keeps pace with it.
    outstandingMax: 12_000,
    perSecondMax: 14_000,
    contestants: values.sweep ? sweep : named,
    batchSizes: values.batch.split(",").map(Number),
  });
}

async function measure(settings: Settings): Promise<void> {
  const before = calibrate();
  printCalibration("before", before);
  const senders = benchSenders(settings.senderCount);
  const count = settings.perSecondMax * (settings.warmupSeconds + settings.seconds);
  const kinds = [...new Set(settings.contestants.map(({ kind }) => kind))];
  const world: World = {
    settings,
    senders,
    files: signTransfers(senders, count, kinds),
    prove: (server, done) => proveWork(server, senders, done),
  };
  const rows = await saturate(world);
  console.log();
  printRates(rows);
  printStages(rows);
  if (settings.latencySeconds > 0) await printLatencies(world, rows);
  console.log();
  printCalibration("after", calibrate(), before);
}

/** Parts of its own saturation at which a system's latency is measured. */
const loadShares = [0.1, 0.5, 0.8] as const;

async function printLatencies(world: World, rows: readonly Row[]): Promise<void> {
  const lines: string[][] = [];
  for (const row of rows.filter(({ batchSize }) => batchSize === 1)) {
    for (const share of loadShares) {
      const rate = medianOf(row, (result) => result.perSecond) * share;
      const result = await latencyOnce(world, row.contestant, rate);
      const ms = (fraction: number): string => percentile(result.latenciesMs, fraction).toFixed(0);
      lines.push([
        row.contestant.name,
        `${share * 100} %`,
        rate.toFixed(0),
        ms(0.5),
        ms(0.95),
        ms(0.99),
        ms(1),
        `${result.latenciesMs.length}`,
      ]);
    }
  }
  console.log("\nsubmit to visible commit, open loop from the intended time, ms");
  printTable(["system", "load", "tx/s", "p50", "p95", "p99", "max", "samples"], lines);
}

async function latencyOnce(
  world: World,
  contestant: Contestant,
  ratePerSecond: number,
): Promise<LoadResult> {
  const { settings, senders, files } = world;
  const seconds = settings.latencySeconds + 2;
  const server = await contestant.start(senders);
  try {
    return await runLoad({
      server,
      file: fileOf(files, contestant.kind),
      countMax: Math.ceil(ratePerSecond * seconds),
      laneCount: settings.laneCount,
      batchSize: 1,
      pace: { type: "open", ratePerSecond },
      seconds: seconds * 2,
      warmupSeconds: 2,
      nice: 0,
      withLatency: true,
    });
  } finally {
    await server.stop("SIGKILL");
  }
}
