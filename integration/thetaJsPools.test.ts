import { createRequire } from "node:module";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bytesToHex, emptyBytes, hexToBytes } from "../base/bytes.ts";
import { encodeRlp, rlpBigInt, rlpNumber, rlpText, type RlpItem } from "../base/rlp.ts";
import { checkoutFolder, cleanUp, startPrivatenet, type RunningNode } from "./harness.ts";

/*
 * Goal: pools work with a wallet that nobody here wrote: the npm package `@thetalabs/theta-js`,
 * unmodified. It has the type codes of reserve and service payment but no classes for them, so
 * their fields are listed here, after theta.md 2.3 and 3.4; keys, signatures, serialisation,
 * sequences and broadcast are the package's.
 */

type Transaction = {
  getType(): number;
  getSequenceOverride(): number | undefined;
  setSequence(sequence: number): void;
  signBytes(chain: string): string;
  setSignature(signature: string | null): void;
  rlpInput(): HexItem;
};
type HexItem = string | readonly HexItem[];
type Wallet = {
  readonly address: string;
  signTransaction(transaction: Transaction): string;
  signTypedData(domain: object, types: object, value: object): string;
  sendTransaction(transaction: Transaction): Promise<{ hash: string }>;
};
type Provider = {
  getAccount(address: string): Promise<{
    sequence: string;
    coins: { tfuelwei: string };
    reserved_funds: readonly object[];
  }>;
  getTransaction(hash: string): Promise<{ status: string; type: number }>;
};
type ThetaJs = {
  readonly providers: { readonly HttpProvider: new (chain: string, url: string) => Provider };
  readonly Wallet: new (privateKey: string, provider: Provider) => Wallet;
};

const thetajs = createRequire(import.meta.url)("@thetalabs/theta-js") as ThetaJs;
const payerKey = "0x93a90ea508331dfdf27fb79757d4250b4e84954927ba0073cd67454ac432c737";
const receiverKey = `0x${"5e".repeat(32)}`;
const coin = 10n ** 18n;
/** Theta's own default fee. */
const fee = 3n * 10n ** 17n;
const resourceId = "rid1000001";

let node: RunningNode | null = null;
let provider: Provider;
let payer: Wallet;
let receiver: Wallet;
let reserveSequence = 0;

beforeAll(async () => {
  node = await startPrivatenet(checkoutFolder());
  provider = new thetajs.providers.HttpProvider("privatenet", node.url);
  payer = new thetajs.Wallet(payerKey, provider);
  receiver = new thetajs.Wallet(receiverKey, provider);
});
afterAll(cleanUp);

function coins(tfuel: bigint): RlpItem {
  return [emptyBytes, rlpBigInt(tfuel)];
}

function input(
  who: Wallet,
  parts: { readonly tfuel: bigint; readonly sequence: number; readonly signature: Uint8Array },
): RlpItem {
  const { tfuel, sequence, signature } = parts;
  return [hexToBytes(who.address.toLowerCase()), coins(tfuel), rlpNumber(sequence), signature];
}

function toHex(item: RlpItem): HexItem {
  return item instanceof Uint8Array ? bytesToHex(item) : item.map(toHex);
}

/** A transaction as the package's wallet takes it; `fields` are those with this signature. */
function transactionOf(
  type: number,
  fields: (sequence: number, signature: Uint8Array) => readonly RlpItem[],
): Transaction & { signature: Uint8Array; sequence: number } {
  return {
    signature: emptyBytes,
    sequence: 1,
    getType: () => type,
    // A payment carries no account's sequence, and its target may have no account yet.
    getSequenceOverride: () => (type === 5 ? 1 : undefined),
    setSequence(sequence) {
      this.sequence = sequence;
    },
    signBytes(chain) {
      const parts = [rlpText(chain), rlpNumber(type), fields(this.sequence, emptyBytes)];
      const inner = parts.map((part) => bytesToHex(encodeRlp(part)).slice(2)).join("");
      const zero = emptyBytes;
      const wrapped = [zero, zero, zero, new Uint8Array(20), zero, hexToBytes(inner)];
      return bytesToHex(encodeRlp(wrapped));
    },
    // The package takes it away again once the transaction is serialised.
    setSignature(signature) {
      if (signature !== null) this.signature = hexToBytes(signature);
    },
    rlpInput() {
      return toHex(fields(this.sequence, this.signature));
    },
  };
}

