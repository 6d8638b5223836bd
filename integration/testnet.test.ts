import { cpSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import {
  cleanUp,
  freePorts,
  launchLedger,
  ledger,
  ledgercli,
  temporaryFolder,
  waitFor,
  type LaunchedNode,
} from "./harness.ts";

/*
 * Goal: the folders that `ledger testnet` writes on one machine start on others, without a word
 * more, and make one chain.
 */

/** Longest wait for the first blocks, in milliseconds: keys are opened at full cost. */
const startMsMax = 120_000;

afterAll(cleanUp);

type Validators = { readonly validators: readonly { readonly connected: boolean }[] };

test("a testnet's folders are carried elsewhere and started there", async () => {
  const environment = { LEDGER_PASSWORD: "correct horse" };
  const made = join(temporaryFolder(), "made");
  const port = await freePorts(4);
  const argv = ["testnet", "--validators=4", `--output=${made}`, `--p2p-port=${port}`, "--json"];
  const written = await ledger(argv, { environment });
  expect(written.exit, written.err).toBe(0);
  expect(written.out.trim().split("\n")).toHaveLength(4);
  // Other folders, as on other machines: the first safety record is bound where it is opened.
  const carried = join(temporaryFolder(), "carried");
  cpSync(made, carried, { recursive: true });
  rmSync(made, { recursive: true });
  const names = readdirSync(carried).sort((a, b) => (a < b ? -1 : 1));
  expect(names).toEqual(["node1", "node2", "node3", "node4"]);
  const nodes: LaunchedNode[] = [];
  for (const name of names) {
    const start = ["start", `--config=${join(carried, name)}`];
    const pace = "--set=consensus.blockIntervalMsIdle=200";
    nodes.push(await launchLedger([...start, pace], { environment }));
  }
  const heights = (): Promise<readonly number[]> =>
    Promise.all(
      nodes.map(({ client }) =>
        client.status().then(
          ({ height }) => height,
          () => -1,
        ),
      ),
    );
  const hasBlocks = async (): Promise<boolean> => (await heights()).every((height) => height > 2);
  await waitFor("all four have blocks", hasBlocks, startMsMax);
  const [first] = nodes;
  if (first === undefined) throw new Error("there are four nodes");
  const asked = await ledgercli(["query", "validators", `--rpc=${first.url}`, "--json"]);
  const { validators } = JSON.parse(asked.out) as Validators;
  expect(validators.map(({ connected }) => connected)).toEqual([true, true, true, true]);
  for (const node of nodes) expect(node.err()).not.toContain("signs nothing");
  expect(await Promise.all(nodes.map((node) => node.stop()))).toEqual([0, 0, 0, 0]);
  const again = await ledger(argv.with(2, `--output=${carried}`), { environment });
  expect(again.exit).toBe(2);
  expect(again.err).toContain("E_FOLDER");
});
