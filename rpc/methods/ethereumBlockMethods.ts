import { accept } from "../../base/outcome.ts";
import type { BlockView } from "../api.ts";
import type { Method } from "../dispatch.ts";
import { method } from "../dispatch.ts";
import type { Answer } from "../errors.ts";
import type { MethodHost } from "../methodHost.ts";
import { toQuantity } from "../numbers.ts";
import { blockTag, ethereumDigest, flag, optional, quantity64 } from "../parameters.ts";
import {
  ethereumBlockJson,
  ethereumReceiptJson,
  ethereumTransactionJson,
  logsBefore,
} from "./ethereumBlocks.ts";
import { blockOf } from "./ethereumTags.ts";

function blockMethods({ node }: MethodHost): readonly Method[] {
  const style = "array";
  const full = optional(flag, false);
  const shown = (block: BlockView | null, whole: boolean): Answer =>
    accept(block === null ? null : ethereumBlockJson(block, whole ? "full" : "hashes"));
  return [
    method({
      name: "eth_getBlockByNumber",
      summary: "A committed block by height or tag; null if there is none.",
      style,
      parameters: { block: blockTag, full },
      call: async ({ block, full: whole }) => shown(await blockOf(node, block), whole),
    }),
    method({
      name: "eth_getBlockByHash",
      summary: "A committed block by hash; null if there is none.",
      style,
      parameters: { hash: ethereumDigest, full },
      call: async ({ hash, full: whole }) => shown(await node.blockByHash(hash), whole),
    }),
    method({
      name: "eth_getBlockTransactionCountByNumber",
      summary: "How many transactions a block has.",
      style,
      parameters: { block: blockTag },
      call: async ({ block }) => {
        const found = await blockOf(node, block);
        return accept(found === null ? null : toQuantity(found.transactions.length));
      },
    }),
    method({
      name: "eth_getBlockTransactionCountByHash",
      summary: "How many transactions a block has.",
      style,
      parameters: { hash: ethereumDigest },
      call: async ({ hash }) => {
        const found = await node.blockByHash(hash);
        return accept(found === null ? null : toQuantity(found.transactions.length));
      },
    }),
    method({
      name: "eth_getBlockReceipts",
      summary: "All receipts of a block.",
      style,
      parameters: { block: blockTag },
      heavy: true,
      call: async ({ block: tag }) => {
        const block = await blockOf(node, tag);
        if (block === null) return accept(null);
        return accept(
          block.receipts.flatMap((receipt, index) => {
            const transaction = block.transactions[index];
            if (transaction === undefined) return [];
            const place = { block, index, logIndexFirst: logsBefore(block, index) };
            return [ethereumReceiptJson(transaction, receipt, place)];
          }),
        );
      },
    }),
  ];
}

function indexMethods({ node }: MethodHost): readonly Method[] {
  const style = "array";
  const at = (block: BlockView | null, index: bigint): Answer => {
    const position = index < 1_000_000n ? Number(index) : -1;
    const transaction = block?.transactions[position];
    if (block === null || transaction === undefined) return accept(null);
    const placement = { block, index: position };
    return accept(
      ethereumTransactionJson(transaction, placement, block.receipts[position] ?? null),
    );
  };
  return [
    method({
      name: "eth_getTransactionByBlockNumberAndIndex",
      summary: "A transaction by its place.",
      style,
      parameters: { block: blockTag, index: quantity64 },
      call: async ({ block, index }) => at(await blockOf(node, block), index),
    }),
    method({
      name: "eth_getTransactionByBlockHashAndIndex",
      summary: "A transaction by its place.",
      style,
      parameters: { hash: ethereumDigest, index: quantity64 },
      call: async ({ hash, index }) => at(await node.blockByHash(hash), index),
    }),
  ];
}

/** Blocks, and transactions by their place in one. */
export function ethereumBlockMethods(host: MethodHost): readonly Method[] {
  return [...blockMethods(host), ...indexMethods(host)];
}
