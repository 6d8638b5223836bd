import { frailSkewFactor } from "./pace.ts";
import type { Prng } from "./prng.ts";
import type { World } from "./world.ts";

/** How far a clock may jump, in milliseconds. */
const jumpsMs = [1_000, 60_000, 3_600_000, 86_400_000] as const;

/** Ahead of virtual time where clocks jump, so that none is ever below zero. */
const jumpBaseMs = 2 * 86_400_000;

/** The wall clock of one machine: off by a little, or by a lot if it is a frail one's. */
export class SimClock {
  readonly #world: Pick<World, "nowUs">;
  readonly #offsetMs: number;
  #jumpMs = 0;
  #standsAtMs: number | null = null;

  constructor(world: World, identity: number, dice: Prng) {
    const { roles, clockSkewMsMax, clocksJump } = world.swarm;
    const factor = roles[identity]?.type === "frail" ? frailSkewFactor : 1;
    const skewMs = dice.between(-clockSkewMsMax, clockSkewMsMax) * factor;
    this.#world = world;
    this.#offsetMs = skewMs + clockSkewMsMax * frailSkewFactor + (clocksJump ? jumpBaseMs : 0);
  }

  /** What it shows. */
  get nowMs(): number {
    return (
      this.#standsAtMs ?? Math.floor(this.#world.nowUs() / 1_000) + this.#offsetMs + this.#jumpMs
    );
  }

  /** Goes wrong in another way: ahead or back by up to a day, or it stands still. */
  jump(dice: Prng): void {
    this.#standsAtMs = null;
    const farMs = dice.pick(jumpsMs);
    this.#jumpMs = dice.between(-farMs, farMs);
    if (dice.chance(1, 4)) this.#standsAtMs = this.nowMs;
  }
}

/** A process that stands still for a while: what comes, and what was to be done, waits. */
export class Standstill {
  readonly #world: Pick<World, "nowUs" | "schedule">;
  #endUs = 0;

  constructor(world: Pick<World, "nowUs" | "schedule">) {
    this.#world = world;
  }

  begin(forUs: number): void {
    this.#endUs = this.#world.nowUs() + forUs;
  }

  end(): void {
    this.#endUs = 0;
  }

  /** Does something as soon as the process goes on. */
  awake(run: () => void): void {
    const waitUs = this.#endUs - this.#world.nowUs();
    if (waitUs <= 0) return run();
    this.#world.schedule(waitUs, () => this.awake(run));
  }
}
