import { join } from "node:path";
import { parseArgs } from "node:util";
import { Lane } from "./lane.ts";
import { runLoad } from "./load.ts";
import { calibrate, percentile, printCalibration, printTable } from "./measure.ts";
import { benchSenders, idleAddress } from "./senders.ts";
import { pause, temporaryFolder, type Server } from "./server.ts";
import { oursEthereum } from "./systems.ts";
import { balanceCall, deployer, deployToken, signTokenTransfer } from "./token.ts";
import { writeTransactionFile } from "./transactionFile.ts";

/*
 * `npm run bench -- calls`: how long `eth_call` takes while nothing happens, and while blocks of
 * token transfers are executed. Calls are sent at intended times and measured from those. The load
 * is to be below what the node can take, or calls would wait in line with transactions for ever.
 */

const usage = `usage: npm run bench -- calls [flags]
  --seconds N   measured seconds, idle and loaded each (8)
  --calls N     calls a second (100)
  --rate N      token transfers a second under load (400)`;

const flags = {
  seconds: { type: "string", default: "8" },
  calls: { type: "string", default: "100" },
  rate: { type: "string", default: "400" },
  help: { type: "boolean", default: false },
} as const;

/** Seconds of load before calls are measured. */
const warmupSeconds = 3;

/** Of the transfers sent, what must be committed while calls are measured. */
const keptUpMin = 0.9;

/** Connections of the callers: a slow answer does not hold up the next call. */
const callerCount = 50;

/** Calls at their intended times; answers the milliseconds of each. */
async function measureCalls(
  server: Server,
  options: { readonly seconds: number; readonly perSecond: number },
): Promise<readonly number[]> {
  const { seconds, perSecond } = options;
  const count = seconds * perSecond;
  const tookMs: number[] = [];
  const idle: Lane[] = [];
  const intendedMs = new Map<Lane, number>();
  const lanes = Array.from({ length: callerCount }, () => {
    const lane: Lane = new Lane(
      { port: server.port, path: "/rpc" },
      {
        onIdle: () => idle.push(lane),
        onAnswer: ({ body }) => {
          if (!body.includes('"result":"0x')) throw new Error(`eth_call: ${body}`);
          tookMs.push(performance.now() - (intendedMs.get(lane) ?? 0));
          idle.push(lane);
        },
      },
    );
    lane.open();
    return lane;
  });
  while (idle.length < callerCount) await pause(1);
  const startMs = performance.now();
  for (let sent = 0; tookMs.length < count; await pause(1)) {
    // The first is due at the start: from intended times calls are measured.
    const due = Math.floor(((performance.now() - startMs) * perSecond) / 1_000) + 1;
    for (; sent < Math.min(due, count); sent += 1) {
      const lane = idle.pop();
      if (lane === undefined) break; // It is late then, and measured so.
      intendedMs.set(lane, startMs + (sent * 1_000) / perSecond);
      const call = { jsonrpc: "2.0", id: 1, ...balanceCall(idleAddress(sent % 1_000)) };
      lane.send(JSON.stringify(call));
    }
  }
  for (const lane of lanes) lane.close();
  return tookMs;
}

/** The same while transfers are committed. */
async function measureLoaded(
  server: Server,
  load: Parameters<typeof runLoad>[0],
  options: { readonly seconds: number; readonly perSecond: number },
): Promise<{ readonly tookMs: readonly number[]; readonly committedPerSecond: number }> {
  const loaded = runLoad(load);
  const [tookMs, { perSecond }] = await Promise.all([
    pause(warmupSeconds * 1_000).then(() => measureCalls(server, options)),
    loaded,
  ]);
  return { tookMs, committedPerSecond: perSecond };
}

/** `npm run bench -- calls`. */
export async function run(argv: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...argv], options: flags });
  if (values.help) return console.log(usage);
  const seconds = Number(values.seconds);
  const perSecond = Number(values.calls);
  const ratePerSecond = Number(values.rate);
  const before = calibrate();
  printCalibration("before", before);
  const senders = benchSenders(1_000);
  const path = join(temporaryFolder(), "tokens.txt");
  const count = Math.ceil(ratePerSecond * (warmupSeconds + seconds + 1));
  const file = writeTransactionFile(path, "ethereum", {
    senders,
    count,
    signOne: signTokenTransfer,
  });
  const server = await oursEthereum.start([...senders, deployer]);
  try {
    await deployToken(
      server,
      senders.map(({ address }) => address),
    );
    await measureCalls(server, { seconds: warmupSeconds, perSecond });
    const idle = await measureCalls(server, { seconds, perSecond });
    const pace = { type: "open", ratePerSecond } as const;
    const rest = { laneCount: 200, batchSize: 1, countMax: count, nice: 0, withLatency: false };
    const load = { server, file, pace, seconds: count, warmupSeconds, ...rest };
    const loaded = await measureLoaded(server, load, { seconds, perSecond });
    printCalls(idle, loaded);
    if (loaded.committedPerSecond < keptUpMin * ratePerSecond) {
      console.log(`the node did not keep up with ${ratePerSecond} transfers a second: no figure`);
    }
  } finally {
    await server.stop();
  }
  printCalibration("after", calibrate(), before);
}

function printCalls(
  idle: readonly number[],
  { tookMs, committedPerSecond }: Awaited<ReturnType<typeof measureLoaded>>,
): void {
  const row = (name: string, figure: (fraction: number) => number): string[] => [
    name,
    ...[0.5, 0.95, 0.99, 1].map((fraction) => figure(fraction).toFixed(1)),
  ];
  printTable(
    ["eth_call, ms", "p50", "p95", "p99", "max"],
    [
      row("idle", (fraction) => percentile(idle, fraction)),
      row(`${committedPerSecond.toFixed(0)} transfers/s`, (fraction) =>
        percentile(tookMs, fraction),
      ),
      row("ratio", (fraction) => percentile(tookMs, fraction) / percentile(idle, fraction)),
    ],
  );
}
