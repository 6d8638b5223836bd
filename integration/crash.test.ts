import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { LedgerClient } from "../sdk/client.ts";
import { Load, printedKeys } from "./crash/load.ts";
import {
  cleanUp,
  ledger,
  startLedger,
  temporaryFolder,
  waitFor,
  type RunningNode,
} from "./harness.ts";

/*
 * Goal: a killed node loses nothing that it promised. Method: transfers run, the process is killed
 * at a random moment, its data folder is checked while it is down, it starts again by itself, and
 * what clients were told before is compared with what is true now (rows D1, D9, A8, K3).
 */

/** Ten in `npm test`, a hundred in `npm run campaign -- crash`. */
const crashes = Number(process.env["CRASHES"] ?? "10");

/** Seed of the random moments: another one is `CRASH_SEED`. */
const seed = Number(process.env["CRASH_SEED"] ?? "1");

/** Most transfers that a node is sent before it is killed. */
const lifeTransfersMax = 200;

/** Longest until everything accepted is committed after the last start. */
const settleMsMax = 60_000;

afterAll(cleanUp);

/** A small generator of its own (mulberry32), so that a seed means the same for ever. */
function createDice(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function start(folder: string): Promise<RunningNode> {
  const settings = "log.level=debug,log.format=json,consensus.blockIntervalMsMin=20";
  return startLedger(["devnet", "--data", folder, "--set", settings, "--eth-port", "0"]);
}

/** Adds what a node said it signed; throws if it signed two values in one slot. */
function noteSigned(log: string, signed: Map<string, string>): void {
  for (const line of log.split("\n")) {
    if (!line.includes('"msg":"signed"')) continue;
    if (!line.endsWith("}")) continue; // Cut off by the kill.
    const { type, epoch, view, value } = JSON.parse(line) as Record<string, unknown>;
    const slot = `${String(type)} ${String(epoch)}/${String(view)}`;
    const before = signed.get(slot);
    if (before !== undefined && before !== String(value))
      throw new Error(`signed two values in ${slot}: ${before} and ${String(value)}`);
    signed.set(slot, String(value));
  }
}

async function checkFolder(folder: string): Promise<{ height: number; problems: string[] }> {
  const { exit, out, err } = await ledger(["check", "--config", folder, "--json"]);
  const report = JSON.parse(out === "" ? "{}" : out) as { height?: number; problems?: string[] };
  expect({ exit, err, problems: report.problems }).toEqual({ exit: 0, err: "", problems: [] });
  return { height: report.height ?? 0, problems: report.problems ?? [] };
}

test(
  `D1 A8 ${crashes} kills under load lose nothing that was promised`,
  async () => {
    const folder = join(temporaryFolder(), "node");
    const dice = createDice(seed);
    const signed = new Map<string, string>();
    let node = await start(folder);
    const load = new Load(printedKeys(node.out()).slice(0, 5), "privatenet");
    for (let crash = 0; crash < crashes; crash += 1) {
      load.start(node.url);
      const sentBefore = load.sent;
      const moment = sentBefore + 5 + Math.floor(dice() * lifeTransfersMax);
      await waitFor("the random moment", () => load.sent >= moment, 30_000);
      await node.stop("SIGKILL");
      await load.stop();
      noteSigned(node.err(), signed);
      const { height } = await checkFolder(folder);
      expect(height).toBeGreaterThanOrEqual(load.told.height);
      node = await start(folder);
      const client = new LedgerClient({ url: node.url, timeoutMs: 5_000 });
      expect((await client.status()).height).toBeGreaterThanOrEqual(height);
      for (const hash of load.told.committed)
        expect((await client.transaction(hash)).status).toBe("finalized");
    }
    const client = new LedgerClient({ url: node.url, timeoutMs: 5_000 });
    for (const hash of load.told.accepted) {
      const isCommitted = async (): Promise<boolean> =>
        (await client.transaction(hash)).status === "finalized";
      await waitFor(`accepted transaction ${hash} is committed`, isCommitted, settleMsMax);
    }
    expect(await node.stop("SIGTERM")).toBe(0);
    noteSigned(node.err(), signed);
    const { height } = await checkFolder(folder);
    const { accepted, committed } = load.told;
    console.log(
      `${crashes} kills (seed ${seed}): ${load.sent} transfers sent, ${accepted.size} accepted and all committed ` +
        `(${committed.size} seen while running), ${signed.size} slots signed once, head ${height}`,
    );
    expect(accepted.size).toBeGreaterThan(crashes);
  },
  60_000 + crashes * 60_000,
);
