import { assert } from "../base/assert.ts";
import type { Digest } from "../base/brand.ts";
import { DigestMap } from "./digestMap.ts";
import type { NodeKind } from "./keys.ts";
import type { ReplacedNode } from "./replacedNodes.ts";

/** A stay that begins with a block. `bytes` is `null` for code that was stored before. */
export type AddedNode = {
  readonly kind: NodeKind;
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array | null;
};

/** From one state root to the next: what a block does. */
export type RootStep = { readonly parent: Digest; readonly root: Digest };

/** Stays that begin and end with a step. */
export type StepNodes = {
  readonly added: readonly AddedNode[];
  readonly replaced: readonly ReplacedNode[] | null;
};

type Overlay = { readonly nodes: StepNodes; blocks: number };
type Held = { readonly bytes: Uint8Array; holders: number };

/**
 * What uncommitted blocks added, in memory only. Blocks that take the same parent to the same root
 * share an overlay; overlays share nodes. Whoever discards a block discards its descendants too.
 */
export class Uncommitted {
  readonly #overlays = new Map<Digest, Map<Digest, Overlay>>();
  readonly #nodes = new DigestMap<Held>();
  /** Steps that lead to a root. */
  readonly #roots = new Map<Digest, number>();

  /** Nodes held. */
  get size(): number {
    return this.#nodes.size;
  }

  /** A node's bytes, or `null`. */
  get(hash: Uint8Array): Uint8Array | null {
    if (this.#nodes.size === 0) return null;
    return this.#nodes.get(hash)?.bytes ?? null;
  }

  /** Whether some uncommitted block has this state. */
  hasRoot(root: Digest): boolean {
    return this.#roots.has(root);
  }

  /** Adds a block's nodes, or one more block to a step that is here already. */
  add({ parent, root }: RootStep, nodes: StepNodes): void {
    const children = this.#overlays.get(parent) ?? new Map<Digest, Overlay>();
    this.#overlays.set(parent, children);
    const known = children.get(root);
    if (known !== undefined) {
      known.blocks += 1;
      return;
    }
    children.set(root, { nodes, blocks: 1 });
    this.#roots.set(root, (this.#roots.get(root) ?? 0) + 1);
    for (const { hash, bytes } of nodes.added) {
      if (bytes === null) continue;
      const held = this.#nodes.get(hash);
      if (held === undefined) this.#nodes.set(hash, { bytes, holders: 1 });
      else held.holders += 1;
    }
  }

  /** The nodes of a step. */
  nodes(step: RootStep): StepNodes {
    const overlay = this.#overlays.get(step.parent)?.get(step.root);
    assert(overlay !== undefined, `no uncommitted step leads to ${step.root}`);
    return overlay.nodes;
  }

  /** One block less takes this step; with the last its nodes go. */
  discard(step: RootStep): void {
    const overlay = this.#overlays.get(step.parent)?.get(step.root);
    if (overlay === undefined) return;
    overlay.blocks -= 1;
    if (overlay.blocks === 0) this.remove(step);
  }

  /** Forgets a step whatever the number of blocks: it is committed now. */
  remove({ parent, root }: RootStep): void {
    const children = this.#overlays.get(parent);
    const overlay = children?.get(root);
    if (children === undefined || overlay === undefined) return;
    children.delete(root);
    if (children.size === 0) this.#overlays.delete(parent);
    const steps = (this.#roots.get(root) ?? 0) - 1;
    if (steps > 0) this.#roots.set(root, steps);
    else this.#roots.delete(root);
    for (const { hash, bytes } of overlay.nodes.added) {
      const held = bytes === null ? undefined : this.#nodes.get(hash);
      if (held === undefined) continue;
      held.holders -= 1;
      if (held.holders === 0) this.#nodes.delete(hash);
    }
  }
}
