import { expect, test } from "vitest";

import {
  bytesToHex,
  bytesToHexDigits,
  textToAddressOrNull,
  zeroAddress,
  zeroDigest,
} from "../../base/bytes.ts";
import { encodeCommittee } from "../../consensus/codec.ts";
import { checksumAddress } from "../../crypto/address.ts";
import { encodeHeader } from "../../ledger/header.ts";
import type { FakeNode } from "../../test/fakes/fakeNode.ts";
import {
  createFakeServer,
  ethereumTransfer,
  fundedSigner,
  thetaTransfer,
} from "../../test/fakes/fakeServer.ts";
import type { RpcLimits } from "../limits.ts";

const receiver = textToAddressOrNull("0x9F1233798E905E173560071255140b4A8aBd3Ec6") ?? zeroAddress;
const payer = checksumAddress(fundedSigner.address);

function client(limits: Partial<RpcLimits> = {}) {
  const { server, node } = createFakeServer({ limits });
  const call = async (method: string, params: unknown = [{}]) => {
    const answer = await server.app.inject({
      method: "POST",
      url: "/rpc",
      headers: { "content-type": "application/json" },
      payload: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    });
    const { result, error } = answer.json();
    return error === undefined ? result : { error };
  };
  return { node, call };
}

/** Commits as soon as something waits for it. */
async function commitWhenAwaited(node: FakeNode): Promise<void> {
  while (node.waiters === 0) await new Promise((resolve) => setImmediate(resolve));
  node.commit();
}

test("GetVersion and GetStatus have Theta's fields", async () => {
  const { call, node } = client();
  node.commit();
  expect(await call("theta.GetVersion")).toEqual({
    version: "0.1.0",
    git_hash: "unknown",
    timestamp: "2024-01-01",
  });
  expect(await call("theta.GetStatus")).toEqual({
    address: zeroAddress,
    chain_id: "privatenet",
    peer_id: "fake",
    latest_finalized_block_hash: node.head().hash,
    latest_finalized_block_height: "1",
    latest_finalized_block_time: "1700000001",
    latest_finalized_block_epoch: "1",
    current_epoch: "1",
    current_height: "1",
    current_hash: node.head().hash,
    current_time: expect.stringMatching(/^\d{10}$/),
    syncing: false,
    tip_hash: node.head().hash,
    genesis_block_hash: expect.stringMatching(/^0x[0-9a-f]{64}$/),
    genesis_hash: node.chain.genesisHash,
    snapshot_block_height: "0",
    snapshot_block_hash: zeroDigest,
  });
  expect(await call("theta.GetPeers")).toEqual({ peers: ["peer1"] });
  expect(await call("theta.GetPeerURLs", [{ skip_edge_node: true }])).toEqual({
    peer_urls: ["/ip4/127.0.0.1/tcp/12000"],
  });
});

test("GetAccount: by params of every form, at a height, with preview, and unknown", async () => {
  const { call, node } = client();
  const account = {
    address: payer,
    sequence: "0",
    coins: { thetawei: `${10n ** 24n}`, tfuelwei: `${10n ** 24n}` },
    reserved_funds: [],
    last_updated_block_height: "0",
    root: zeroDigest,
    code: "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
  };
  expect(await call("theta.GetAccount", [{ address: payer }])).toEqual(account);
  expect(await call("theta.GetAccount", { address: payer.slice(2), height: "0" })).toEqual(account);
  await call("theta.BroadcastRawTransactionAsync", {
    tx_bytes: bytesToHex(thetaTransfer(1n, receiver, 5n)),
  });
  const preview = await call("theta.GetAccount", [{ address: payer, preview: true }]);
  expect(preview).toMatchObject({ sequence: "1" });
  node.commit();
  node.commit();
  expect(await call("theta.GetAccount", [{ address: payer }])).toMatchObject({ sequence: "1" });
  expect(await call("theta.GetAccount", [{ address: receiver, height: 1 }])).toMatchObject({
    coins: { thetawei: "0", tfuelwei: "5" },
  });
  expect(await call("theta.GetAccount", [{ address: zeroAddress }])).toMatchObject({
    error: { code: -32_000, message: `Account with address ${zeroAddress} is not found` },
  });
  expect(await call("theta.GetAccount", [{ address: "0x12" }])).toMatchObject({
    error: { code: -32_602 },
  });
});

test("D10: state of a pruned or coming height is a typed error with the range", async () => {
  const { call, node } = client();
  for (let i = 0; i < 5; i += 1) node.commit();
  node.heightMin = 3;
  expect(await call("theta.GetAccount", [{ address: payer, height: "2" }])).toMatchObject({
    error: { code: -32_001, data: { code: "E_PRUNED", heightMin: 3, heightMax: 5 } },
  });
  expect(await call("theta.GetAccount", [{ address: payer, height: "9" }])).toMatchObject({
    error: { data: { code: "E_NOT_YET", height: 9 } },
  });
});

