import fc from "fast-check";
import { expect, test } from "vitest";
import { LedgerNetwork } from "../test/fakes/ledgerNetwork.ts";
import { MemoryState } from "../test/fakes/memoryState.ts";
import { createJob, createModuleKey } from "./definitions.ts";
import { countJobs, jobsModule, runDueJobs } from "./jobs.ts";
import { Journal } from "./journal.ts";
import type { Module, ModuleContext } from "./module.ts";
import { chainModule } from "./modules/chain.ts";
import { Registry } from "./registry.ts";
import { numberField, recordField } from "./schema.ts";
import { Workspace } from "./workspace.ts";

const key = createModuleKey("clock");
const ran: number[] = [];
const ring = createJob(key, "ring", recordField({ id: numberField }), (_context, { id }) => {
  ran.push(id);
});
const clockModule: Module = {
  key,
  name: "clock",
  version: 1,
  parameters: {},
  operations: {},
  queries: {},
  events: [],
  jobs: [ring],
  genesis: { init: () => {} },
  invariants: [],
};
const registry = new Registry([chainModule, jobsModule, clockModule]);
const base = new LedgerNetwork({ balances: [["alice", { thetaWei: 0n, tfuelWei: 1n }]] });

/** A chain of nothing but jobs: blocks of a given time, each with its journal. */
class Clock {
  state = MemoryState.empty();
  height = 0;
  timestampMs = 0;

  do<T>(work: (context: ModuleContext) => T): T {
    const journal = new Journal(this.state);
    const block = { ...base.next(), height: this.height, timestampMs: this.timestampMs };
    const facts = {
      chain: base.genesis.chain,
      block,
      parameters: registry.parametersWith(new Map()),
    };
    const result = work(new Workspace(journal, registry, facts));
    this.state = this.state.apply(journal.changes());
    return result;
  }

  schedule(id: number, heightMin: number, timestampMsMin: number): void {
    this.do((context) => context.schedule(ring, { id }, { heightMin, timestampMsMin }));
  }

  /** One block; the ids that rang. */
  block(ms: number, jobsMax = 100): readonly number[] {
    this.height += 1;
    this.timestampMs += ms;
    ran.length = 0;
    this.do((context) => runDueJobs(context, registry, jobsMax));
    return [...ran];
  }
}

test("a job waits for its height and its time, whichever is later", () => {
  const clock = new Clock();
  clock.schedule(1, 2, 0);
  clock.schedule(2, 1, 3_000);
  clock.schedule(3, 3, 1_000);
  clock.schedule(4, 0, 0);
  expect([1, 2, 3, 4].map(() => clock.block(1_000))).toEqual([[4], [1], [3, 2], []]);
  expect(clock.do(countJobs)).toBe(0);
});

test("a full block leaves the rest to the next, in order, and loses none", () => {
  const clock = new Clock();
  for (let id = 1; id <= 5; id += 1) clock.schedule(id, 1, 0);
  expect(clock.block(1, 2)).toEqual([1, 2]);
  clock.schedule(6, 2, 0);
  expect(clock.block(1, 2)).toEqual([3, 4]);
  expect(clock.block(1, 2)).toEqual([5, 6]);
  expect(clock.block(1, 2)).toEqual([]);
});

test("however they are scheduled, each job runs once and never early", () => {
  const due = fc.record({ height: fc.integer({ min: 1, max: 8 }), ms: fc.nat(9) });
  fc.assert(
    fc.property(
      fc.array(due, { maxLength: 12 }),
      fc.integer({ min: 1, max: 4 }),
      (list, jobsMax) => {
        const clock = new Clock();
        list.forEach(({ height, ms }, id) => clock.schedule(id, height, ms));
        const times = new Map<number, { height: number; ms: number }>();
        for (let i = 0; i < 60; i += 1) {
          const rang = clock.block(1, jobsMax);
          expect(rang.length).toBeLessThanOrEqual(jobsMax);
          for (const id of rang) {
            expect(times.has(id)).toBe(false);
            times.set(id, { height: clock.height, ms: clock.timestampMs });
          }
        }
        list.forEach(({ height, ms }, id) => {
          expect(times.get(id)?.height).toBeGreaterThanOrEqual(height);
          expect(times.get(id)?.ms).toBeGreaterThanOrEqual(ms);
        });
      },
    ),
    { numRuns: 50 },
  );
});
