import { bytesToHex } from "../../base/bytes.ts";
import { accept, refuse } from "../../base/outcome.ts";
import { encodeBlock } from "../../ledger/block.ts";
import { encodeHeader } from "../../ledger/header.ts";
import { encodeCommittedReceipt } from "../../ledger/receipt.ts";
import type { BlockView } from "../api.ts";
import type { Method } from "../dispatch.ts";
import { method } from "../dispatch.ts";
import { serverError } from "../errors.ts";
import type { JsonValue } from "../json.ts";
import type { MethodHost } from "../methodHost.ts";
import { blockTag, ethereumDigest } from "../parameters.ts";
import { blockOf } from "./ethereumTags.ts";

// The bytes that are hashed, as go-ethereum's `debug_getRaw…` show them. Headers and blocks are this
// ledger's (docs/PROTOCOL.md); transactions and receipts of Ethereum's kinds are Ethereum's.

/** `debug_getRaw…` of blocks, headers, receipts and transactions. */
export function debugRawMethods({ node }: MethodHost): readonly Method[] {
  const style = "array";
  const ofBlock = (name: string, what: string, bytes: (block: BlockView) => JsonValue): Method =>
    method({
      name,
      summary: `The bytes of a block's ${what}.`,
      style,
      parameters: { block: blockTag },
      heavy: true,
      call: async ({ block: tag }) => {
        const block = await blockOf(node, tag);
        return block === null ? refuse(serverError("block not found")) : accept(bytes(block));
      },
    });
  return [
    ofBlock("debug_getRawBlock", "header and body", (block) => bytesToHex(encodeBlock(block))),
    ofBlock("debug_getRawHeader", "header", ({ header }) => bytesToHex(encodeHeader(header))),
    ofBlock("debug_getRawReceipts", "receipts", ({ receipts, body }) =>
      receipts.map((receipt, i) => {
        const encoded = body.transactions[i] ?? new Uint8Array(0);
        return bytesToHex(encodeCommittedReceipt(receipt, encoded));
      }),
    ),
    method({
      name: "debug_getRawTransaction",
      summary: "The bytes of a transaction as blocks hold them.",
      style,
      parameters: { hash: ethereumDigest },
      call: async ({ hash }) => {
        const found = await node.transaction(hash);
        if (found.state === "committed")
          return accept(bytesToHex(found.committed.transaction.encoded));
        return accept(found.state === "pending" ? bytesToHex(found.transaction.encoded) : "0x");
      },
    }),
  ];
}
