import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { textToBytes } from "../base/bytes.ts";
import {
  cleanUp,
  ledger,
  root,
  startLedger,
  temporaryFolder,
  waitFor,
  type LaunchedNode,
  type Ran,
} from "./harness.ts";

/*
 * Goal: a node that cannot start says why in one sentence, ends with the right exit code, and
 * changes nothing. Method: one node runs on a folder of its own; copies of that folder, made while
 * it was stopped, are each damaged in one way and started.
 */

/** A node's folder as it was when that node had stopped; never started itself. */
let kept = "";
let running = "";
let node: LaunchedNode | null = null;

const otherGenesis = join(root, "integration/privatenet/node/genesis.json");
const settings = ["--eth-port=0", "--rpc-port=0"];

function devnet(folder: string, ...flags: string[]): Promise<Ran> {
  return ledger(["devnet", `--data=${folder}`, ...settings, ...flags]);
}

/** A copy of the stopped node's folder. */
function copyOf(): string {
  const folder = join(temporaryFolder(), "node");
  cpSync(kept, folder, { recursive: true });
  return folder;
}

/** One sentence with its code, then at most the next thing to do; results stay empty. */
function expectSentence(ran: Ran, exit: number, sentence: RegExp): void {
  expect(ran.err).toMatch(sentence);
  expect([ran.exit, ran.out]).toEqual([exit, ""]);
  const lines = ran.err.split("\n").filter((line) => line.startsWith("error["));
  expect(lines.length, ran.err).toBe(1);
  expect(ran.err).not.toContain("    at "); // No stack trace.
}

/** The only file of a folder below the node's. */
function onlyFile(folder: string, below: string): string {
  const [name = ""] = readdirSync(join(folder, below));
  return join(folder, below, name);
}

beforeAll(async () => {
  running = join(temporaryFolder(), "node");
  kept = join(temporaryFolder(), "kept");
  const first = await startLedger(["devnet", `--data=${running}`, "--eth-port=0"]);
  expect(await first.stop()).toBe(0);
  cpSync(running, kept, { recursive: true });
  node = await startLedger(["devnet", `--data=${running}`, "--eth-port=0"]);
});
afterAll(cleanUp);

describe("keys", () => {
  const account = "key/encrypted";

  test("of a wrong password do not open: exit 5", async () => {
    const folder = copyOf();
    writeFileSync(join(folder, "wrong"), "not the password\n");
    const ran = await ledger(["start", `--config=${folder}`, "--password-file", "wrong"], {
      folder,
    });
    expectSentence(ran, 5, /^error\[E_BAD_PASSWORD\]: .*key\/encrypted.*did not open/m);
  });

  test.each([
    ["that are not JSON", (text: string) => text.slice(0, -20)],
    ["with a kdf bomb", (text: string) => text.replace(/"n": *\d+/, '"n": 1073741824')],
    ["of another address", (text: string) => text.replace(/("address": *")./, "$1z")],
  ])("%s are corrupt: exit 6", async (_, damage) => {
    const folder = copyOf();
    const path = onlyFile(folder, account);
    writeFileSync(path, damage(readFileSync(path, "utf8")));
    expectSentence(await devnet(folder), 6, /^error\[E_KEYS\]: .*key\/encrypted.* did not open/m);
  });

  test("are two where one is meant, or one where two are: exit 6", async () => {
    const two = copyOf();
    cpSync(onlyFile(two, account), join(two, account, "another"));
    expectSentence(await devnet(two), 6, /^error\[E_KEYS\]: .* holds 2 files, and must hold one/m);
    const one = copyOf();
    rmSync(onlyFile(one, "key/bls"));
    expectSentence(await devnet(one), 6, /^error\[E_KEYS\]: .*key\/bls holds no key file/m);
  });
});

describe("A17 a configuration that contradicts itself", () => {
  test.each([
    ["genesis of another chain", 6, /E_GENESIS_MISMATCH\]: .* has hash 0x.*genesis\.hash says 0x/],
    ["unknown setting", 2, /E_CONFIG\]: unknown setting rpc\.prot in/],
    ["duplicate port", 2, /E_CONFIG\]: rpc\.port and rpc\.secondPort are both 7777/],
    ["genesis file that is none", 2, /E_GENESIS\]: .*genesis\.json/],
  ])("%s", async (name, exit, sentence) => {
    const folder = copyOf();
    const config = join(folder, "config.yaml");
    const genesis = join(folder, "genesis.json");
    const flags: string[] = [];
    if (name === "genesis of another chain") cpSync(otherGenesis, genesis);
    if (name === "genesis file that is none") writeFileSync(genesis, "{}");
    if (name === "unknown setting") writeFileSync(config, "rpc:\n  prot: 1\n");
    if (name === "duplicate port") flags.push("--set=rpc.port=7777,rpc.secondPort=7777");
    const ran = await ledger(["start", `--config=${folder}`, ...flags], { folder });
    expectSentence(ran, exit, sentence);
  });
});

