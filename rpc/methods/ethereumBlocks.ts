import type { Address, Digest } from "../../base/brand.ts";
import { bytesToHex, zeroAddress, zeroDigest } from "../../base/bytes.ts";
import { decodeEthereumEnvelope, type SignedEthereum } from "../../ledger/ethereumCodec.ts";
import { encodeHeader } from "../../ledger/header.ts";
import { impersonatedCall } from "../../ledger/modules/dev.ts";
import type { Log, Receipt } from "../../ledger/receiptTypes.ts";
import { decodeThetaTransaction } from "../../ledger/thetaCodec.ts";
import type { ThetaTransaction } from "../../ledger/thetaTypes.ts";
import type { Transaction } from "../../ledger/transaction.ts";
import type { BlockHead, BlockView } from "../api.ts";
import type { JsonValue } from "../json.ts";
import { toQuantity } from "../numbers.ts";

// Blocks, transactions and receipts in Ethereum's JSON. Native transactions are in the same blocks,
// so they are shown as well, as legacy ones without a signature: an index must mean the same
// everywhere, and a hash of a block's list must be found.

/** keccak of the RLP of an empty list: there are no uncles. */
const emptyUnclesHash = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347";

const typeQuantities = { legacy: "0x0", accessList: "0x1", feeMarket: "0x2", setCode: "0x4" };

/** Where a transaction is; `null` while it is pending. */
export type Placement = { readonly block: BlockHead; readonly index: number };

function signedOf(transaction: Transaction): SignedEthereum | null {
  if (transaction.envelope !== "ethereum") return null;
  const decoded = decodeEthereumEnvelope(transaction.encoded);
  return decoded.ok ? decoded.value : null;
}

/** The Theta transaction inside a native one; `null` for other envelopes. */
export function thetaOf(transaction: Transaction): ThetaTransaction | null {
  if (transaction.envelope !== "native") return null;
  const decoded = decodeThetaTransaction(transaction.encoded.subarray(1));
  return decoded.ok ? decoded.value : null;
}

function placementJson(placement: Placement | null) {
  return {
    blockHash: placement === null ? null : placement.block.hash,
    blockNumber: placement === null ? null : toQuantity(placement.block.header.height),
    transactionIndex: placement === null ? null : toQuantity(placement.index),
  };
}

function timeJson(placement: Placement | null) {
  return placement === null ? {} : { blockTimestamp: toQuantity(secondsOf(placement.block)) };
}

function feesJson(
  transaction: SignedEthereum["transaction"],
  baseFee: bigint | null,
): { readonly [key: string]: JsonValue } {
  const { maxFeePerGas, maxPriorityFeePerGas } = transaction;
  if (transaction.type === "legacy" || transaction.type === "accessList")
    return { gasPrice: toQuantity(maxFeePerGas) };
  const bid = baseFee === null ? maxFeePerGas : baseFee + maxPriorityFeePerGas;
  return {
    gasPrice: toQuantity(bid < maxFeePerGas ? bid : maxFeePerGas),
    maxFeePerGas: toQuantity(maxFeePerGas),
    maxPriorityFeePerGas: toQuantity(maxPriorityFeePerGas),
  };
}

function signatureJson(signed: SignedEthereum): { readonly [key: string]: JsonValue } {
  const { signature, chainId, transaction } = signed;
  const yParity = BigInt(signature[64] ?? 0);
  const r = toQuantity(BigInt(bytesToHex(signature.subarray(0, 32))));
  const s = toQuantity(BigInt(bytesToHex(signature.subarray(32, 64))));
  if (transaction.type === "legacy") return { v: toQuantity(35n + 2n * chainId + yParity), r, s };
  return { v: toQuantity(yParity), yParity: toQuantity(yParity), r, s };
}

function listsJson(transaction: SignedEthereum["transaction"]): {
  readonly [key: string]: JsonValue;
} {
  if (transaction.type === "legacy") return {};
  const accessList = transaction.accessList.map(({ address, storageKeys }) => ({
    address,
    storageKeys: storageKeys.map(bytesToHex),
  }));
  if (transaction.type !== "setCode") return { accessList };
  const authorizationList = transaction.authorizations.map((entry) => ({
    chainId: toQuantity(entry.chainId),
    address: entry.address,
    nonce: toQuantity(entry.nonce),
    yParity: toQuantity(entry.yParity),
    r: toQuantity(entry.r),
    s: toQuantity(entry.s),
  }));
  return { accessList, authorizationList };
}

/** Main receiver and TFuelWei of a native transaction, for tools that know only those two. */
function nativeTransfer(transaction: Transaction): {
  readonly to: Address | null;
  readonly value: bigint;
} {
  const impersonated = impersonatedCall(transaction);
  if (impersonated !== null) return impersonated;
  const theta = thetaOf(transaction);
  if (theta === null) return { to: null, value: 0n };
  switch (theta.type) {
    case "send":
      return {
        to: theta.outputs[0]?.address ?? null,
        value: theta.outputs[0]?.coins.tfuelWei ?? 0n,
      };
    case "smartContract": {
      const { address } = theta.to;
      return { to: address === zeroAddress ? null : address, value: theta.from.coins.tfuelWei };
    }
    case "depositStake":
    case "depositStakeV2":
    case "withdrawStake":
      return { to: theta.holder.address, value: theta.source.coins.tfuelWei };
    case "servicePayment":
      return { to: theta.target.address, value: theta.source.coins.tfuelWei };
    case "coinbase":
    case "slash":
    case "reserveFund":
    case "releaseFund":
    case "splitRule":
    case "stakeRewardDistribution":
      return { to: null, value: 0n };
  }
}