function paymentFields(
  amount: bigint,
  parts: {
    readonly fee: bigint;
    readonly sequence: number;
    readonly source: Uint8Array;
    readonly target: Uint8Array;
  },
): readonly RlpItem[] {
  return [
    coins(parts.fee),
    input(payer, { tfuel: amount, sequence: 0, signature: parts.source }),
    input(receiver, { tfuel: 0n, sequence: parts.sequence, signature: parts.target }),
    rlpNumber(1),
    rlpNumber(reserveSequence),
    rlpText(resourceId),
  ];
}

/** The payer's signature of a voucher, made by the package over the source sign bytes. */
function voucherSignature(amount: bigint): Uint8Array {
  const nothing = { fee: 0n, sequence: 0, source: emptyBytes, target: emptyBytes };
  const voucher = transactionOf(5, () => paymentFields(amount, nothing));
  payer.signTransaction(voucher);
  return voucher.signature;
}

function settle(amount: bigint, source: Uint8Array): Promise<{ hash: string }> {
  const payment = transactionOf(5, (sequence, target) =>
    paymentFields(amount, { fee, sequence, source, target }),
  );
  return receiver.sendTransaction(payment);
}

async function tfuelOf(who: Wallet): Promise<bigint> {
  return BigInt((await provider.getAccount(who.address)).coins.tfuelwei);
}

test("it reserves a fund, and sees the pool in its account", async () => {
  const sequence = Number((await provider.getAccount(payer.address)).sequence) + 1;
  const reserve = transactionOf(3, (given, signature) => [
    coins(fee),
    input(payer, { tfuel: 100n * coin, sequence: given, signature }),
    coins(101n * coin),
    [rlpText(resourceId)],
    rlpNumber(1_002),
  ]);
  const sent = await payer.sendTransaction(reserve);
  expect(await provider.getTransaction(sent.hash)).toMatchObject({ status: "finalized", type: 3 });
  reserveSequence = sequence;
  const account = await provider.getAccount(payer.address);
  expect(account.reserved_funds).toMatchObject([
    {
      collateral: { thetawei: "0", tfuelwei: `${101n * coin}` },
      initial_fund: { thetawei: "0", tfuelwei: `${100n * coin}` },
      used_fund: { thetawei: "0", tfuelwei: "0" },
      resource_ids: [resourceId],
      reserve_sequence: `${sequence}`,
    },
  ]);
});

test("a receiver with an empty account settles, and pays the fee out of it", async () => {
  const amount = 5n * coin;
  const sent = await settle(amount, voucherSignature(amount));
  expect(await provider.getTransaction(sent.hash)).toMatchObject({ status: "finalized", type: 5 });
  expect(await tfuelOf(receiver)).toBe(amount - fee);
  const account = await provider.getAccount(payer.address);
  expect(account.reserved_funds).toMatchObject([{ used_fund: { tfuelwei: `${amount}` } }]);
});

test("a voucher that its wallet signed as typed data is paid: the difference", async () => {
  const status = (await (
    await fetch(node?.url ?? "", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ledger.chain", params: [] }),
    })
  ).json()) as { result: { id: number; genesisHash: string } };
  const amount = 8n * coin;
  const domain = {
    name: "Ledger payments",
    version: "1",
    chainId: status.result.id,
    salt: status.result.genesisHash,
  };
  const types = {
    Voucher: [
      { name: "target", type: "address" },
      { name: "amount", type: "uint256" },
      { name: "paymentSequence", type: "uint64" },
      { name: "reserveSequence", type: "uint64" },
      { name: "resourceId", type: "string" },
    ],
  };
  const terms = { paymentSequence: 1, reserveSequence, resourceId };
  const value = { target: receiver.address, amount: `${amount}`, ...terms };
  const signature = hexToBytes(payer.signTypedData(domain, types, value));
  signature[64] = (signature[64] ?? 27) - 27;
  await settle(amount, signature);
  expect(await tfuelOf(receiver)).toBe(amount - 2n * fee);
});

test("a voucher changed after it was signed is refused, and costs nothing", async () => {
  const before = await tfuelOf(receiver);
  await expect(settle(9n * coin, voucherSignature(10n * coin))).rejects.toBeDefined();
  await expect(settle(8n * coin, voucherSignature(8n * coin))).rejects.toBeDefined();
  expect(await tfuelOf(receiver)).toBe(before);
});
