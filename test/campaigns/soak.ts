/*
 * `npm run campaign -- soak`: four validators of one process with stores on disk commit block after
 * block while one of them is stopped or cut off, again and again. Memory and disk are sampled into
 * a CSV and drawn into a PNG. Exit 1 when two nodes differ, a folder is not whole in the end, or
 * memory or disk drift.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { assert } from "../../base/assert.ts";
import { checkFolder } from "../../node/check.ts";
import { pause, systemClock } from "../../p2p/clock.ts";
import { Prng } from "../sim/prng.ts";
import { retainedHeights, SoakNetwork, type SoakNode } from "./soakNetwork.ts";
import { plotPng, slope } from "./soakPlot.ts";

const options = {
  /** Blocks in all. */
  blocks: { type: "string", default: "200000" },
  /** Blocks from one trouble to the next. */
  every: { type: "string", default: "1000" },
  seed: { type: "string", default: "1" },
  /** Where the CSV and the PNG go. */
  out: { type: "string", default: "." },
} as const;

const validators = 4;

/** Rows of the CSV. */
const samplesMax = 400;

/** Blocks from one row to the next at least: each begins with collecting the garbage of all. */
const sampleBlocksMin = 50;

/** Milliseconds for which two halves cannot hear each other: nothing is committed. */
const halvesMs = 500;

/** Longest until a validator that was away has caught up, in milliseconds, on a busy machine. */
const returnMsMax = 300_000;

/** Shorter runs are not judged by their drift: what is kept by count or age fills up meanwhile. */
const judgedBlocksMin = 50_000;

/** Growth over the second half of the run that counts as drift: a tenth of what there is. */
const driftMax = 0.1;

/** Disk for each block in the second half over that of the first; more is drift. */
const diskRatioMax = 1.25;

type Sample = {
  readonly blocks: number;
  readonly seconds: number;
  /** Without the caches below. */
  readonly heapMiB: number;
  readonly cacheMiB: number;
  readonly residentMiB: number;
  readonly diskMiB: number;
};

type Run = {
  readonly network: SoakNetwork;
  readonly prng: Prng;
  readonly blocks: number;
  readonly every: number;
  readonly samples: Sample[];
  /** Where the CSV and the PNG go. */
  readonly out: string;
};

/** An interrupt ends the run early; what it has found counts. */
class Interrupted extends Error {}

/** Troubles that are over, by kind. */
const troubles = { stopped: 0, cutOff: 0, halves: 0 };

/** One validator away for a third of the time, or both halves deaf to each other for a moment. */
async function trouble({ network, prng, every }: Run): Promise<void> {
  const { nodes } = network;
  const victim = nodes[prng.below(nodes.length)];
  assert(victim !== undefined, "there are nodes");
  const others = nodes.filter((node) => node !== victim);
  const back = network.height + Math.floor(every / 3);
  switch (prng.below(3)) {
    case 0:
      await victim.stop();
      await network.reaches(back);
      await victim.start();
      troubles.stopped += 1;
      return;
    case 1:
      network.partition([[victim], others]);
      await network.reaches(back);
      network.heal();
      troubles.cutOff += 1;
      return;
    default:
      network.partition([halfOf(nodes, 0), halfOf(nodes, 1)]);
      await pause(systemClock, halvesMs, new AbortController().signal);
      network.heal();
      troubles.halves += 1;
  }
}

function halfOf(nodes: readonly SoakNode[], rest: number): readonly SoakNode[] {
  return nodes.filter((_, i) => i % 2 === rest);
}

async function churn(run: Run): Promise<void> {
  const { network, blocks, every } = run;
  for (let at = every; at < blocks; at += every) {
    await network.reaches(at);
    await trouble(run);
    await network.together(returnMsMax);
  }
}

async function sample({ network, blocks, samples, out }: Run): Promise<void> {
  const begunMs = performance.now();
  const step = Math.max(sampleBlocksMin, Math.floor(blocks / samplesMax));
  for (let at = step; at <= blocks; at += step) {
    await network.reaches(at);
    globalThis.gc?.();
    const { heapUsed, external, rss } = process.memoryUsage();
    const mib = (bytes: number): number => Number((bytes / 2 ** 20).toFixed(1));
    const seconds = Number(((performance.now() - begunMs) / 1_000).toFixed(1));
    const cacheBytes = await network.cacheBytes();
    const row = {
      blocks: network.height,
      seconds,
      heapMiB: mib(heapUsed + external - cacheBytes),
      cacheMiB: mib(cacheBytes),
      residentMiB: mib(rss),
      diskMiB: mib(network.diskBytes()),
    };
    samples.push(row);
    if (samples.length % 10 !== 0) continue;
    print(row);
    write(out, samples);
  }
}

