import { hasSigner, signersOf } from "../../../consensus/signers.ts";
import type { Evidence } from "../../../consensus/types.ts";
import type { Observation, World } from "../world.ts";

/** Committee indices that a piece of evidence is against. */
export function accusedBy(evidence: Evidence): readonly number[] {
  switch (evidence.type) {
    case "doubleVote":
    case "doubleProposal":
    case "doubleTimeout":
      return [evidence.first.signer];
    case "timeoutDeniesVote":
      return [evidence.vote.signer];
    case "conflictingCertificates":
      return signersOf(evidence.first.signers).filter((index) =>
        hasSigner(evidence.second.signers, index),
      );
  }
}

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
    for (const index of accusedBy(evidence)) {
      const address = epoch.committee.validators[index]?.address ?? "nobody";
      if (!this.#liars.has(address)) {
        this.#world.fail("evidence", `${evidence.type} against honest ${address}`);
      }
    }
  }
}
