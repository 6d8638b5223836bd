import { describe, expect, it } from "vitest";
import type { Address } from "../../base/brand.ts";
import { reserveParameters } from "../../ledger/modules/reserveParameters.ts";
import { calm } from "./calm.ts";
import { runSeed } from "./cluster.ts";
import { ordersIn } from "./orders.ts";
import { describeRun } from "./report.ts";
import { stubAddress } from "./stubs.ts";
import type { Role } from "./swarm.ts";

// How long leaders who keep a client's order out of their blocks can do so, and whether what must
// be in a block before a deadline gets there in time. Censors time nobody out: nothing passes them
// over, and only the draw of leaders takes their turns from them.

/**
 * Blocks that may be made without an order, whoever leads: when it comes in, two are certified, one
 * is proposed and one is being built, and at an epoch's end three are empty.
 */
const otherBlocks = 7;

/** Censors of a third of the stake have so many turns in a row once in 3^20. */
const turnsMax = 20;

/** An order's way into a committed block, in blocks from when it came in, its own included. */
type Wait = {
  readonly blocks: number;
  /** Those of them whose leader was honest. */
  readonly honest: number;
};

/** Censors who hold as much stake as liars may. */
type Cast = { readonly seed: number; readonly size: number; readonly censors: number };

/** Runs a committee; the waits of all orders. */
function run({ seed, size, censors }: Cast): readonly Wait[] {
  const roles = Array.from({ length: size }, (_, i): Role =>
    i < censors ? { type: "liar", strategies: ["censor"] } : { type: "honest" },
  );
  const censoring = new Set(Array.from({ length: censors }, (_, i) => stubAddress(i)));
  const since = new Map<string, number>();
  const leaders: Address[] = [];
  const waits: Wait[] = [];
  const waitOf = (from: number): Wait => {
    const passed = leaders.slice(from);
    return { blocks: passed.length, honest: passed.filter((by) => !censoring.has(by)).length };
  };
  const result = runSeed({
    seed,
    viewsMin: 400,
    swarm: { ...calm, roles, isTight: true, epochBlocks: 50 },
    orderMsMean: 60,
    watch: (event) => {
      if (event.node.id !== size - 1) return;
      if (event.type === "ordered") since.set(event.name, leaders.length);
      if (event.type !== "committed") return;
      for (const block of event.blocks) {
        leaders.push(block.summary.proposer);
        for (const name of ordersIn(block)) {
          const from = since.get(name);
          expect(from, `order ${name} came in, and is in no block yet`).toBeDefined();
          since.delete(name);
          waits.push(waitOf(from ?? 0));
        }
      }
    },
  });
  expect(result.failure, describeRun(result)).toBeNull();
  for (const from of since.values()) waits.push(waitOf(from));
  return waits;
}

const casts: readonly Cast[] = [
  { seed: 1, size: 4, censors: 1 },
  { seed: 2, size: 7, censors: 2 },
  { seed: 3, size: 10, censors: 3 },
  { seed: 4, size: 16, censors: 5 },
];

const runs = new Map<Cast, readonly Wait[]>();

function waitsOf(cast: Cast): readonly Wait[] {
  const waits = runs.get(cast) ?? run(cast);
  runs.set(cast, waits);
  return waits;
}

describe("orders that some leaders keep out", () => {
  it("K19: an honest leader takes in what waits, at its next turn, and its turn comes", () => {
    for (const cast of casts) {
      const waits = waitsOf(cast);
      const longest = Math.max(...waits.map(({ blocks }) => blocks));
      const turns = Math.max(...waits.map(({ honest }) => honest));
      console.log(
        `${cast.censors} censors of ${cast.size}: ${waits.length} orders, the longest wait ` +
          `${longest} blocks, ${turns} of them of honest leaders`,
      );
      expect(waits.length).toBeGreaterThan(100);
      expect(turns).toBeLessThanOrEqual(otherBlocks + 1);
      expect(longest).toBeLessThanOrEqual(otherBlocks + turnsMax);
    }
  });

  it("M9: a proof of an overspend is in a block long before the freeze of its pool ends", () => {
    const freezeBlocks = Number(reserveParameters["freezeBlocks"]?.default);
    for (const cast of casts) {
      // The worst case: the overspend comes to light in the pool's last block.
      for (const { blocks } of waitsOf(cast)) expect(blocks).toBeLessThan(freezeBlocks);
    }
  });
});
