import { consensusDomains } from "../../../consensus/statements.ts";
import type { Signable, Vote } from "../../../consensus/types.ts";
import type { Observation, World } from "../world.ts";

function valueOf(signable: Signable): {
  readonly epoch: number;
  readonly view: number;
  readonly value: string;
} {
  switch (signable.type) {
    case "vote": {
      const { epoch, view, block, parentView } = signable.vote;
      return { epoch, view, value: `${block}/${parentView}` };
    }
    case "timeout": {
      const { epoch, view, highCertificate } = signable.timeout;
      return { epoch, view, value: `${highCertificate.view}` };
    }
    case "proposal": {
      const { epoch, view, block } = signable.statement;
      return { epoch, view, value: block };
    }
  }
}

/**
 * No honest key signs two values in a slot, votes after leaving a view, or denies in a timeout what
 * it voted for: over the whole run, so across restarts.
 */
export class SignatureChecker {
  readonly #world: World;
  readonly #signed = new Map<string, string>();
  readonly #votes = new Map<string, Vote[]>();

  constructor(world: World) {
    this.#world = world;
  }

  onObservation(event: Observation): void {
    if (event.type !== "signed") return;
    const { identity } = event.node;
    const { signable } = event;
    const { epoch, view, value } = valueOf(signable);
    const slot = `${identity}/${consensusDomains[signable.type]}/${epoch}/${view}`;
    const before = this.#signed.get(slot);
    if (before === value) return;
    if (before !== undefined) {
      return this.#world.fail("doubleSign", `${slot}: ${before} and ${value}`);
    }
    this.#signed.set(slot, value);
    const votes = this.#votes.get(`${identity}/${epoch}`) ?? [];
    this.#votes.set(`${identity}/${epoch}`, votes);
    if (signable.type === "vote") {
      votes.push(signable.vote);
      const left = this.#signed.has(`${identity}/${consensusDomains.timeout}/${epoch}/${view}`);
      if (left) this.#world.fail("doubleSign", `${slot}: a vote after the timeout`);
    }
    if (signable.type !== "timeout") return;
    const high = signable.timeout.highCertificate.view;
    const denied = votes.find((vote) => vote.view <= view && vote.parentView > high);
    if (denied !== undefined) {
      this.#world.fail("lock", `${slot}: signs ${high}, but voted on ${denied.parentView}`);
    }
  }
}
