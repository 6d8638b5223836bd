import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { assert } from "../../base/assert.ts";
import type { Digest } from "../../base/brand.ts";
import { bytesToHex, hexToBytes, textToAddressOrNull, zeroAddress } from "../../base/bytes.ts";
import { keccakDigest } from "../../crypto/keccak.ts";
import { schemaFault, type JsonSchema } from "../fakes/jsonSchema.ts";
import { createFakeServer, ethereumTransfer, fundedSigner } from "../fakes/fakeServer.ts";
import { vectorsPresent } from "../vectors.ts";

/*
 * Goal: our answers have the form that the execution API's specification gives them. Method: the
 * specification's schemas over the real server's answers.
 */

type Answer = {
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
};

const folder = join(import.meta.dirname, "..", "..", "..", "shared", "vectors", "rpc");

function readJson(file: string): unknown {
  return JSON.parse(new TextDecoder().decode(gunzipSync(readFileSync(join(folder, file)))));
}

type OpenRpc = {
  readonly methods: readonly {
    readonly name: string;
    readonly result: { readonly schema: JsonSchema };
  }[];
};

const present = vectorsPresent || process.env["CI"] === "true";
// Skipped only where the data is not beside the project, and never under CI.
test.skipIf(!present)("results have the form that rpc/openrpc-eth gives them", async () => {
  const { methods } = readJson("openrpc-eth.json.gz") as OpenRpc;
  const { server, node } = createFakeServer();
  const receiver = textToAddressOrNull(`0x${"77".repeat(20)}`) ?? zeroAddress;
  const call = async (method: string, params: readonly unknown[]): Promise<Answer> => {
    const payload = { jsonrpc: "2.0", id: 1, method, params };
    return (await server.app.inject({ method: "POST", url: "/rpc", payload })).json<Answer>();
  };
  const sent = await call("eth_sendRawTransaction", [
    bytesToHex(ethereumTransfer(0n, receiver, 7n)),
  ]);
  const block = node.commit();
  const log = {
    address: receiver,
    topics: [keccakDigest(Uint8Array.of(1))],
    data: hexToBytes("0x01"),
  };
  const transactionHash = String(sent.result) as Digest;
  node.foundLogs = [{ log, block, index: 0, transactionHash, transactionIndex: 0 }];
  await call("eth_sendRawTransaction", [bytesToHex(ethereumTransfer(1n, receiver, 7n))]);
  const slot = `0x${"00".repeat(32)}`;
  const transfer = { from: fundedSigner.address, to: receiver, value: "0x1" };
  const logFilter = String((await call("eth_newFilter", [{ fromBlock: "earliest" }])).result);
  const asked: Readonly<Record<string, readonly unknown[]>> = {
    debug_getRawBlock: ["latest"],
    debug_getRawHeader: ["latest"],
    debug_getRawReceipts: ["latest"],
    debug_getRawTransaction: [transactionHash],
    eth_accounts: [],
    eth_blobBaseFee: [],
    eth_blockNumber: [],
    eth_call: [transfer, "latest"],
    eth_chainId: [],
    eth_config: [],
    eth_createAccessList: [transfer, "latest"],
    eth_estimateGas: [transfer],
    eth_feeHistory: ["0x2", "latest", [10, 50]],
    eth_gasPrice: [],
    eth_getBalance: [receiver, "latest"],
    eth_getBlockByHash: [block.hash, true],
    eth_getBlockByNumber: ["latest", false],
    eth_getBlockReceipts: ["latest"],
    eth_getBlockTransactionCountByHash: [block.hash],
    eth_getBlockTransactionCountByNumber: ["latest"],
    eth_getCode: [receiver, "latest"],
    eth_getFilterChanges: [logFilter],
    eth_getFilterLogs: [logFilter],
    eth_getLogs: [{ fromBlock: "0x0", toBlock: "latest" }],
    eth_getProof: [receiver, [slot], "latest"],
    eth_getStorageAt: [receiver, slot, "latest"],
    eth_getStorageValues: [{ [receiver]: [slot] }, "latest"],
    eth_getTransactionByBlockHashAndIndex: [block.hash, "0x0"],
    eth_getTransactionByBlockNumberAndIndex: ["latest", "0x0"],
    eth_getTransactionByHash: [transactionHash],
    eth_getTransactionCount: [receiver, "pending"],
    eth_getTransactionReceipt: [transactionHash],
    eth_maxPriorityFeePerGas: [],
    eth_newBlockFilter: [],
    eth_newFilter: [{}],
    eth_newPendingTransactionFilter: [],
    eth_simulateV1: [
      {
        blockStateCalls: [{ calls: [transfer] }, { calls: [transfer] }],
        traceTransfers: true,
        returnFullTransactions: true,
      },
    ],
    eth_syncing: [],
    eth_uninstallFilter: [logFilter],
    net_version: [],
    txpool_content: [],
    txpool_contentFrom: [fundedSigner.address],
    txpool_status: [],
  };
  for (const [method, params] of Object.entries(asked)) {
    const schema = methods.find(({ name }) => name === method)?.result.schema;
    assert(schema !== undefined, `the specification has no ${method}`);
    const { result, error } = await call(method, params);
    expect(error, method).toBeUndefined();
    expect(schemaFault(schema, result), method).toBeNull();
  }
  console.log(`rpc/openrpc-eth: ${Object.keys(asked).length} of ${methods.length} methods checked`);
});
