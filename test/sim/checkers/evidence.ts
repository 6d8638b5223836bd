import {
  accusedBy,
  checkEvidence,
  decodeEvidence,
  encodeEvidence,
} from "../../../consensus/evidence.ts";
import { stubVerify } from "../stubs.ts";
import type { Observation, World } from "../world.ts";

/** Evidence names only keys that lie; how much of it was found is counted. */
export class EvidenceChecker {
  readonly #world: World;
  readonly #liars: ReadonlySet<string>;
  /** Reports, by type. */
  readonly counts = new Map<string, number>();

  /** `liars` are the addresses that may be accused. */
  constructor(world: World, liars: ReadonlySet<string>) {
    this.#world = world;
    this.#liars = liars;
  }

  onObservation(event: Observation): void {
    if (event.type !== "reported") return;
    const { evidence, epoch } = event;
    this.counts.set(evidence.type, (this.counts.get(evidence.type) ?? 0) + 1);
    // As another node would take it from a block: through bytes, and with every signature checked.
    const decoded = decodeEvidence(encodeEvidence(evidence));
    const { scope } = this.#world;
    const verdict =
      decoded.ok && checkEvidence({ scope, epoch, verify: stubVerify }, decoded.value);
    if (verdict === false || !verdict.ok)
      this.#world.fail("evidence", `${evidence.type} proves nothing`);
    for (const index of accusedBy(evidence)) {
      const address = epoch.committee.validators[index]?.address ?? "nobody";
      if (!this.#liars.has(address)) {
        this.#world.fail("evidence", `${evidence.type} against honest ${address}`);
      }
    }
  }
}
