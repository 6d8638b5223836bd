import { CommanderError, type Command } from "commander";
import { normaliseArguments } from "./arguments.ts";
import type { World } from "./commandTree.ts";
import { describeError, exitCodeFor, exitCodes, InterruptedError, UsageError } from "./failure.ts";
import { closeInput } from "./password.ts";

/**
 * Runs one of the two programs to its exit code. Results on standard output, all else on standard
 * error.
 */
export async function runProgram(
  create: (world: World) => Command,
  argv: readonly string[],
): Promise<void> {
  const interrupt = new AbortController();
  process.stdout.on("error", () => process.exit(exitCodes.failed)); // The reader is gone: `| head`.
  const onSignal = (): void => {
    if (interrupt.signal.aborted) process.exit(exitCodes.interrupted);
    interrupt.abort(new InterruptedError());
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  const world: World = {
    print: (line) => process.stdout.write(`${line}\n`),
    warn: (line) => process.stderr.write(`${line}\n`),
    environment: process.env,
    signal: interrupt.signal,
  };
  process.exitCode = await runArguments(create(world), normaliseArguments(argv), world);
  process.off("SIGINT", onSignal);
  process.off("SIGTERM", onSignal);
  closeInput();
}

/** The exit code of a command line; its error, if any, is on standard error by then. */
export async function runArguments(
  program: Command,
  argv: readonly string[],
  world: World,
): Promise<number> {
  prepare(program, world);
  try {
    await program.parseAsync(argv, { from: "user" });
    return exitCodes.ok;
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return exitCodes.ok;
    const error = thrown instanceof CommanderError ? usageError(thrown) : thrown;
    const format = {
      json: argv.includes("--json"),
      verbose: argv.includes("--verbose"),
      color: usesColor(world.environment, argv),
    };
    world.warn(describeError(error, format).trimEnd());
    return exitCodeFor(error);
  }
}

/** Errors come out of here as values, so that one place prints them. */
function prepare(command: Command, world: World): void {
  command.exitOverride();
  command.configureOutput({
    writeOut: (text) => world.print(text.trimEnd()),
    writeErr: () => undefined,
  });
  for (const child of command.commands) prepare(child, world);
}

function usageError(error: CommanderError): UsageError {
  const [first = "", second] = error.message.replace(/^error: /, "").split("\n");
  if (error.code === "commander.help")
    return new UsageError("a command is missing", { hint: "--help" });
  const suggestion = second === undefined ? null : /Did you mean (?:one of )?(.*)\?\)/.exec(second);
  return new UsageError(first, { hint: suggestion?.[1] ?? "--help lists what there is" });
}

/** Colours on a terminal only, and not against NO_COLOR, FORCE_COLOR, TERM=dumb or --color. */
function usesColor(environment: NodeJS.ProcessEnv, argv: readonly string[]): boolean {
  const at = argv.findIndex((argument) => /^--color(=|$)/.test(argument));
  const flag = at === -1 ? "auto" : (/=(.*)/.exec(argv[at] ?? "")?.[1] ?? argv[at + 1]);
  if (flag === "always") return true;
  if (flag === "never" || (environment["NO_COLOR"] ?? "") !== "") return false;
  const forced = environment["FORCE_COLOR"];
  if (forced !== undefined && forced !== "0") return true;
  return process.stderr.isTTY && environment["TERM"] !== "dumb";
}
