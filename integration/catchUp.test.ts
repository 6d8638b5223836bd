import { cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { JsonRpcProvider } from "ethers";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  cleanUp,
  launchLedger,
  ledger,
  ledgercli,
  startLedger,
  temporaryFolder,
  waitFor,
  type LaunchedNode,
} from "./harness.ts";

/*
 * Goal: a node that comes late, or lost its data folder, follows the chain over several epochs from
 * its peers to where they are, and goes on with them; a validator that was put back to an older
 * state votes again without anybody's help, in an epoch that began after its start.
 */

/** Blocks of an epoch: few, for what is waited for is often the next one. */
const epochBlocks = 25;

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

async function blockTimeMs(url: string, height: number): Promise<number> {
  const provider = new JsonRpcProvider(url, undefined, { staticNetwork: true, cacheTimeout: -1 });
  const block = await provider.getBlock(height);
  provider.destroy();
  return (block?.timestamp ?? 0) * 1_000;
}

async function blockHash(url: string, height: number): Promise<string | null> {
  const provider = new JsonRpcProvider(url, undefined, { staticNetwork: true, cacheTimeout: -1 });
  const block = await provider.getBlock(height);
  provider.destroy();
  return block?.hash ?? null;
}

let folder = "";
let witness = "";
let devnet: LaunchedNode;
let members: readonly Member[] = [];

const settings = [
  "--set=consensus.blockIntervalMsIdle=100",
  "--set=consensus.clockDriftMsMax=1000",
];

/** A member by its position; `node1` is the first. */
function member(at: number): Member {
  const found = members[at];
  if (found === undefined) throw new Error(devnet.err());
  return found;
}

/** Starts the node of a member's folder again. */
function launchAgain({ name }: Member): Promise<LaunchedNode> {
  const own = join(folder, name);
  const password = `--password-file=${join(own, "key", "password")}`;
  const witnesses = `--set=data.witness=${witness}`;
  const argv = ["start", `--config=${own}`, password, "--log-level=debug", witnesses, ...settings];
  return launchLedger(argv);
}

/** The height of a node that may not be up yet. */
function heightAt({ client }: LaunchedNode): Promise<number> {
  return client.status().then(
    ({ height }) => height,
    () => -1,
  );
}

async function startAgain(each: Member): Promise<LaunchedNode> {
  const node = await launchAgain(each);
  await waitFor("the node answers", async () => (await heightAt(node)) > 0, agreeMsMax);
  return node;
}

const reaches = (url: string, height: number) => async (): Promise<boolean> =>
  (await heightOf(url)) >= height;

beforeAll(async () => {
  folder = join(temporaryFolder(), "net");
  witness = join(temporaryFolder(), "witness");
  devnet = await launchLedger([
    "devnet",
    "--validators=4",
    `--data=${folder}`,
    "--rpc-port=0",
    "--eth-port=0",
    "--json",
    `--parameters=chain.epochBlocks=${epochBlocks}`,
    `--set=data.witness=${witness}`,
    ...settings,
  ]);
  const lines = (): readonly string[] =>
    devnet
      .out()
      .split("\n")
      .filter((line) => line !== "");
  await waitFor("four nodes are shown", () => lines().length === 4 || devnet.isEnded(), agreeMsMax);
  members = lines().map((line) => JSON.parse(line) as Member);
});

test("D5: a new node and a wiped one follow their peers", async () => {
  const first = member(0);
  const third = 2 * epochBlocks + 5;
  await waitFor("the chain is in its third epoch", reaches(first.rpc, third), agreeMsMax);

  // A new node, which only follows.
  const follower = join(temporaryFolder(), "follower");
  const made = await ledger(["init", `--config=${follower}`, `--join=${first.rpc}`]);
  expect(made.exit, made.err).toBe(0);
  const start = ["start", `--config=${follower}`];
  const late = await startLedger(start);
  await waitFor("the new node is there", reaches(late.url, third), agreeMsMax);
  const height = await heightOf(first.rpc);
  await waitFor("the new node goes on", reaches(late.url, height + 20), agreeMsMax);
  const at = 2 * epochBlocks;
  expect(await blockHash(late.url, at)).toBe(await blockHash(first.rpc, at));
  const peers = await ledgercli(["peers", `--rpc=${late.url}`, "--json"]);
  expect(JSON.parse(peers.out)).not.toHaveLength(0);
  expect(await late.stop()).toBe(0);

  rmSync(join(follower, "data"), { recursive: true });
  const wiped = await startLedger(start);
  await waitFor("the wiped node is there", reaches(wiped.url, height + 20), agreeMsMax);
  await waitFor("it says so", () => wiped.err().includes("caught up"), agreeMsMax);
  expect(await wiped.stop()).toBe(0);
});

