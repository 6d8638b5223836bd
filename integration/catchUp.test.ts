import { rmSync } from "node:fs";
import { join } from "node:path";
import { JsonRpcProvider } from "ethers";
import { afterAll, expect, test } from "vitest";
import {
  cleanUp,
  launchLedger,
  ledger,
  ledgercli,
  startLedger,
  temporaryFolder,
  waitFor,
} from "./harness.ts";

/*
 * Goal: a node that comes late, or lost its data folder, follows the chain over several epochs from
 * its peers to where they are, and goes on with them; a validator that lost it votes again, in the
 * next epoch, without anybody's help.
 */

/** Longest time for what all see, in milliseconds. */
const agreeMsMax = 120_000;

afterAll(cleanUp);

type Member = { readonly name: string; readonly pid: number; readonly rpc: string };

async function heightOf(url: string): Promise<number> {
  const provider = new JsonRpcProvider(url, undefined, { staticNetwork: true, cacheTimeout: -1 });
  try {
    return await provider.getBlockNumber();
  } catch {
    return -1;
  } finally {
    provider.destroy();
  }
}

async function blockHash(url: string, height: number): Promise<string | null> {
  const provider = new JsonRpcProvider(url, undefined, { staticNetwork: true, cacheTimeout: -1 });
  const block = await provider.getBlock(height);
  provider.destroy();
  return block?.hash ?? null;
}

test("D5: a new node, a wiped one and a wiped validator follow their peers", async () => {
  const folder = join(temporaryFolder(), "net");
  const devnet = await launchLedger([
    "devnet",
    "--validators=4",
    `--data=${folder}`,
    "--rpc-port=0",
    "--eth-port=0",
    "--json",
    "--set=consensus.blockIntervalMsIdle=20",
  ]);
  const lines = (): readonly string[] =>
    devnet
      .out()
      .split("\n")
      .filter((line) => line !== "");
  await waitFor("four nodes are shown", () => lines().length === 4 || devnet.isEnded(), agreeMsMax);
  const members = lines().map((line) => JSON.parse(line) as Member);
  const [first, , , fourth] = members;
  if (first === undefined || fourth === undefined) throw new Error(devnet.err());
  const reaches = (url: string, height: number) => async (): Promise<boolean> =>
    (await heightOf(url)) >= height;
  await waitFor("the chain is in its third epoch", reaches(first.rpc, 230), agreeMsMax);

  // A new node, which only follows.
  const follower = join(temporaryFolder(), "follower");
  const made = await ledger(["init", `--config=${follower}`, `--join=${first.rpc}`]);
  expect(made.exit, made.err).toBe(0);
  const start = ["start", `--config=${follower}`];
  const late = await startLedger(start);
  await waitFor("the new node is there", reaches(late.url, 230), agreeMsMax);
  const height = await heightOf(first.rpc);
  await waitFor("the new node goes on", reaches(late.url, height + 20), agreeMsMax);
  expect(await blockHash(late.url, 200)).toBe(await blockHash(first.rpc, 200));
  const peers = await ledgercli(["peers", `--rpc=${late.url}`, "--json"]);
  expect(JSON.parse(peers.out)).not.toHaveLength(0);
  expect(await late.stop()).toBe(0);

  rmSync(join(follower, "data"), { recursive: true });
  const wiped = await startLedger(start);
  await waitFor("the wiped node is there", reaches(wiped.url, height + 20), agreeMsMax);
  await waitFor("it says so", () => wiped.err().includes("caught up"), agreeMsMax);
  expect(await wiped.stop()).toBe(0);

  // A validator without its data: it follows, is silent, and votes in the next epoch.
  process.kill(fourth.pid, "SIGKILL");
  const own = join(folder, fourth.name);
  rmSync(join(own, "data", "store"), { recursive: true });
  rmSync(join(own, "data", "safety"));
  const password = `--password-file=${join(own, "key", "password")}`;
  const again = await startLedger(["start", `--config=${own}`, password, "--log-level=debug"]);
  const now = await heightOf(first.rpc);
  await waitFor("the validator is back", reaches(again.url, now), agreeMsMax);
  const silence = "this key signs nothing until the next epoch";
  await waitFor("it says that it is silent", () => again.err().includes(silence), agreeMsMax);
  await waitFor("it votes again", () => again.err().includes('"msg":"signed"'), agreeMsMax);
  const log = again.err();
  const nextEpoch = log.indexOf('"msg":"epoch started"', log.indexOf(silence));
  expect(nextEpoch).toBeGreaterThan(0);
  expect(log.indexOf('"msg":"signed"')).toBeGreaterThan(nextEpoch);
  expect(await again.stop()).toBe(0);
  expect(await devnet.stop("SIGINT")).toBe(0);
});
