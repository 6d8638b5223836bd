import { expect, test } from "vitest";
import { knownFilesTest, readVectors, vectorsPresent } from "../vectors.ts";
import { stateFault, type StateTest } from "./stateCase.ts";

knownFilesTest("state", ["istanbul.ndjson.gz", "cancun.ndjson.gz", "cancun-slow.ndjson.gz"]);

/** The two files run whole in 20 s; the slow one is for `npm run campaign -- state`. */
const files = ["state/istanbul.ndjson.gz", "state/cancun.ndjson.gz"];

for (const file of files) {
  // Skipped only where the data is not beside the project, and never under CI.
  test.skipIf(!vectorsPresent && process.env["CI"] !== "true")(
    `X1: ${file}`,
    { timeout: 300_000 },
    async () => {
      const faults: string[] = [];
      let cases = 0;
      let refusals = 0;
      for (const item of readVectors<StateTest>(file)) {
        for (const one of item.cases) {
          cases += 1;
          if (one.expect.exception !== undefined) refusals += 1;
          const fault = await stateFault(item, one);
          if (fault !== null) faults.push(`${item.id} case ${one.i}: ${fault}`);
        }
      }
      console.log(`vectors ${file}: ${cases} cases, ${refusals} of them refusals`);
      expect(faults).toEqual([]);
    },
  );
}
