import { orphansMax, wantedMax } from "../../../consensus/missing.ts";
import { proposalViewsMax } from "../../../consensus/proposalLog.ts";
import type { Observation, World } from "../world.ts";

/** Nothing that a peer can fill grows past its limit. */
export class BoundsChecker {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  onObservation(event: Observation): void {
    if (event.type !== "stepped") return;
    const { held } = event.status;
    const members = event.epoch.committee.validators.length;
    const limits: readonly (readonly [string, number, number])[] = [
      ["orphans", held.orphans, orphansMax],
      ["wanted", held.wanted, wantedMax],
      ["votes", held.votes, 2 * members],
      ["proposals", held.proposals, proposalViewsMax + 2],
    ];
    for (const [name, got, max] of limits) {
      if (got > max)
        this.#world.fail("bounds", `node ${event.node.id}: ${got} ${name}, max ${max}`);
    }
  }
}
