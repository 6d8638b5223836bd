import { checkCommitProof } from "../../../consensus/commitProof.ts";
import { soundRules } from "../../../consensus/rules.ts";
import type { Certificate, EpochInfo } from "../../../consensus/types.ts";
import type { Observation, World } from "../world.ts";
import { Verifier } from "../verifier.ts";

/**
 * Every certificate that an honest node makes, holds or commits by is valid for its epoch, and
 * every commit comes with a proof that a light client would take.
 */
export class CertificateChecker {
  readonly #world: World;
  readonly #verifier: Verifier;

  constructor(world: World) {
    this.#world = world;
    // Not the nodes' own: theirs may have a planted bug.
    this.#verifier = new Verifier(world.scope, soundRules);
  }

  onObservation(event: Observation): void {
    const { id } = event.node;
    if (event.type === "stepped") return this.#check(event.status.highCertificate, event.epoch, id);
    if (event.type === "signed" && event.signable.type === "timeout") {
      return this.#check(event.signable.timeout.highCertificate, event.node.epoch, id);
    }
    if (event.type !== "committed") return;
    this.#check(event.proof.certificate, event.epoch, id);
    const verdict = checkCommitProof(event.epoch, event.proof);
    const last = event.blocks.at(-1)?.summary.hash;
    if (!verdict.ok) {
      this.#world.fail("commitProof", `node ${id}: ${JSON.stringify(verdict.refusal)}`);
    } else if (verdict.value.hash !== last) {
      this.#world.fail("commitProof", `node ${id} proves ${verdict.value.hash}, commits ${last}`);
    }
  }

  #check(certificate: Certificate, epoch: EpochInfo, node: number): void {
    if (certificate.epoch !== epoch.epoch) return;
    if (this.#verifier.isCertificate(certificate, epoch)) return;
    this.#world.fail(
      "certificate",
      `node ${node} holds an invalid one of view ${certificate.view}`,
    );
  }
}
