import type { Digest } from "../../../base/brand.ts";
import type { Observation, World } from "../world.ts";

/**
 * Committed blocks of honest nodes form one chain, each node's without a gap or a step back across
 * its restarts. Blocks name their state, so equal blocks mean equal state.
 */
export class AgreementChecker {
  readonly #world: World;
  readonly #chain = new Map<number, Digest>();
  readonly #heights = new Map<number, number>();
  readonly #roots = new Map<number, Digest>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Distinct blocks committed. */
  get commits(): number {
    return this.#chain.size;
  }

  /** Height up to which a node has committed. */
  heightOf(node: number): number {
    return this.#heights.get(node) ?? 0;
  }

  onObservation(event: Observation): void {
    const { id } = event.node;
    if (event.type === "epochStarted") {
      const { epoch, root } = event.epoch;
      const known = this.#roots.get(epoch) ?? root;
      this.#roots.set(epoch, known);
      if (known !== root)
        this.#world.fail("agreement", `two roots of epoch ${epoch}: ${known}, ${root}`);
    }
    if (event.type !== "committed") return;
    for (const { summary } of event.blocks) {
      const { height, hash, parent } = summary;
      const expected = this.heightOf(id) + 1;
      if (height !== expected) {
        this.#world.fail("monotone", `node ${id} commits height ${height}, expected ${expected}`);
      }
      this.#heights.set(id, height);
      const known = this.#chain.get(height) ?? hash;
      this.#chain.set(height, known);
      if (known !== hash) {
        this.#world.fail("agreement", `height ${height} is both ${known} and ${hash} (node ${id})`);
      }
      const below = this.#chain.get(height - 1);
      if (below !== undefined && below !== parent) {
        this.#world.fail("agreement", `height ${height} does not follow ${below}`);
      }
    }
  }
}
