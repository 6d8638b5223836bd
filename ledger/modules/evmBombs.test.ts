import { expect, test } from "vitest";

import { assert } from "../../base/assert.ts";
import { hexToBytes } from "../../base/bytes.ts";
import { bombs, recursions } from "../../test/fakes/bombs.ts";
import { addressOf, LedgerNetwork } from "../../test/fakes/ledgerNetwork.ts";
import { messageOf, sceneOf } from "../../test/fakes/simulation.ts";
import { simulate, type TaskScene } from "../simulate.ts";

/*
 * Goal: gas bounds time. Method: each bomb's processor time per gas, beside that of additions in
 * the same thread, for other tests run in others; the mean of runs in turns, as a thread's clock is
 * coarse and what disturbs then falls on all.
 */

/** Times the additions' time that gas may take. */
const ratioMax = 10;

const gas = 1_000_000n;
const runs = 6;

/** Nanoseconds of the processor per gas. */
async function costOf(scene: TaskScene, code: string): Promise<number> {
  const message = messageOf({ to: addressOf("bomb"), gasLimit: gas });
  const state = new Map([[addressOf("bomb"), { code: hexToBytes(code), balance: 10n ** 18n }]]);
  const before = process.threadCpuUsage();
  const outcome = await simulate(scene, { message, state, block: {}, gasMax: gas });
  const { user, system } = process.threadCpuUsage(before);
  assert(outcome.ok, "the bomb runs");
  const { gasUsed, failure } = outcome.value;
  // Or it would not be a bomb.
  expect([failure, gasUsed], code.slice(0, 60)).toEqual(["out of gas", gas]);
  return ((user + system) * 1_000) / Number(gasUsed);
}

test("X2: a gas bomb takes at most ten times as long as additions for its gas", async () => {
  const funded = { thetaWei: 0n, tfuelWei: 10n ** 18n };
  const scene = sceneOf(new LedgerNetwork({ balances: [["alice", funded]] }));
  const costs = new Map<string, number>();
  for (let run = 0; run <= runs; run += 1) {
    for (const [name, code] of [...bombs, ...recursions]) {
      const cost = await costOf(scene, code);
      // The first is for the compiler.
      if (run > 0) costs.set(name, (costs.get(name) ?? 0) + cost / runs);
    }
  }
  const addition = costs.get("additions") ?? 0;
  expect(addition).toBeGreaterThan(0);
  const lines = [...costs].map(([name, cost]) => {
    const ratio = (cost / addition).toFixed(1);
    return `${name.padEnd(32)}${cost.toFixed(1).padStart(7)} ns per gas, ${ratio} times`;
  });
  console.log(lines.join("\n"));
  const slow = [...costs].filter(([, cost]) => cost > ratioMax * addition);
  expect(slow.map(([name]) => name)).toEqual([]);
}, 120_000);
