import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import type { StateReader } from "../../ledger/state.ts";
import type { BlockView, NodeApi } from "../api.ts";
import { errorCodes, type RpcError } from "../errors.ts";
import { blockTag, optional, type BlockTag } from "../parameters.ts";
import { stateError } from "../refusals.ts";

const latest: BlockTag = { type: "tag", tag: "latest" };

/** A block, the newest committed one where it is left out. */
export const tagOrLatest = optional(blockTag, latest);

/** Only committed blocks are visible, so `safe` and `pending` are the head too (DESIGN 5). */
export function isHead(tag: BlockTag): boolean {
  return tag.type === "tag" && tag.tag !== "earliest" && tag.tag !== "finalized";
}

/** The height that a tag means; `null`: a hash that is not known, or a height that does not fit. */
export async function heightOf(node: NodeApi, tag: BlockTag): Promise<number | null> {
  switch (tag.type) {
    case "hash":
      return (await node.blockByHash(tag.hash))?.header.height ?? null;
    case "height":
      return tag.height <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(tag.height) : null;
    case "tag":
      if (tag.tag === "earliest") return 0;
      return tag.tag === "finalized" ? node.finalizedHeight() : node.head().header.height;
  }
}

/** The error for a block that is asked for by hash or height and is not there. */
export function blockMissing(): RpcError {
  return { code: errorCodes.resourceNotFound, message: "there is no such block" };
}

/** The state after the block of a tag. */
export async function stateOf(
  node: NodeApi,
  tag: BlockTag,
): Promise<Outcome<StateReader, RpcError>> {
  if (isHead(tag)) return accept(node.state());
  const height = await heightOf(node, tag);
  if (height === null) return refuse(blockMissing());
  const state = node.stateAt(height);
  return state.ok ? state : refuse(stateError(state.refusal));
}

/** The block of a tag. */
export async function blockOf(node: NodeApi, tag: BlockTag): Promise<BlockView | null> {
  if (tag.type === "hash") return node.blockByHash(tag.hash);
  const height = await heightOf(node, tag);
  return height === null ? null : node.blockAtHeight(height);
}
