import { inflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { plotPng, slope } from "./soakPlot.ts";

test("a plot is a PNG of its panels", () => {
  const png = plotPng(
    [0, 10, 20],
    [
      { unit: "MiB", curves: [{ name: "heap", values: [5, 6, 5] }] },
      { unit: "MiB", curves: [{ name: "disk", values: [0, 1, 2] }] },
    ],
  );
  expect([...png.subarray(1, 4)]).toEqual([0x50, 0x4e, 0x47]);
  const view = new DataView(png.buffer, png.byteOffset);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  expect([width, height]).toEqual([960, 600]);
  const length = view.getUint32(33);
  const pixels = inflateSync(png.subarray(41, 41 + length));
  expect(pixels.length).toBe((width * 3 + 1) * height);
  // The curves are drawn: their first colour is there, and the page is white.
  const isBlue = (at: number): boolean => pixels[at] === 31 && pixels[at + 1] === 119;
  expect(pixels.findIndex((_, at) => isBlue(at))).toBeGreaterThan(0);
  expect(pixels[1]).toBe(255);
});

test("the slope of a line with noise", () => {
  expect(slope([0, 1, 2, 3], [1, 3, 5, 7])).toBeCloseTo(2);
  expect(slope([0, 1, 2, 3], [4, 6, 4, 6])).toBeCloseTo(0.4);
  expect(slope([5], [1])).toBe(0);
});
