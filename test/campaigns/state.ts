/*
 * All official state tests through the executor: `npm run campaign -- state [PART-OF-ID]`. Exit 1
 * when one fails; the count is printed either way.
 */
import { readVectors } from "../vectors.ts";
import { stateFault, type StateTest } from "../vectors/stateCase.ts";

const files = ["state/istanbul.ndjson.gz", "state/cancun.ndjson.gz", "state/cancun-slow.ndjson.gz"];

async function runFile(file: string, part: string): Promise<number> {
  let count = 0;
  let refused = 0;
  const faults: string[] = [];
  const begunMs = performance.now();
  for (const test of readVectors<StateTest>(file).filter(({ id }) => id.includes(part))) {
    for (const item of test.cases) {
      const fault = await stateFault(test, item);
      count += 1;
      if (item.expect.exception !== undefined) refused += 1;
      if (fault !== null) faults.push(`${test.id} case ${item.i}: ${fault}`);
    }
  }
  const seconds = ((performance.now() - begunMs) / 1_000).toFixed(1);
  for (const fault of faults) console.log(fault.slice(0, 600));
  const passed = count - faults.length;
  console.log(
    `${file}: ${passed} of ${count} cases pass, ${refused} of them refusals, in ${seconds} s`,
  );
  return faults.length;
}

const part = process.argv[2] ?? "";
let failed = 0;
for (const file of files) failed += await runFile(file, part);
process.exitCode = failed > 0 ? 1 : 0;