describe("D13 a data folder that is not ours", () => {
  test("of another chain", async () => {
    const folder = copyOf();
    cpSync(otherGenesis, join(folder, "genesis.json"));
    writeFileSync(join(folder, "config.yaml"), "");
    const sentence = /^error\[E_DATA_CHAIN\]: .*another chain: genesis 0x.*, not 0x/m;
    expectSentence(await devnet(folder), 6, sentence);
  });

  test.each([
    ["of a newer format", "ledger 999", /E_DATA_FORMAT\]: .*format "ledger 999"[^]*newer version/],
    ["of no known program", "", /E_DATA_FORMAT\]: .*written by another program/],
  ])("%s", async (_, format, sentence) => {
    const folder = copyOf();
    await writeFormat(join(folder, "data", "store"), format);
    expectSentence(await devnet(folder), 6, sentence);
  });
});

/** Puts another name of the format into a store, or takes it away. */
async function writeFormat(store: string, format: string): Promise<void> {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(store, {
    keyEncoding: "view",
    valueEncoding: "view",
  });
  const key = Uint8Array.of(0, 1);
  if (format === "") await level.del(key);
  else await level.put(key, textToBytes(format));
  await level.close();
}

test("D8 a second process on one data folder is refused; the first keeps committing", async () => {
  const before = (await node?.client.status())?.height ?? 0;
  for (const command of ["devnet", "check"]) {
    const where = command === "devnet" ? `--data=${running}` : `--config=${running}`;
    const ran = await ledger([command, where]);
    expectSentence(ran, 1, /^error\[E_DATA_FOLDER_IN_USE\]: .*in use by another process/m);
    expect(ran.err).toContain(running);
  }
  const goesOn = async (): Promise<boolean> =>
    ((await node?.client.status())?.height ?? 0) > before + 1;
  await waitFor("the first node commits", goesOn, 20_000);
  expect(node?.isEnded()).toBe(false);
});

test("a port in use is named, and the folder is let go", async () => {
  const folder = copyOf();
  const ran = await devnet(folder, `--rpc-port=${node?.port ?? 0}`);
  expectSentence(ran, 1, /^error\[E_PORT_IN_USE\]: .*127\.0\.0\.1/m);
  expect(ran.err).toContain(`${node?.port}`);
  expect((await ledger(["check", `--config=${folder}`])).exit).toBe(0);
});

test("D14 a data folder that is a file is refused", async () => {
  const folder = copyOf();
  rmSync(join(folder, "data"), { recursive: true });
  writeFileSync(join(folder, "data"), "");
  expectSentence(await devnet(folder), 1, /^error\[E_DATA\]: cannot make the data folder/m);
});

test("what was refused changed nothing: an untouched copy is still whole", async () => {
  const ran = await ledger(["check", `--config=${copyOf()}`]);
  expect([ran.exit, ran.err]).toEqual([0, ""]);
});
