import { describe, expect, it } from "vitest";
import { Health, stallMsMax } from "./health.ts";

describe("health", () => {
  it("complains when nothing commits what waits, until a commit", () => {
    const world = { nowMs: 0, pending: 0 };
    const health = new Health(
      () => world.nowMs,
      () => world.pending > 0,
    );
    world.nowMs = 10 * stallMsMax;
    expect(health.reason()).toBeNull();
    world.pending = 1;
    health.onWork();
    world.nowMs += stallMsMax;
    expect(health.reason()).toBeNull();
    world.nowMs += 1;
    expect(health.reason()).toMatch(/no block was committed for 30 s/);
    health.onWork();
    expect(health.reason()).not.toBeNull();
    health.onCommitted();
    expect(health.reason()).toBeNull();
  });

  it("keeps the first alarm", () => {
    const health = new Health(
      () => 0,
      () => false,
    );
    health.onAlarm("first");
    health.onAlarm("second");
    expect(health.reason()).toBe("first");
  });
});
