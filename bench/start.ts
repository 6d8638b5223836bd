import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Address } from "../base/brand.ts";
import { scryptStandard } from "../crypto/kdf.ts";
import { openKeystore, writeKeystore } from "../crypto/keystore.ts";
import { runLoad } from "./load.ts";
import { calibrate, median, printCalibration, printTable, processUsage } from "./measure.ts";
import { makeNode, startNode } from "./network.ts";
import { callBatch, callRpc, quantity } from "./rpcClient.ts";
import { benchSenders, idleAddress, senderTfuelWei } from "./senders.ts";
import { pause, projectRoot, removeFolder, temporaryFolder, type Server } from "./server.ts";
import { fileOf, signTransfers } from "./systems.ts";

/*
 * How fast a node is there, how much memory it holds when nothing happens, and how fast it is back
 * after `kill -9` with many accounts and a load on it.
 */

const usage = `usage: npm run bench -- start [flags]
  --repetitions N   starts and kills measured (5)
  --idle N          seconds before resident memory is read (30)
  --accounts N      accounts of the state that is killed, 0 for none (1000000)
  --load N          seconds of transfers before each kill (4)`;

const flags = {
  repetitions: { type: "string", default: "5" },
  idle: { type: "string", default: "30" },
  accounts: { type: "string", default: "1000000" },
  load: { type: "string", default: "4" },
  help: { type: "boolean", default: false },
} as const;

/** Password of the private network's keys (theta.md 8.8). */
const privatenetPassword = "qwertyuiop";

/** Between two looks at the head. */
const lookMs = 5;

/** `npm run bench -- start`. */
export async function run(argv: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...argv], options: flags });
  if (values.help) return console.log(usage);
  const before = calibrate();
  printCalibration("before", before);
  const repetitions = Number(values.repetitions);
  await measureStart(repetitions, Number(values.idle));
  const accounts = Number(values.accounts);
  if (accounts > 0) await measureKill({ accounts, repetitions, seconds: Number(values.load) });
  console.log();
  printCalibration("after", calibrate(), before);
}

async function firstBlock(server: Server): Promise<number> {
  for (;;) {
    const head = await callRpc(server.url, { method: "eth_blockNumber", params: [] });
    if (quantity(head) > 0n) return Date.now() - server.startedAtMs;
    await pause(lookMs);
  }
}

/** What opening one key of the fixture's cost takes here: the start opens two. */
async function keyDerivationMs(): Promise<number> {
  const key = new Uint8Array(32).fill(1);
  const text = await writeKeystore(key, "bench", { cost: scryptStandard });
  const startMs = performance.now();
  await openKeystore(text, "bench");
  return performance.now() - startMs;
}

async function measureStart(repetitions: number, idleSeconds: number): Promise<void> {
  const readyMs: number[] = [];
  const blockMs: number[] = [];
  let idleBytes = 0;
  for (let i = 1; i <= repetitions; i += 1) {
    const folder = join(temporaryFolder(), "node");
    cpSync(join(projectRoot, "integration", "privatenet", "node"), folder, { recursive: true });
    rmSync(join(folder, "data"), { recursive: true, force: true });
    const server = await startNode(folder, { password: privatenetPassword });
    readyMs.push(Date.now() - server.startedAtMs);
    blockMs.push(await firstBlock(server));
    if (i === repetitions) {
      await pause(idleSeconds * 1_000);
      idleBytes = processUsage(server.pid).residentBytes;
    }
    await server.stop();
    removeFolder(folder);
  }
  const derivationMs = await keyDerivationMs();
  const ms = (value: number): string => `${value.toFixed(0)} ms`;
  const range = (values: readonly number[]): string =>
    `${ms(Math.min(...values))} - ${ms(Math.max(...values))}`;
  console.log(`\nprivate network's genesis, ${repetitions} starts`);
  printTable(
    ["", "median", "range", "goal"],
    [
      ["start to answering RPC", ms(median(readyMs)), range(readyMs), ""],
      ["start to first committed block", ms(median(blockMs)), range(blockMs), ""],
      ["of that, opening the two keys", ms(2 * derivationMs), "", "not counted"],
      ["start to first block without it", ms(median(blockMs) - 2 * derivationMs), "", "3000 ms"],
      [
        `resident after ${idleSeconds} s idle`,
        `${(idleBytes / 2 ** 20).toFixed(0)} MiB`,
        "",
        "200 MB",
      ],
    ],
  );
}

async function measureKill(options: {
  readonly accounts: number;
  readonly repetitions: number;
  readonly seconds: number;
}): Promise<void> {
  const senders = benchSenders(1_000);
  const addresses: Address[] = senders.map(({ address }) => address);
  // The genesis also holds the validator's own account.
  for (let i = addresses.length; i < options.accounts - 1; i += 1) addresses.push(idleAddress(i));
  const madeMs = performance.now();
  const folder = await makeNode(addresses);
  console.log(
    `\nmade a genesis of ${options.accounts} accounts in ${seconds(performance.now() - madeMs)}`,
  );
  const firstStartMs = performance.now();
  let server = await startNode(folder);
  console.log(`first start, which writes the state: ${seconds(performance.now() - firstStartMs)}`);
  const count = 4_000 * options.seconds;
  const file = fileOf(signTransfers(senders, count, ["ethereum"]), "ethereum");
  await runLoad({
    server,
    file,
    countMax: count,
    laneCount: 50,
    batchSize: 100,
    pace: { type: "closed", outstandingMax: 12_000 },
    seconds: options.seconds,
    warmupSeconds: 0,
    nice: 0,
    withLatency: false,
  });
  const samples = addresses.filter((_, i) => i % Math.ceil(addresses.length / 500) === 0);
  const backMs: number[] = [];
  for (let i = 0; i < options.repetitions; i += 1) {
    const before = await look(server, samples);
    await server.stop("SIGKILL");
    server = await startNode(folder);
    const after = await look(server, samples);
    backMs.push(Date.now() - server.startedAtMs);
    if (after.height < before.height || after.balances.join() !== before.balances.join()) {
      throw new Error(`height ${before.height} came back as ${after.height}, or balances differ`);
    }
  }
  const resident = processUsage(server.pid).residentBytes;
  await server.stop("SIGKILL");
  removeFolder(folder);
  printTable(
    ["", "median", "range", "goal"],
    [
      [
        `kill -9 to correct RPC, ${options.accounts} accounts`,
        seconds(median(backMs)),
        `${seconds(Math.min(...backMs))} - ${seconds(Math.max(...backMs))}`,
        "2 s",
      ],
    ],
  );
  console.log(`resident after the last start: ${(resident / 2 ** 20).toFixed(0)} MiB`);
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}

/** Height and balances of a sample of accounts, read through RPC. */
async function look(
  server: Server,
  samples: readonly Address[],
): Promise<{ readonly height: bigint; readonly balances: readonly unknown[] }> {
  const head = await callRpc(server.url, { method: "eth_blockNumber", params: [] });
  const balances = await callBatch(
    server.url,
    samples.map((address) => ({ method: "eth_getBalance", params: [address, "latest"] })),
  );
  const idle = balances.at(-1);
  if (quantity(idle) !== senderTfuelWei) throw new Error(`an idle account owns ${String(idle)}`);
  return { height: quantity(head), balances };
}
