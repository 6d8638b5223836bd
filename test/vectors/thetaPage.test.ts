import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Address } from "../../base/brand.ts";
import { bytesToAddress, bytesToHexDigits, emptyBytes, hexToBytes } from "../../base/bytes.ts";
import { keccak256, keccakDigest } from "../../crypto/keccak.ts";
import { addressOf, recoverAddress, signDigest } from "../../crypto/secp256k1.ts";
import { signersOf } from "../../crypto/verify.ts";
import { transactionsRoot } from "../../ledger/block.ts";
import { thetaChainId } from "../../ledger/chainId.ts";
import { decodeEthereum, decodeNative } from "../../ledger/decode.ts";
import {
  decodeOverspendingProof,
  encodeOverspendingProof,
} from "../../ledger/overspendingProof.ts";
import { emptyRoot } from "../../ledger/orderedRoot.ts";
import { signEthereum, signPaymentSource, signThetaTransaction } from "../../ledger/sign.ts";
import { decodeThetaTransaction, encodeThetaTransaction } from "../../ledger/thetaCodec.ts";
import { signBytes, sourceSignBytes, thetaHash, thetaTxId } from "../../ledger/thetaSignBytes.ts";
import type {
  Coins,
  EthereumTransaction,
  ThetaTransaction,
  TxInput,
} from "../../ledger/thetaTypes.ts";

// The values and where they come from: `data/theta-page.json`. Of its section 11.4 the two account
// values are left out, because accounts have another form here; 11.6 is tested beside the code of
// `crypto/`.

type Page = { readonly [name: string]: { readonly [name: string]: string } };

const page = JSON.parse(
  readFileSync(join(import.meta.dirname, "data", "theta-page.json"), "utf8"),
) as Page & { readonly overspendingProof: string };

function value(group: string, name: string): string {
  const found = page[group]?.[name];
  if (found === undefined) throw new Error(`no ${group}.${name}`);
  return found;
}

function ascii(text: string): Address {
  const bytes = new Uint8Array(20);
  bytes.set(new TextEncoder().encode(text));
  return bytesToAddress(bytes);
}

function address(hex: string): Address {
  return bytesToAddress(hexToBytes(hex));
}

function coins(thetaWei: bigint, tfuelWei: bigint): Coins {
  return { thetaWei, tfuelWei };
}

function input(of: Address, amounts: Coins, sequence: bigint): TxInput {
  return { address: of, coins: amounts, sequence, signature: emptyBytes };
}

function signer(key: Uint8Array) {
  return { address: addressOf(key), sign: (digest: Uint8Array) => signDigest(digest, key) };
}

const hex = bytesToHexDigits;
const ten18 = 10n ** 18n;
const fee = coins(0n, 3n * 10n ** 17n);
const k0 = signer(hexToBytes("93a90ea508331dfdf27fb79757d4250b4e84954927ba0073cd67454ac432c737"));
const k1 = signer(new Uint8Array(32).fill(0x11));
const payee = address("9F1233798E905E173560071255140b4A8aBd3Ec6");
const genesisHash = keccakDigest(emptyBytes);
const privatenet = { name: "privatenet", id: 366, genesisHash };

