import { JsonRpcProvider, parseEther, Wallet, type TransactionReceipt } from "ethers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cleanUp, startPrivatenet, checkoutFolder, type RunningNode } from "./harness.ts";

/*
 * Goal: unmodified ethers sends a plain transfer. It looks up chain, nonce, fees and gas by itself,
 * so each of those methods must answer as Ethereum's do.
 */

/** A funded account that does not propose: tips go to the proposer. */
const key = `0x${"11".repeat(32)}`;

let node: RunningNode | null = null;
let provider: JsonRpcProvider;
let wallet: Wallet;

beforeAll(async () => {
  node = await startPrivatenet(checkoutFolder());
  provider = new JsonRpcProvider(node.url, undefined, { pollingInterval: 100, cacheTimeout: -1 });
  wallet = new Wallet(key, provider);
});
afterAll(async () => {
  provider.destroy();
  await cleanUp();
});

async function transfer(fields: object, value: bigint): Promise<TransactionReceipt> {
  const to = Wallet.createRandom().address;
  const sent = await wallet.sendTransaction({ to, value, ...fields });
  const receipt = await sent.wait();
  if (receipt === null) throw new Error("no receipt");
  expect(receipt.hash).toBe(sent.hash);
  expect(await provider.getBalance(to)).toBe(value);
  return receipt;
}

test("it finds chain, nonce and balance", async () => {
  expect((await provider.getNetwork()).chainId).toBe(366n);
  expect(await provider.getTransactionCount(wallet.address)).toBe(0);
  expect(await provider.getBalance(wallet.address)).toBe(parseEther("50000000"));
});

test.each([[0], [1], [2]])("a transfer of type %i commits, with a receipt", async (type) => {
  const before = await provider.getBalance(wallet.address);
  const receipt = await transfer({ type }, parseEther("1.5"));
  expect(receipt).toMatchObject({ status: 1, gasUsed: 21_000n, type, from: wallet.address });
  const after = await provider.getBalance(wallet.address);
  expect(before - after).toBe(parseEther("1.5") + receipt.gasUsed * receipt.gasPrice);
});

test("nonces of Ethereum and sequences of Theta count the same transactions", async () => {
  const nonce = await provider.getTransactionCount(wallet.address);
  const account = (await node?.client.call("theta.GetAccount", { address: wallet.address })) as {
    sequence: string;
  };
  expect(account.sequence).toBe(`${nonce}`);
});

test("several at once commit in the order of their nonces", async () => {
  const nonce = await provider.getTransactionCount(wallet.address);
  const to = Wallet.createRandom().address;
  const sent = await Promise.all(
    [2, 0, 1].map((offset) => wallet.sendTransaction({ to, value: 1n, nonce: nonce + offset })),
  );
  const receipts = await Promise.all(sent.map((one) => one.wait()));
  expect(receipts.map((receipt) => receipt?.status)).toEqual([1, 1, 1]);
  expect(await provider.getBalance(to)).toBe(3n);
});

test("a used nonce and an empty purse are refused with the words that ethers knows", async () => {
  const to = wallet.address;
  await expect(wallet.sendTransaction({ to, nonce: 0, gasLimit: 21_000 })).rejects.toMatchObject({
    code: "NONCE_EXPIRED",
  });
  const poor = Wallet.createRandom(provider);
  const gasPrice = 10n ** 12n;
  const broke = { to, value: 1n, gasLimit: 21_000, nonce: 0, gasPrice };
  await expect(poor.sendTransaction(broke)).rejects.toMatchObject({ code: "INSUFFICIENT_FUNDS" });
});