/** The node follows, says why it is silent, and votes only in an epoch that began later. */
async function expectSilentThenVotes(node: LaunchedNode, why: string): Promise<void> {
  await waitFor("it is there", reaches(node.url, await heightOf(member(0).rpc)), agreeMsMax);
  const silence = `${why}: this key signs nothing until the next epoch`;
  await waitFor("it says that it is silent", () => node.err().includes(silence), agreeMsMax);
  await waitFor("it votes again", () => node.err().includes('"msg":"signed"'), agreeMsMax);
  const log = node.err();
  const nextEpoch = log.indexOf('"msg":"epoch started"', log.indexOf(silence));
  expect(nextEpoch).toBeGreaterThan(0);
  expect(log.indexOf('"msg":"signed"')).toBeGreaterThan(nextEpoch);
  const signed = log.split("\n").find((line) => line.includes('"msg":"signed"')) ?? "{}";
  const { epoch } = JSON.parse(signed) as { readonly epoch: number };
  const doubted = log.split("\n").find((line) => line.includes(silence)) ?? "{}";
  const { nextEpochAfter } = JSON.parse(doubted) as { readonly nextEpochAfter: string };
  const root = await blockTimeMs(member(0).rpc, epoch * epochBlocks);
  expect(root).toBeGreaterThan(Date.parse(nextEpochAfter) - 1_000); // Blocks show whole seconds.
}

test("D7: a validator whose data was put back from a backup is silent, then votes", async () => {
  const fourth = member(3);
  const data = join(folder, fourth.name, "data");
  process.kill(fourth.pid, "SIGKILL");
  // Copied while it stands, as operators do, and put back into the same folder.
  const backup = join(temporaryFolder(), "backup");
  cpSync(data, backup, { recursive: true });
  const runsOn = await startAgain(fourth);
  // The first may be what it had signed before: more than that, so that the copy is an old one.
  const votes = (): boolean => runsOn.err().split('"msg":"signed"').length > 20;
  await waitFor("it votes at once", votes, agreeMsMax);
  expect(runsOn.err()).not.toContain("signs nothing");
  expect(await runsOn.stop("SIGKILL")).toBeNull();
  for (const name of readdirSync(data)) rmSync(join(data, name), { recursive: true });
  cpSync(backup, data, { recursive: true });
  const restored = await startAgain(fourth);
  const why = "the safety file is an old copy: this machine has written a newer one";
  await expectSilentThenVotes(restored, why);
  expect(await restored.stop("SIGKILL")).toBeNull();
});

/** The other validators say that a record is as new as what they know. */
const vouched = "know of no later vote";

test("D7: a machine's start makes one key wait for the others, and not all of them", async () => {
  const fourth = member(3);
  rmSync(witness, { recursive: true });
  mkdirSync(witness, { mode: 0o700 });
  const alone = await startAgain(fourth);
  const doubt = "may have been put back to an older state: this key signs nothing until";
  await waitFor("it says so", () => alone.err().includes(doubt), agreeMsMax);
  const log = alone.err();
  const nextEpoch = log.indexOf('"msg":"epoch started"', log.indexOf(doubt));
  expect(log.slice(0, nextEpoch === -1 ? log.length : nextEpoch)).not.toContain(vouched);
  expect(await alone.stop("SIGKILL")).toBeNull();
  expect(await devnet.stop("SIGINT")).toBe(0);

  // All four: the power was cut.
  rmSync(witness, { recursive: true });
  const nodes = await Promise.all(members.map((each) => launchAgain(each)));
  const [one] = nodes;
  if (one === undefined) throw new Error("there are four nodes");
  await waitFor("the node answers", async () => (await heightAt(one)) > 0, agreeMsMax);
  const before = await heightAt(one);
  for (const node of nodes) {
    const goesOn = async (): Promise<boolean> => (await heightAt(node)) > before + 5;
    await waitFor("the chain goes on", goesOn, agreeMsMax);
  }
  const woken = nodes.filter((node) => node.err().includes(vouched));
  expect(woken.length).toBeGreaterThanOrEqual(3);
  expect(await Promise.all(nodes.map((node) => node.stop()))).toEqual([0, 0, 0, 0]);
});