describe("11.1: sign bytes of Theta's own tests", () => {
  const proposer = input(address("b23369b1225e72332462a75c1b7f509a805e3d6e"), coins(0n, 0n), 1n);
  const input1 = (amounts: Coins) => input(ascii("input1"), amounts, 67890n);
  const source = input(ascii("source"), coins(0n, 12345n), 67890n);
  const smallFee = coins(0n, 111n);
  const payment = {
    type: "servicePayment",
    fee: smallFee,
    source,
    target: input(ascii("target"), coins(0n, 0n), 22341n),
    paymentSequence: 3n,
    reserveSequence: 12n,
    resourceId: "rid00123",
  } as const;
  const cases: readonly (readonly [name: string, chain: string, tx: ThetaTransaction])[] = [
    [
      "coinbase",
      "test_chain_id",
      {
        type: "coinbase",
        proposer,
        outputs: [
          { address: ascii("validator1"), coins: coins(333n, 0n) },
          { address: ascii("validator1"), coins: coins(444n, 0n) },
        ],
        blockHeight: 10n,
      },
    ],
    [
      "slash",
      "test_chain",
      {
        type: "slash",
        proposer,
        slashedAddress: ascii("014FAB"),
        reserveSequence: 1n,
        slashProof: new TextEncoder().encode("2345ABC"),
      },
    ],
    [
      "send",
      "test_chain",
      {
        type: "send",
        fee: coins(111n, 0n),
        inputs: [input1(coins(12345n, 0n)), input(ascii("input2"), coins(111n, 0n), 222n)],
        outputs: [
          { address: ascii("output1"), coins: coins(333n, 0n) },
          { address: ascii("output2"), coins: coins(444n, 0n) },
        ],
      },
    ],
    [
      "reserveFund",
      "test_chain",
      {
        type: "reserveFund",
        fee: smallFee,
        source: input1(coins(0n, 12345n)),
        collateral: coins(0n, 22897n),
        resourceIds: ["rid00123"],
        duration: 999n,
      },
    ],
    [
      "releaseFund",
      "test_chain",
      {
        type: "releaseFund",
        fee: smallFee,
        source: input1(coins(0n, 12345n)),
        reserveSequence: 12n,
      },
    ],
    ["paymentTarget", "test_chain", payment],
    [
      "splitRule",
      "test_chain",
      {
        type: "splitRule",
        fee: smallFee,
        resourceId: "rid00123",
        initiator: source,
        splits: [{ address: ascii("splitaddr1"), percentage: 30 }],
        duration: 99n,
      },
    ],
  ];
  test.each(cases)("%s", (name, chain, tx) => {
    expect(hex(signBytes(tx, chain, "v1"))).toBe(value("signBytes", name));
    expect(decodeThetaTransaction(encodeThetaTransaction(tx))).toEqual({ ok: true, value: tx });
  });
  test("the payer's bytes of a service payment", () => {
    expect(hex(sourceSignBytes(payment, "test_chain"))).toBe(value("signBytes", "paymentSource"));
  });
});

/** Signs, compares raw bytes, hash and sign bytes, and decodes back with the signatures checked. */
function checkSigned(
  group: string,
  tx: ThetaTransaction,
  by: readonly { readonly address: Address; sign(digest: Uint8Array): Uint8Array }[],
  expected: { readonly signBytes: string; readonly txId?: string },
): void {
  const raw = signThetaTransaction(tx, "privatenet", by);
  expect(hex(raw)).toBe(value(group, "raw"));
  const decoded = decodeThetaTransaction(raw);
  if (!decoded.ok) throw new Error(decoded.refusal.detail);
  expect(encodeThetaTransaction(decoded.value)).toEqual(raw);
  expect(thetaHash(decoded.value)).toBe(`0x${value(group, "hash")}`);
  expect(hex(signBytes(decoded.value, "privatenet", "v1"))).toBe(expected.signBytes);
  const txId = expected.txId ?? hex(keccak256(hexToBytes(expected.signBytes)));
  expect(thetaTxId(decoded.value, "privatenet")).toBe(`0x${txId}`);
  const unverified = decodeNative(raw, privatenet);
  if (!unverified.ok) throw new Error(unverified.refusal.detail);
  expect(unverified.value.hash).toBe(`0x${value(group, "hash")}`);
  expect(signersOf(unverified.value.claims)?.[0]).toBe(by.at(-1)?.address);
}

const send: ThetaTransaction = {
  type: "send",
  fee: coins(0n, 10n ** 12n),
  inputs: [input(k0.address, coins(10n * ten18, 20n * ten18 + 10n ** 12n), 2n)],
  outputs: [{ address: payee, coins: coins(10n * ten18, 20n * ten18) }],
};

describe("11.2: a fully signed Send", () => {
  test("sign bytes, raw bytes, TxID and hash", () => {
    const { signBytesV1, txId } = page["send"] ?? {};
    checkSigned("send", send, [k0], { signBytes: signBytesV1 ?? "", txId: txId ?? "" });
    expect(hex(signBytes(send, "privatenet", "v2"))).toBe(value("send", "signBytesV2"));
    expect(hex(keccak256(signBytes(send, "privatenet", "v2")))).toBe(value("send", "digestV2"));
  });
  test("a signature over V2 is taken", () => {
    const signature = hexToBytes(value("send", "signatureV2"));
    const inputs = send.inputs.map((part) => ({ ...part, signature }));
    const decoded = decodeNative(encodeThetaTransaction({ ...send, inputs }), privatenet);
    expect(decoded.ok && signersOf(decoded.value.claims)).toEqual([k0.address]);
  });
  test("the malleated twin is refused", () => {
    const signature = hexToBytes(value("send", "malleatedSignature"));
    const inputs = send.inputs.map((part) => ({ ...part, signature }));
    const raw = encodeThetaTransaction({ ...send, inputs });
    expect(keccakDigest(raw)).toBe(`0x${value("send", "malleatedHash")}`);
    const decoded = decodeNative(raw, privatenet);
    expect(decoded).toMatchObject({ ok: false, refusal: { code: "signatureInvalid" } });
  });
});