function nativeTransactionJson(
  transaction: Transaction,
  placement: Placement | null,
  receipt: Receipt | null,
): { readonly [key: string]: JsonValue } {
  const { to, value } = nativeTransfer(transaction);
  const sequence = transaction.signers[0]?.sequence ?? null;
  return {
    ...placementJson(placement),
    ...timeJson(placement),
    type: "0x0",
    hash: transaction.hash,
    from: impersonatedCall(transaction)?.from ?? transaction.payer,
    to,
    value: toQuantity(value),
    nonce: toQuantity(sequence === null || sequence === 0n ? 0n : sequence - 1n),
    gas: toQuantity(receipt?.gasUsed ?? transaction.gasLimit),
    gasPrice: toQuantity(receipt?.gasPrice ?? 0n),
    input: "0x",
    v: "0x0",
    r: "0x0",
    s: "0x0",
  };
}

/** A transaction as eth_getTransactionByHash shows it. */
export function ethereumTransactionJson(
  transaction: Transaction,
  placement: Placement | null,
  receipt: Receipt | null,
): { readonly [key: string]: JsonValue } {
  const signed = signedOf(transaction);
  if (signed === null) return nativeTransactionJson(transaction, placement, receipt);
  const { hash, payer: from } = transaction;
  return {
    ...placementJson(placement),
    ...timeJson(placement),
    ...unsignedTransactionJson(signed, { hash, from }, placement?.block.header.baseFee ?? null),
  };
}

/** A transaction without a place; its signature is shown as it is, zeros where there is none. */
export function unsignedTransactionJson(
  signed: SignedEthereum,
  { hash, from }: { readonly hash: Digest; readonly from: Address },
  baseFee: bigint | null = null,
): { readonly [key: string]: JsonValue } {
  const inner = signed.transaction;
  return {
    type: typeQuantities[inner.type],
    chainId: toQuantity(signed.chainId),
    hash,
    from,
    to: inner.to,
    value: toQuantity(inner.value),
    nonce: toQuantity(inner.nonce),
    gas: toQuantity(inner.gasLimit),
    ...feesJson(inner, baseFee),
    input: bytesToHex(inner.data),
    ...listsJson(inner),
    ...signatureJson(signed),
  };
}

function logJson(log: Log, at: { readonly [key: string]: JsonValue }, index: number): JsonValue {
  return {
    ...at,
    address: log.address,
    topics: log.topics,
    data: bytesToHex(log.data),
    logIndex: toQuantity(index),
    removed: false,
  };
}

/**
 * A receipt as eth_getTransactionReceipt shows it; `logIndexFirst` counts the block's logs before
 * it.
 */
export function ethereumReceiptJson(
  transaction: Transaction,
  receipt: Receipt,
  at: Placement & { readonly logIndexFirst: number },
): JsonValue {
  const signed = signedOf(transaction);
  const place = { ...placementJson(at), transactionHash: transaction.hash };
  const to = signed === null ? nativeTransfer(transaction).to : signed.transaction.to;
  return {
    ...place,
    type: signed === null ? "0x0" : typeQuantities[signed.transaction.type],
    from: impersonatedCall(transaction)?.from ?? transaction.payer,
    to,
    cumulativeGasUsed: toQuantity(receipt.cumulativeGasUsed),
    gasUsed: toQuantity(receipt.gasUsed),
    effectiveGasPrice: toQuantity(receipt.gasPrice),
    contractAddress: receipt.contractAddress,
    logs: receipt.logs.map((log, i) =>
      logJson(
        log,
        { ...place, blockTimestamp: toQuantity(secondsOf(at.block)) },
        at.logIndexFirst + i,
      ),
    ),
    logsBloom: bytesToHex(receipt.logsBloom),
    status: toQuantity(receipt.status),
  };
}

/** EVM time: whole seconds, rounded down (DESIGN 3). */
function secondsOf({ header }: BlockHead): number {
  return Math.floor(header.timestampMs / 1_000);
}

/** A header as newHeads tells it. */
export function ethereumHeaderJson({ hash, header }: BlockHead): {
  readonly [key: string]: JsonValue;
} {
  return {
    number: toQuantity(header.height),
    hash,
    parentHash: header.parentHash,
    nonce: "0x0000000000000000",
    sha3Uncles: emptyUnclesHash,
    logsBloom: bytesToHex(header.logsBloom),
    transactionsRoot: header.transactionsRoot,
    stateRoot: header.stateRoot,
    receiptsRoot: header.receiptsRoot,
    miner: header.proposer,
    difficulty: "0x0",
    extraData: "0x",
    gasLimit: toQuantity(header.gasLimit),
    gasUsed: toQuantity(header.gasUsed),
    timestamp: toQuantity(Math.floor(header.timestampMs / 1_000)),
    baseFeePerGas: toQuantity(header.baseFee),
    mixHash: header.randomness,
    parentBeaconBlockRoot: zeroDigest,
  };
}

/** A block as eth_getBlockByNumber shows it. */
export function ethereumBlockJson(block: BlockView, transactions: "hashes" | "full"): JsonValue {
  return {
    ...ethereumHeaderJson(block),
    totalDifficulty: "0x0",
    size: toQuantity(
      block.body.transactions.reduce(
        (sum, bytes) => sum + bytes.length,
        encodeHeader(block.header).length,
      ),
    ),
    uncles: [],
    withdrawals: [],
    transactions: block.transactions.map((transaction, index) =>
      transactions === "hashes"
        ? transaction.hash
        : ethereumTransactionJson(transaction, { block, index }, block.receipts[index] ?? null),
    ),
  };
}

/** Logs of the block's transactions before that index. */
export function logsBefore(block: BlockView, index: number): number {
  return block.receipts.slice(0, index).reduce((sum, { logs }) => sum + logs.length, 0);
}