test("a waiting broadcast answers with hash and header; a duplicate may wait too", async () => {
  const { call, node } = client();
  const tx_bytes = bytesToHexDigits(thetaTransfer(1n, receiver, 5n));
  const first = call("theta.BroadcastRawTransaction", [{ tx_bytes }]);
  const second = call("theta.BroadcastRawTransaction", [{ tx_bytes: `0x${tx_bytes}` }]);
  while (node.waiters < 2) await new Promise((resolve) => setImmediate(resolve));
  node.commit();
  const { hash, block } = await first;
  expect(hash).toMatch(/^0x[0-9a-f]{64}$/);
  expect(block).toMatchObject({ ChainID: "privatenet", Height: "1", HCC: { Votes: [] } });
  expect(await second).toEqual({ hash, block });
  expect(await call("theta.BroadcastRawTransaction", [{ tx_bytes }])).toEqual({ hash, block });
});

test("a wait is bounded in time and number, and says what is known", async () => {
  const { call } = client({ broadcastTimeoutMs: 1, waitersMax: 1 });
  const tx_bytes = bytesToHex(thetaTransfer(1n, receiver, 5n));
  expect(await call("theta.BroadcastRawTransaction", [{ tx_bytes }])).toMatchObject({
    error: { code: -32_000, data: { code: "E_TIMEOUT", hash: expect.any(String) } },
  });
  const none = client({ waitersMax: 0 });
  expect(await none.call("theta.BroadcastRawTransaction", [{ tx_bytes }])).toMatchObject({
    error: { data: { limit: "waitersMax" } },
  });
  expect(none.node.pendingHashes(1), "a refused wait submits nothing").toEqual([]);
});

test("GetTransaction tells not_found, pending and finalized", async () => {
  const { call, node } = client();
  const tx_bytes = bytesToHex(thetaTransfer(1n, receiver, 5n));
  const { hash } = await call("theta.BroadcastRawTransactionAsync", { tx_bytes });
  expect(await call("theta.GetPendingTransactions")).toEqual({ tx_hashes: [hash] });
  expect(await call("theta.GetTransaction", [{ hash }])).toMatchObject({
    status: "pending",
    type: 2,
    block_height: "0",
    transaction: { inputs: [{ address: payer, sequence: "1" }] },
  });
  node.commit();
  const found = await call("theta.GetTransaction", [{ hash }]);
  expect(found).toMatchObject({ status: "finalized", block_height: "1", hash, type: 2 });
  expect(found.block_hash).toBe(node.head().hash);
  expect(found.transaction.outputs).toEqual([
    { address: checksumAddress(receiver), coins: { thetawei: "0", tfuelwei: "5" } },
  ]);
  expect(found.receipt).toMatchObject({ TxHash: hash, GasUsed: "21000", EvmErr: "", Logs: [] });
  expect(Object.keys(found)).toContain("blance_changes");
  expect(await call("theta.GetTransaction", { hash: zeroDigest })).toMatchObject({
    status: "not_found",
    hash: zeroDigest,
    transaction: null,
  });
});

test("an Ethereum transaction is shown as the SmartContract one of Theta", async () => {
  const { call, node } = client();
  const tx_bytes = bytesToHexDigits(ethereumTransfer(0n, receiver, 7n));
  const sent = call("theta.BroadcastRawEthTransaction", { tx_bytes });
  await commitWhenAwaited(node);
  const { hash } = await sent;
  const { type, transaction } = await call("theta.GetTransaction", { hash });
  expect(type).toBe(7);
  expect(transaction).toMatchObject({
    from: { address: payer, coins: { thetawei: "0", tfuelwei: "7" }, sequence: "1" },
    to: { address: checksumAddress(receiver), coins: { thetawei: "0", tfuelwei: "0" } },
    gas_limit: "21000",
  });
  expect(transaction.from.signature).toMatch(/1[bc]$/);
  const block = await call("theta.GetBlockByHeight", { height: 1, include_eth_tx_hashes: true });
  expect(block.transactions).toMatchObject([{ type: 7, hash, eth_tx_hash: hash }]);
});

test("the envelope is named by the method and never guessed", async () => {
  const { call } = client();
  const native = bytesToHex(thetaTransfer(1n, receiver, 5n));
  const ethereum = bytesToHex(ethereumTransfer(0n, receiver, 5n));
  for (const [method, tx_bytes] of [
    ["theta.BroadcastRawTransactionAsync", ethereum],
    ["theta.BroadcastRawEthTransactionAsync", native],
  ] as const)
    expect(await call(method, { tx_bytes })).toMatchObject({ error: { code: -32_000 } });
  for (const tx_bytes of ["", "0x", "zz", "0x1", 5, null])
    expect(await call("theta.BroadcastRawTransactionAsync", { tx_bytes })).toHaveProperty("error");
});

test("a refused transaction carries Theta's result code and both values", async () => {
  const { call } = client();
  const tx_bytes = bytesToHex(thetaTransfer(9n, receiver, 5n));
  expect(await call("theta.BroadcastRawTransactionAsync", [{ tx_bytes }])).toMatchObject({
    error: {
      code: -32_000,
      message: expect.stringContaining("got 9, expected 1"),
      data: { code: "E_SEQ_GAP", resultCode: 100_002, got: "9", expected: "1" },
    },
  });
});

