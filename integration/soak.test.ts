import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { cleanUp, run, temporaryFolder } from "./harness.ts";

/*
 * Goal: the soak itself works, and a validator that was stopped or cut off at an epoch's last block
 * comes back. The long run is `npm run campaign -- soak`.
 */

afterAll(cleanUp);

test("three times away at an epoch's end, and back each time", { timeout: 300_000 }, async () => {
  const out = temporaryFolder();
  const program = ["--import", "./test/campaigns/soakHooks.ts", "test/campaigns/soak.ts"];
  const argv = ["--expose-gc", ...program, "--blocks=400", "--every=100", `--out=${out}`];
  const ran = await run(process.execPath, argv);
  expect(ran.exit, `${ran.out}${ran.err}`).toBe(0);
  expect(ran.out).toContain("0 problems");
  const rows = readFileSync(join(out, "soak.csv"), "utf8").trim().split("\n");
  expect(rows).toHaveLength(1 + 400 / 50);
  const png = readFileSync(join(out, "soak.png"));
  expect([...png.subarray(1, 4)]).toEqual([0x50, 0x4e, 0x47]);
});
