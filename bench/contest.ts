import type { Signer } from "../sdk/wallet.ts";
import { runLoad, type LoadResult } from "./load.ts";
import { median, printTable } from "./measure.ts";
import type { Server } from "./server.ts";
import { fileOf, type Contestant } from "./systems.ts";
import type { TransactionFile, TransferKind } from "./transactionFile.ts";

/*
 * Systems under the same load in one run, alternating: each at the rate at which it commits what
 * is sent as fast as it takes it.
 */

/** How a system is brought to its best. */
export type ContestSettings = {
  readonly repetitions: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  /** Connections for single requests; a batch has work for fewer. */
  readonly laneCount: number;
  readonly batchLaneCount: number;
  readonly outstandingMax: number;
  /** The last is the peer that the ratios are to. */
  readonly contestants: readonly Contestant[];
  readonly batchSizes: readonly number[];
};

/** What is compared. */
export type Contest = {
  readonly settings: ContestSettings;
  readonly senders: readonly Signer[];
  readonly files: ReadonlyMap<TransferKind, TransactionFile>;
  /** Checks that the work was done, in one sentence; throws if it was not. */
  readonly prove: (
    server: Server,
    done: { readonly kind: TransferKind; readonly accepted: number; readonly committed: number },
  ) => Promise<string>;
};

/** All runs of one contestant with one batch size. */
export type Row = {
  readonly contestant: Contestant;
  readonly batchSize: number;
  readonly results: LoadResult[];
};

/** Every contestant at its best, one after the other, and all of that again. */
export async function saturate(contest: Contest): Promise<readonly Row[]> {
  const { settings } = contest;
  const rows: Row[] = settings.batchSizes.flatMap((batchSize) =>
    settings.contestants.map((contestant) => ({ contestant, batchSize, results: [] })),
  );
  for (let repetition = 1; repetition <= settings.repetitions; repetition += 1) {
    for (const row of rows) {
      const result = await saturateOnce(contest, row);
      row.results.push(result);
    }
  }
  return rows;
}

async function saturateOnce(contest: Contest, row: Row): Promise<LoadResult> {
  const { settings, senders, files } = contest;
  const { contestant, batchSize } = row;
  const server = await contestant.start(senders);
  try {
    const result = await runLoad({
      server,
      file: fileOf(files, contestant.kind),
      countMax: Number.MAX_SAFE_INTEGER,
      laneCount: batchSize === 1 ? settings.laneCount : settings.batchLaneCount,
      batchSize,
      pace: { type: "closed", outstandingMax: settings.outstandingMax },
      seconds: settings.seconds,
      warmupSeconds: settings.warmupSeconds,
      nice: 0,
      withLatency: false,
    });
    const proof = await contest.prove(server, {
      kind: contestant.kind,
      accepted: result.report.accepted,
      committed: result.committed,
    });
    console.log(`${nameOf(row)}: ${sentence(result)}; ${proof}`);
    return result;
  } finally {
    await server.stop();
  }
}

function nameOf({ contestant, batchSize }: Row): string {
  return `${contestant.name}, ${batchSize === 1 ? "single" : `batch ${batchSize}`}`;
}

function sentence(result: LoadResult): string {
  const refused = Object.entries({ ...result.report.pressure, ...result.report.refused });
  const answers = refused.map(([reason, count]) => `, ${count} × ${reason}`).join("");
  const { perSecond, cpuUs, windowMs, blockCount } = result;
  const seconds = (windowMs / 1_000).toFixed(1);
  const cost = `${cpuUs.toFixed(0)} µs over ${seconds} s`;
  return `${perSecond.toFixed(0)}/s, ${cost}, ${blockCount} blocks${answers}`;
}

/** The median of a figure over the runs. */
export function medianOf(row: Row, figure: (result: LoadResult) => number): number {
  return median(row.results.map(figure));
}

function rangeOf(row: Row, figure: (result: LoadResult) => number): string {
  const values = row.results.map(figure);
  return `${Math.min(...values).toFixed(0)}-${Math.max(...values).toFixed(0)}`;
}

/** Ratios to the last contestant with the same batch size: first what a reader wants to know. */
export function printRates(rows: readonly Row[]): void {
  printTable(
    [
      "system",
      "rate/peer",
      "cpu/peer",
      "tx/s",
      "range",
      "cpu µs/tx",
      "range",
      "client µs/tx",
      "peak MiB",
      "class",
    ],
    rows.map((row) => {
      const peer = rows.findLast(({ batchSize }) => batchSize === row.batchSize);
      const ratio = (figure: (result: LoadResult) => number): string =>
        peer === undefined ? "" : (medianOf(row, figure) / medianOf(peer, figure)).toFixed(2);
      return [
        nameOf(row),
        ratio((result) => result.perSecond),
        ratio((result) => result.cpuUs),
        medianOf(row, (result) => result.perSecond).toFixed(0),
        rangeOf(row, (result) => result.perSecond),
        medianOf(row, (result) => result.cpuUs).toFixed(0),
        rangeOf(row, (result) => result.cpuUs),
        medianOf(row, (result) => result.generatorCpuUs).toFixed(0),
        (Math.max(...row.results.map((result) => result.residentBytesPeak)) / 2 ** 20).toFixed(0),
        row.contestant.classes,
      ];
    }),
  );
}

/** Where our node's time goes, by its own clock. */
export function printStages(rows: readonly Row[]): void {
  const staged = rows.filter(({ results }) => results.some(({ stageUs }) => stageUs.size > 0));
  const stages = [
    ...new Set(
      staged.flatMap(({ results }) => results.flatMap(({ stageUs }) => [...stageUs.keys()])),
    ),
  ];
  if (stages.length === 0) return;
  console.log("\nelapsed µs/tx by stage (recover, store and consensus include waiting)");
  printTable(
    ["system", ...stages],
    staged.map((row) => [
      nameOf(row),
      ...stages.map((stage) => medianOf(row, ({ stageUs }) => stageUs.get(stage) ?? 0).toFixed(1)),
    ]),
  );
}
