import { Cluster, runSeed, type RunOptions, type RunResult } from "./cluster.ts";
import type { Swarm } from "./swarm.ts";

/** Lines of a failing run that are shown, from its end. */
const tailLines = 40;

/** Faults that a smaller run may do without, one at a time. */
const simplifications: readonly Partial<Swarm>[] = [
  { duplicatePercent: 0 },
  { crashOneIn: 0 },
  { crashInEffectsOneIn: 0 },
  { partitionMsMean: 0 },
  { isAsymmetric: false },
  { lossPercent: 0 },
  { committeeChanges: false },
  { epochBlocks: 1_000_000 },
  { stakes: "equal" },
];

function fails(options: RunOptions, failure: RunResult["failure"]): boolean {
  return runSeed(options).failure?.invariant === failure?.invariant;
}

/** Drops faults, views and validators while the same invariant still fails. */
export function shrinkRun(options: RunOptions, failed: RunResult): RunOptions {
  let least = options;
  const keepIfFails = (swarm: Partial<Swarm>): boolean => {
    const candidate = { ...least, swarm: { ...least.swarm, ...swarm } };
    if (!fails(candidate, failed.failure)) return false;
    least = candidate;
    return true;
  };
  for (const simplification of simplifications) keepIfFails(simplification);
  for (let viewsMin = failed.swarm.viewsMin; viewsMin >= 4; viewsMin = Math.floor(viewsMin / 2)) {
    if (!keepIfFails({ viewsMin })) break;
  }
  for (let roles = failed.swarm.roles; roles.length > 2;) {
    const without = roles
      .map((_, index) => roles.toSpliced(index, 1))
      .find(
        (fewer) => fewer.some(({ type }) => type === "honest") && keepIfFails({ roles: fewer }),
      );
    if (without === undefined) break;
    roles = without;
  }
  return least;
}

/** The last events of a run. */
export function traceTail(options: RunOptions): readonly string[] {
  const lines: string[] = [];
  const trace = (line: string): void => {
    lines.push(line.slice(0, 240));
    if (lines.length > 2 * tailLines) lines.splice(0, tailLines);
  };
  new Cluster({ ...options, trace }).run();
  return lines.slice(-tailLines);
}
