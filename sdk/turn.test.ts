import { expect, test } from "vitest";
import { Turn } from "./turn.ts";

/* Goal: one after another in the order of the asking, and nobody bears another's failure. */

test("work is done one after another, after a failure too", async () => {
  const turn = new Turn();
  const steps: string[] = [];
  const work = (name: string, gate: Promise<void>) => async (): Promise<string> => {
    steps.push(`${name} begins`);
    await gate;
    steps.push(`${name} ends`);
    if (name === "first") throw new Error("failed");
    return name;
  };
  const gate = Promise.withResolvers<void>();
  const first = turn.take(work("first", gate.promise));
  const second = turn.take(work("second", Promise.resolve()));
  await Promise.resolve();
  expect(steps).toEqual(["first begins"]);
  gate.resolve();
  await expect(first).rejects.toThrow("failed");
  expect(await second).toBe("second");
  expect(steps).toEqual(["first begins", "first ends", "second begins", "second ends"]);
});
