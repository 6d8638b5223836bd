import { describe, expect, test } from "vitest";
import { accept } from "../../base/outcome.ts";
import { encodeRlp, rlpNumber } from "../../base/rlp.ts";
import { fuzz, fuzzTargets } from "./fuzz.ts";

describe("mutated bytes", () => {
  test("every decoder accepts its own seeds, so that mutations start inside it", () => {
    for (const { name, seeds, decode } of fuzzTargets()) {
      expect(seeds.length, name).toBeGreaterThan(0);
      const accepted = seeds.filter((seed) => decode(seed) !== null).length;
      // Those of statements start from certificates, which only resemble them.
      expect(accepted > 0 || name.startsWith("signed"), name).toBe(true);
    }
  });

  test("no decoder throws, and none accepts bytes that do not encode to themselves", () => {
    const report = fuzz({ seed: 1, inputsMax: 100_000, timeMsMax: 2_000 });
    console.log(`fuzz: ${report.inputs} inputs, ${report.accepted} accepted`);
    expect(report.failures).toEqual([]);
    expect(report.inputs).toBeGreaterThan(1_000);
    expect(report.accepted).toBeGreaterThan(100);
  });

  test("a decoder that ignores trailing bytes, and one that throws, are caught", () => {
    const seed = encodeRlp([rlpNumber(1)]);
    const careless = { name: "careless", seeds: [seed], decode: () => accept(seed).value };
    const throwing = {
      name: "throwing",
      seeds: [seed],
      decode: () => {
        throw new Error("no");
      },
    };
    const options = { seed: 1, inputsMax: 50, timeMsMax: 1_000 };
    expect(fuzz({ ...options, targets: [careless] }).failures[0]).toContain("encodes to");
    expect(fuzz({ ...options, targets: [throwing] }).failures[0]).toContain("threw Error: no");
  });
});
