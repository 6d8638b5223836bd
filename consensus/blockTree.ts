import { assert } from "../base/assert.ts";
import type { Digest } from "../base/brand.ts";
import { indexOfValidator, type Hash } from "./committee.ts";
import { extendHistory, historyAtRoot, leaderAfter, type LeaderHistory } from "./leaderHistory.ts";
import { rootCertificate } from "./rules.ts";
import { signersOf } from "./signers.ts";
import type {
  BlockSummary,
  Certificate,
  Effect,
  EpochInfo,
  ExecutionResult,
  TimeoutCertificate,
} from "./types.ts";

/** A block that hangs on the committed one through its parents. */
export type BlockNode = {
  readonly hash: Digest;
  readonly height: number;
  readonly view: number;
  readonly timestampMs: number;
  /** `null` at the epoch's root and, once it is committed, at the newest committed block. */
  parent: BlockNode | null;
  /** `null` at the epoch's root. */
  readonly block: BlockSummary | null;
  /** Whether this block is its epoch's last. */
  readonly endsEpoch: boolean;
  /**
   * Whether one of its ancestors in this epoch is: then it is orphaned when that one is committed.
   */
  readonly isPastEnd: boolean;
  /** Leaders up to this block. */
  readonly history: LeaderHistory;
  state: "waiting" | "executing" | "valid" | "invalid";
  nextEpoch: EpochInfo | null;
};

/** Uncommitted blocks without a certificate that are this many views old are dropped. */
const uncertifiedViewsMax = 32;

/**
 * The blocks of one epoch from the newest committed one on. Blocks enter below a held parent only,
 * so every node's chain reaches the committed block; a commit drops what does not descend from it.
 */
export class BlockTree {
  readonly #epoch: EpochInfo;
  readonly #hash: Hash;
  readonly #nodes = new Map<Digest, BlockNode>();
  readonly #certificates = new Map<Digest, Certificate>();
  #committed: BlockNode;
  #lastLeader: { parent: BlockNode; view: number; found: ReturnType<typeof leaderAfter> } | null =
    null;

