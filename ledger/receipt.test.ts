import { describe, expect, test } from "vitest";
import type { Address, Digest } from "../base/brand.ts";
import { bytesToHex, emptyBytes, hexToBytes, zeroDigest } from "../base/bytes.ts";
import { emptyRoot, orderedRoot } from "./orderedRoot.ts";
import {
  bloomMayHold,
  bloomOf,
  decodeReceipt,
  encodeCommittedReceipt,
  encodeReceipt,
  mergeBloom,
  receiptsRoot,
} from "./receipt.ts";
import type { Receipt } from "./receiptTypes.ts";

const address = "0x095e7baea6a6c7c4c2dfeb977efac326af552d87" as Address;
const topic = `0x${"01".repeat(32)}` as Digest;

function receipt(changed: Partial<Receipt> = {}): Receipt {
  return {
    transactionHash: zeroDigest,
    status: 1,
    gasUsed: 21_000n,
    cumulativeGasUsed: 1n,
    gasPrice: 7n,
    fee: 8n,
    logs: [],
    logsBloom: new Uint8Array(256),
    contractAddress: null,
    returnData: emptyBytes,
    failure: "",
    ...changed,
  };
}

describe("bloom", () => {
  // That the bits are Ethereum's, `test/vectors/roots.test.ts` shows.
  test("holds the address and the topics of its logs", () => {
    const bloom = bloomOf([{ address, topics: [topic], data: emptyBytes }]);
    expect(bloomMayHold(bloom, address)).toBe(true);
    expect(bloomMayHold(bloom, topic)).toBe(true);
    expect(bloomMayHold(bloom, zeroDigest)).toBe(false);
  });
  test("a merged filter holds what each holds", () => {
    const merged = new Uint8Array(256);
    mergeBloom(merged, bloomOf([{ address, topics: [], data: emptyBytes }]));
    mergeBloom(merged, bloomOf([{ address, topics: [topic], data: emptyBytes }]));
    expect(bloomMayHold(merged, address) && bloomMayHold(merged, topic)).toBe(true);
  });
});

describe("receipts", () => {
  test("the committed form is Ethereum's, behind the first byte of the envelope", () => {
    // go-ethereum, core/types/receipt_test.go (legacy receipt: status, gas, bloom, logs).
    const list = `f9010801${"01"}b90100${"00".repeat(256)}c0`;
    const start = `0xf90106${list.slice(6)}`;
    const legacy = encodeCommittedReceipt(receipt(), hexToBytes("f86f80"));
    expect(bytesToHex(legacy)).toBe(start);
    expect(encodeCommittedReceipt(receipt(), Uint8Array.of(2, 0xc0))[0]).toBe(2);
    expect(encodeCommittedReceipt(receipt(), Uint8Array.of(0x7e, 2, 0xc0))[0]).toBe(0x7e);
    expect(encodeCommittedReceipt(receipt(), Uint8Array.of(2, 0xc0)).subarray(1)).toEqual(legacy);
  });
  test("the root covers the receipt of jobs, which comes last", () => {
    expect(receiptsRoot([], [], null)).toBe(emptyRoot);
    const transaction = hexToBytes("c0");
    const forms = [
      encodeCommittedReceipt(receipt(), transaction),
      encodeCommittedReceipt(receipt({ status: 0 }), Uint8Array.of(0x7e)),
    ];
    expect(receiptsRoot([receipt()], [transaction], receipt({ status: 0 }))).toBe(
      orderedRoot(forms),
    );
  });
  test("the stored form keeps every field, the bloom by its logs", () => {
    const logs = [{ address, topics: [topic, topic], data: hexToBytes("0102") }];
    const full = receipt({
      status: 0,
      logs,
      logsBloom: bloomOf(logs),
      contractAddress: address,
      returnData: hexToBytes("ff"),
      failure: "balanceTooLow",
    });
    expect(decodeReceipt(encodeReceipt(full))).toEqual({ ok: true, value: full });
    expect(decodeReceipt(encodeReceipt(full).subarray(1)).ok).toBe(false);
  });
});
