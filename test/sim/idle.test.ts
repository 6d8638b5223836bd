import { describe, expect, it } from "vitest";
import { calm } from "./calm.ts";
import { runSeed } from "./cluster.ts";
import { describeRun } from "./report.ts";
import type { Role } from "./swarm.ts";

// How long work waits where nothing else happens: messages take 10 ms, a block is built 20 ms after
// it is ordered, and executed within 5 ms.

const roles = Array.from({ length: 4 }, (): Role => ({ type: "honest" }));
const swarm = { ...calm, roles, latencyMsMin: 10, latencyMsMean: 0, epochBlocks: 1_000 };

describe("an idle network", () => {
  it("commits work everywhere after two proposals, their votes and one word of it", () => {
    const waits: number[] = [];
    let arrivedUs = 0;
    const open = new Set<number>();
    const result = runSeed({
      seed: 5,
      viewsMin: 400,
      // Also longer apart than the idle interval, so that some find the network asleep.
      swarm: { ...swarm, workMsMean: 2_500 },
      gossips: true,
      trace: (line) => {
        if (!line.endsWith(" work")) return;
        arrivedUs = Number(line.split(" ")[0]) * 1_000_000;
        // Not while the nodes start, one after another.
        if (arrivedUs < 3_000_000) return;
        for (const id of roles.keys()) open.add(id);
      },
      watch: (event, nowUs) => {
        if (event.type !== "committed" || !open.has(event.node.id)) return;
        if (event.blocks.every(({ summary }) => summary.isEmpty)) return;
        open.delete(event.node.id);
        waits.push((nowUs - arrivedUs) / 1_000);
      },
    });
    expect(result.failure, describeRun(result)).toBeNull();
    // The first view fails: not all have started.
    expect(result.views).toBeLessThanOrEqual(result.commits + 3);
    waits.sort((a, b) => a - b);
    const [median, most] = [waits[waits.length >> 1] ?? 0, waits.at(-1) ?? 0];
    console.log(
      `idle: ${waits.length} waits, median ${median.toFixed(0)} ms, most ${most.toFixed(0)} ms`,
    );
    expect(waits.length).toBeGreaterThan(200);
    expect(median).toBeLessThan(130);
    expect(most).toBeLessThan(190);
  });
});
