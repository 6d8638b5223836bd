import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { cleanUp, run, startLedger } from "./harness.ts";
import { installTool, solcFolder } from "./tools.ts";

/*
 * Goal: `npx hardhat test --network ledger` runs a project with OpenZeppelin's contracts as it runs
 * it on Hardhat's own network: tokens, access, proxies, CREATE2, snapshots, time, impersonation.
 */

afterAll(cleanUp);

test("a Hardhat project with OpenZeppelin's contracts passes on a devnet", async () => {
  const folder = await installTool("hardhat");
  const node = await startLedger(["devnet", "--eth-port=0"]);
  const environment = {
    LEDGER_URL: node.url,
    SOLC_JS: join(solcFolder, "soljson.js"),
    HARDHAT_DISABLE_TELEMETRY_PROMPT: "true",
  };
  const argv = ["hardhat", "test", "--network", "ledger"];
  const ran = await run("npx", argv, { folder, environment });
  expect(ran.exit, `${ran.out}\n${ran.err}`).toBe(0);
  expect(ran.out).toContain("7 passing");
});