describe("11.3: stake transactions", () => {
  const deposit = {
    type: "depositStake",
    fee,
    source: input(k0.address, coins(200_000n * ten18, 0n), 5n),
    holder: { address: k1.address, coins: coins(0n, 0n) },
    purpose: 0,
  } as const;
  test("DepositStake", () => {
    checkSigned("depositStake", deposit, [k0], { signBytes: value("depositStake", "signBytes") });
  });
  test("DepositStakeV2 without key fields signs the bytes of type 8", () => {
    const keys = { blsPubkey: emptyBytes, blsPop: emptyBytes, holderSig: emptyBytes };
    const tx: ThetaTransaction = { ...deposit, ...keys, type: "depositStakeV2" };
    checkSigned("depositStakeV2", tx, [k0], { signBytes: value("depositStake", "signBytes") });
  });
  test("WithdrawStake", () => {
    const source = input(k0.address, coins(0n, 0n), 6n);
    const tx: ThetaTransaction = { ...deposit, type: "withdrawStake", source };
    checkSigned("withdrawStake", tx, [k0], { signBytes: value("withdrawStake", "signBytes") });
  });
  test("StakeRewardDistribution", () => {
    const tx: ThetaTransaction = {
      type: "stakeRewardDistribution",
      fee,
      holder: input(k0.address, coins(0n, 0n), 7n),
      beneficiary: { address: k1.address, coins: coins(0n, 0n) },
      splitBasisPoint: 1000n,
    };
    const expected = { signBytes: value("stakeRewardDistribution", "signBytes") };
    checkSigned("stakeRewardDistribution", tx, [k0], expected);
  });
});

describe("11.4: the micropayment flow", () => {
  const payment = {
    type: "servicePayment",
    fee,
    source: input(k0.address, coins(0n, 5n * ten18), 0n),
    target: input(k1.address, coins(0n, 0n), 1n),
    paymentSequence: 1n,
    reserveSequence: 4n,
    resourceId: "rid1000001",
  } as const;
  test("ReserveFund", () => {
    const tx: ThetaTransaction = {
      type: "reserveFund",
      fee,
      source: input(k0.address, coins(0n, 100n * ten18), 4n),
      collateral: coins(0n, 101n * ten18),
      resourceIds: ["rid1000001"],
      duration: 1002n,
    };
    checkSigned("reserveFund", tx, [k0], {
      signBytes: value("reserveFund", "signBytes"),
      txId: value("reserveFund", "txId"),
    });
  });
  test("the payer's part, off chain", () => {
    expect(hex(sourceSignBytes(payment, "privatenet"))).toBe(value("payment", "sourceSignBytes"));
    const signature = signPaymentSource(payment, "privatenet", k0);
    expect(hex(signature)).toBe(value("payment", "sourceSignature"));
  });
  test("the settlement; both signatures are claimed", () => {
    checkSigned("payment", payment, [k0, k1], {
      signBytes: value("payment", "targetSignBytes"),
      txId: value("payment", "txId"),
    });
    const decoded = decodeNative(hexToBytes(value("payment", "raw")), privatenet);
    expect(decoded.ok && signersOf(decoded.value.claims)).toEqual([k1.address, k0.address]);
  });
  test("the overspending proof", () => {
    const raw = hexToBytes(page.overspendingProof);
    const proof = decodeOverspendingProof(raw);
    if (!proof.ok) throw new Error(proof.refusal.detail);
    expect(proof.value.reserveSequence).toBe(4n);
    expect(proof.value.payments).toHaveLength(1);
    expect(encodeOverspendingProof(proof.value)).toEqual(raw);
  });
});

