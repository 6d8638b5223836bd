import { describe, expect } from "vitest";
import type { Address, Digest } from "../../base/brand.ts";
import { bytesToHex, hexToBytes } from "../../base/bytes.ts";
import { decodeRlp, encodeRlp, isRlpList, rlpBigInt } from "../../base/rlp.ts";
import { transactionsRoot } from "../../ledger/block.ts";
import { orderedRoot } from "../../ledger/orderedRoot.ts";
import { bloomOf } from "../../ledger/receipt.ts";
import type { Log } from "../../ledger/receiptTypes.ts";
import { vectorTest } from "../vectors.ts";

// Blocks and receipts of a chain of Ethereum's, from what its clients answer: roots and filters
// over real transactions of several types.

type Exchange = {
  readonly id: string;
  readonly method: string;
  readonly exchange: readonly { readonly recv?: string }[];
};

type JsonReceipt = {
  readonly blockHash: string;
  readonly transactionIndex: string;
  readonly root?: string;
  readonly cumulativeGasUsed: string;
  readonly logsBloom: string;
  readonly logs: readonly {
    readonly address: string;
    readonly topics: readonly string[];
    readonly data: string;
  }[];
};

type JsonBlock = {
  readonly hash: string;
  readonly receiptsRoot: string;
  readonly transactions: readonly unknown[];
};

/** Every object inside `value` that has the key. */
function* objectsWith(key: string, value: unknown): Generator<object> {
  if (typeof value !== "object" || value === null) return;
  if (Object.hasOwn(value, key)) yield value;
  for (const part of Object.values(value)) yield* objectsWith(key, part);
}

function toLogs(json: JsonReceipt): readonly Log[] {
  return json.logs.map((log) => ({
    address: log.address as Address,
    topics: log.topics as readonly Digest[],
    data: hexToBytes(log.data),
  }));
}

/** The committed form before Byzantium, when a state root stood in place of the status. */
function encodeOldReceipt(json: JsonReceipt): Uint8Array {
  return encodeRlp([
    hexToBytes(json.root ?? ""),
    rlpBigInt(BigInt(json.cumulativeGasUsed)),
    bloomOf(toLogs(json)),
    [],
  ]);
}

describe("rpc", () => {
  vectorTest<Exchange>("rpc/execution-apis-io.ndjson.gz", (items) => {
    const answers = items.flatMap((item) =>
      item.exchange.map((part): unknown => JSON.parse(part.recv ?? "null")),
    );
    const blocks = new Map<string, JsonBlock>();
    for (const block of objectsWith("receiptsRoot", answers) as Generator<JsonBlock>) {
      blocks.set(block.hash, block);
    }
    const receipts = new Map<string, Map<number, JsonReceipt>>();
    for (const receipt of objectsWith("logsBloom", answers) as Generator<JsonReceipt>) {
      if (!Object.hasOwn(receipt, "transactionIndex")) continue;
      expect(bytesToHex(bloomOf(toLogs(receipt)))).toBe(receipt.logsBloom);
      const ofBlock = receipts.get(receipt.blockHash) ?? new Map<number, JsonReceipt>();
      receipts.set(receipt.blockHash, ofBlock.set(Number(receipt.transactionIndex), receipt));
    }
    let roots = 0;
    for (const [hash, ofBlock] of receipts) {
      const block = blocks.get(hash);
      if (block === undefined || ofBlock.size !== block.transactions.length) continue;
      const inOrder = [...ofBlock].sort(([a], [b]) => a - b).map(([, receipt]) => receipt);
      expect(orderedRoot(inOrder.map(encodeOldReceipt))).toBe(block.receiptsRoot);
      roots += 1;
    }
    expect(roots).toBeGreaterThan(0);
    expect(rawBlocks(items)).toBeGreaterThan(0);
    console.log({ receiptsRoots: roots });
  });
});

/** Recomputes the transactions root of blocks answered as bytes; how many there were. */
function rawBlocks(items: readonly Exchange[]): number {
  let count = 0;
  for (const { method, exchange } of items) {
    if (method !== "debug_getRawBlock") continue;
    const answer = JSON.parse(exchange.find((part) => part.recv !== undefined)?.recv ?? "{}") as {
      readonly result?: string;
    };
    const block = decodeRlp(hexToBytes(answer.result ?? ""));
    if (!block.ok || !isRlpList(block.value)) continue;
    const [header, transactions] = block.value;
    if (!Array.isArray(header) || transactions === undefined || !isRlpList(transactions)) continue;
    const encoded = transactions.map((item) => (isRlpList(item) ? encodeRlp(item) : item));
    expect(transactionsRoot(encoded)).toBe(bytesToHex(header[4] as Uint8Array));
    count += 1;
  }
  return count;
}
