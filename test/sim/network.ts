import { corrupted } from "./corrupt.ts";
import type { Prng } from "./prng.ts";
import type { Swarm } from "./swarm.ts";
import type { Wire } from "./wire.ts";

/** Delays of a network that works, in microseconds. */
const healedUsMin = 1_000;
const healedUsMax = 20_000;

/** How much later a message comes again, in microseconds. */
const replayUsMin = 1_000_000;
const replayUsMax = 3_600_000_000;

/** Links between nodes: latency, loss, duplicates, partitions. Order follows from latency alone. */
export class Network {
  readonly #dice: Prng;
  readonly #swarm: Swarm;
  readonly #size: number;
  #blocked = new Set<number>();
  #isHealed = false;

  constructor(dice: Prng, swarm: Swarm, size: number) {
    this.#dice = dice;
    this.#swarm = swarm;
    this.#size = size;
  }

  /** Delays, in microseconds, of the copies that arrive; none if it is lost. */
  route(from: number, to: number): readonly number[] {
    if (this.#isHealed) return [this.#dice.between(healedUsMin, healedUsMax)];
    if (this.#blocked.has(from * this.#size + to)) return [];
    if (this.#dice.chance(this.#swarm.lossPercent, 100)) return [];
    const copies = this.#dice.chance(this.#swarm.duplicatePercent, 100) ? 2 : 1;
    const delays = Array.from({ length: copies }, () => this.#delayUs());
    const { replayOneIn } = this.#swarm;
    if (replayOneIn > 0 && this.#dice.chance(1, replayOneIn)) delays.push(this.#replayUs());
    return delays;
  }

  /** The message as it arrives: now and then a part of it is another. */
  damage(wire: Wire): Wire {
    const { corruptOneIn } = this.#swarm;
    if (this.#isHealed || corruptOneIn === 0 || !this.#dice.chance(1, corruptOneIn)) return wire;
    return corrupted(wire, this.#dice);
  }

  /** Minimum plus an exponential, and one in fifty ten times as late. */
  #delayUs(): number {
    const { latencyMsMin, latencyMsMean } = this.#swarm;
    const uniform = (this.#dice.next() + 1) / 0x1_0000_0001;
    const tail = this.#dice.chance(1, 50) ? 10 : 1;
    return Math.floor((latencyMsMin - Math.log(uniform) * latencyMsMean * tail) * 1_000) + 1;
  }

  /** Between a second and an hour, each magnitude as often as the others. */
  #replayUs(): number {
    const uniform = this.#dice.next() / 0x1_0000_0000;
    return Math.floor(replayUsMin * (replayUsMax / replayUsMin) ** uniform);
  }

  /** Draws another partition, or none; asymmetric ones block one direction only. */
  repartition(): void {
    this.#blocked = new Set();
    if (this.#dice.chance(1, 3)) return;
    const kind = this.#dice.below(3);
    const lonely = this.#dice.below(this.#size);
    const sides = Array.from({ length: this.#size }, (_, node) =>
      kind === 0 ? Number(node === lonely) : this.#dice.below(kind === 1 ? 2 : 3),
    );
    const isAsymmetric = this.#swarm.isAsymmetric && this.#dice.chance(1, 2);
    const isUpward = this.#dice.chance(1, 2);
    for (const [from, a] of sides.entries()) {
      for (const [to, b] of sides.entries()) {
        if (a !== b && (!isAsymmetric || a < b === isUpward))
          this.#blocked.add(from * this.#size + to);
      }
    }
  }

  /** Every link works from now on. */
  heal(): void {
    this.#isHealed = true;
  }
}
