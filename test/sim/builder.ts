import { assert } from "../../base/assert.ts";
import type { Digest } from "../../base/brand.ts";
import type { Effect } from "../../consensus/types.ts";
import { slowPayload, type SimBlock } from "./fakeLedger.ts";
import type { SimNode } from "./node.ts";
import { blockIntervalMsIdle, blockIntervalMsMin, executionUsMax, slowFactor } from "./pace.ts";
import type { Prng } from "./prng.ts";
import { drawOperation } from "./register.ts";
import type { World } from "./world.ts";

type Order = Extract<Effect, { readonly type: "buildProposal" }>;

/** Builds, executes and reviews the blocks that a node's replica orders, at the pace of the chain. */
export class Builder {
  readonly #node: SimNode;
  readonly #world: World;
  readonly #dice: Prng;
  /** What waits for the idle interval. */
  #idle: (() => void) | null = null;

  constructor(node: SimNode, world: World, dice: Prng) {
    this.#node = node;
    this.#world = world;
    this.#dice = dice;
  }

  /** Builds the block after the interval that is due. */
  request(order: Order): void {
    const { epoch, isWorkPending } = this.#node;
    const isUrgent = order.isUrgent || isWorkPending;
    let isBuilt = false;
    const build = (): void => {
      if (isBuilt || this.#node.epoch !== epoch) return;
      isBuilt = true;
      this.#build(order);
    };
    this.#idle = isUrgent ? null : build;
    this.#node.later((isUrgent ? blockIntervalMsMin : blockIntervalMsIdle) * 1_000, build);
  }

  /** Work came in: it does not wait for the idle interval. */
  onWork(): void {
    const idle = this.#idle;
    this.#idle = null;
    if (idle !== null) this.#node.later(blockIntervalMsMin * 1_000, idle);
  }

  /** The process has died. */
  forget(): void {
    this.#idle = null;
  }

  /** Executes a held block, which takes its time. */
  execute(hash: Digest): void {
    const node = this.#node;
    const { epoch } = node;
    const factor = node.blocks.get(hash)?.payload === slowPayload ? slowFactor : 1;
    node.later(this.#dice.below(executionUsMax) * factor, () => {
      const block = node.blocks.get(hash);
      if (node.epoch !== epoch || block === null) return;
      const { parent } = block.summary;
      const parentState = parent === epoch.root ? epoch.root : node.blocks.get(parent)?.state;
      assert(parentState !== undefined, "a block is executed after its parent");
      const result = node.judge(epoch, block, parentState);
      node.deliver({ type: "blockExecuted", block: hash, result });
    });
  }

  /** Reviewers take their time, and object now and then. */
  review(block: Digest): void {
    const { reviewMsMax, objectsOneIn } = this.#world.swarm;
    this.#node.later(this.#dice.below(reviewMsMax * 1_000), () => {
      const objects = objectsOneIn > 0 && this.#dice.chance(1, objectsOneIn);
      const passed = !objects || !this.#node.isTroubled;
      this.#node.deliver({ type: "blockReviewed", block, passed });
    });
  }

  #build(order: Order): void {
    const node = this.#node;
    const { epoch, id, identity } = node;
    const parent = node.blocks.get(order.parent);
    const isRoot = order.parent === epoch.root;
    if (parent === null && !isRoot) return;
    const isEmpty = order.emptyRequired || !node.isWorkPending;
    const parentMs = parent?.summary.timestampMs ?? 0;
    // An epoch starts from its root's hash as state: one committed block, so the same on all.
    const parentState = isRoot || parent === null ? epoch.root : parent.state;
    const block = this.#world.ledger.build({
      epoch,
      view: order.view,
      height: (parent?.summary.height ?? epoch.rootHeight) + 1,
      parent: order.parent,
      parentState,
      parentCertificate: order.parentCertificate,
      timeoutCertificate: order.timeoutCertificate,
      epochProof: order.epochProofRequired
        ? (node.disk.epochProofs.get(epoch.epoch - 1) ?? null)
        : null,
      timestampMs: Math.max(parentMs + 1, node.nowMs),
      proposer: identity,
      payload: isEmpty
        ? ""
        : `work ${id}/${this.#world.nowUs()}${this.#orders(parent)}${this.#drawOrder()}`,
    });
    node.blocks.keep(block);
    const result = node.judge(epoch, block, parentState);
    const nowMs = node.nowMs;
    node.deliver({ type: "proposalBuilt", block: block.summary, result, nowMs });
  }

  /** What clients wait for, unless this node keeps it out. */
  #orders(parent: SimBlock | null): string {
    const node = this.#node;
    const role = this.#world.swarm.roles[node.identity];
    if (role?.type === "liar" && role.strategies.includes("censor")) return "";
    const uncommitted: SimBlock[] = [];
    const { length } = node.disk.committed;
    for (let at = parent; at !== null && at.summary.height > length;) {
      uncommitted.push(at);
      at = node.blocks.get(at.summary.parent);
    }
    return node.orders.select(uncommitted);
  }

  #drawOrder(): string {
    const { swarm } = this.#world;
    const isOrdered = swarm.byOperations && swarm.committeeChanges;
    return isOrdered ? ` ${drawOperation(swarm, this.#node, this.#dice)}` : "";
  }
}
