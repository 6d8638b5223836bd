import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { ContractFactory, getBytes, JsonRpcProvider, Wallet, WebSocketProvider } from "ethers";
import {
  BaseError,
  bytesToHex,
  ContractFunctionRevertedError,
  createPublicClient,
  createWalletClient,
  defineChain,
  encodeDeployData,
  hexToBytes,
  http,
  isHex,
  keccak256,
  parseAbi,
  toHex,
  toRlp,
  webSocket,
  type Address,
  type Hex,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { verifyMerkleProof } from "@ethereumjs/mpt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { compileSolidity } from "../test/fakes/solidity.ts";
import { checkoutFolder, cleanUp, startPrivatenet, waitFor, type RunningNode } from "./harness.ts";

/*
 * Goal: viem and ethers, unmodified, do with contracts what people do with them: deploy, call, read
 * events, decode why something reverted, subscribe, and send every kind of transaction.
 */

const source = `
  contract Box {
    error TooLarge(uint256 got, uint256 most);
    event Stored(address indexed by, uint256 indexed value, string note);
    uint256 public value;
    mapping(address => uint256) public byOwner;
    constructor(uint256 first) payable { value = first; }
    function store(uint256 next, string calldata note) external {
      if (next > 100) revert TooLarge(next, 100);
      require(next != 13, "unlucky");
      assert(next != 14);
      value = next;
      byOwner[msg.sender] = next;
      emit Stored(msg.sender, next, note);
    }
    function ping() external pure returns (uint256) { return 7; }
  }`;

const abi = parseAbi([
  "constructor(uint256 first) payable",
  "error TooLarge(uint256 got, uint256 most)",
  "event Stored(address indexed by, uint256 indexed value, string note)",
  "function value() view returns (uint256)",
  "function byOwner(address) view returns (uint256)",
  "function store(uint256 next, string note)",
  "function ping() view returns (uint256)",
]);

const bytecode = toHex(compileSolidity(source, "Box"));
const account = privateKeyToAccount(`0x${"11".repeat(32)}`);

const emptyTrieRoot = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421";

let node: RunningNode;
beforeAll(async () => {
  node = await startPrivatenet(checkoutFolder());
});
afterAll(cleanUp);

function clients() {
  const chain = defineChain({
    id: 366,
    name: "privatenet",
    nativeCurrency: { name: "TFuel", symbol: "TFUEL", decimals: 18 },
    rpcUrls: { default: { http: [node.url] } },
  });
  const transport = http(node.url);
  const reader = createPublicClient({ chain, transport, pollingInterval: 100 });
  const writer = createWalletClient({ chain, transport, account, pollingInterval: 100 });
  const socket = createPublicClient({
    chain,
    transport: webSocket(node.url.replace("http:", "ws:"), { reconnect: false }),
  });
  return { reader, writer, socket };
}

async function deploy({ reader, writer }: ReturnType<typeof clients>): Promise<Address> {
  const hash = await writer.deployContract({ abi, bytecode, args: [5n], value: 9n });
  const receipt = await reader.waitForTransactionReceipt({ hash });
  expect(receipt.status).toBe("success");
  const created = receipt.contractAddress ?? null;
  if (created === null) throw new Error("no contract");
  return created;
}

/** Multicall3 as viem has it: the published contract's creation code. */
async function multicallCode(): Promise<Hex> {
  const viem = dirname(createRequire(import.meta.url).resolve("viem/package.json"));
  const text = await readFile(join(viem, "_esm/constants/contracts.js"), "utf8");
  const code = /multicall3Bytecode = '(0x[0-9a-f]+)'/.exec(text)?.[1] ?? "";
  if (!isHex(code)) throw new Error("viem has no Multicall3");
  return code;
}

describe("viem", () => {
  test("asks many contracts at once through Multicall3, deployed like any other", async () => {
    const { reader, writer, socket } = clients();
    const box = { address: await deploy({ reader, writer, socket }), abi } as const;
    const hash = await writer.deployContract({ abi: [], bytecode: await multicallCode() });
    const { contractAddress } = await reader.waitForTransactionReceipt({ hash });
    if (contractAddress === null || contractAddress === undefined) throw new Error("no contract");
    const chain = defineChain({
      ...reader.chain,
      contracts: { multicall3: { address: contractAddress } },
    });
    const many = createPublicClient({
      chain,
      transport: http(node.url),
      batch: { multicall: true },
    });
    const contracts = [
      { ...box, functionName: "value" },
      { ...box, functionName: "ping" },
      { ...box, functionName: "store", args: [101n, "refused"] },
    ] as const;
    const results = await many.multicall({ contracts });
    expect(results.map(({ status }) => status)).toEqual(["success", "success", "failure"]);
    expect(results.slice(0, 2).map(({ result }) => result)).toEqual([5n, 7n]);
    // Reads of one moment become one call.
    const reads = [1, 2, 3].map(() => many.readContract({ ...box, functionName: "ping" }));
    expect(await Promise.all(reads)).toEqual([7n, 7n, 7n]);
    const deployless = await reader.multicall({
      contracts: contracts.slice(0, 2),
      deployless: true,
    });
    expect(deployless.map(({ result }) => result)).toEqual([5n, 7n]);
  });

  test("simulates blocks and calls, with what moves", async () => {
    const { reader, writer, socket } = clients();
    const address = await deploy({ reader, writer, socket });
    const box = { to: address, abi } as const;
    const store = { ...box, functionName: "store", args: [42n, "dry"] } as const;
    const [first, second] = await reader.simulateBlocks({
      blocks: [
        { calls: [{ ...store, account: account.address }] },
        { calls: [{ ...box, functionName: "value" }] },
      ],
    });
    expect(first?.calls[0]).toMatchObject({ status: "success", logs: [{ address }] });
    expect(second?.calls[0]).toMatchObject({ status: "success", result: 42n });
    const { results, assetChanges } = await reader.simulateCalls({
      account: account.address,
      calls: [
        // A contract with storage: without one, viem creates two contracts at one address.
        { ...box, functionName: "value" },
        { to: `0x${"77".repeat(20)}`, value: 5n },
      ],
      traceAssetChanges: true,
    });
    expect(results.map(({ status }) => status)).toEqual(["success", "success"]);
    expect(assetChanges[0]?.value.diff).toBe(-5n);
    expect(await reader.readContract({ address, abi, functionName: "value" })).toBe(5n);
  });

  test("deploys, calls, sends, and reads events by range, filter and subscription", async () => {
    const { reader, writer, socket } = clients();
    const address = await deploy({ reader, writer, socket });
    const box = { address, abi } as const;
    expect(await reader.readContract({ ...box, functionName: "value" })).toBe(5n);
    expect(await reader.getBalance({ address })).toBe(9n);
    expect(await reader.getCode({ address })).toMatch(/^0x60/);
    const seen: bigint[] = [];
    const polled: bigint[] = [];
    const stop = socket.watchContractEvent({
      ...box,
      eventName: "Stored",
      onLogs: (logs) => seen.push(...logs.map(({ args }) => args.value ?? 0n)),
    });
    const stopPolling = reader.watchContractEvent({
      ...box,
      eventName: "Stored",
      onLogs: (logs) => polled.push(...logs.map(({ args }) => args.value ?? 0n)),
    });
    const heights: bigint[] = [];
    const stopBlocks = socket.watchBlockNumber({ onBlockNumber: (height) => heights.push(height) });
    await waitFor("the subscription tells of blocks", () => heights.length > 0, 20_000);
    for (const [next, note] of [
      [42n, "a"],
      [43n, "b"],
    ] as const) {
      const { request } = await reader.simulateContract({
        ...box,
        functionName: "store",
        args: [next, note],
        account,
      });
      const hash = await writer.writeContract(request);
      expect((await reader.waitForTransactionReceipt({ hash })).status).toBe("success");
    }
    expect(await reader.readContract({ ...box, functionName: "value" })).toBe(43n);
    const all = await reader.getContractEvents({ ...box, eventName: "Stored", fromBlock: 0n });
    expect(all.map(({ args }) => args.note)).toEqual(["a", "b"]);
    const one = await reader.getContractEvents({
      ...box,
      eventName: "Stored",
      args: { value: 43n },
      fromBlock: 0n,
    });
    expect(one).toHaveLength(1);
    expect(one[0]?.args.by).toBe(account.address);
    await waitFor("both are told", () => seen.length === 2 && polled.length === 2, 20_000);
    expect([seen, polled]).toEqual([
      [42n, 43n],
      [42n, 43n],
    ]);
    for (const end of [stop, stopPolling, stopBlocks]) end();
    (await socket.transport.getRpcClient()).close();
  });

  test("decodes custom errors, reasons and panics, of calls and of estimates", async () => {
    const { reader, writer, socket } = clients();
    const address = await deploy({ reader, writer, socket });
    const failure = async (value: bigint): Promise<unknown> => {
      const call = { address, abi, functionName: "store", args: [value, ""], account } as const;
      const errors = await Promise.all([
        reader.simulateContract(call).catch((error: unknown) => error),
        reader.estimateContractGas(call).catch((error: unknown) => error),
      ]);
      const found = errors.map((error) =>
        error instanceof BaseError
          ? error.walk((cause) => cause instanceof ContractFunctionRevertedError)
          : null,
      );
      const [first, second] = found.map((cause) =>
        cause instanceof ContractFunctionRevertedError
          ? [cause.data?.errorName ?? null, cause.data?.args ?? null, cause.reason ?? null]
          : null,
      );
      expect(first).toEqual(second);
      return first;
    };
    expect(await failure(101n)).toEqual(["TooLarge", [101n, 100n], null]);
    expect(await failure(13n)).toEqual(["Error", ["unlucky"], "unlucky"]);
    expect(await failure(14n)).toEqual(["Panic", [1n], "An `assert` condition failed."]);
  });

  test("sends legacy, 2930, 1559 and 7702, and waits for one synchronously", async () => {
    const { reader, writer, socket } = clients();
    const address = await deploy({ reader, writer, socket });
    const to = account.address;
    const accessList = [{ address, storageKeys: [toHex(0, { size: 32 })] }];
    const sends = {
      legacy: () => writer.sendTransaction({ type: "legacy", to, value: 1n }),
      eip2930: () => writer.sendTransaction({ type: "eip2930", to, value: 1n, accessList }),
      eip1559: () => writer.sendTransaction({ type: "eip1559", to, value: 1n }),
    };
    for (const [type, send] of Object.entries(sends)) {
      const receipt = await reader.waitForTransactionReceipt({ hash: await send() });
      expect([receipt.status, receipt.type]).toEqual(["success", type]);
    }
    const authorization = await writer.signAuthorization({
      contractAddress: address,
      executor: "self",
    });
    const hash = await writer.sendTransaction({
      to,
      data: "0x5c36b186",
      authorizationList: [authorization],
    });
    const receipt = await reader.waitForTransactionReceipt({ hash });
    expect([receipt.status, receipt.type]).toEqual(["success", "eip7702"]);
    expect(await reader.getCode({ address: to })).toBe(`0xef0100${address.slice(2)}`);
    expect(await reader.readContract({ address: to, abi, functionName: "ping" })).toBe(7n);
    const synced = await writer.sendTransactionSync({ to: address, data: "0x5c36b186" });
    expect(synced.status).toBe("success");
  });

  test("overrides state and block, lists accesses, proves accounts and storage", async () => {
    const { reader, writer, socket } = clients();
    const address = await deploy({ reader, writer, socket });
    const slot = toHex(0, { size: 32 });
    const value = await reader.readContract({
      address,
      abi,
      functionName: "value",
      stateOverride: [{ address, stateDiff: [{ slot, value: toHex(77, { size: 32 }) }] }],
    });
    expect(value).toBe(77n);
    const timestamp = await reader.call({
      data: "0x4260005260206000f3",
      blockOverrides: { time: 1_234n },
    });
    expect(timestamp.data).toBe(toHex(1_234, { size: 32 }));
    const deployed = encodeDeployData({ abi, bytecode, args: [1n] });
    expect(await reader.estimateGas({ account, data: deployed })).toBeGreaterThan(53_000n);
    const listed = await reader.createAccessList({ account, to: address, data: "0x3fa4f245" });
    expect(listed.accessList).toEqual([{ address: address.toLowerCase(), storageKeys: [slot] }]);
    const empty = toHex(99, { size: 32 });
    const block = await reader.getBlock();
    const at = { storageKeys: [slot, empty], blockNumber: block.number };
    const proof = await reader.getProof({ address, ...at });
    const nobody = `0x${"77".repeat(20)}` as const;
    const absent = await reader.getProof({ address: nobody, ...at });
    expect(absent).toMatchObject({ balance: 0n, nonce: 0, storageProof: [{ value: 0n }, {}] });
    const proven = async (root: Hex, key: Hex, nodes: readonly Hex[]): Promise<Hex | null> => {
      const bytes = nodes.map((one) => hexToBytes(one));
      const hashed = keccak256(key, "bytes");
      // An empty trie has no nodes to show.
      if (bytes.length === 0) return root === emptyTrieRoot ? null : root;
      expect(keccak256(nodes[0] ?? "0x")).toBe(root);
      const value = await verifyMerkleProof(hashed, bytes, { root: hexToBytes(root) });
      return value === null ? null : bytesToHex(value);
    };
    const fields = [proof.nonce, proof.balance, proof.storageHash, proof.codeHash] as const;
    expect(await proven(block.stateRoot, address, proof.accountProof)).toBe(
      toRlp([toHex(fields[0]), fields[1] === 0n ? "0x" : toHex(fields[1]), fields[2], fields[3]]),
    );
    expect(await proven(block.stateRoot, nobody, absent.accountProof)).toBeNull();
    const [stored, missing] = proof.storageProof;
    expect(await proven(proof.storageHash, slot, stored?.proof ?? [])).toBe("0x05");
    expect(stored?.value).toBe(5n);
    expect(await proven(proof.storageHash, empty, missing?.proof ?? [])).toBeNull();
  });
});

describe("ethers", () => {
  test("deploys, calls, reads events, decodes custom errors, listens by WebSocket", async () => {
    const options = { pollingInterval: 100, cacheTimeout: -1 };
    const provider = new JsonRpcProvider(node.url, undefined, options);
    const wallet = new Wallet(`0x${"22".repeat(32)}`, provider);
    const purse = new Wallet(`0x${"11".repeat(32)}`, provider);
    await (await purse.sendTransaction({ to: wallet.address, value: 10n ** 20n })).wait();
    const interfaceText = [
      "constructor(uint256 first) payable",
      "error TooLarge(uint256 got, uint256 most)",
      "event Stored(address indexed by, uint256 indexed value, string note)",
      "function value() view returns (uint256)",
      "function store(uint256 next, string note)",
    ];
    const factory = new ContractFactory(interfaceText, getBytes(bytecode), wallet);
    const box = await (await factory.deploy(3n)).waitForDeployment();
    const address = await box.getAddress();
    const call = (name: string, ...args: readonly unknown[]): Promise<unknown> =>
      box.getFunction(name).staticCall(...args);
    expect(await call("value")).toBe(3n);
    await expect(call("store", 200n, "")).rejects.toMatchObject({
      code: "CALL_EXCEPTION",
      revert: { name: "TooLarge", args: [200n, 100n] },
    });
    await expect(box.getFunction("store").estimateGas(13n, "")).rejects.toMatchObject({
      code: "CALL_EXCEPTION",
      reason: "unlucky",
    });
    const socket = new WebSocketProvider(node.url.replace("http:", "ws:"));
    const told: unknown[] = [];
    const filter = { address };
    await socket.on(filter, (log: unknown) => told.push(log));
    const blocks: number[] = [];
    await socket.on("block", (height: number) => blocks.push(height));
    await waitFor("the subscription tells of blocks", () => blocks.length > 0, 20_000);
    const sent = (await box.getFunction("store").send(55n, "from ethers")) as {
      wait(): Promise<{ status: number } | null>;
    };
    expect((await sent.wait())?.status).toBe(1);
    const events = await box.queryFilter("Stored", 0);
    expect(events).toHaveLength(1);
    await waitFor("the socket is told of the event", () => told.length === 1, 20_000);
    await socket.destroy();
    provider.destroy();
  });
});

/** What MetaMask's controllers ask, in their order; over HTTP, from an extension's page. */
test("MetaMask adds the network, tracks blocks, estimates, sends and finds it", async () => {
  const origin = `chrome-extension://${"a".repeat(32)}`;
  const ask = async (method: string, params: readonly unknown[] = []): Promise<unknown> => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    const headers = { "content-type": "application/json", origin };
    const response = await fetch(node.url, { method: "POST", headers, body });
    expect(response.status, method).toBe(200);
    const { result, error } = (await response.json()) as { result?: unknown; error?: unknown };
    expect(error, method).toBeUndefined();
    return result;
  };
  expect(await ask("eth_chainId")).toBe("0x16e");
  expect(await ask("net_version")).toBe("366");
  const height = String(await ask("eth_blockNumber"));
  const block = await ask("eth_getBlockByNumber", [height, false]);
  // By this it knows that fees are EIP-1559's.
  expect(block).toMatchObject({ baseFeePerGas: expect.stringMatching(/^0x[1-9a-f]/) });
  const from = account.address;
  expect(BigInt(String(await ask("eth_getBalance", [from, height])))).toBeGreaterThan(0n);
  const nonce = Number(await ask("eth_getTransactionCount", [from, "pending"]));
  const to: Address = `0x${"78".repeat(20)}`;
  expect(await ask("eth_getCode", [to, "latest"])).toBe("0x");
  expect(await ask("eth_estimateGas", [{ from, to, value: "0x1" }])).toBe("0x5208");
  expect(await ask("eth_feeHistory", ["0x5", "latest", [10, 50, 95]])).toMatchObject({
    baseFeePerGas: expect.arrayContaining([expect.stringMatching(/^0x/)]),
  });
  const fee = 2n * BigInt(String(await ask("eth_gasPrice")));
  const fees = { maxFeePerGas: fee, maxPriorityFeePerGas: 1n };
  const raw = await account.signTransaction({
    ...fees,
    type: "eip1559",
    chainId: 366,
    nonce,
    to,
    value: 1n,
    gas: 21_000n,
  });
  const hash = await ask("eth_sendRawTransaction", [raw]);
  await waitFor(
    "a receipt",
    async () => (await ask("eth_getTransactionReceipt", [hash])) !== null,
    20_000,
  );
  expect(await ask("eth_getTransactionByHash", [hash])).toMatchObject({
    from: from.toLowerCase(),
    to,
  });
  expect(await ask("eth_getTransactionCount", [from, "pending"])).toBe(toHex(nonce + 1));
});

test("ethers sends what names its accesses, and code for an account", async () => {
  const provider = new JsonRpcProvider(node.url, undefined, { pollingInterval: 50 });
  const wallet = new Wallet(`0x${"11".repeat(32)}`, provider);
  const to = `0x${"79".repeat(20)}`;
  const accessList = [{ address: to, storageKeys: [] }];
  const first = await wallet.sendTransaction({ type: 1, to, value: 1n, accessList });
  expect(await first.wait()).toMatchObject({ status: 1, type: 1 });
  const nonce = await wallet.getNonce();
  const authorization = await wallet.authorize({ address: to, nonce: nonce + 1, chainId: 366 });
  const second = await wallet.sendTransaction({
    type: 4,
    to: wallet.address,
    nonce,
    gasLimit: 100_000n,
    authorizationList: [authorization],
  });
  expect(await second.wait()).toMatchObject({ status: 1, type: 4 });
  expect(await provider.getCode(wallet.address)).toBe(`0xef0100${to.slice(2)}`);
  provider.destroy();
});
