import {
  Contract,
  ContractFactory,
  HDNodeWallet,
  hexlify,
  JsonRpcProvider,
  parseEther,
  toBeHex,
  toQuantity,
  toUtf8Bytes,
  verifyMessage,
  verifyTypedData,
  Wallet,
  zeroPadValue,
} from "ethers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compileContract } from "../test/fakes/solidity.ts";
import {
  checkoutFolder,
  cleanUp,
  startLedger,
  startPrivatenet,
  waitFor,
  type RunningNode,
} from "./harness.ts";

/*
 * Goal: what test frameworks do to a chain works on a devnet, by blocks that any node can execute
 * again, and is refused anywhere else.
 */

const source = `// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;
contract Counter {
  uint256 public count;
  address public last;
  function add() external payable { count += 1; last = msg.sender; }
  function time() external view returns (uint256) { return block.timestamp; }
}`;

let node: RunningNode;
let provider: JsonRpcProvider;
let counter: Contract;

beforeAll(async () => {
  node = await startLedger(["devnet", "--eth-port=0"]);
  provider = new JsonRpcProvider(node.url, undefined, { pollingInterval: 20, cacheTimeout: -1 });
  const { abi, bytecode } = compileContract(source, "Counter");
  const signer = await provider.getSigner(0);
  const deployed = await new ContractFactory([...abi], bytecode, signer).deploy();
  await deployed.waitForDeployment();
  counter = new Contract(await deployed.getAddress(), [...abi], signer);
});
afterAll(async () => {
  provider.destroy();
  await cleanUp();
});

function send(method: string, ...parameters: readonly unknown[]): Promise<unknown> {
  return provider.send(method, [...parameters]);
}

async function read(name: string): Promise<unknown> {
  return (await counter.getFunction(name).staticCall()) as unknown;
}

async function add(from?: string): Promise<void> {
  const signer = from === undefined ? counter.runner : await provider.getSigner(from);
  const connected = counter.connect(signer) as Contract;
  const sent = await connected.getFunction("add").send();
  expect((await sent.wait())?.status).toBe(1);
}

test("funded accounts send without a key of the client's", async () => {
  expect((await provider.listAccounts()).length).toBe(10);
  await add();
  expect(await read("count")).toBe(1n);
});

test("funded accounts sign messages and typed data without a key of the client's", async () => {
  const signer = await provider.getSigner(1);
  const { address } = signer;
  expect(verifyMessage("hällo", await signer.signMessage("hällo"))).toBe(address);
  const old = await send("eth_sign", address, hexlify(toUtf8Bytes("hällo")));
  expect(verifyMessage("hällo", String(old))).toBe(address);
  const domain = { name: "Token", version: "1", chainId: 366, verifyingContract: address };
  const types = {
    Permit: [
      { name: "owner", type: "address" },
      { name: "value", type: "uint256" },
      { name: "notes", type: "Note[]" },
    ],
    Note: [{ name: "text", type: "string" }],
  };
  const value = { owner: address, value: 2n ** 200n, notes: [{ text: "a" }, { text: "" }] };
  const permit = await signer.signTypedData(domain, types, value);
  expect(verifyTypedData(domain, types, value, permit)).toBe(address);
  await expect(send("personal_sign", "0x00", Wallet.createRandom().address)).rejects.toThrow(
    "only funded accounts sign",
  );
  const wrong = { types: {}, primaryType: "Permit", domain: {}, message: {} };
  await expect(send("eth_signTypedData_v4", address, wrong)).rejects.toThrow("data: ");
});

test("accounts are written as asked", async () => {
  const { address } = Wallet.createRandom();
  await send("hardhat_setBalance", address, toBeHex(parseEther("7")));
  await send("anvil_setNonce", address, "0x5");
  expect(await provider.getBalance(address)).toBe(parseEther("7"));
  expect(await provider.getTransactionCount(address)).toBe(5);
  await send("hardhat_setCode", address, "0x6001600055");
  expect(await provider.getCode(address)).toBe("0x6001600055");
  const at = await counter.getAddress();
  await send("hardhat_setStorageAt", at, "0x0", zeroPadValue("0x29", 32));
  expect(await read("count")).toBe(41n);
  await send("hardhat_setBalance", address, "0x0");
  expect(await provider.getBalance(address)).toBe(0n);
});

