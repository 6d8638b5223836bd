import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  cleanUp,
  fixturePassword,
  ledgercli,
  startLedger,
  temporaryFolder,
  type Ran,
  type RunningNode,
} from "./harness.ts";

/*
 * Goal: a pool from its opening to its release with the command line alone, over several epochs:
 * the wallet follows the committees, and money comes back when the freeze is over and not before.
 * Method: a devnet whose blocks come when the test says so.
 */

const mnemonic = "test test test test test test test test test test test junk";
const payer = "f39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const seller = "70997970C51812dc3A010C7d01b50e0d17dc79C8";

let node: RunningNode;
let wallet = "";

beforeAll(async () => {
  wallet = temporaryFolder();
  // No blocks but those that are asked for: heights are what the test says.
  const quiet = "--set=consensus.blockIntervalMsIdle=600000";
  node = await startLedger(["devnet", "--eth-port=0", quiet]);
  const words = join(wallet, "words");
  writeFileSync(words, mnemonic);
  for (const index of [0, 1])
    await run(["key", "import", `--mnemonic-file=${words}`, `--path=m/44'/60'/0'/0/${index}`]);
});
afterAll(cleanUp);

function cli(argv: readonly string[], input?: string): Promise<Ran> {
  const environment = {
    LEDGERCLI_CONFIG: wallet,
    LEDGERCLI_RPC: node.url,
    LEDGER_PASSWORD: fixturePassword,
  };
  return ledgercli(argv, { environment, ...(input === undefined ? {} : { input }) });
}

async function run(argv: readonly string[], input?: string): Promise<string> {
  const ran = await cli(argv, input);
  expect(ran.exit, `${argv.join(" ")}\n${ran.err}`).toBe(0);
  return ran.out;
}

async function height(): Promise<number> {
  return (await node.client.status()).height;
}

async function mineTo(target: number): Promise<void> {
  for (let at = await height(); at < target; at = await height()) {
    const blocks = `0x${Math.min(target - at, 50).toString(16)}`;
    await node.client.call("anvil_mine", [blocks], { timeoutMs: 60_000 });
  }
}

/** The epoch whose committee the wallet has come to. */
function epochSeen(): number {
  const trust = JSON.parse(readFileSync(join(wallet, "pay", "trust.json"), "utf8")) as {
    readonly rootHeight: number;
  };
  return trust.rootHeight / 100;
}

type Opened = { readonly reserve_sequence: string; readonly end_height: number };

async function open(duration: number): Promise<Opened> {
  const blocks = `--duration=${duration}`;
  const terms = ["--fund=1", "--collateral=2", blocks, "--resource_ids=films"];
  return JSON.parse(await run(["pay", "open", `--from=${payer}`, ...terms])) as Opened;
}

async function balance(): Promise<bigint> {
  const answer = await node.client.call("eth_getBalance", [`0x${payer}`, "latest"]);
  return BigInt(answer as string);
}

async function promise(tfuel: string): Promise<string> {
  const to = ["--to", seller, `--tfuel=${tfuel}`, "--resource=films"];
  return run(["pay", "send", "--offchain", `--from=${payer}`, ...to]);
}

const coin = 10n ** 18n;

test("M13 a pool from opening to release: vouchers, epochs, the freeze", async () => {
  const first = await open(300);
  const second = await open(301);
  expect(epochSeen()).toBe(0);

  const settle = ["pay", "receive", "settle", `--address=${seller}`];
  await run([...settle, "--voucher=-"], await promise("0.25"));
  const listed = await run(["pay", "receive", "list", `--address=${seller}`]);
  expect(JSON.parse(listed)).toMatchObject({
    accounts: [{ state: "open", unsettled: "0", settled: `${coin / 4n}` }],
  });
  expect(JSON.parse(await run(settle))).toEqual({ settled: [] });

  const close = ["pay", "close", `--from=${payer}`, `--reserve_seq=${first.reserve_sequence}`];
  const release = ["tx", "release", `--from=${payer}`, `--reserve_seq=${first.reserve_sequence}`];
  for (const argv of [close, release]) {
    const refused = await cli(argv);
    expect(refused.exit).toBe(1);
    expect(refused.err).toMatch(/releaseTooEarly|too early|freeze/i);
    expect(refused.err).toContain("releases a pool by itself");
  }

  // Two hand-overs of committees later the wallet still believes the chain.
  await mineTo(first.end_height - 60);
  await run([...settle, "--voucher=-"], await promise("0.5"));
  expect(epochSeen()).toBe(2);
  const late = await promise("0.1");
  await mineTo(second.end_height + 2);
  const refused = await cli([...settle, "--voucher=-"], late);
  expect(refused.exit).toBe(1);
  expect(refused.err).toMatch(/E_VOUCHER.*poolEnding/);

  const before = await balance();
  await node.client.call("evm_increaseTime", [120]);
  await mineTo(first.end_height + 90);
  expect(await balance(), "in the freeze nothing comes back").toBe(before);
  await mineTo(second.end_height + 104);
  expect(await balance(), "all but what was paid").toBe(before + 6n * coin - (3n * coin) / 4n);
  expect(JSON.parse(await run(close))).toMatchObject({ state: "released" });
  const released = await cli(release);
  expect(released.exit).toBe(1);
  expect(released.err).toContain("releases a pool by itself");
  const unknown = await cli(["pay", "close", `--from=${payer}`, "--reserve_seq=77"]);
  expect(unknown.exit).toBe(1);
  expect(unknown.err).toContain("E_POOL_UNKNOWN");
});
