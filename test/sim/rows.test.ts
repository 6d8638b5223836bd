import { describe, expect, it } from "vitest";
import { calm } from "./calm.ts";
import { runSeed, type RunResult } from "./cluster.ts";
import { slowPayload } from "./fakeLedger.ts";
import { clockDriftMsMax } from "./pace.ts";
import { describeRun } from "./report.ts";
import type { Role, Strategy, Swarm } from "./swarm.ts";

// Rows of the fault matrix that need a whole network: each a swarm with little else in it, over a
// few seeds, that must stay safe and live.

function cast(strategies: readonly Strategy[], liars: number, size: number): readonly Role[] {
  return Array.from({ length: size }, (_, i): Role =>
    i < liars ? { type: "liar", strategies } : { type: "honest" },
  );
}

function runAll(swarm: Partial<Swarm>, seeds: number): readonly RunResult[] {
  return Array.from({ length: seeds }, (_, seed) => {
    const result = runSeed({ seed, viewsMin: 100, swarm });
    expect(result.failure, describeRun(result)).toBeNull();
    return result;
  });
}

function evidenceIn(results: readonly RunResult[]): ReadonlySet<string> {
  return new Set(results.flatMap(({ evidence }) => [...evidence.keys()]));
}

describe("rows of the fault matrix", () => {
  it("K1: a leader of two blocks to two halves commits at most one, and is reported", () => {
    const results = runAll({ roles: cast(["equivocator"], 2, 7), crashOneIn: 0 }, 5);
    expect(evidenceIn(results)).toContain("doubleProposal");
  });

  it("K3: crashes that lose what was not persisted never make a key sign twice", () => {
    const swarm = {
      roles: cast([], 0, 4),
      crashOneIn: 30,
      crashInEffectsOneIn: 20,
      downMsMean: 10,
    };
    const results = runAll(swarm, 5);
    expect(evidenceIn(results).size).toBe(0);
  });

  it("K3: a foreign key that forgets, played by twins, does no harm below a third", () => {
    const results = runAll({ roles: cast(["twin"], 1, 4), isTight: true, lossPercent: 10 }, 5);
    expect(evidenceIn(results).size).toBeGreaterThan(0);
  });

  it("K6, K16: votes for every fork make no second certificate, and are reported", () => {
    const roles = cast(["doubleVoter", "equivocator"], 2, 7);
    expect(evidenceIn(runAll({ roles }, 5))).toContain("doubleVote");
  });

  it("K5: hidden certificates and old excuses commit nothing out of turn", () => {
    runAll({ roles: cast(["forker", "staleProposer", "lowTimeouts"], 2, 7), isTight: true }, 5);
  });

  it("K4: a certificate that one alone holds back is found, and new work commits", () => {
    const roles = cast(["hoarder", "selectiveSender", "lowTimeouts"], 1, 5);
    runAll({ roles, isTight: true, partitionMsMean: 2_000, lossPercent: 10 }, 5);
  });

  it("K13: operations change the committee under load, also its leader's own leaving", () => {
    const roles = cast(["twin", "equivocator"], 2, 8);
    const busy = { workMsMean: 200, crashOneIn: 500, downMsMean: 500 };
    const swarm = { roles, epochBlocks: 3, committeeChanges: true, byOperations: true, ...busy };
    for (const { epochs } of runAll(swarm, 5)) expect(epochs).toBeGreaterThan(5);
  });

  it("K20: blocks that take longer than a view to execute cost their leader its views only", () => {
    let slow = 0;
    let commits = 0;
    for (let seed = 0; seed < 3; seed += 1) {
      const result = runSeed({
        seed,
        viewsMin: 100,
        swarm: { ...calm, roles: cast(["slowBlocks"], 2, 7), epochBlocks: 50 },
        watch: (event) => {
          if (event.type !== "committed" || event.node.identity !== 6) return;
          commits += event.blocks.length;
          slow += event.blocks.filter(({ payload }) => payload === slowPayload).length;
        },
      });
      expect(result.failure, describeRun(result)).toBeNull();
    }
    console.log(`slow blocks among those committed: ${slow} of ${commits}`);
    expect(commits).toBeGreaterThan(150);
    expect(slow * 50).toBeLessThan(commits);
  });

  it("K21, K22, N12: a late joiner follows in ranges among liars, blames no honest one", () => {
    const blamed = new Set<number>();
    for (const strategies of [["garbage"], ["lowTimeouts"]] as const) {
      const followed = new Set<number>();
      const roles = cast(strategies, 2, 7);
      const swarm = { ...calm, roles, epochBlocks: 50, lossPercent: 5 };
      for (let seed = 0; seed < 2; seed += 1) {
        const result = runSeed({
          seed,
          viewsMin: 450,
          swarm,
          outage: { identity: 6, fromView: 1, toView: 350 },
          watch: (event) => {
            if (event.type === "followed") followed.add(event.node.identity);
            if (event.type === "blamed" && event.node.identity >= 2) blamed.add(event.peer);
          },
        });
        expect(result.failure, describeRun(result)).toBeNull();
        expect(result.commits).toBeGreaterThan(60);
      }
      expect(followed).toContain(6);
    }
    expect([...blamed].filter((peer) => peer >= 2)).toEqual([]);
    expect(blamed.size).toBeGreaterThan(0);
  });

  it("N4: what comes twice, out of order or an hour late changes nothing", () => {
    const often = { duplicatePercent: 30, replayOneIn: 3, latencyMsMean: 100 };
    const results = runAll({ roles: cast([], 0, 4), epochBlocks: 20, ...often }, 5);
    expect(evidenceIn(results).size).toBe(0);
  });

  it("N5: halves, one alone, three parts, one way only: safe, and live again when healed", () => {
    for (const isAsymmetric of [false, true]) {
      runAll({ ...calm, roles: cast([], 0, 7), partitionMsMean: 2_000, isAsymmetric }, 4);
    }
  });

  it("A12: clocks a day off, that jump or stand still, move neither chain nor its time", () => {
    const roles = cast([], 0, 7).map((role, i): Role => (i < 2 ? { type: "frail" } : role));
    let ahead = Number.NEGATIVE_INFINITY;
    for (let seed = 0; seed < 3; seed += 1) {
      const result = runSeed({
        seed,
        viewsMin: 150,
        swarm: { ...calm, roles, epochBlocks: 30, clockSkewMsMax: 200, clocksJump: true },
        watch: (event) => {
          if (event.type !== "committed" || event.node.identity < 2) return;
          for (const { summary } of event.blocks) {
            ahead = Math.max(ahead, summary.timestampMs - event.node.nowMs);
          }
        },
      });
      expect(result.failure, describeRun(result)).toBeNull();
      expect(result.commits).toBeGreaterThan(60);
    }
    // By a voter's clock at most, and that is at most 400 ms from this one's.
    expect(ahead).toBeLessThanOrEqual(clockDriftMsMax + 400);
  });

  it("A13: processes that stand still for seconds break no rule and find their way back", () => {
    // With little work a view lasts as long as a standstill: whoever wakes may find its own view
    // still there, with timers and blocks of the meantime, and a quorum may stand at once.
    const swarm = { ...calm, roles: cast([], 0, 4), stallMsMax: 5_000, workMsMean: 3_000 };
    for (const { commits } of runAll(swarm, 5)) expect(commits).toBeGreaterThan(50);
  });

  it("a review that takes its time, and objects now and then, does not stop the chain", () => {
    const swarm = { roles: cast([], 0, 4), reviewMsMax: 330, objectsOneIn: 10, crashOneIn: 0 };
    for (const { commits } of runAll(swarm, 3)) expect(commits).toBeGreaterThan(10);
  });

  it("damaged messages and slow disks make nobody an offender", () => {
    const swarm = { roles: cast([], 0, 4), corruptOneIn: 10, diskMsMax: 100, crashOneIn: 100 };
    expect(evidenceIn(runAll(swarm, 3)).size).toBe(0);
  });

  it("K13, K14: stakes and members that change every second block", () => {
    const swarm = { roles: cast([], 0, 7), epochBlocks: 2, committeeChanges: true };
    for (const { epochs } of runAll(swarm, 3)) expect(epochs).toBeGreaterThan(5);
  });
});
