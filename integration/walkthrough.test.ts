import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  checkoutFolder,
  cleanUp,
  fixturePassword,
  root,
  run,
  startPrivatenet,
  type Ran,
  type RunningNode,
} from "./harness.ts";

/*
 * Goal: the first commands of the Theta README work as printed in docs/CLI.md, on the private-net
 * fixture. Method: the commands are taken from that page word for word and run by a shell, in a
 * copy of the checkout, one after another.
 */

let folder = "";
let node: RunningNode | null = null;

beforeAll(async () => {
  folder = checkoutFolder("standard");
  // The wallet's default place, as the walk-through says.
  cpSync(join(folder, "integration/privatenet/ledgercli"), join(folder, ".ledgercli"), {
    recursive: true,
  });
  node = await startPrivatenet(folder);
});
afterAll(cleanUp);

/** The commands of the page's walk-through, in order, without their prompt. */
function printedCommands(): readonly string[] {
  const page = readFileSync(join(root, "docs", "CLI.md"), "utf8");
  const section = page.split("## Walk-through")[1]?.split("\n## ")[0] ?? "";
  return section
    .split("\n")
    .filter((line) => line.startsWith("$ "))
    .map((line) => line.slice(2));
}

function shell(command: string): Promise<Ran> {
  const environment = {
    HOME: folder,
    LEDGER_PASSWORD: fixturePassword,
    LEDGERCLI_RPC: node?.url ?? "",
  };
  return run("/bin/sh", ["-c", command], { folder, environment });
}

type Account = { readonly coins: Readonly<Record<string, string>>; readonly sequence: string };

function accountOf(ran: Ran): Account {
  expect(ran.exit, ran.err).toBe(0);
  return JSON.parse(ran.out) as Account;
}

const coin = 10n ** 18n;
const from = "2E833968E5bB786Ae419c4d13189fB081Cc43bab";
const to = "9F1233798E905E173560071255140b4A8aBd3Ec6";

test("the walk-through of the documentation does what it says", async () => {
  const commands = printedCommands();
  expect(commands[0]).toBe("bin/ledger start --config=integration/privatenet/node");
  const [send = "", query = ""] = commands.slice(1);
  expect(send).toBe(
    `bin/ledgercli tx send --chain="privatenet" --from=${from} --to=${to} --theta=10 --tfuel=20 --seq=1`,
  );
  expect(query).toBe(`bin/ledgercli query account --address=${to}`);
  const before = accountOf(await shell(query));
  expect(before.coins).toEqual({
    thetawei: `${62_500_000n * coin}`,
    tfuelwei: `${312_500_000n * coin}`,
  });

  const sent = await shell(send);
  expect(sent.exit, sent.err).toBe(0);
  const [line = "", ...rest] = sent.out.split("\n");
  expect(line).toBe("Successfully broadcasted transaction:");
  const answer = JSON.parse(rest.join("\n")) as { hash: string; block: { ChainID: string } };
  expect(answer.hash).toMatch(/^0x[0-9a-f]{64}$/);
  expect(answer.block.ChainID).toBe("privatenet");

  const after = accountOf(await shell(query));
  expect(after.coins).toEqual({
    thetawei: `${62_500_010n * coin}`,
    tfuelwei: `${312_500_020n * coin}`,
  });
  const payer = accountOf(await shell(`bin/ledgercli query account --address=${from}`));
  expect(payer.sequence).toBe("1");
  expect(payer.coins["thetawei"]).toBe(`${12_499_990n * coin}`);
  const tfuel = BigInt(payer.coins["tfuelwei"] ?? 0);
  expect(tfuel).toBeLessThan(312_499_980n * coin); // The fee is burned.

  const again = await shell(send);
  expect([again.exit, again.out]).toEqual([0, sent.out]);
  expect(again.err).toContain("already in block");
  const other = await shell(send.replace("--tfuel=20", "--tfuel=21"));
  expect([other.exit, other.out]).toEqual([1, ""]);
  expect(other.err).toMatch(/^error\[E_SEQ_TOO_LOW\]: .*got 1, expected 2/);
  expect(accountOf(await shell(query)).coins).toEqual(after.coins);

  for (const command of commands.slice(3)) {
    const ran = await shell(command);
    expect(ran.exit, `${command}\n${ran.err}`).toBe(0);
  }
});

test("the wallet looks up --seq, --chain and --fee, and --wait says where it is", async () => {
  const ran = await shell(
    `bin/ledgercli tx send --from=${from} --to=${to} --tfuel=0.5 --wait --json`,
  );
  expect(ran.exit, ran.err).toBe(0);
  const { hash, block_height } = JSON.parse(ran.out) as { hash: string; block_height: string };
  const found = await shell(`bin/ledgercli query tx --hash=${hash}`);
  expect(JSON.parse(found.out)).toMatchObject({ status: "finalized", block_height });
});

test("stop and start: the chain goes on where it was", async () => {
  const height = (await node?.client.status())?.height ?? 0;
  expect(await node?.stop("SIGTERM")).toBe(0);
  node = await startPrivatenet(folder);
  expect((await node.client.status()).height).toBeGreaterThanOrEqual(height);
  const account = accountOf(await shell(`bin/ledgercli query account --address=${to}`));
  expect(account.coins["thetawei"]).toBe(`${62_500_010n * coin}`);
});
