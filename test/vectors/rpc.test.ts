import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { assert } from "../../base/assert.ts";
import type { Address, Digest } from "../../base/brand.ts";
import {
  bigIntToBytes,
  bytesToHex,
  hexToBytes,
  textToAddressOrNull,
  textToDigestOrNull,
  zeroAddress,
} from "../../base/bytes.ts";
import { emptyKeccak, keccakDigest } from "../../crypto/keccak.ts";
import { emptyAccount } from "../../ledger/accounts.ts";
import type { Account } from "../../ledger/state.ts";
import { schemaFault, type JsonSchema } from "../fakes/jsonSchema.ts";
import { createFakeServer, ethereumTransfer, fundedSigner } from "../fakes/fakeServer.ts";
import { MemoryState } from "../fakes/memoryState.ts";
import { vectorsPresent, vectorTest } from "../vectors.ts";

/*
 * Goal: our answers have the form that the execution API's specification gives them, and where a
 * vector asks about a state they are equal. Method: the vectors' head state under the real server.
 */

type Exchange = { readonly send?: string; readonly recv?: string };
type Item = {
  readonly id: string;
  readonly method: string;
  readonly speconly: boolean;
  readonly exchange: readonly Exchange[];
};

type Answer = {
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
};

const folder = join(import.meta.dirname, "..", "..", "..", "shared", "vectors", "rpc");

function readJson(file: string): unknown {
  return JSON.parse(new TextDecoder().decode(gunzipSync(readFileSync(join(folder, file)))));
}

type Allocation = {
  readonly balance: string;
  readonly nonce: string;
  readonly code?: string;
  readonly storage?: Readonly<Record<string, string>>;
};
type Head = {
  readonly number: number;
  readonly chainId: number;
  readonly baseFee: string;
  readonly alloc: Readonly<Record<string, Allocation>>;
};

function stateOf({ alloc }: Head): MemoryState {
  const accounts = new Map<Address, Account>();
  const storage = new Map<Address, ReadonlyMap<Digest, Uint8Array | null>>();
  const code = new Map<Digest, Uint8Array>();
  for (const [text, allocation] of Object.entries(alloc)) {
    const address = textToAddressOrNull(text);
    assert(address !== null, "an address");
    const bytes = hexToBytes(allocation.code ?? "0x");
    const codeHash = bytes.length === 0 ? emptyKeccak : keccakDigest(bytes);
    if (bytes.length > 0) code.set(codeHash, bytes);
    const { balance, nonce } = allocation;
    accounts.set(address, {
      ...emptyAccount,
      balance: BigInt(balance),
      nonce: BigInt(nonce),
      codeHash,
    });
    const words = Object.entries(allocation.storage ?? {}).map(([slot, word]) => {
      const key = textToDigestOrNull(slot);
      assert(key !== null, "a slot");
      return [key, bigIntToBytes(BigInt(word))] as const;
    });
    storage.set(address, new Map(words));
  }
  const changes = { accounts, storage, storageCleared: new Set<Address>(), code };
  return MemoryState.empty().apply({ ...changes, modules: new Map() });
}

/** Whose answers depend on the state alone. */
const stateMethods: ReadonlySet<string> = new Set([
  "eth_call",
  "eth_createAccessList",
  "eth_estimateGas",
  "eth_getBalance",
  "eth_getCode",
  "eth_getStorageAt",
  "eth_getStorageValues",
  "eth_getTransactionCount",
]);

/** Of blobs, which this chain refuses. */
const blobItems: ReadonlySet<string> = new Set(["eth_estimateGas/estimate-with-eip4844"]);

function isSame(wanted: Answer, got: Answer): boolean {
  if (wanted.error === undefined) {
    return JSON.stringify(wanted.result) === JSON.stringify(got.result);
  }
  const { code, data } = wanted.error;
  return got.error?.code === code && (data === undefined || got.error.data === data);
}

vectorTest<Item>("rpc/execution-apis-io.ndjson.gz", async (items) => {
  const head = readJson("head-alloc.json.gz") as Head;
  const { server, node } = createFakeServer({ chainId: head.chainId });
  node.baseFee = BigInt(head.baseFee);
  while (node.head().header.height < head.number) node.commit();
  node.headState = stateOf(head);
  let equal = 0;
  let formed = 0;
  for (const { id, method, speconly, exchange } of items) {
    if (!stateMethods.has(method) || blobItems.has(id)) continue;
    for (let i = 0; i + 1 < exchange.length; i += 2) {
      const payload = exchange[i]?.send ?? "";
      const headers = { "content-type": "application/json" };
      const reply = await server.app.inject({ method: "POST", url: "/rpc", headers, payload });
      const got = reply.json<Answer>();
      const wanted = JSON.parse(exchange[i + 1]?.recv ?? "") as Answer;
      const same = isSame(wanted, got);
      if (same) equal += 1;
      else {
        expect(speconly, `${id}: ${reply.body}`).toBe(true);
        expect(got.error === undefined, `${id}: ${reply.body}`).toBe(wanted.error === undefined);
        formed += 1;
      }
    }
  }
  console.log(`rpc/execution-apis-io: ${equal} answers equal, ${formed} of the same form`);
  expect([equal, formed]).toEqual([15, 1]);
});

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
    eth_accounts: [],
    eth_blobBaseFee: [],
    eth_blockNumber: [],
    eth_call: [transfer, "latest"],
    eth_chainId: [],
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
