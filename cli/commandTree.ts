import type { Command } from "commander";
import type { Context } from "./context.ts";
import { UsageError } from "./failure.ts";
import { loadSettings } from "./settings.ts";

/** The values of a command's flags by camel-case name, before any of them is checked. */
export class Flags {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  /** A flag's text; `undefined` if it was not given and has no default. */
  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === "string" ? value : undefined;
  }

  /** The values of a flag that takes several. */
  list(name: string): readonly string[] {
    const value = this.#values[name];
    return Array.isArray(value) ? value.map(String) : [];
  }

  /** Whether a flag without a value was given. */
  has(name: string): boolean {
    return this.#values[name] === true;
  }
}

/** A command's work: flags and positional arguments in, results printed. */
export type Action = (
  context: Context,
  flags: Flags,
  positional: readonly string[],
) => Promise<void>;

/** What a program is run with. */
export type World = Pick<Context, "print" | "warn" | "environment" | "signal">;

/** One command: its words, its flags, and where its code is. */
export type Declaration<Work> = {
  /** Name and positional arguments, such as `delete <address>`. */
  readonly usage: string;
  readonly alias?: string;
  readonly summary: string;
  readonly example: string;
  /** Flag, explanation, and the default if there is one. */
  readonly flags: readonly (readonly [flag: string, text: string, otherwise?: string | boolean])[];
  /** Brings the code only when the command runs, because start-up time counts. */
  readonly load: () => Promise<Work>;
};

/** `--set` may be given again: the settings of both count. */
function joinSettings(value: string, before: string | undefined): string {
  return before === undefined ? value : `${before},${value}`;
}

/** Declares a command; `act` gets the flags that were given and the positional arguments. */
export function declareCommand(
  parent: Command,
  declaration: Declaration<unknown>,
  act: (flags: Flags, positional: readonly string[]) => Promise<void>,
): void {
  const command = parent.command(declaration.usage).description(declaration.summary);
  if (declaration.alias !== undefined) command.alias(declaration.alias);
  for (const [flag, text, otherwise] of declaration.flags) {
    if (flag.startsWith("--set ")) command.option(flag, text, joinSettings);
    else command.option(flag, text, otherwise);
  }
  command.addHelpText("after", `\nExample:\n  ${declaration.example}`);
  command.action(() => act(new Flags(command.optsWithGlobals()), command.args));
}

/** Declares a command of the wallet: its settings are loaded before its code runs. */
export function addCommand(parent: Command, world: World, declaration: Declaration<Action>): void {
  declareCommand(parent, declaration, async (flags, positional) => {
    const settings = await loadSettings(
      {
        config: flags.text("config"),
        rpc: flags.text("rpc"),
        remote: flags.text("remote"),
        chain: flags.text("chain"),
      },
      world.environment,
    );
    const action = await declaration.load();
    await action({ ...world, settings, json: flags.has("json") }, flags, positional);
  });
}

/** A command that only groups others; alone it is a mistake that shows the group's help. */
export function addGroup(parent: Command, name: string, summary: string): Command {
  const group = parent.command(name).description(summary);
  group.action(() => {
    const [given] = group.args;
    const names = group.commands.map((command) => command.name());
    if (given === undefined)
      throw new UsageError(`${name} needs a subcommand: ${names.join(", ")}`, {
        hint: `${nameOf(group)} --help`,
      });
    throw new UsageError(`unknown command ${name} ${given.slice(0, 40)}`, {
      hint: `one of: ${names.join(", ")}`,
    });
  });
  group.allowExcessArguments(true);
  return group;
}

function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}
