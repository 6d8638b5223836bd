import { expect, test } from "vitest";
import { booleanFlags, normaliseArguments } from "./arguments.ts";
import { createNodeProgram } from "./nodeProgram.ts";
import { createWalletProgram } from "./walletProgram.ts";
import type { Command } from "commander";

test.each([
  [["--gas_price=5wei"], ["--gas-price=5wei"]],
  [
    ["--reserve_seq", "4"],
    ["--reserve-seq", "4"],
  ],
  [["--async=true"], ["--async"]],
  [["--async=false"], []],
  [["--skip_edge_node=false"], ["--no-skip-edge-node"]],
  [["--chain=test_net"], ["--chain=test_net"]],
  [
    ["distribute_staking_reward", "-v"],
    ["distribute_staking_reward", "-v"],
  ],
  [
    ["--to=a", "--", "--a_b"],
    ["--to=a", "--", "--a_b"],
  ],
  [["--data="], ["--data="]],
])("%j is understood as %j", (given, understood) => {
  expect(normaliseArguments(given)).toEqual(understood);
});

const world = {
  print: () => undefined,
  warn: () => undefined,
  environment: {},
  signal: new AbortController().signal,
};

function flagsOf(command: Command): readonly { readonly name: string; readonly bare: boolean }[] {
  const own = command.options.map((option) => ({
    name: option.name(),
    bare: option.isBoolean() && !option.negate && option.name() !== "version",
  }));
  return [...own, ...command.commands.flatMap(flagsOf)];
}

test("every flag without a value is known to take =true and =false", () => {
  const flags = [createWalletProgram(world), createNodeProgram(world)].flatMap(flagsOf);
  const missing = flags.filter((flag) => flag.bare && !booleanFlags.has(flag.name));
  expect(missing).toEqual([]);
});

test("no declared flag has an underscore, because underscores become dashes", () => {
  const flags = [createWalletProgram(world), createNodeProgram(world)].flatMap(flagsOf);
  expect(flags.filter((flag) => flag.name.includes("_"))).toEqual([]);
});
