import type { Digest } from "../../base/brand.ts";
import { bytesToHex, zeroAddress, zeroDigest } from "../../base/bytes.ts";
import { checksumAddress } from "../../crypto/address.ts";
import type { Receipt } from "../../ledger/receiptTypes.ts";
import { thetaJson } from "./thetaTransactionJson.ts";
import type { Transaction } from "../../ledger/transaction.ts";
import type { BlockHead, BlockView, NodeApi } from "../api.ts";
import type { JsonValue } from "../json.ts";

// Blocks and receipts in Theta's JSON (theta.md 8.2), misspelt names included. Theta's certificates
// list single votes; ours is one aggregated signature, so `Votes` is empty and `BlockHash` tells.

/**
 * Theta's number of a finalized block; only committed blocks are shown, and Theta calls them that.
 */
const statusFinalized = 4;

/** Unix seconds in decimal, rounded down. */
export function secondsText(timestampMs: number): string {
  return `${Math.floor(timestampMs / 1_000)}`;
}

/** A receipt as Theta shows it; native transactions have one here too. */
export function thetaReceiptJson(receipt: Receipt): JsonValue {
  return {
    TxHash: receipt.transactionHash,
    Logs: receipt.logs.map((log) => ({
      address: checksumAddress(log.address),
      topics: log.topics,
      data: bytesToHex(log.data),
    })),
    EvmRet: bytesToHex(receipt.returnData),
    ContractAddress: checksumAddress(receipt.contractAddress ?? zeroAddress),
    GasUsed: `${receipt.gasUsed}`,
    EvmErr: receipt.failure,
  };
}

/** How much of Ethereum's view a block shows. */
export type BlockDetail = { readonly ethereumHashes: boolean };

function transactionJson(
  transaction: Transaction,
  receipt: Receipt | null,
  detail: BlockDetail,
): JsonValue {
  const { type, fields } = thetaJson(transaction);
  const withHash = detail.ethereumHashes && transaction.envelope === "ethereum";
  return {
    raw: fields,
    type,
    hash: transaction.hash,
    ...(withHash ? { eth_tx_hash: transaction.hash } : {}),
    receipt: receipt === null ? null : thetaReceiptJson(receipt),
    balance_changes: null,
  };
}

/** A header as Theta's clients print it after a broadcast. */
export function thetaHeaderJson(chainName: string, { header }: BlockHead): JsonValue {
  return {
    ChainID: chainName,
    Epoch: `${header.view}`,
    Height: `${header.height}`,
    Parent: header.parentHash,
    HCC: { Votes: [], BlockHash: header.parentCertificate.block },
    TxHash: header.transactionsRoot,
    ReceiptHash: header.receiptsRoot,
    Bloom: bytesToHex(header.logsBloom),
    StateHash: header.stateRoot,
    Timestamp: secondsText(header.timestampMs),
    Proposer: checksumAddress(header.proposer),
  };
}

/** A block as theta.GetBlock shows it; `child` is the next committed block's hash. */
export function thetaBlockJson(
  chainName: string,
  block: BlockView,
  detail: BlockDetail & { readonly child: Digest | null },
): JsonValue {
  const { header } = block;
  return {
    chain_id: chainName,
    epoch: `${header.view}`,
    height: `${header.height}`,
    parent: header.parentHash,
    transactions_hash: header.transactionsRoot,
    receipts_hash: header.receiptsRoot,
    state_hash: header.stateRoot,
    timestamp: secondsText(header.timestampMs),
    proposer: checksumAddress(header.proposer),
    hcc: { Votes: [], BlockHash: header.parentCertificate.block },
    guardian_votes: null,
    elite_edge_node_votes: null,
    children: detail.child === null ? [] : [detail.child],
    status: statusFinalized,
    hash: block.hash,
    transactions: block.transactions.map((transaction, index) =>
      transactionJson(transaction, block.receipts[index] ?? null, detail),
    ),
  };
}

/** The hash of the committed block above. */
export async function childOf(node: NodeApi, height: number): Promise<Digest | null> {
  return (await node.headAtHeight(height + 1))?.hash ?? null;
}

/** `zeroDigest` where Theta has an empty hash. */
export const noHash: Digest = zeroDigest;