describe("11.5: an Ethereum transaction, and a native contract call", () => {
  const tx: EthereumTransaction = {
    type: "legacy",
    nonce: 0n,
    gasLimit: 21_000n,
    maxFeePerGas: 4n * 10n ** 12n,
    maxPriorityFeePerGas: 4n * 10n ** 12n,
    to: payee,
    value: ten18,
    data: emptyBytes,
    accessList: [],
    authorizations: [],
  };
  test.each([
    ["ethereum366", "privatenet", 366],
    ["ethereum361", "mainnet", 361],
  ])("%s", (group, name, id) => {
    const raw = signEthereum(tx, id, k1);
    expect(hex(raw)).toBe(value(group, "raw"));
    const decoded = decodeEthereum(raw, { name, id, genesisHash });
    if (!decoded.ok) throw new Error(decoded.refusal.detail);
    expect(decoded.value.hash).toBe(`0x${value(group, "hash")}`);
    const [claim] = decoded.value.claims;
    expect(hex(claim?.digests[0] ?? emptyBytes)).toBe(value(group, "digest"));
    expect(signersOf(decoded.value.claims)).toEqual([k1.address]);
    // Theta's translation of it decodes, but its signature form (v 27 or 28) is no native
    // signature.
    const translated = hexToBytes(value(group, "thetaRaw"));
    expect(decodeThetaTransaction(translated).ok).toBe(true);
    expect(keccakDigest(translated)).toBe(`0x${value(group, "thetaHash")}`);
    const native = decodeNative(translated, { name, id, genesisHash });
    expect(native).toMatchObject({ ok: false, refusal: { code: "signatureInvalid" } });
  });
  test("native SmartContract", () => {
    const data = hexToBytes(`ed8b0706${"00".repeat(31)}03`);
    const to = address("5c3159ddd2fe0f9862bc7b7d60c1875fa8f81337");
    const call: ThetaTransaction = {
      type: "smartContract",
      from: input(k0.address, coins(0n, 0n), 3n),
      to: { address: to, coins: coins(0n, 0n) },
      gasLimit: 50_000n,
      gasPrice: 10n ** 9n,
      data,
    };
    checkSigned("smartContract", call, [k0], {
      signBytes: value("smartContract", "signBytes"),
      txId: value("smartContract", "txId"),
    });
  });
  test("chain ids", () => {
    expect(thetaChainId("mainnet")).toBe(361n);
    expect(thetaChainId("testnet")).toBe(365n);
    expect(thetaChainId("privatenet")).toBe(366n);
    expect(thetaChainId("tsub1991")).toBe(1991n);
    expect(thetaChainId("tsub4546325235")).toBe(4546325235n);
    expect(thetaChainId("test_chain")).toBe(
      34348087612034576805370041961835290789804575597200481147338546987270901302534n + 360n,
    );
    for (const name of ["tsub881", "ts881", "tsub_881", "tsub09998", "tsubabc9"]) {
      expect(thetaChainId(name)).toBeGreaterThan(2n ** 64n);
    }
    expect(thetaChainId("tsub99999999999999999999")).toBeGreaterThan(2n ** 64n);
  });
});

describe("11.7: transaction roots", () => {
  test("of none, one and two sends, and of a coinbase", () => {
    const raw = hexToBytes(value("send", "raw"));
    const coinbase = hexToBytes(value("coinbase", "raw"));
    expect(emptyRoot).toBe(`0x${value("roots", "empty")}`);
    expect(transactionsRoot([])).toBe(emptyRoot);
    expect(transactionsRoot([raw])).toBe(`0x${value("roots", "oneSend")}`);
    expect(transactionsRoot([raw, raw])).toBe(`0x${value("roots", "twoSends")}`);
    expect(transactionsRoot([coinbase])).toBe(`0x${value("coinbase", "transactionsRoot")}`);
  });
  test("the coinbase decodes with its proposer's signature, and is no transaction", () => {
    const raw = hexToBytes(value("coinbase", "raw"));
    const tx = decodeThetaTransaction(raw);
    if (!tx.ok || tx.value.type !== "coinbase") throw new Error("not a coinbase");
    const digest = keccak256(signBytes(tx.value, "privatenet", "v1"));
    expect(recoverAddress(digest, tx.value.proposer.signature)).toBe(k0.address);
    expect(decodeNative(raw, privatenet)).toMatchObject({
      ok: false,
      refusal: { code: "unsupported" },
    });
  });
});
