import type { ReplicaOptions } from "../../consensus/replicaOptions.ts";
import { clockDriftMsMax, timing } from "./pace.ts";
import { stubAddress, stubAggregate } from "./stubs.ts";
import type { World } from "./world.ts";

/** What the replica of an identity is made with in a simulated world. */
export function replicaOptions(identity: number, world: World): ReplicaOptions {
  const { leaderHash, rules, swarm } = world;
  const isLiar = swarm.roles[identity]?.type === "liar";
  return {
    self: stubAddress(identity),
    // A liar knows well that its key is used twice.
    rules: isLiar ? { ...rules, foreignIn: () => null } : rules,
    timing,
    clockDriftMsMax,
    isReviewed: swarm.reviewMsMax > 0,
    hash: leaderHash,
    aggregate: stubAggregate,
  };
}
