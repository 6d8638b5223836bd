import { expect, test } from "vitest";
import { zeroDigest } from "../base/bytes.ts";
import { FakeNode } from "../test/fakes/fakeNode.ts";
import { ReviewStage, reviewsSuspended, type ReviewedBlock, type Reviewer } from "./review.ts";

const block: ReviewedBlock = {
  hash: zeroDigest,
  block: new FakeNode().commit(),
  result: {
    changes: {
      accounts: new Map(),
      storage: new Map(),
      storageCleared: new Set(),
      code: new Map(),
      modules: new Map(),
    },
    receipts: [],
    jobReceipt: null,
    gasUsed: 0n,
    logsBloom: new Uint8Array(256),
    burned: 0n,
    nextCommittee: null,
  },
};

/** A stage whose budget ends when the test says so. */
function createStage(reviewers: readonly Reviewer[]): {
  readonly stage: ReviewStage;
  readonly endBudget: () => void;
  readonly said: string[];
} {
  const timers: (() => void)[] = [];
  const said: string[] = [];
  const note = (message: string): void => void said.push(message);
  const stage = new ReviewStage(reviewers, {
    budgetMs: 100,
    setTimer: (_delayMs, callback) => {
      timers.push(callback);
      return () => undefined;
    },
    log: { info: note, warn: note },
  });
  const endBudget = (): void => {
    for (const timer of timers.splice(0)) timer();
  };
  return { stage, endBudget, said };
}

function reviewer(name: string, review: Reviewer["review"]): Reviewer {
  return { name, review };
}

const hanging = reviewer("hanging", () => new Promise(() => undefined));

test("without reviewers every block passes, at once", async () => {
  expect(await createStage([]).stage.passes(block)).toBe(true);
});

test("one objection is enough", async () => {
  const content = reviewer("content", () => Promise.resolve(true));
  const strict = reviewer("strict", () => Promise.resolve(false));
  const { stage, said } = createStage([content, strict]);
  expect(await stage.passes(block)).toBe(false);
  expect(said).toEqual(["a reviewer objects to a block"]);
  expect(await createStage([content]).stage.passes(block)).toBe(true);
});

test("one that hangs costs its budget once, and is told so", async () => {
  let aborted = false;
  const slow = reviewer("slow", async (_block, signal) => {
    signal.addEventListener("abort", () => (aborted = true));
    return new Promise(() => undefined);
  });
  const { stage, endBudget, said } = createStage([slow]);
  const first = stage.passes(block);
  endBudget();
  expect(await first).toBe(true);
  expect(aborted).toBe(true);
  expect(said).toEqual(["a reviewer failed and is left out for a while"]);
  for (let i = 0; i < reviewsSuspended; i += 1) expect(await stage.passes(block)).toBe(true);
  const again = stage.passes(block);
  endBudget();
  expect(await again).toBe(true);
});

test("one that throws is left out, now or later", async () => {
  const late = reviewer("late", () => Promise.reject(new Error("broken")));
  const soon = reviewer("soon", () => {
    throw new Error("broken");
  });
  const { stage, said } = createStage([late, soon]);
  expect(await stage.passes(block)).toBe(true);
  expect(said).toHaveLength(2);
  expect(await stage.passes(block)).toBe(true);
  expect(said).toHaveLength(2);
});

test("an objection counts beside one that hangs", async () => {
  const strict = reviewer("strict", () => Promise.resolve(false));
  const { stage, endBudget } = createStage([hanging, strict]);
  const verdict = stage.passes(block);
  endBudget();
  expect(await verdict).toBe(false);
});
