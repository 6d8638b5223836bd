import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { runSeed } from "./cluster.ts";
import { describeRun } from "./report.ts";
import { drawSwarm, type Swarm } from "./swarm.ts";

/** Faults that are younger than the failures below. */
const laterFaults = { replayOneIn: 0, stallMsMax: 0, clocksJump: false } as const;

/** Past failures, each with the faults that it was found with: later ones are switched off. */
const pastFailures = [11, 17, 47, 212];
const pastFaults = {
  byOperations: false,
  reviewMsMax: 0,
  objectsOneIn: 0,
  clockSkewMsMax: 200,
  diskMsMax: 0,
  corruptOneIn: 0,
  ...laterFaults,
} as const;

/**
 * Found by the campaign at 100 views: a node fell behind whose question for a block was lost, one
 * (2674) that followed epoch by epoch, slower than they passed, and one (5067) that was given a
 * range and never the one before it.
 */
const fellBehind = [2087, 12334, 2674, 5067];

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
    for (const seed of pastFailures) {
      const { roles } = drawSwarm(seed, viewsMin);
      const without = roles.map((role) =>
        role.type === "liar"
          ? { ...role, strategies: role.strategies.filter((name) => name !== "slowBlocks") }
          : role,
      );
      expectPass([seed], { ...pastFaults, roles: without });
    }
  });

  it("K12: catches up where views pass quickly", () => {
    for (const seed of fellBehind) {
      const result = runSeed({ seed, viewsMin: 100, swarm: laterFaults });
      expect(result.failure, describeRun(result)).toBeNull();
    }
  });

  it("keeps safety and liveness on the fixed seeds", () => expectPass(fixedSeeds));

  it("keeps safety and liveness on seeds of this commit", () => {
    const from = commitSeed();
    expectPass(Array.from({ length: drawnCount }, (_, i) => from + i));
  });

  it.each([1, 4, 5, 7, 10, 16, 31])("runs %i validators of unequal stakes", (size) => {
    const roles = Array.from({ length: size }, (_, i) =>
      i * 4 < size - 1
        ? ({ type: "liar", strategies: ["equivocator", "lowTimeouts"] } as const)
        : ({ type: "honest" } as const),
    );
    expectPass([size], { roles, stakes: "steep", isTight: true });
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
