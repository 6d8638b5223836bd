/*
 * Long runs, each by its name: `npm run campaign -- NAME [ARGUMENTS]`. Without a name, the list.
 * Exit code 0 when the run found nothing, 1 when it did, 2 for a name that is not there.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

type Campaign = {
  readonly about: string;
  /** Arguments of the pinned Node; those of the command line follow. */
  readonly program: readonly string[];
  /** Turns a test of the suite into its long form. */
  readonly environment?: Readonly<Record<string, string>>;
};

const vitest = "node_modules/vitest/vitest.mjs";

const campaigns: ReadonlyMap<string, Campaign> = new Map<string, Campaign>([
  [
    "planted",
    {
      about: "plants each known defect in a copy and demands that its test fails [ROW...]",
      program: ["test/planted/run.ts"],
    },
  ],
  [
    "fuzz",
    {
      about: "200,000 mutated inputs over every decoder [SEED]",
      program: ["test/campaigns/fuzz.ts"],
    },
  ],
  [
    "sim",
    {
      about: "10,000 simulated networks, from one seed each [--from SEED --seeds COUNT]",
      program: ["test/sim/main.ts", "--from", "1", "--seeds", "10000"],
    },
  ],
  [
    "state",
    {
      about: "every official state test of Ethereum, the slow ones too [PART-OF-ID]",
      program: ["test/campaigns/state.ts"],
    },
  ],
  [
    "crash",
    {
      about: "100 times kill -9 under load, checked after each",
      program: [vitest, "run", "integration/crash.test.ts"],
      environment: { CRASHES: "100" },
    },
  ],
  [
    "lab",
    {
      about: "validators on hosts in network namespaces: crashes, partitions, pauses",
      program: [vitest, "run", "integration/lab.test.ts"],
      environment: { LAB: "all" },
    },
  ],
  [
    "attacks",
    {
      about: "the pace of blocks under each kind of hostile client, 10 s each",
      program: [vitest, "run", "integration/attacks.test.ts"],
      environment: { ATTACK_SECONDS: "10" },
    },
  ],
  [
    "tools",
    {
      about: "Ethereum's tools, whole: viem, ethers, Hardhat, Foundry, traces and random calls",
      program: [
        vitest,
        "run",
        "integration/ethereumTools.test.ts",
        "integration/ethersTransfer.test.ts",
        "integration/hardhat.test.ts",
        "integration/foundry.test.ts",
        "integration/development.test.ts",
        "integration/traces.test.ts",
        "integration/differential.test.ts",
      ],
      environment: { DIFFERENTIAL_TRANSACTIONS: "2000" },
    },
  ],
  [
    "soak",
    {
      about: "200,000 blocks under constant trouble: memory and disk plotted [--blocks N]",
      program: [
        "--expose-gc",
        "--import",
        "./test/campaigns/soakHooks.ts",
        "test/campaigns/soak.ts",
      ],
    },
  ],
  [
    "overload",
    { about: "three times what the node can take", program: ["bench/main.ts", "overload"] },
  ],
]);

function printCampaigns(): void {
  for (const [name, { about }] of campaigns) console.log(`  ${name.padEnd(10)}${about}`);
}

function main(): void {
  const [name, ...rest] = process.argv.slice(2);
  if (name === undefined) {
    console.log("npm run campaign -- NAME");
    printCampaigns();
    return;
  }
  const campaign = campaigns.get(name);
  if (campaign === undefined) {
    console.error(`error: no campaign named ${name}. There are:`);
    printCampaigns();
    process.exitCode = 2;
    return;
  }
  const begunMs = performance.now();
  const { status } = spawnSync(process.execPath, [...campaign.program, ...rest], {
    cwd: join(import.meta.dirname, ".."),
    env: { ...process.env, ...campaign.environment },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const seconds = ((performance.now() - begunMs) / 1_000).toFixed(1);
  console.log(`campaign ${name}: ${status === 0 ? "ok" : "FAILED"} in ${seconds} s`);
  process.exitCode = status === 0 ? 0 : 1;
}

main();
