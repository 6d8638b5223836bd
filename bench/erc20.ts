import { join } from "node:path";
import { parseArgs } from "node:util";
import { printRates, printStages, saturate } from "./contest.ts";
import { startHardhat } from "./hardhat.ts";
import { calibrate, printCalibration } from "./measure.ts";
import { anvilSettings } from "./network.ts";
import { benchSenders } from "./senders.ts";
import { temporaryFolder } from "./server.ts";
import { anvil, oursEthereum, type Contestant } from "./systems.ts";
import { deployer, deployToken, proveTransfers, signTokenTransfer } from "./token.ts";
import { writeTransactionFile } from "./transactionFile.ts";

/*
 * `npm run bench -- erc20`: ERC-20 transfers by signed transactions over HTTP to one validator,
 * beside a Hardhat node and anvil in the same run, on the same contract with the same transactions.
 */

const usage = `usage: npm run bench -- erc20 [flags]
  --repetitions N   alternating repetitions (1)
  --seconds N       measured seconds of a run (8)
  --warmup N        seconds before that (4)
  --only NAME       ours, hardhat or anvil; several by commas
  --batch N         1 or 100; several by commas (1)`;

const flags = {
  repetitions: { type: "string", default: "1" },
  seconds: { type: "string", default: "8" },
  warmup: { type: "string", default: "4" },
  only: { type: "string", default: "ours,hardhat,anvil" },
  batch: { type: "string", default: "1" },
  help: { type: "boolean", default: false },
} as const;

const hardhat: Contestant = {
  name: "Hardhat",
  kind: "ethereum",
  classes: "D0·V1·C1",
  start: (senders) => startHardhat(senders.map(({ address }) => address)),
};

const systems: Readonly<Record<string, Contestant>> = {
  ours: { ...oursEthereum, name: "ours" },
  hardhat,
  anvil: anvil(Object.keys(anvilSettings)[0] ?? ""),
};

/** The same system with the token on it. */
function withToken(contestant: Contestant): Contestant {
  return {
    ...contestant,
    start: async (senders) => {
      const server = await contestant.start([...senders, deployer]);
      try {
        await deployToken(
          server,
          senders.map(({ address }) => address),
        );
        return server;
      } catch (error) {
        await server.stop("SIGKILL");
        throw error;
      }
    },
  };
}

/** Transfers signed for each second of a run: more than any of the systems commits. */
const perSecondMax = 5_000;

/** `npm run bench -- erc20`. */
export async function run(argv: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...argv], options: flags });
  if (values.help) return console.log(usage);
  const contestants = values.only.split(",").map((name) => {
    const system = systems[name];
    if (system === undefined) throw new Error(`--only does not know ${name}\n${usage}`);
    return withToken(system);
  });
  const settings = {
    repetitions: Number(values.repetitions),
    seconds: Number(values.seconds),
    warmupSeconds: Number(values.warmup),
    laneCount: 200,
    batchLaneCount: 50,
    outstandingMax: 6_000,
    contestants,
    batchSizes: values.batch.split(",").map(Number),
  };
  const before = calibrate();
  printCalibration("before", before);
  const senders = benchSenders(1_000);
  const count = perSecondMax * (settings.warmupSeconds + settings.seconds);
  const path = join(temporaryFolder(), "tokens.txt");
  const signOne = signTokenTransfer;
  const file = writeTransactionFile(path, "ethereum", { senders, count, signOne });
  const files = new Map([[file.kind, file]]);
  const rows = await saturate({ settings, senders, files, prove: proveTransfers });
  console.log();
  printRates(rows);
  printStages(rows);
  console.log();
  printCalibration("after", calibrate(), before);
}
