import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  cleanUp,
  launchLedger,
  ledger,
  startLedger,
  temporaryFolder,
  waitFor,
  type LaunchedNode,
} from "./harness.ts";

/*
 * Goal: a validator whose record of votes is missing, old, from elsewhere or damaged does not vote,
 * and says so. Method: one node's folder, always the same one, for a copy counts as another place;
 * between starts its safety file is damaged, and afterwards put back as it was.
 */

let folder = "";
let safety = "";
/** What the machine remembers of the node: taking it away is what starting the machine anew does. */
let witness = "";
/** The safety file when the node had run for the first time, and when it stopped for the last. */
let older: Uint8Array = new Uint8Array(0);
let newest: Uint8Array = new Uint8Array(0);
let height = 0;

function argv(...flags: string[]): string[] {
  const named = [`--data=${folder}`, `--set=data.witness=${witness}`];
  return ["devnet", ...named, "--eth-port=0", "--log-format=json", ...flags];
}

/** Gives what the node logged. */
async function startAndStop(...flags: string[]): Promise<string> {
  const node = await startLedger(argv("--block-time=50", ...flags));
  const before = (await node.client.status()).height;
  const runs = async (): Promise<boolean> => (await node.client.status()).height > before + 3;
  await waitFor("blocks", runs, 10_000);
  expect(await node.stop()).toBe(0);
  return node.err();
}

async function headHeight(): Promise<number> {
  const checked = await ledger(["check", `--config=${folder}`, "--json"]);
  expect(checked.exit, checked.err).toBe(0);
  return (JSON.parse(checked.out) as { height: number }).height;
}

beforeAll(async () => {
  folder = join(temporaryFolder(), "node");
  safety = join(folder, "data", "safety");
  witness = join(folder, "witness");
  await startAndStop();
  older = new Uint8Array(readFileSync(safety));
  await startAndStop();
  newest = new Uint8Array(readFileSync(safety));
  height = await headHeight();
});
afterEach(() => {
  writeFileSync(safety, newest);
  rmSync(witness, { recursive: true, force: true });
});
afterAll(cleanUp);

/** Starts a node that must answer and must not commit; gives what it logged. */
async function expectSilent(): Promise<string> {
  const node = await launchLedger(argv("--block-time=10"));
  const answers = (): Promise<boolean> =>
    node.client.status().then(
      () => true,
      () => node.isEnded(),
    );
  await waitFor("the node answers", answers, 30_000);
  await expectNoBlocks(node);
  expect(await node.stop(), node.err()).toBe(0);
  return node.err();
}

/** Blocks come every 10 ms where they come: a hundred answers without one show that none do. */
async function expectNoBlocks(node: LaunchedNode): Promise<void> {
  for (let i = 0; i < 100; i += 1) expect((await node.client.status()).height).toBe(height);
  const response = await fetch(new URL("/metrics", node.url));
  const metric = /^ledger_committed_blocks_total (\d+)$/m.exec(await response.text());
  expect(Number(metric?.[1] ?? "0")).toBe(0);
}

describe("D6 a key without its record of votes", () => {
  test("stays silent, says until when and why, and says so at each start", async () => {
    rmSync(safety);
    const first = await expectSilent();
    expect(first).toMatch(/there is no safety file: .*nothing until the next epoch/);
    expect(first).toContain("--set=consensus.soleValidator=true");
    expect(await expectSilent()).toMatch(/no safety file to trust: .*until the next epoch/);
  });

  test("takes no copy of another place", async () => {
    const other = join(temporaryFolder(), "other");
    const node = await startLedger(["devnet", `--data=${other}`, "--eth-port=0"]);
    expect(await node.stop()).toBe(0);
    cpSync(join(other, "data", "safety"), safety);
    expect(await expectSilent()).toMatch(/of another place, key or chain: .*the next epoch/);
  });

  test("goes on at once where it is told that nobody else can have seen a vote", async () => {
    rmSync(safety);
    expect(await startAndStop("--set=consensus.soleValidator=true")).toContain("starting afresh");
    newest = new Uint8Array(readFileSync(safety));
    height = await headHeight();
  });
});

test("D7 a safety file from a backup is older than what this machine wrote", async () => {
  expect(await startAndStop()).not.toContain("safety file");
  newest = new Uint8Array(readFileSync(safety));
  height = await headHeight();
  writeFileSync(safety, older);
  expect(await expectSilent()).toMatch(/is an old copy: this machine has written a newer one/);
});

test("D7 a safety file from a backup is older than the chain: the key is silent", async () => {
  writeFileSync(safety, older);
  expect(await expectSilent()).toMatch(/is an old copy: it ends at view \d+, and the chain holds/);
});

describe("D5 a damaged safety file", () => {
  const sentence = /^error\[E_SAFETY_FILE\]: .*(does not match its checksum|no known beginning)/m;

  test.each([
    [
      "with a flipped bit in its newest record",
      (file: Uint8Array) => flip(file, file.length - 500),
    ],
    ["with a flipped bit at its beginning", (file: Uint8Array) => flip(file, 2)],
  ])("%s refuses to start", async (_, damage) => {
    writeFileSync(safety, damage(newest.slice()));
    const ran = await ledger(argv("--rpc-port=0"));
    expect(ran.err).toMatch(sentence);
    expect([ran.exit, ran.out]).toEqual([6, ""]);
  });

  test("cut off in the middle is an old copy", async () => {
    writeFileSync(safety, newest.subarray(0, newest.length / 2 + 100));
    expect(await expectSilent()).toMatch(/is an old copy/);
  });
});

function flip(file: Uint8Array, at: number): Uint8Array {
  file[at] = (file[at] ?? 0) ^ 0x10;
  return file;
}

test("after all of it the untouched file starts the node where it stopped", async () => {
  expect(await startAndStop()).not.toContain("safety file");
  expect(await headHeight()).toBeGreaterThan(height);
});
