import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  checkoutFolder,
  cleanUp,
  fixturePassword,
  ledgercli,
  startPrivatenet,
  type RunningNode,
} from "./harness.ts";

/* Goal: the wallet's commands for pools and split rules work on a node, with Theta's flags. */

let folder = "";
let node: RunningNode | null = null;

beforeAll(async () => {
  folder = checkoutFolder();
  node = await startPrivatenet(folder);
});
afterAll(cleanUp);

const payer = "2E833968E5bB786Ae419c4d13189fB081Cc43bab";
const other = "9F1233798E905E173560071255140b4A8aBd3Ec6";

async function wallet(...argv: readonly string[]): Promise<Record<string, unknown>> {
  const config = join(folder, "integration/privatenet/ledgercli");
  const environment = { LEDGER_PASSWORD: fixturePassword, LEDGERCLI_RPC: node?.url ?? "" };
  const ran = await ledgercli([...argv, `--config=${config}`, "--json"], { environment });
  expect(ran.exit, ran.err).toBe(0);
  return JSON.parse(ran.out) as Record<string, unknown>;
}

test("tx reserve opens a pool that query account shows", async () => {
  const flags = ["--fund=100", "--collateral=101", "--duration=1002", "--resource_ids=rid1000001"];
  await wallet("tx", "reserve", "--chain=privatenet", `--from=${payer}`, ...flags, "--seq=1");
  const account = await wallet("query", "account", `--address=${payer}`);
  expect(account["reserved_funds"]).toMatchObject([
    {
      initial_fund: { tfuelwei: `${100n * 10n ** 18n}` },
      resource_ids: ["rid1000001"],
      reserve_sequence: "1",
    },
  ]);
});

test("tx split_rule announces a rule that query split_rule shows", async () => {
  const shares = [`--addresses=${other},${payer}`, "--percentages=30,5"];
  const resource = "--resource_id=rid1000001";
  await wallet("tx", "split_rule", `--from=${payer}`, resource, ...shares, "--duration=1000");
  const rule = await wallet("query", "split_rule", resource);
  const announced = {
    splits: [
      { Address: `0x${other}`, Percentage: 30 },
      { Address: `0x${payer}`, Percentage: 5 },
    ],
  };
  expect(rule).toMatchObject({ initiator_address: `0x${payer}`, splits: [], announced });
});
