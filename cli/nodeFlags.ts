import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { Flags } from "./commandTree.ts";
import { UsageError } from "./failure.ts";
import type { NodeWorld } from "./nodeProgram.ts";
import { readPassword } from "./password.ts";

/** A setting of `config.yaml` that a flag overrides: `section.key` and the value. */
export type Override = readonly [name: string, value: string | number | boolean];

/** What every command that runs a node hands to it. */
export type NodeOptions = {
  readonly overrides: readonly Override[];
  readonly environment: NodeJS.ProcessEnv;
  /** Asks for the key's password; called only where a keystore has to be opened or made. */
  readonly password: (prompt: string) => Promise<string>;
  /** Standard output: the start screen. */
  readonly print: (line: string) => void;
  readonly json: boolean;
  /** Aborted by SIGINT or SIGTERM: stop cleanly. */
  readonly signal: AbortSignal;
};

const settingOfFlag: ReadonlyMap<string, string> = new Map([
  ["rpcAddress", "rpc.address"],
  ["rpcPort", "rpc.port"],
  ["ethPort", "rpc.secondPort"],
  ["blockTime", "consensus.blockIntervalMsIdle"],
  ["logLevel", "log.level"],
  ["logFormat", "log.format"],
]);

/** The node's folder: flag, environment, default. */
export function nodeFolder(world: NodeWorld, flags: Flags): string {
  const named = flags.text("config") ?? world.environment["LEDGER_CONFIG"];
  return resolve(named ?? join(homedir(), ".ledger"));
}

/** The flags that `start`, `init` and `devnet` share. */
export function nodeOptions(world: NodeWorld, flags: Flags): NodeOptions {
  return {
    overrides: [...flagOverrides(flags), ...setOverrides(flags.text("set") ?? "")],
    environment: world.environment,
    password: (prompt) =>
      readPassword({
        file: flags.text("passwordFile"),
        flag: flags.text("password"),
        variable: "LEDGER_PASSWORD",
        environment: world.environment,
        warn: world.warn,
        prompt,
      }),
    print: world.print,
    json: world.json,
    signal: world.signal,
  };
}

function flagOverrides(flags: Flags): readonly Override[] {
  const overrides: Override[] = [];
  for (const [flag, setting] of settingOfFlag) {
    const value = flags.text(flag);
    if (value !== undefined) overrides.push([setting, coerce(value)]);
  }
  // A flag's relative path is meant from here, a setting's from the node's folder.
  const data = flags.text("data");
  if (data !== undefined) overrides.push(["data.path", resolve(data)]);
  return overrides;
}

function setOverrides(text: string): readonly Override[] {
  return assignments("--set", text, "rpc.port=16889").map(([name, value]) => [name, coerce(value)]);
}

/** Chain parameters of a network that is to be made; those not named have their defaults. */
export function chainParameters(flags: Flags): ReadonlyMap<string, bigint | string> {
  const given = assignments("--parameters", flags.text("parameters") ?? "", "chain.epochBlocks=20");
  return new Map(
    given.map(([name, value]) => [name, /^\d{1,78}$/.test(value) ? BigInt(value) : value]),
  );
}

/** The parts of `name.name=value,name.name=value`. */
function assignments(
  flag: string,
  text: string,
  example: string,
): readonly (readonly [name: string, value: string])[] {
  return text
    .split(",")
    .filter((part) => part !== "")
    .map((part) => {
      const equals = part.indexOf("=");
      if (equals < 1 || !/^\w+\.\w+$/.test(part.slice(0, equals)))
        throw new UsageError(`${flag} ${part.slice(0, 80)} is not section.key=value`, {
          hint: `${flag} ${example}`,
        });
      return [part.slice(0, equals), part.slice(equals + 1)];
    });
}

function coerce(text: string): string | number | boolean {
  if (text === "true" || text === "false") return text === "true";
  return /^\d{1,15}$/.test(text) ? Number(text) : text;
}