test("blocks by hash, height and range; null where there is none", async () => {
  const { call, node } = client({ blocksByRangeMax: 10 });
  for (let i = 0; i < 3; i += 1) node.commit();
  const block = await call("theta.GetBlockByHeight", { height: "2" });
  expect(block).toMatchObject({ chain_id: "privatenet", height: "2", status: 4, epoch: "2" });
  expect(await call("theta.GetBlock", { hash: block.hash })).toEqual(block);
  const range = await call("theta.GetBlocksByRange", { start: "1", end: 8 });
  expect(range.map(({ height }: { height: string }) => height)).toEqual(["1", "2", "3"]);
  expect(range[0].children).toEqual([block.hash]);
  expect(range[1]).toEqual(block);
  expect(await call("theta.GetBlock", { hash: zeroDigest })).toBeNull();
  expect(await call("theta.GetBlockByHeight", { height: "99" })).toBeNull();
  expect(await call("theta.GetBlocksByRange", { start: 0, end: 10 })).toMatchObject({
    error: { data: { limit: "blocksByRangeMax", max: 10, got: 11 } },
  });
  expect(await call("theta.GetBlocksByRange", { start: 3, end: 1 })).toHaveProperty("error");
});

test("code, storage and stakes", async () => {
  const { call } = client();
  expect(await call("theta.GetCode", { address: payer })).toEqual({ address: payer, code: "" });
  const value = "0".repeat(64);
  for (const name of ["storage_positon", "storage_position"])
    expect(await call("theta.GetStorageAt", { address: payer, [name]: "0x1a" })).toEqual({ value });
  expect(await call("theta.GetVcpByHeight", { height: "0" })).toMatchObject({
    BlockHashVcpPairs: [{ Vcp: { SortedCandidates: [] }, HeightList: { Heights: ["0"] } }],
  });
});

test("a method whose module is absent says so", async () => {
  const { call } = client();
  expect(await call("theta.GetSplitRule", { resource_id: "r" })).toMatchObject({
    error: { code: -32_000, data: { code: "E_MODULE_ABSENT", module: "split" } },
  });
  expect(await call("theta.GetStakeRewardDistributionByHeight", { height: 0 })).toMatchObject({
    error: { data: { module: "reward" } },
  });
});

test("ledger.* tells of chain, modules, queries and commit proofs", async () => {
  const { call, node } = client();
  expect(await call("ledger.chain")).toMatchObject({ name: "privatenet", id: 366, height: 0 });
  expect(await call("ledger.modules")).toMatchObject([{ name: "stake", version: 1 }]);
  expect(await call("ledger.parameters")).toEqual({ "chain.blockGasMax": "30000000" });
  const query = { module: "stake", query: "candidates" };
  expect(await call("ledger.query", query)).toEqual({ SortedCandidates: [] });
  expect(await call("ledger.query", { ...query, query: "x" })).toMatchObject({
    error: { code: -32_602 },
  });
  expect(await call("ledger.getCommitProof")).toMatchObject({
    block: node.head().hash,
    proof: { headers: [expect.stringMatching(/^0x/)], certificate: { view: 0 } },
  });
  expect(await call("ledger.getCommitProof", { hash: zeroDigest })).toMatchObject({
    error: { code: -32_001 },
  });
});

test("ledger.getEpochs tells of each epoch's root, committee and proof", async () => {
  const { call, node } = client();
  const blsKey = new Uint8Array(48).fill(1);
  const committee = { epoch: 0, validators: [{ address: zeroAddress, blsKey, stake: 5n }] };
  node.epochStarts = [{ root: node.head(), committee, proof: null }];
  const { hash, header } = node.head();
  const start = {
    epoch: 0,
    hash,
    root: bytesToHex(encodeHeader(header)),
    committee: bytesToHex(encodeCommittee(committee)),
    proof: null,
  };
  expect(await call("ledger.getEpochs", { from: 0 })).toEqual({ epochs: [start] });
  expect(await call("ledger.getEpochs", { from: 1 })).toEqual({ epochs: [] });
});

test("a contract is called in Theta's form, unsigned and unpaid", async () => {
  const { call } = client();
  // What theta-js sends to call `CalculateSquare()` of a contract that is not there.
  const transaction =
    "07f844da94f39fd6e51aad88f6f4ce6ab8827279cfffb92266c280800180d8945c3159ddd2fe0f9862bc7b7d60c1" +
    "875fa8f81337c28080839896808603a35294400084b5a0241a";
  expect(await call("theta.CallSmartContract", { sctx_bytes: transaction })).toEqual({
    vm_return: "",
    contract_address: "0x0000000000000000000000000000000000000000",
    gas_used: "21160",
    vm_error: "",
  });
  const other = await call("theta.CallSmartContract", { sctx_bytes: "02c0" });
  expect(other).toMatchObject({ error: { code: -32_602 } });
});
