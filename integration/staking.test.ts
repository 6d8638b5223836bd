import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  checkoutFolder,
  cleanUp,
  fixturePassword,
  ledger,
  ledgercli,
  startPrivatenet,
  type RunningNode,
} from "./harness.ts";

/*
 * Goal: a second validator can join with the two command lines alone: a node folder by `ledger
 * init`, a stake and a key registration by `ledgercli`.
 */

const source = "2E833968E5bB786Ae419c4d13189fB081Cc43bab";
/** Of the published private key 0x11…11, which the fixture funds. */
const holder = "19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";

let folder = "";
let node: RunningNode | null = null;

beforeAll(async () => {
  folder = checkoutFolder();
  node = await startPrivatenet(folder);
});
afterAll(cleanUp);

async function wallet(argv: readonly string[], input?: string): Promise<string> {
  const ran = await ledgercli(argv, {
    folder,
    ...(input === undefined ? {} : { input }),
    environment: {
      LEDGERCLI_CONFIG: join(folder, "integration/privatenet/ledgercli"),
      LEDGERCLI_RPC: node?.url ?? "",
      LEDGER_PASSWORD: fixturePassword,
    },
  });
  expect(ran.exit, `${argv.join(" ")}\n${ran.err}`).toBe(0);
  return ran.out;
}

type Candidates = {
  readonly BlockHashVcpPairs: readonly [
    {
      readonly Vcp: {
        readonly SortedCandidates: readonly {
          readonly Holder: string;
          readonly Stakes: readonly { readonly amount: string; readonly withdrawn: boolean }[];
        }[];
      };
    },
  ];
};

async function stakesOf(
  address: string,
): Promise<readonly { amount: string; withdrawn: boolean }[]> {
  const answer = JSON.parse(await wallet(["query", "vcp"])) as Candidates;
  const candidates = answer.BlockHashVcpPairs[0].Vcp.SortedCandidates;
  return candidates.find(({ Holder }) => Holder === `0x${address}`)?.Stakes ?? [];
}

test("deposit, key registration, reward sharing and withdrawal", async () => {
  const joining = join(folder, "joining");
  const made = await ledger(["init", `--config=${joining}`], {
    environment: { LEDGER_PASSWORD: fixturePassword },
  });
  expect(made.exit, made.err).toBe(0);
  const [blsFile = ""] = readdirSync(join(joining, "key", "bls"));

  expect(await wallet(["key", "import", "--private-key-file=-"], "11".repeat(32))).toContain(
    holder,
  );
  const stake = ["--source", source, "--holder", holder];
  await wallet(["tx", "deposit", ...stake, "--stake=200000", "--purpose=0"]);
  expect(await stakesOf(holder)).toMatchObject([{ amount: `${200_000n * 10n ** 18n}` }]);

  const bls = join(joining, "key", "bls", blsFile);
  await wallet(["stake", "register-key", `--holder=${holder}`, `--bls_keystore=${bls}`]);
  const share = ["--beneficiary", source, "--split_basis_point=500"];
  await wallet(["tx", "distribute_staking_reward", `--holder=${holder}`, ...share]);

  await wallet(["tx", "withdraw", ...stake]);
  expect(await stakesOf(holder)).toMatchObject([{ withdrawn: true }]);
});
