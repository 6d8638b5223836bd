import type { RunResult } from "./cluster.ts";
import type { Role } from "./swarm.ts";

function roleName(role: Role): string {
  return role.type === "liar" ? role.strategies.join("+") : role.type;
}

/** One line on what a run was and did. */
export function describeRun(result: RunResult): string {
  const { seed, swarm, views, commits, epochs, events, failure } = result;
  const faulty = swarm.roles.filter((role) => role.type !== "honest").map(roleName);
  const names = faulty.length > 0 ? ` (${faulty.join(", ")})` : "";
  const cast = `${swarm.roles.length} validators${names}`;
  const did = `${views} views, ${commits} commits, ${epochs} epochs, ${events} events`;
  const end = failure === null ? "ok" : `FAILED ${failure.invariant}: ${failure.detail}`;
  return `seed ${seed}: ${cast}: ${did}: ${end}`;
}
