import { describe, expect, it } from "vitest";
import { runSeed } from "./cluster.ts";
import { calm } from "./calm.ts";
import { describeRun } from "./report.ts";
import { stubAddress } from "./stubs.ts";
import type { Role } from "./swarm.ts";

// What one validator of four that is dead costs the others, over many epochs, and what it gets when
// it is back. Work is always there, so that the shorter timers hold and blocks come at their pace.

/** The last of four is not needed for the run to pass. */
const roles = Array.from({ length: 4 }, (_, i): Role => ({ type: i < 3 ? "honest" : "frail" }));

type Committed = { readonly height: number; readonly proposer: string; readonly atUs: number };

/** Runs with validator 3 down between two views; the blocks as the first validator commits them. */
function run(options: {
  readonly seed: number;
  readonly epochBlocks: number;
  readonly fromView: number;
  readonly toView: number;
  readonly views: number;
}): readonly Committed[] {
  const { seed, epochBlocks, fromView, toView, views } = options;
  const blocks: Committed[] = [];
  const result = runSeed({
    seed,
    viewsMin: views,
    swarm: { ...calm, roles, epochBlocks },
    outage: { identity: 3, fromView, toView },
    watch: (event, atUs) => {
      if (event.type !== "committed" || event.node.id !== 0) return;
      for (const { summary } of event.blocks) {
        blocks.push({ height: summary.height, proposer: summary.proposer, atUs });
      }
    },
  });
  expect(result.failure, describeRun(result)).toBeNull();
  return blocks;
}

/** Committed blocks in a second of virtual time. */
function rateOf(blocks: readonly Committed[]): number {
  const first = blocks[0]?.atUs ?? 0;
  const last = blocks.at(-1)?.atUs ?? 0;
  return (blocks.length * 1_000_000) / (last - first);
}

const never = Number.MAX_SAFE_INTEGER;

describe("a dead leader", () => {
  it.each([20, 100, 1_000_000])(
    "K13: one of four dead, epochs of %i blocks: at least 0.75 of the full block rate",
    (epochBlocks) => {
      const views = 1_500;
      const shares = [1, 2].map((seed) => {
        const base = { seed, epochBlocks, views, toView: never };
        const full = rateOf(run({ ...base, fromView: never }));
        return rateOf(run({ ...base, fromView: 1 })) / full;
      });
      console.log(`block rate with one of four dead: ${shares.map((x) => x.toFixed(2)).join(" ")}`);
      for (const share of shares) expect(share).toBeGreaterThan(0.75);
    },
  );

  it("gets its turns again when it is back", () => {
    for (const seed of [1, 2]) {
      const blocks = run({ seed, epochBlocks: 100, fromView: 50, toView: 400, views: 800 });
      const isOwn = ({ proposer }: Committed) => proposer === stubAddress(3);
      const last = blocks.length;
      // Absent from whole epochs: it has signed again by the end of the one in which it came back.
      const share = blocks.slice(last - 200).filter(isOwn).length / 200;
      console.log(`share of the blocks once it is back: ${share.toFixed(2)}`);
      expect(share).toBeGreaterThan(0.12);
    }
  });
});
