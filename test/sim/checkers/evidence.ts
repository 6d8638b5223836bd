import {
  accusedBy,
  checkEvidence,
  decodeEvidence,
  encodeEvidence,
} from "../../../consensus/evidence.ts";
import type { Evidence } from "../../../consensus/types.ts";
import { witnessViewsMax } from "../../../consensus/witness.ts";
import type { Heard } from "../inbound.ts";
import type { SimNode } from "../node.ts";
import { stubVerify } from "../stubs.ts";
import type { Observation, World } from "../world.ts";

/** Views around the certified one in which every contradiction must be noticed. */
const nearViews = witnessViewsMax / 2;

/** Time after which a report must have been made. */
const reportUsMax = 1;

/** What one node has heard from liars in its epoch since it started, and whom it must report. */
type Memory = {
  readonly heard: Map<string, Heard[]>;
  readonly reported: Set<string>;
  readonly due: Map<string, { readonly atUs: number; readonly why: string }>;
};

/**
 * Evidence names only keys that lie, and every key that lies to one honest node's face: two
 * statements that contradict each other, heard in one epoch by one process. How much was found is
 * counted.
 */
export class EvidenceChecker {
  readonly #world: World;
  readonly #liars: ReadonlySet<string>;
  readonly #memories = new Map<number, Memory>();
  /** Reports, by type. */
  readonly counts = new Map<string, number>();

  /** `liars` are the addresses that may be accused. */
  constructor(world: World, liars: ReadonlySet<string>) {
    this.#world = world;
    this.#liars = liars;
  }

  onObservation(event: Observation): void {
    const { node } = event;
    switch (event.type) {
      case "reported":
        return this.#onReport(event.evidence, event.epoch, node);
      case "heard":
        return this.#onHeard(event.statement, node);
      case "stepped":
        return this.#checkDue(node);
      case "epochStarted":
      case "crashed":
        // What was heard before is not held against anyone any more.
        this.#memories.delete(node.id);
        return;
      default:
        return;
    }
  }

  #onReport(evidence: Evidence, epoch: SimNode["epoch"], node: SimNode): void {
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
      this.#memoryOf(node).reported.add(address);
      if (!this.#liars.has(address)) {
        this.#world.fail("evidence", `${evidence.type} against honest ${address}`);
      }
    }
  }

  #memoryOf(node: SimNode): Memory {
    const known = this.#memories.get(node.id);
    if (known !== undefined) return known;
    const memory = { heard: new Map(), reported: new Set<string>(), due: new Map() };
    this.#memories.set(node.id, memory);
    return memory;
  }

  #onHeard(statement: Heard, node: SimNode): void {
    const { holder, view } = statement;
    const { highView } = node;
    if (!this.#liars.has(holder) || Math.abs(view - highView) > nearViews) return;
    const memory = this.#memoryOf(node);
    const before = memory.heard.get(holder) ?? [];
    memory.heard.set(holder, [...before, statement]);
    const other = before.find(
      (said) => said.view >= highView - nearViews && contradicts(said, statement),
    );
    if (other === undefined || memory.due.has(holder)) return;
    const why = `${holder}: ${JSON.stringify(other)} and ${JSON.stringify(statement)}`;
    memory.due.set(holder, { atUs: this.#world.nowUs() + reportUsMax, why });
  }

  #checkDue(node: SimNode): void {
    const memory = this.#memories.get(node.id);
    // What waits for a slow disk was heard, and not looked at yet.
    if (memory === undefined || node.queued > 0) return;
    for (const [holder, { atUs, why }] of memory.due) {
      if (this.#world.nowUs() < atUs || memory.reported.has(holder)) continue;
      this.#world.fail("unreported", `node ${node.id} says nothing of ${why}`);
    }
  }
}

function contradicts(a: Heard, b: Heard): boolean {
  if (a.kind === b.kind) return a.view === b.view && a.value !== b.value;
  const [vote, timeout] = a.kind === "vote" ? [a, b] : [b, a];
  if (vote.kind !== "vote" || timeout.kind !== "timeout") return false;
  return vote.view <= timeout.view && timeout.rests < vote.rests;
}
