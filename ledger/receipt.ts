import { concatBytes, hexToBytes } from "../base/bytes.ts";
import type { Digest } from "../base/brand.ts";
import { assert } from "../base/assert.ts";
import { refuse, type Outcome } from "../base/outcome.ts";
import {
  decodeRlp,
  encodeRlp,
  RlpReader,
  rlpBigInt,
  rlpNumber,
  rlpText,
  type RlpItem,
  type RlpRefusal,
} from "../base/rlp.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { orderedRoot } from "./orderedRoot.ts";
import type { Log, Receipt } from "./receiptTypes.ts";
import { writeScratch } from "./scratch.ts";

/*
 * Receipts in two forms: the committed one of Ethereum, `[status, cumulativeGasUsed, bloom, logs]`
 * behind the first byte of its transaction's envelope, and the stored one, which gives every field.
 */

/** Bytes of a bloom filter. */
export const bloomSizeBytes = 256;

/** The filter of no logs. Shared: whoever changes a filter makes a new one. */
export const emptyBloom: Uint8Array = new Uint8Array(bloomSizeBytes);

/** Topics of a log. */
export const topicsMax = 4;

/**
 * Logs of one receipt: each costs at least 375 gas, and a transaction has at most 2^24 [EIP-7825].
 */
export const logsMax = 65_536;

/** Bytes of a log's data or of what a call returned; gas bounds both far below. */
export const logDataBytesMax = 4 * 1024 * 1024;

/** Characters of a failure's code. */
const failureBytesMax = 64;
const gasBits = 64;
const amountBits = 256;

/** Sets the bits of a value: three of 11 bits, from the first three byte pairs of its keccak. */
function addToBloom(bloom: Uint8Array, value: Uint8Array): void {
  const hash = keccak256(value);
  for (let i = 0; i < 6; i += 2) {
    const bit = ((hash[i] ?? 0) * 256 + (hash[i + 1] ?? 0)) % 2048;
    const at = bloomSizeBytes - 1 - (bit >> 3);
    bloom[at] = (bloom[at] ?? 0) | (1 << (bit & 7));
  }
}

/** Bloom filter over the addresses and topics of logs, 256 bytes (yellow paper, 4.3.1). */
export function bloomOf(logs: readonly Log[]): Uint8Array {
  const bloom = new Uint8Array(bloomSizeBytes);
  for (const log of logs) {
    addToBloom(bloom, hexToBytes(log.address));
    for (const topic of log.topics) addToBloom(bloom, hexToBytes(topic));
  }
  return bloom;
}

/** Whether a filter may have an address or a topic, given as hex; false is certain. */
export function bloomMayHold(bloom: Uint8Array, value: string): boolean {
  const wanted = new Uint8Array(bloomSizeBytes);
  addToBloom(wanted, hexToBytes(value));
  return wanted.every((bits, i) => ((bloom[i] ?? 0) & bits) === bits);
}

/** Adds the bits of `other` to `bloom`, in place. */
export function mergeBloom(bloom: Uint8Array, other: Uint8Array): void {
  for (let i = 0; i < bloomSizeBytes; i += 1) bloom[i] = (bloom[i] ?? 0) | (other[i] ?? 0);
}

function logToRlp(log: Log): RlpItem {
  return [hexToBytes(log.address), log.topics.map(hexToBytes), log.data];
}

function readLog(reader: RlpReader, item: RlpItem): Log {
  const [address, topics, data] = reader.list(item, 3);
  return {
    address: reader.address(address),
    topics: reader.array(topics, topicsMax, (topic) => reader.digest(topic)),
    data: reader.bytes(data, logDataBytesMax),
  };
}

/**
 * First byte of an encoded transaction as its receipt shows it: none for legacy, else the
 * envelope's.
 */
function receiptPrefix(encoded: Uint8Array): Uint8Array {
  const first = encoded[0] ?? 0xc0;
  return first >= 0xc0 ? new Uint8Array(0) : Uint8Array.of(first);
}

/** The committed form of a receipt; `encoded` is its transaction as in blocks. */
export function encodeCommittedReceipt(receipt: Receipt, encoded: Uint8Array): Uint8Array {
  return committedForm(receipt, receiptPrefix(encoded));
}

function committedForm(receipt: Receipt, prefix: Uint8Array): Uint8Array {
  const fields = [
    rlpNumber(receipt.status),
    rlpBigInt(receipt.cumulativeGasUsed),
    receipt.logsBloom,
    receipt.logs.map(logToRlp),
  ];
  return writeScratch(prefix, fields)?.slice() ?? concatBytes(prefix, encodeRlp(fields));
}

/** The receipt of jobs has no transaction: it is marked as native ones are. */
const jobPrefix = Uint8Array.of(0x7e);

/** Root over the receipts of a block in order; that of its jobs, if there is one, comes last. */
export function receiptsRoot(
  receipts: readonly Receipt[],
  transactions: readonly Uint8Array[],
  jobReceipt: Receipt | null,
): Digest {
  assert(receipts.length === transactions.length, "a receipt for each transaction");
  const forms = receipts.map((receipt, i) =>
    encodeCommittedReceipt(receipt, transactions[i] ?? new Uint8Array(0)),
  );
  if (jobReceipt !== null) forms.push(committedForm(jobReceipt, jobPrefix));
  return orderedRoot(forms);
}

/** The stored form: the fields in the order of `Receipt`, but for the bloom, which the logs give. */
export function encodeReceipt(receipt: Receipt): Uint8Array {
  return encodeRlp([
    hexToBytes(receipt.transactionHash),
    rlpNumber(receipt.status),
    rlpBigInt(receipt.gasUsed),
    rlpBigInt(receipt.cumulativeGasUsed),
    rlpBigInt(receipt.gasPrice),
    rlpBigInt(receipt.fee),
    receipt.logs.map(logToRlp),
    receipt.contractAddress === null ? new Uint8Array(0) : hexToBytes(receipt.contractAddress),
    receipt.returnData,
    rlpText(receipt.failure),
  ]);
}

/** Reads the stored form. */
export function decodeReceipt(bytes: Uint8Array): Outcome<Receipt, RlpRefusal> {
  const item = decodeRlp(bytes);
  if (!item.ok) return refuse(item.refusal);
  const reader = new RlpReader("receipt");
  const parts = reader.list(item.value, 10);
  const logs = reader.array(parts[6], logsMax, (log) => readLog(reader, log));
  const contract = reader.bytes(parts[7], 20);
  return reader.outcome<Receipt>({
    transactionHash: reader.digest(parts[0]),
    status: reader.flag(parts[1]) ? 1 : 0,
    gasUsed: reader.bigInt(parts[2], gasBits),
    cumulativeGasUsed: reader.bigInt(parts[3], gasBits),
    gasPrice: reader.bigInt(parts[4], amountBits),
    fee: reader.bigInt(parts[5], amountBits),
    logs,
    logsBloom: logs.length === 0 ? emptyBloom : bloomOf(logs),
    contractAddress: contract.length === 0 ? null : reader.address(parts[7]),
    returnData: reader.bytes(parts[8], logDataBytesMax).slice(),
    failure: reader.text(parts[9], failureBytesMax),
  });
}
