import { describe, expect, test } from "vitest";
import { BlockClock } from "./blockClock.ts";

/** A clock over a machine's that the test turns. */
function clockAt(startMs: number): {
  readonly clock: BlockClock;
  readonly pass: (ms: number) => void;
} {
  let nowMs = startMs;
  return { clock: new BlockClock(() => nowMs), pass: (ms) => void (nowMs += ms) };
}

describe("the clock of blocks", () => {
  test("is the machine's until it is moved, and runs on from there", () => {
    const { clock, pass } = clockAt(1_000);
    expect([clock.nowMs(), clock.aheadMs]).toEqual([1_000, 0]);
    clock.advance(500);
    pass(10);
    expect([clock.nowMs(), clock.aheadMs, clock.blockMs(false)]).toEqual([1_510, 500, 1_510]);
  });

  test("gives the next wanted block the time that was set, and goes on from it", () => {
    const { clock, pass } = clockAt(1_000);
    clock.setNext(60_000);
    pass(5);
    expect(clock.blockMs(true)).toBe(60_000);
    pass(7);
    expect([clock.nowMs(), clock.blockMs(true)]).toEqual([60_007, 60_007]);
  });

  test("keeps blocks that nobody waits for before that time", () => {
    const { clock, pass } = clockAt(1_000);
    clock.setNext(1_500);
    expect(clock.blockMs(false)).toBe(1_000);
    pass(10_000);
    expect(clock.blockMs(false)).toBe(1_499);
    expect(clock.blockMs(true)).toBe(1_500);
    expect(clock.aheadMs).toBe(1_500 - 11_000);
  });
});
