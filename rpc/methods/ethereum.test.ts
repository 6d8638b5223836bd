import { Transaction } from "ethers";
import { expect, test } from "vitest";

import { bytesToHex, textToAddressOrNull, zeroAddress, zeroDigest } from "../../base/bytes.ts";
import {
  createFakeServer,
  ethereumTransfer,
  fundedSigner,
  thetaTransfer,
} from "../../test/fakes/fakeServer.ts";
import type { EthereumTransaction } from "../../ledger/thetaTypes.ts";
import type { RpcLimits } from "../limits.ts";

const receiver = textToAddressOrNull("0x9F1233798E905E173560071255140b4A8aBd3Ec6") ?? zeroAddress;
const payer = fundedSigner.address;

function client(limits: Partial<RpcLimits> = {}) {
  const { server, node } = createFakeServer({ limits });
  const post = async (payload: unknown) => {
    const answer = await server.app.inject({
      method: "POST",
      url: "/",
      headers: { "content-type": "application/json" },
      payload: JSON.stringify(payload),
    });
    return answer.json();
  };
  const call = async (method: string, ...params: readonly unknown[]) => {
    const { result, error } = await post({ jsonrpc: "2.0", id: 1, method, params });
    return error === undefined ? result : { error };
  };
  return { node, call, post };
}

test("names and numbers of chain and program", async () => {
  const { call } = client();
  expect(await call("eth_chainId")).toBe("0x16e");
  expect(await call("net_version")).toBe("366");
  expect(await call("web3_clientVersion")).toMatch(/^ledger\/v0\.1\.0\/\w+-\w+\/node\d+$/);
  expect(await call("eth_blockNumber")).toBe("0x0");
  expect(await call("eth_accounts")).toEqual([]);
  expect(await call("eth_syncing")).toBe(false);
  expect(await call("web3_sha3", "0x")).toMatch(/^0xc5d2460186f7/);
});

test("a transfer from raw bytes to receipt, block and balance", async () => {
  const { call, node } = client();
  const raw = bytesToHex(ethereumTransfer(0n, receiver, 7n));
  const hash = await call("eth_sendRawTransaction", raw);
  expect(hash).toBe(Transaction.from(raw).hash);
  expect(await call("eth_getTransactionCount", payer, "pending")).toBe("0x1");
  expect(await call("eth_getTransactionCount", payer)).toBe("0x0");
  expect(await call("eth_getTransactionByHash", hash)).toMatchObject({ blockHash: null, hash });
  expect(await call("eth_getTransactionReceipt", hash)).toBeNull();
  const block = node.commit();
  const receipt = await call("eth_getTransactionReceipt", hash);
  expect(receipt).toMatchObject({
    transactionHash: hash,
    transactionIndex: "0x0",
    blockHash: block.hash,
    blockNumber: "0x1",
    from: payer,
    to: receiver,
    status: "0x1",
    type: "0x2",
    gasUsed: "0x5208",
    cumulativeGasUsed: "0x5208",
    effectiveGasPrice: "0x3b9aca00",
    contractAddress: null,
    logs: [],
  });
  const signed = Transaction.from(raw);
  expect(await call("eth_getTransactionByHash", hash)).toMatchObject({
    type: "0x2",
    nonce: "0x0",
    value: "0x7",
    gas: "0x5208",
    chainId: "0x16e",
    input: "0x",
    r: `0x${BigInt(signed.signature?.r ?? 0).toString(16)}`,
    s: `0x${BigInt(signed.signature?.s ?? 0).toString(16)}`,
    yParity: `0x${signed.signature?.yParity}`,
  });
  const [hashes, full] = [
    await call("eth_getBlockByNumber", "latest", false),
    await call("eth_getBlockByHash", block.hash, true),
  ];
  expect(hashes.transactions).toEqual([hash]);
  expect(full.transactions).toMatchObject([{ hash, transactionIndex: "0x0" }]);
  expect(full).toMatchObject({
    number: "0x1",
    baseFeePerGas: "0x3b9aca00",
    uncles: [],
    withdrawals: [],
  });
  expect(await call("eth_getBlockReceipts", "0x1")).toEqual([receipt]);
  expect(await call("eth_getTransactionByBlockNumberAndIndex", "0x1", "0x0")).toMatchObject({
    hash,
  });
  expect(await call("eth_getTransactionByBlockHashAndIndex", block.hash, "0x1")).toBeNull();
  expect(await call("eth_getBalance", receiver, "latest")).toBe("0x7");
  expect(await call("eth_getBalance", receiver, "earliest")).toBe("0x0");
  expect(await call("eth_getBalance", receiver, { blockHash: block.hash })).toBe("0x7");
});

