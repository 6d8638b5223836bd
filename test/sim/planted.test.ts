import { describe, expect, it } from "vitest";
import { runSeed } from "./cluster.ts";
import { plantedBugs, ruleCheckers } from "./plants.ts";

// A bug that is not noticed here is a hole in the simulator. The checkers that look at the broken
// rule itself are off, so that the harm must be seen: two chains, two signatures, or no progress.
describe("planted bugs are noticed", () => {
  for (const bug of plantedBugs) {
    it(bug.name, () => {
      const { plant, swarm = {}, seeds } = bug;
      let found: string | null = null;
      for (let seed = 0; seed < seeds && found === null; seed += 1) {
        const result = runSeed({ seed, viewsMin: 150, swarm, plant, blind: ruleCheckers });
        if (result.failure !== null) found = `seed ${seed}: ${result.failure.invariant}`;
      }
      expect(found, `not in ${seeds} seeds`).not.toBeNull();
    });
  }

  it("and the same swarms pass without them", () => {
    for (const { swarm = {} } of plantedBugs) {
      expect(runSeed({ seed: 1, viewsMin: 150, swarm }).failure).toBeNull();
    }
  });
});
