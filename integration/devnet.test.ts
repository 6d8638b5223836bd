import { readdirSync } from "node:fs";
import { join } from "node:path";
import { HDNodeWallet, JsonRpcProvider, parseEther } from "ethers";
import { afterAll, expect, test } from "vitest";
import {
  cleanUp,
  fixturePassword,
  freePort,
  ledger,
  root,
  run,
  startLedger,
  temporaryFolder,
  waitFor,
} from "./harness.ts";

/*
 * Goal: what a newcomer runs first works: `ledger devnet` (which `npm start` runs) funds the
 * accounts that it prints, Ethereum tools find it on its second port, and it leaves nothing behind;
 * `ledger init` makes a folder that `ledger start` runs.
 */

const mnemonic = "test test test test test test test test test test test junk";
const first = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

afterAll(cleanUp);

test("a devnet funds what it prints, answers on both ports and leaves nothing behind", async () => {
  const temporary = temporaryFolder();
  const ethereumPort = await freePort();
  const node = await startLedger(["devnet", `--eth-port=${ethereumPort}`], {
    environment: { TMPDIR: temporary },
  });
  expect(node.out()).toContain(mnemonic);
  expect(node.out().toLowerCase()).toContain(first.toLowerCase());
  await waitFor("the screen is whole", () => node.out().includes("stop with Ctrl-C"), 10_000);

  const provider = new JsonRpcProvider(`http://127.0.0.1:${ethereumPort}/rpc`, undefined, {
    pollingInterval: 100,
    cacheTimeout: -1,
  });
  const addresses = Array.from({ length: 10 }, (_, i) => {
    return HDNodeWallet.fromPhrase(mnemonic, undefined, `m/44'/60'/0'/0/${i}`).address;
  });
  for (const address of addresses)
    expect(await provider.getBalance(address)).toBe(parseEther("1000000"));
  provider.destroy();

  // The commands that it prints, word for word, twice: as one types them and types them again.
  const home = temporaryFolder();
  const printed = node.out().split("next, in another terminal:\n")[1] ?? "";
  const commands = printed.split("\n").filter((line) => line.startsWith("    "));
  expect(commands.length).toBeGreaterThanOrEqual(3);
  const script = ["set -e", ...commands].join("\n");
  for (const round of [1, 2]) {
    const environment = { HOME: home };
    const ran = await run("/bin/sh", ["-c", script], { folder: root, environment });
    expect(ran.exit, `round ${round}\n${ran.out}\n${ran.err}`).toBe(0);
    expect(ran.out).toContain("Successfully broadcasted transaction:");
  }

  expect(await node.stop("SIGINT")).toBe(0);
  expect(readdirSync(temporary)).toEqual([]);
});

test("a devnet with a data folder goes on where it stopped", async () => {
  const data = join(temporaryFolder(), "data");
  const argv = ["devnet", `--data=${data}`, "--eth-port=0"];
  const before = await startLedger(argv);
  const { height, genesisHash } = await before.client.status();
  expect(await before.stop()).toBe(0);
  const after = await startLedger(argv);
  const status = await after.client.status();
  expect(status.genesisHash).toBe(genesisHash);
  expect(status.height).toBeGreaterThanOrEqual(height);
  expect(await after.stop()).toBe(0);
});

test("ledger init makes a folder that ledger start runs, and never overwrites one", async () => {
  const folder = join(temporaryFolder(), "node");
  const environment = { LEDGER_PASSWORD: fixturePassword };
  const init = ["init", `--config=${folder}`, "--chain=mynet", "--json"];
  const made = await ledger(init, { environment });
  expect(made.exit, made.err).toBe(0);
  const { genesis } = JSON.parse(made.out) as { genesis: string };
  const node = await startLedger(["start", `--config=${folder}`], { environment });
  expect(await node.client.status()).toMatchObject({ chain: "mynet", genesisHash: genesis });
  expect(await node.stop()).toBe(0);
  const again = await ledger(init, { environment });
  expect(again.exit).toBe(2);
  expect(again.err).toContain("E_FOLDER");
});
