/*
 * Ethereum's rule sets by name. The list ends with the last one that the EVM library calls
 * finished: an unfinished one may change its results with a patch release, which would be a fork.
 */

/** Supported rule sets, oldest first. */
export const forkNames = [
  "istanbul",
  "berlin",
  "london",
  "paris",
  "shanghai",
  "cancun",
  "prague",
  "osaka",
] as const;

/** A supported rule set. */
export type ForkName = (typeof forkNames)[number];

/** The rule set of a new chain. */
export const forkDefault: ForkName = "osaka";

/** The fork of this name; `null` for one that is unknown or unfinished. */
export function forkOrNull(name: string): ForkName | null {
  return forkNames.find((fork) => fork === name) ?? null;
}

const ages = Object.fromEntries(forkNames.map((name, age) => [name, age])) as Readonly<
  Record<ForkName, number>
>;

/** Whether `fork` is `first` or a later one. */
export function isFrom(fork: ForkName, first: ForkName): boolean {
  return ages[fork] >= ages[first];
}
