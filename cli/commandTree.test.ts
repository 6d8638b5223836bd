import { Command } from "commander";
import { expect, test } from "vitest";
import { declareCommand, type Flags } from "./commandTree.ts";

test("settings that are given in several flags all count", async () => {
  const seen: Flags[] = [];
  const program = new Command("ledger");
  const declaration = {
    usage: "start",
    summary: "",
    example: "",
    flags: [["--set <name=value>", "a setting"]] as const,
    load: () => Promise.resolve(null),
  };
  declareCommand(program, declaration, (flags) => {
    seen.push(flags);
    return Promise.resolve();
  });
  const flags = ["--set", "rpc.port=1,log.level=info", "--set=data.path=x"];
  await program.parseAsync(["start", ...flags], { from: "user" });
  expect(seen[0]?.text("set")).toBe("rpc.port=1,log.level=info,data.path=x");
});
