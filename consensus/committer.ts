import type { Digest } from "../base/brand.ts";
import type { BlockNode, BlockTree } from "./blockTree.ts";
import type { CommitTarget, Rules } from "./rules.ts";
import type { Certificate, CommitProofSummary, Effect } from "./types.ts";

/** What is to be committed as soon as its blocks are here and executed. */
type CommitGoal = {
  readonly certificate: Certificate;
  readonly target: CommitTarget;
  /** From a commit proof: the first of these is the target. */
  readonly links: readonly Digest[] | null;
};

/** The newest commit that certificates call for, until it can be carried out. */
export class Committer {
  readonly #rules: Rules;
  #goal: CommitGoal | null = null;

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  /** Notes what a certificate commits; called again when its block arrives. */
  aim(certificate: Certificate, tree: BlockTree): void {
    const endsEpoch = tree.get(certificate.block)?.endsEpoch ?? false;
    const target = this.#rules.commitTarget(certificate, { endsEpoch });
    if (target === "none" || (this.#goal?.certificate.view ?? 0) >= certificate.view) return;
    this.#goal = { certificate, target, links: null };
  }

  /** Notes what a commit proof, already judged, commits. */
  aimAtProved({ certificate, links }: CommitProofSummary): void {
    this.#goal = { certificate, target: "block", links: links.map((link) => link.hash) };
  }

  /** Whether one of these blocks is what the goal rests on. */
  aimsAtAny(blocks: ReadonlySet<Digest>): boolean {
    return this.#goal !== null && blocks.has(this.#goal.certificate.block);
  }

  /**
   * The order to commit, and the newest block committed by it; stops at an epoch's last block,
   * since what follows it in its epoch is orphaned. `null` while nothing is due; no block with an
   * alarm.
   */
  due(tree: BlockTree): { readonly effect: Effect; readonly last: BlockNode | null } | null {
    const goal = this.#goal;
    if (goal === null) return null;
    const certified = tree.get(goal.certificate.block);
    const target = this.#targetOf(goal, certified, tree);
    if (certified === tree.committed || target === tree.committed) this.#goal = null;
    // The proof must be handed on whole, so all of it must be here.
    const isWhole = goal.links?.every((link) => tree.get(link) !== null) ?? true;
    const isOpen = target !== null && this.#goal !== null && isWhole;
    const path = isOpen ? tree.pathTo(target) : null;
    if (path === null) return null;
    const end = path.findIndex((node) => node.endsEpoch);
    const nodes = end < 0 ? path : path.slice(0, end + 1);
    const last = nodes.at(-1);
    if (last === undefined) return null;
    if (nodes.some((node) => node.state === "invalid")) {
      this.#goal = null;
      return {
        effect: { type: "alarm", reason: `certified but invalid: ${last.hash}` },
        last: null,
      };
    }
    if (nodes.some((node) => node.state !== "valid")) return null;
    this.#goal = null;
    const beyond = path.slice(nodes.length).map((node) => node.hash);
    const rest = goal.links?.slice(1) ?? (certified === target ? [] : [goal.certificate.block]);
    const proof = { chain: [last.hash, ...beyond, ...rest], certificate: goal.certificate };
    return { effect: { type: "commit", blocks: nodes.map((node) => node.hash), proof }, last };
  }

  #targetOf(goal: CommitGoal, certified: BlockNode | null, tree: BlockTree): BlockNode | null {
    const proved = goal.links?.[0];
    if (proved !== undefined) return tree.get(proved);
    return goal.target === "block" ? certified : (certified?.parent ?? null);
  }
}
