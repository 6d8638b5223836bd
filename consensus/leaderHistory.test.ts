import { describe, expect, it } from "vitest";
import { createFakeCommittee } from "../test/fakes/committee.ts";
import { stubHash } from "../test/sim/stubs.ts";
import {
  extendHistory,
  historyAtRoot,
  leaderAfter,
  passedOver,
  passOverBlocks,
  retryBlocks,
  type ChainEnd,
} from "./leaderHistory.ts";
import type { EpochInfo } from "./types.ts";

/** Four of equal stake, of whom some were absent before the epoch. */
function epochOf(absent: readonly number[], rootHeight = 100): EpochInfo {
  return { ...createFakeCommittee([5n, 5n, 5n, 5n]).epoch, rootHeight, absent };
}

/** Goes on for so many blocks; the dead neither lead nor vote. */
function follow(
  epoch: EpochInfo,
  from: ChainEnd,
  blocks: number,
  dead: ReadonlySet<number>,
  led: number[] = [],
): ChainEnd {
  const living = [0, 1, 2, 3].filter((index) => !dead.has(index));
  let end = from;
  for (let i = 0; i < blocks; i += 1) {
    let view = end.view + 1;
    for (; dead.has(leaderAfter(epoch, end, view, stubHash).leader); view += 1) led.push(-1);
    const { leader, history } = leaderAfter(epoch, end, view, stubHash);
    led.push(leader);
    const height = history.height + 1;
    const voters = new Set(living);
    end = { view, history: extendHistory(history, { height, proposer: leader, voters }) };
  }
  return end;
}

const atRoot = (epoch: EpochInfo): ChainEnd => ({ view: 0, history: historyAtRoot(epoch) });
const nobody: ReadonlySet<number> = new Set();
const third: ReadonlySet<number> = new Set([3]);

describe("leaders that let their views pass", () => {
  it("are not drawn in the views after, not even in the same gap", () => {
    const epoch = epochOf([]);
    const led: number[] = [];
    follow(epoch, atRoot(epoch), 500, third, led);
    expect(led.filter((leader) => leader === -1)).toHaveLength(1);
    expect(new Set(led)).toEqual(new Set([-1, 0, 1, 2]));
  });

  it("that were absent from the epoch before are passed over from its first view on", () => {
    const epoch = epochOf([3]);
    expect(passedOver(epoch, historyAtRoot(epoch))).toEqual(third);
    const led: number[] = [];
    follow(epoch, atRoot(epoch), 500, third, led);
    expect(led).not.toContain(-1);
  });

  it("are tried once each time the height passes a multiple of the retry interval", () => {
    const epoch = epochOf([3]);
    const led: number[] = [];
    const end = follow(epoch, atRoot(epoch), 3 * retryBlocks, third, led);
    expect(Math.floor(end.history.height / retryBlocks)).toBe(3);
    expect(led.filter((leader) => leader === -1)).toHaveLength(3);
  });

  it("lead again when they vote again, some blocks after the view they missed", () => {
    const epoch = epochOf([3]);
    const led: number[] = [];
    const voting = follow(epoch, atRoot(epoch), passOverBlocks - 2, nobody, led);
    expect(led).not.toContain(3);
    follow(epoch, voting, 40, nobody, led);
    expect(led).toContain(3);
  });

  it("hold together less than a third of stake, the latest first", () => {
    const epoch = epochOf([0, 1, 2, 3]);
    expect(passedOver(epoch, historyAtRoot(epoch)).size).toBe(1);
    const led: number[] = [];
    const dead = new Set([1, 2]);
    const end = follow(epochOf([]), atRoot(epochOf([])), 1, dead, led);
    const { leader, history } = leaderAfter(epoch, end, end.view + 30, stubHash);
    expect(passedOver(epoch, history).size).toBe(1);
    const latest = leaderAfter(epoch, end, end.view + 29, stubHash).leader;
    expect(passedOver(epoch, history)).toEqual(new Set([latest]));
    expect(leader).not.toBe(latest);
  });

  it("cost the same however long the gap", () => {
    const epoch = epochOf([]);
    const calls = (view: number): number => {
      let count = 0;
      leaderAfter(epoch, atRoot(epoch), view, (bytes) => {
        count += 1;
        return stubHash(bytes);
      });
      return count;
    };
    expect(calls(1_000_000)).toBe(calls(2_000_000_000));
    expect(calls(1_000_000)).toBeLessThan(70);
  });
});
