import { expect, test } from "vitest";
import { connectionsMaxOf, openFilesMax } from "./openFiles.ts";

test("A14 connections leave files for the store", () => {
  expect(connectionsMaxOf(null, 1_000)).toBe(1_000);
  expect(connectionsMaxOf(1_048_576, 1_000)).toBe(1_000);
  expect(connectionsMaxOf(1_024, 1_000)).toBe(768);
  expect(connectionsMaxOf(64, 1_000)).toBe(16);
  expect(connectionsMaxOf(1, 1_000)).toBe(1);
});

test("the limit of this process is a number, where the system tells it", () => {
  expect(openFilesMax() ?? 1).toBeGreaterThan(0);
});