test("a native transaction in a block is shown as an unsigned legacy one", async () => {
  const { call, node } = client();
  const tx_bytes = bytesToHex(thetaTransfer(1n, receiver, 9n));
  const { hash } = await call("theta.BroadcastRawTransactionAsync", { tx_bytes });
  node.commit();
  const block = await call("eth_getBlockByNumber", "0x1", true);
  expect(block.transactions).toMatchObject([
    { hash, type: "0x0", from: payer, to: receiver, value: "0x9", nonce: "0x0", input: "0x" },
  ]);
  expect(await call("eth_getTransactionReceipt", hash)).toMatchObject({
    to: receiver,
    status: "0x1",
  });
});

test("refusals begin with geth's words, because tools match on them", async () => {
  const { call, node } = client();
  const send = (nonce: bigint) =>
    call("eth_sendRawTransaction", bytesToHex(ethereumTransfer(nonce, receiver, 1n)));
  await send(0n);
  expect(await send(0n)).toMatchObject({ error: { code: -32_003, message: "already known" } });
  node.commit();
  await send(1n);
  const other = bytesToHex(ethereumTransfer(0n, receiver, 2n));
  expect(await call("eth_sendRawTransaction", other)).toMatchObject({
    error: {
      code: -32_003,
      message: "nonce too low: next nonce 2, tx nonce 0",
      data: { got: "0", expected: "2" },
    },
  });
  expect(await send(9n)).toMatchObject({
    error: { message: "nonce too high: next nonce 2, tx nonce 9", data: { code: "E_SEQ_GAP" } },
  });
  const sendWith = (parts: Partial<EthereumTransaction>) => {
    const raw = ethereumTransfer(2n, receiver, 1n, parts);
    return call("eth_sendRawTransaction", bytesToHex(raw));
  };
  expect(await sendWith({ gasLimit: 20_999n })).toMatchObject({
    error: { code: -32_003, message: "intrinsic gas too low: gas 20999, minimum needed 21000" },
  });
  expect(await sendWith({ maxPriorityFeePerGas: 2_000_000_001n })).toMatchObject({
    error: {
      code: -32_003,
      message: expect.stringMatching(/^max priority fee per gas higher than max fee per gas: /),
    },
  });
  const data = new Uint8Array(49_153);
  expect(await sendWith({ to: null, data, gasLimit: 9_000_000n })).toMatchObject({
    error: { message: "max initcode size exceeded: code size 49153, limit 49152" },
  });
  node.submitRefusal = { code: "balanceTooLow", got: 1n, expected: 2n };
  expect(await send(2n)).toMatchObject({
    error: { message: expect.stringMatching(/^insufficient funds for gas \* price \+ value: /) },
  });
  node.submitRefusal = { code: "replacementTooCheap", got: 1n, expected: 2n };
  expect(await send(2n)).toMatchObject({
    error: { message: expect.stringMatching(/^replacement transaction underpriced/) },
  });
});

