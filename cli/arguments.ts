/*
 * Theta's flags are written with `_`, ours with `-`; its booleans take `=true` and `=false`. Both
 * spellings become the one that the command tree declares, before it sees them.
 */

/**
 * Flags without a value, and what holds without them; `--flag=true` and `--flag=false` are
 * understood.
 */
export const booleanFlags: ReadonlyMap<string, boolean> = new Map([
  ["async", false],
  ["preview", false],
  ["include-eth-tx-hashes", false],
  ["include-unfinalized-blocks", false],
  ["skip-edge-node", true],
  ["json", false],
  ["wait", false],
  ["verbose", false],
  ["yes", false],
  ["force", false],
  ["quiet", false],
  ["offchain", false],
  ["once", false],
  ["validator", false],
  ["allow-missing-safety-file", false],
]);

/** `argv` without the program's own name, each flag in the declared spelling. */
export function normaliseArguments(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf("--");
  const flags = end === -1 ? argv : argv.slice(0, end);
  const rest = end === -1 ? [] : argv.slice(end);
  return [...flags.flatMap(normaliseArgument), ...rest];
}

function normaliseArgument(argument: string): readonly string[] {
  if (!argument.startsWith("--")) return [argument];
  const equals = argument.indexOf("=");
  const name = (equals === -1 ? argument.slice(2) : argument.slice(2, equals)).replaceAll("_", "-");
  if (equals === -1) return [`--${name}`];
  const value = argument.slice(equals + 1);
  const otherwise = booleanFlags.get(name);
  if (otherwise === undefined || (value !== "true" && value !== "false"))
    return [`--${name}=${value}`];
  if (value === "true") return [`--${name}`];
  return otherwise ? [`--no-${name}`] : [];
}
