import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { runSeed } from "./cluster.ts";
import { describeRun } from "./report.ts";
import { noLaterFaults, type Swarm } from "./swarm.ts";

/** Past failures, each with the faults that it was found with. */
const pastFailures = [11, 17, 47, 212];

/** Always run: a stretch that touches every fault. */
const fixedSeeds = Array.from({ length: 50 }, (_, seed) => seed);

/** Drawn from the commit, so that each change tries seeds of its own. */
const drawnCount = 40;
const viewsMin = 50;

function commitSeed(): number {
  try {
    const hash = execFileSync("git", ["rev-parse", "HEAD"], { encoding: "utf8" });
    return Number.parseInt(hash.slice(0, 8), 16);
  } catch {
    return 0; // Not a checkout: the fixed seeds must do.
  }
}

function expectPass(seeds: readonly number[], swarm: Partial<Swarm> = {}): void {
  let views = 0;
  for (const seed of seeds) {
    const result = runSeed({ seed, viewsMin, swarm });
    expect(result.failure, `${describeRun(result)}\nnpm run sim -- --seed ${seed}`).toBeNull();
    expect(result.views).toBeGreaterThanOrEqual(viewsMin);
    views += result.views;
  }
  console.log(`simulator: ${seeds.length} seeds, ${views} views`);
}

describe("simulator", () => {
  it("keeps safety and liveness where it once failed", () => {
    expectPass(pastFailures, noLaterFaults);
  });

  it("keeps safety and liveness on the fixed seeds", () => expectPass(fixedSeeds));

  it("keeps safety and liveness on seeds of this commit", () => {
    const from = commitSeed();
    expectPass(Array.from({ length: drawnCount }, (_, i) => from + i));
  });

  it("does the same again for the same seed", () => {
    for (const seed of [3, 8, 21]) {
      const first = runSeed({ seed, viewsMin });
      const second = runSeed({ seed, viewsMin });
      expect(second.digest).toBe(first.digest);
      expect(second.events).toBe(first.events);
    }
  });

  it("runs one validator alone", () => {
    const swarm = { roles: [{ type: "honest" }], epochBlocks: 5 } as const;
    const result = runSeed({ seed: 1, viewsMin: 200, swarm });
    expect(result.failure).toBeNull();
    expect(result.commits).toBeGreaterThan(50);
    expect(result.epochs).toBeGreaterThan(5);
  });
});