test("bad raw bytes are an error, never a result", async () => {
  const { call } = client();
  for (const raw of [
    "0x",
    "0x00",
    "00",
    "0x1",
    "zz",
    "",
    5,
    null,
    {},
    "0x7e02",
    `0x${"ff".repeat(100)}`,
  ])
    expect(await call("eth_sendRawTransaction", raw), JSON.stringify(raw)).toHaveProperty("error");
  expect(await call("eth_sendRawTransaction")).toMatchObject({ error: { code: -32_602 } });
});

test("a batch reaches the node in one group, and answers keep their order", async () => {
  const { node, post } = client();
  const batch = Array.from({ length: 100 }, (_, i) => ({
    jsonrpc: "2.0",
    id: i,
    method: "eth_sendRawTransaction",
    params: [bytesToHex(ethereumTransfer(BigInt(i), receiver, 1n))],
  }));
  const answers = await post(batch);
  expect(answers.map(({ id }: { id: number }) => id)).toEqual(batch.map(({ id }) => id));
  expect(answers.map(({ result }: { result: string }) => result)).toEqual(node.pendingHashes(100));
  expect(node.submitCalls).toBe(1);
});

test("submissions beyond the limit are pushed back", async () => {
  const { call } = client({ submissionsInFlightMax: 0 });
  const raw = bytesToHex(ethereumTransfer(0n, receiver, 1n));
  expect(await call("eth_sendRawTransaction", raw)).toMatchObject({
    error: { code: -32_005, data: { limit: "submissionsInFlightMax" } },
  });
});

test("fees: price, tip, history of exact lengths, and the gas of a plain transfer", async () => {
  const { call, node } = client();
  for (let i = 0; i < 4; i += 1) node.commit();
  expect(BigInt(await call("eth_gasPrice"))).toBeGreaterThan(node.nextBaseFee());
  expect(BigInt(await call("eth_maxPriorityFeePerGas"))).toBeGreaterThan(0n);
  const history = await call("eth_feeHistory", "0x3", "latest", [25, 75]);
  expect(history.oldestBlock).toBe("0x2");
  expect(history.baseFeePerGas).toHaveLength(4);
  expect(history.gasUsedRatio).toEqual([0, 0, 0]);
  expect(history.reward).toEqual(Array.from({ length: 3 }, () => ["0x0", "0x0"]));
  expect(await call("eth_feeHistory", "0x9", "0x1", [])).toMatchObject({ oldestBlock: "0x0" });
  expect(await call("eth_feeHistory", "0x401", "latest", [])).toMatchObject({
    error: { code: -32_602 },
  });
  expect(await call("eth_feeHistory", "0x1", "latest", [50, 10])).toMatchObject({
    error: { code: -32_602 },
  });
  expect(await call("eth_estimateGas", { from: payer, to: receiver, value: "0x1" })).toBe("0x5208");
  expect(await call("eth_estimateGas", { from: receiver, to: payer, value: "0x1" })).toMatchObject({
    error: { code: -32_003, message: expect.stringContaining("insufficient funds") },
  });
  expect(await call("eth_estimateGas")).toMatchObject({ error: { code: -32_602 } });
  expect(await call("eth_estimateGas", { data: "0x1" })).toMatchObject({
    error: { code: -32_602 },
  });
});

test("what does not exist is null; a block that does not exist has no state", async () => {
  const { call } = client();
  expect(await call("eth_getTransactionByHash", zeroDigest)).toBeNull();
  expect(await call("eth_getBlockByNumber", "0x99", false)).toBeNull();
  expect(await call("eth_getBlockByHash", zeroDigest, false)).toBeNull();
  expect(await call("eth_getCode", payer, "latest")).toBe("0x");
  expect(await call("eth_getStorageAt", payer, "0x0", "latest")).toBe(zeroDigest);
  expect(await call("eth_getBalance", payer, "0x99")).toHaveProperty("error");
  expect(await call("eth_getBalance", payer, "0xffffffffffffffff")).toHaveProperty("error");
});
