import { describe, expect, test } from "vitest";
import { terminalLines } from "./log.ts";
import { progressLine } from "./progressLine.ts";

describe("the line of a catch-up", () => {
  test("bar, heights, rate and what is left", () => {
    const line = progressLine({ height: 6_000, target: 24_000, blocks: 5_000, elapsedMs: 20_000 });
    expect(line).toBe(
      "catching up [######..................] 25 %  6000 of 24000  250/s, 1 min 12 s left",
    );
  });

  test("nothing is known yet", () => {
    const line = progressLine({ height: 0, target: 0, blocks: 0, elapsedMs: 0 });
    expect(line).toBe("catching up [########################] 100 %  0 of 0  0/s");
  });

  test("hours", () => {
    const line = progressLine({ height: 10, target: 100_010, blocks: 10, elapsedMs: 1_000 });
    expect(line).toContain("0 %  10 of 100010  10/s, 2 h 46 min left");
  });
});

describe("a status below the log", () => {
  test("is erased before a line and written again after it", () => {
    let text = "";
    const lines = terminalLines(
      (more) => (text += more),
      () => 80,
    );
    lines.write("one");
    expect(lines.status("half")).toBe(true);
    lines.write("two");
    lines.status(null);
    lines.write("three");
    const erase = "\r\u001b[2K";
    expect(text).toBe(`one\n${erase}half${erase}two\nhalf${erase}three\n`);
  });

  test("never wraps", () => {
    let text = "";
    terminalLines(
      (more) => (text += more),
      () => 5,
    ).status("catching up");
    expect(text).toBe("\r\u001b[2Kcatc");
  });
});