test("an impersonated account sends, even one that is a contract", async () => {
  const at = await counter.getAddress();
  await expect(add(at)).rejects.toThrow();
  await send("hardhat_impersonateAccount", at);
  const sent = (await send("eth_sendTransaction", {
    from: at,
    to: at,
    data: "0x4f2be91f",
  })) as string;
  const receipt = await provider.waitForTransaction(sent);
  expect(receipt).toMatchObject({ status: 1, from: at, to: at });
  expect(await read("last")).toBe(at);
  await send("hardhat_stopImpersonatingAccount", at);
  await expect(send("eth_sendTransaction", { from: at, to: at })).rejects.toThrow(
    "unknown account",
  );
});

test("a snapshot comes back, and the same transaction may come once more", async () => {
  const wallet = HDNodeWallet.fromPhrase(
    "test test test test test test test test test test test junk",
    undefined,
    "m/44'/60'/0'/0/3",
  ).connect(provider);
  const before = await read("count");
  const snapshot = await send("evm_snapshot");
  const balance = await provider.getBalance(wallet.address);
  const transaction = {
    to: await counter.getAddress(),
    data: "0x4f2be91f",
    nonce: 0,
    type: 2,
    chainId: 366,
    gasLimit: 100_000,
    maxFeePerGas: 10n ** 10n,
    maxPriorityFeePerGas: 1n,
  };
  const raw = await wallet.signTransaction(transaction);
  const made = await new ContractFactory([], "0x5f5f5500", await provider.getSigner(4)).deploy();
  await made.waitForDeployment();
  const first = await provider.broadcastTransaction(raw);
  const firstHeight = (await first.wait())?.blockNumber ?? 0;
  expect(await read("count")).toBe((before as bigint) + 1n);
  expect(await send("evm_revert", snapshot)).toBe(true);
  expect(await read("count")).toBe(before);
  expect(await provider.getBalance(wallet.address)).toBe(balance);
  expect(await provider.getTransactionCount(wallet.address)).toBe(0);
  expect(await provider.getTransactionCount(await made.getAddress())).toBe(0);
  expect(await send("evm_revert", snapshot)).toBe(false);
  const again = await provider.broadcastTransaction(raw);
  expect(again.hash).toBe(first.hash);
  expect((await again.wait())?.blockNumber).toBeGreaterThan(firstHeight);
  expect(await read("count")).toBe((before as bigint) + 1n);
});

test("time moves as ordered and never back", async () => {
  const latest = (await provider.getBlock("latest"))?.timestamp ?? 0;
  const wanted = latest + 86_400;
  await send("evm_setNextBlockTimestamp", wanted);
  await send("evm_mine");
  expect((await provider.getBlock("latest"))?.timestamp).toBe(wanted);
  await send("evm_increaseTime", 3_600);
  await add();
  expect((await provider.getBlock("latest"))?.timestamp).toBeGreaterThanOrEqual(wanted + 3_600);
  await expect(send("evm_setNextBlockTimestamp", wanted)).rejects.toThrow("never goes back");
  const height = await provider.getBlockNumber();
  await send("hardhat_mine", "0x14");
  expect(await provider.getBlockNumber()).toBeGreaterThanOrEqual(height + 20);
  await expect(send("hardhat_mine", "0xffffff")).rejects.toThrow("mineBlocksMax");
});

test("without automine a transaction waits for its block", async () => {
  await send("evm_setAutomine", false);
  const before = await read("count");
  const sent = await counter.getFunction("add").send({ gasLimit: 100_000 });
  const height = await provider.getBlockNumber();
  const isHigher = async (): Promise<boolean> => (await provider.getBlockNumber()) > height;
  await waitFor("the chain goes on, without it", isHigher, 10_000);
  expect(await provider.getTransactionReceipt(sent.hash)).toBeNull();
  await send("evm_mine");
  expect(await read("count")).toBe((before as bigint) + 1n);
  await send("evm_setAutomine", true);
});

test("each block of all this can be executed again", async () => {
  const heights = Array.from({ length: await provider.getBlockNumber() }, (_, i) =>
    toQuantity(i + 1),
  );
  let transactions = 0;
  for (const height of heights) {
    const config = { tracer: "noopTracer" };
    const traces = (await send("debug_traceBlockByNumber", height, config)) as readonly unknown[];
    transactions += traces.length;
  }
  expect(transactions).toBeGreaterThan(20);
});

test("any other network refuses in one sentence", async () => {
  const other = await startPrivatenet(checkoutFolder());
  const asked = other.client.call("evm_snapshot", []);
  await expect(asked).rejects.toThrow("evm_snapshot is for development: only a devnet answers it");
  expect(await other.client.call("eth_accounts", [])).toEqual([]);
});