function print({ blocks, seconds, heapMiB, cacheMiB, residentMiB, diskMiB }: Sample): void {
  const rate = (blocks / Math.max(1, seconds)).toFixed(1);
  console.log(
    `${blocks} blocks, ${rate} a second; heap ${heapMiB} MiB, cache ${cacheMiB}, resident ${residentMiB}, disk ${diskMiB}`,
  );
}

/** What grew that should not; nothing if all is well. */
function drifts(samples: readonly Sample[]): readonly string[] {
  const middle = Math.floor(samples.length / 2);
  // The first tenth fills caches and the heights that stay.
  const early = samples.slice(Math.floor(samples.length / 10), middle);
  const late = samples.slice(middle);
  const rise = (of: readonly Sample[], name: "heapMiB" | "diskMiB"): number =>
    slope(
      of.map(({ blocks }) => blocks),
      of.map((each) => each[name]),
    );
  const [first] = late;
  const last = late.at(-1);
  if (first === undefined || last === undefined || early.length < 2) return [];
  const found: string[] = [];
  const growth = rise(late, "heapMiB") * (last.blocks - first.blocks);
  const share = growth / first.heapMiB;
  const disk = rise(late, "diskMiB") / rise(early, "diskMiB");
  const bytes = (rise(late, "diskMiB") * 2 ** 20) / validators;
  console.log(
    `second half: heap ${(share * 100).toFixed(1)} % more; disk ${bytes.toFixed(0)} bytes for each ` +
      `block of a node, ${disk.toFixed(2)} of the first half's`,
  );
  if (last.blocks < judgedBlocksMin) return [];
  if (share > driftMax) found.push(`the heap grew by ${growth.toFixed(1)} MiB`);
  if (disk > diskRatioMax) found.push(`a block took ${disk.toFixed(2)} times as much disk`);
  return found;
}

function write(folder: string, samples: readonly Sample[]): void {
  const head = "blocks,seconds,heapMiB,cacheMiB,residentMiB,diskMiB";
  const rows = samples.map((row) => Object.values(row).join(","));
  writeFileSync(join(folder, "soak.csv"), `${[head, ...rows].join("\n")}\n`);
  const values = (name: keyof Sample): readonly number[] => samples.map((row) => row[name]);
  const png = plotPng(values("blocks"), [
    {
      unit: "mib",
      curves: [
        { name: "heap", values: values("heapMiB") },
        { name: "cache", values: values("cacheMiB") },
        { name: "resident", values: values("residentMiB") },
      ],
    },
    { unit: "mib", curves: [{ name: "disk", values: values("diskMiB") }] },
  ]);
  writeFileSync(join(folder, "soak.png"), png);
}

/** Every folder is whole, and pruned to the heights that stay. */
async function wholeFolders(nodes: readonly SoakNode[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { name, folder } of nodes) {
    const overrides = [["storage.retainedHeights", retainedHeights]] as const;
    const {
      height,
      nodes: count,
      problems,
    } = await checkFolder({ folder, overrides, environment: {} });
    console.log(`${name}: height ${height}, ${count} trie nodes, ${problems.length} problems`);
    found.push(...problems.map((problem) => `${name}: ${problem}`));
  }
  return found;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options });
  const folder = mkdtempSync(join(tmpdir(), "ledger-soak-"));
  const prng = new Prng(Number(values.seed), "soak");
  const out = resolve(values.out);
  const begunMs = performance.now();
  try {
    const network = await SoakNetwork.start(folder, validators);
    const samples: Sample[] = [];
    const [blocks, every] = [Number(values.blocks), Number(values.every)];
    const run = { network, prng, blocks, every, samples, out };
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.once(signal, () => network.fail(new Interrupted(signal)));
    }
    await Promise.all([sample(run), churn(run)]).catch((error: unknown) => {
      if (!(error instanceof Interrupted)) throw error;
    });
    const seconds = (performance.now() - begunMs) / 1_000;
    await network.stop();
    write(out, samples);
    console.log(`written: ${join(out, "soak.csv")} and soak.png`);
    const { stopped, cutOff, halves } = troubles;
    console.log(
      `${network.height} blocks in ${seconds.toFixed(0)} s, ${(network.height / seconds).toFixed(1)} ` +
        `a second; ${stopped} stops, ${cutOff} cut off, ${halves} times in halves`,
    );
    const faults = [...drifts(samples), ...(await wholeFolders(network.nodes))];
    for (const fault of faults) console.log(`FAULT ${fault}`);
    process.exitCode = faults.length === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
