import { createRequire } from "node:module";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkoutFolder, cleanUp, startPrivatenet, waitFor, type RunningNode } from "./harness.ts";

/*
 * Goal: a wallet that nobody here wrote works against the node, unmodified: the npm package
 * `@thetalabs/theta-js`. It asks, signs, broadcasts and waits.
 */

/** What this test uses of the package, which has no types. */
type ThetaJs = {
  readonly providers: {
    readonly HttpProvider: new (chain: string, url: string) => Provider;
  };
  readonly Wallet: {
    new (privateKey: string, provider: Provider): ThetaWallet;
    fromEncryptedJson(json: string, password: string, provider: Provider): ThetaWallet;
  };
  readonly transactions: {
    readonly SendTransaction: new (fields: object) => object;
    readonly DepositStakeTransaction: new (fields: object) => object;
    readonly WithdrawStakeTransaction: new (fields: object) => object;
  };
};
type Provider = {
  setBroadcastAsync(isAsync: boolean): void;
  getAccount(address: string): Promise<Account>;
  getBlockNumber(): Promise<number>;
  getBlock(hash: string): Promise<{ height: string; hash: string }>;
  getBlockByHeight(height: number): Promise<{ height: string; hash: string }>;
  getTransaction(hash: string): Promise<{ status: string; block_height: string; type: number }>;
};
type ThetaWallet = {
  getAddress(): string;
  getTransactionCount(): Promise<number>;
  sendTransaction(transaction: object): Promise<{ hash: string; block?: { Height: string } }>;
};
type Account = {
  readonly address: string;
  readonly sequence: string;
  readonly coins: { readonly thetawei: string; readonly tfuelwei: string };
};

const thetajs = createRequire(import.meta.url)("@thetalabs/theta-js") as ThetaJs;
const k0 = "0x93a90ea508331dfdf27fb79757d4250b4e84954927ba0073cd67454ac432c737";
const from = "0x2E833968E5bB786Ae419c4d13189fB081Cc43bab";
const to = "0x9F1233798E905E173560071255140b4A8aBd3Ec6";
const coin = 10n ** 18n;
/** Theta's own default fee, which theta-js offers. */
const fee = 3n * 10n ** 17n;

let node: RunningNode | null = null;
let provider: Provider;
let wallet: ThetaWallet;

beforeAll(async () => {
  node = await startPrivatenet(checkoutFolder());
  provider = new thetajs.providers.HttpProvider("privatenet", node.url);
  wallet = new thetajs.Wallet(k0, provider);
});
afterAll(cleanUp);

test("it reads accounts and blocks", async () => {
  expect(wallet.getAddress()).toBe(from);
  const account = await provider.getAccount(from);
  expect(account).toMatchObject({
    address: from,
    coins: { thetawei: `${12_500_000n * coin}`, tfuelwei: `${312_500_000n * coin}` },
  });
  const height = await provider.getBlockNumber();
  expect(height).toBeGreaterThan(0);
  const block = await provider.getBlockByHeight(1);
  expect(block.height).toBe("1");
  expect((await provider.getBlock(block.hash)).hash).toBe(block.hash);
});

/** An unsigned transfer; theta-js looks up its sequence unless it is given. */
function transfer(thetaWei: string, tfuelWei: string, sequence?: number): object {
  const outputs = [{ address: to, thetaWei, tfuelWei }];
  return new thetajs.transactions.SendTransaction({ from, outputs, sequence });
}

test("it signs a transfer, broadcasts it and waits until it is committed", async () => {
  const before = await provider.getAccount(to);
  const sequence = await wallet.getTransactionCount();
  const sent = await wallet.sendTransaction(transfer(`${3n * coin}`, `${7n * coin}`));
  const found = await provider.getTransaction(sent.hash);
  expect(found).toMatchObject({ status: "finalized", type: 2, block_height: sent.block?.Height });
  const after = await provider.getAccount(to);
  expect(BigInt(after.coins.thetawei) - BigInt(before.coins.thetawei)).toBe(3n * coin);
  expect(BigInt(after.coins.tfuelwei) - BigInt(before.coins.tfuelwei)).toBe(7n * coin);
  expect(await wallet.getTransactionCount()).toBe(sequence + 1);
});

test("the payer's balance falls by amount and fee, to the wei", async () => {
  const before = await provider.getAccount(from);
  await wallet.sendTransaction(transfer("0", "12345678901234567890"));
  const after = await provider.getAccount(from);
  const spent = BigInt(before.coins.tfuelwei) - BigInt(after.coins.tfuelwei);
  expect(spent).toBe(12_345_678_901_234_567_890n + fee);
});

test("an asynchronous broadcast is taken at once, and committed in the end", async () => {
  provider.setBroadcastAsync(true);
  const { hash } = await wallet.sendTransaction(transfer("1", "1"));
  provider.setBroadcastAsync(false);
  const committed = async (): Promise<boolean> =>
    (await provider.getTransaction(hash)).status === "finalized";
  await waitFor("the transaction is committed", committed, 30_000);
});

test("a wrong sequence is refused with Theta's words for it", async () => {
  await expect(wallet.sendTransaction(transfer("1", "1", 1))).rejects.toMatchObject({
    code: -32_000,
  });
});

test("it deposits stake and takes it back", async () => {
  const holder = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";
  const deposit = new thetajs.transactions.DepositStakeTransaction({
    source: from,
    holderSummary: holder,
    holder,
    purpose: 0,
    amount: `${200_000n * coin}`,
  });
  const deposited = await wallet.sendTransaction(deposit);
  expect((await provider.getTransaction(deposited.hash)).type).toBe(8);
  const withdraw = new thetajs.transactions.WithdrawStakeTransaction({
    source: from,
    holder,
    purpose: 0,
  });
  const withdrawn = await wallet.sendTransaction(withdraw);
  expect(await provider.getTransaction(withdrawn.hash)).toMatchObject({
    status: "finalized",
    type: 9,
  });
});