  constructor(epoch: EpochInfo, hash: Hash) {
    this.#epoch = epoch;
    this.#hash = hash;
    this.#committed = {
      hash: epoch.root,
      height: epoch.rootHeight,
      view: 0,
      timestampMs: 0,
      parent: null,
      block: null,
      endsEpoch: false,
      isPastEnd: false,
      history: historyAtRoot(epoch),
      state: "valid",
      nextEpoch: null,
    };
    this.#nodes.set(epoch.root, this.#committed);
    this.#certificates.set(epoch.root, rootCertificate(epoch));
  }

  /** Newest committed block, or the epoch's root. */
  get committed(): BlockNode {
    return this.#committed;
  }

  /** Blocks held. */
  get size(): number {
    return this.#nodes.size;
  }

  get(hash: Digest): BlockNode | null {
    return this.#nodes.get(hash) ?? null;
  }

  /** The certificate of a held or unheld block, if one was seen. */
  certificateOf(hash: Digest): Certificate | null {
    return this.#certificates.get(hash) ?? null;
  }

  /** Remembers a certificate; one for each block is enough. */
  addCertificate(certificate: Certificate): void {
    if (!this.#certificates.has(certificate.block)) {
      this.#certificates.set(certificate.block, certificate);
    }
  }

  /** The leader of a view for children of this block. */
  leaderAfter(parent: BlockNode, view: number): number {
    return this.#leaderAfter(parent, view).leader;
  }

  #leaderAfter(parent: BlockNode, view: number): ReturnType<typeof leaderAfter> {
    const last = this.#lastLeader;
    // Every step asks for the current view's; each draw costs a hash.
    if (last?.parent === parent && last.view === view) return last.found;
    const found = leaderAfter(this.#epoch, parent, view, this.#hash);
    this.#lastLeader = { parent, view, found };
    return found;
  }

  /** Adds a block below a held parent. */
  add(block: BlockSummary): BlockNode {
    const parent = this.#nodes.get(block.parent);
    assert(parent !== undefined, "a block enters below its parent");
    assert(!this.#nodes.has(block.hash), "a block enters once");
    const { history } = this.#leaderAfter(parent, block.view);
    const proposer = indexOfValidator(this.#epoch.committee, block.proposer);
    assert(proposer !== null, "the proposer is a member");
    const voters = new Set(signersOf(block.parentCertificate.signers));
    const node: BlockNode = {
      hash: block.hash,
      height: block.height,
      view: block.view,
      timestampMs: block.timestampMs,
      parent,
      block,
      endsEpoch: block.nextCommitteeHash !== null,
      isPastEnd: parent.isPastEnd || parent.endsEpoch,
      history: extendHistory(history, { height: block.height, proposer, voters }),
      state: "waiting",
      nextEpoch: null,
    };
    this.#nodes.set(block.hash, node);
    return node;
  }

  /** Blocks whose parent is valid and that nobody has started to execute: they are, from now on. */
  takeExecutable(): readonly Effect[] {
    const taken = [...this.#nodes.values()].filter(
      (node) => node.state === "waiting" && node.parent?.state === "valid",
    );
    for (const node of taken) node.state = "executing";
    return taken.map(({ hash }) => ({ type: "executeBlock", block: hash }));
  }

  /** Notes what execution found out, if it was ordered and the block is still of use. */
  onAnswer(hash: Digest, result: ExecutionResult): void {
    const node = this.#nodes.get(hash);
    if (node?.state === "executing") this.onExecuted(node, result);
  }

  /** Notes what execution found out. */
  onExecuted(node: BlockNode, result: ExecutionResult): void {
    node.state = result.valid ? "valid" : "invalid";
    if (result.valid) node.nextEpoch = result.nextEpoch;
  }

  /**
   * The chain from just after the committed block to this one, oldest first; `null` if it forks
   * off.
   */
  pathTo(node: BlockNode): BlockNode[] | null {
    const path: BlockNode[] = [];
    for (let at: BlockNode | null = node; at !== this.#committed; at = at.parent) {
      if (at === null) return null;
      path.push(at);
    }
    return path.reverse();
  }

  /** Whether a block after the committed one, up to this one, calls for followers at once. */
  hasWork(node: BlockNode | null, committed: BlockNode = this.#committed): boolean {
    for (let at = node; at !== null && at !== committed; at = at.parent) {
      if (at.endsEpoch || at.block?.isEmpty === false) return true;
    }
    return false;
  }

  /**
   * Whether others wait for the commit of this block and would learn of it late: from the next
   * proposal, which without work in what follows comes late, and after an epoch's end never.
   */
  isAwaited(last: BlockNode | null, high: BlockNode | null): boolean {
    return last !== null && this.hasWork(last) && !this.hasWork(high, last);
  }

  /** The order to build a block on a held one, in a view that was entered so. */
  orderAfter(
    parent: BlockNode,
    parentCertificate: Certificate,
    { view, entry }: { readonly view: number; readonly entry: TimeoutCertificate | null },
  ): Effect {
    const { epoch } = this.#epoch;
    return {
      type: "buildProposal",
      epoch,
      view,
      parent: parent.hash,
      parentCertificate,
      timeoutCertificate: parentCertificate.view === view - 1 ? null : entry,
      emptyRequired: parent.endsEpoch || parent.isPastEnd,
      epochProofRequired: parentCertificate.view === 0 && epoch > 0,
      isUrgent: this.hasWork(parent),
    };
  }

  /** Makes a block the newest committed one and drops all that does not descend from it. */
  commit(node: BlockNode): void {
    this.#committed = node;
    node.parent = null;
    const kept = new Set<BlockNode>([node]);
    // Parents stand before children: a block enters below a held parent, and maps keep that order.
    for (const [hash, other] of this.#nodes) {
      if (other === node || (other.parent !== null && kept.has(other.parent))) kept.add(other);
      else this.#nodes.delete(hash);
    }
    for (const [hash, certificate] of this.#certificates) {
      if (certificate.view < node.view) this.#certificates.delete(hash);
    }
  }

  /**
   * Drops old blocks that nobody certified: only a late certificate could need them, and fetches
   * them.
   */
  dropUncertified(view: number): void {
    const parents = new Set<BlockNode | null>([...this.#nodes.values()].map((node) => node.parent));
    for (const [hash, node] of this.#nodes) {
      const isOld = node.view + uncertifiedViewsMax < view;
      const isFree = !parents.has(node) && !this.#certificates.has(hash);
      if (isOld && isFree && node !== this.#committed) this.#nodes.delete(hash);
    }
  }
}
