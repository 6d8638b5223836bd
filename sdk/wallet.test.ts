import { Transaction, Wallet } from "ethers";
import { expect, test } from "vitest";
import { bytesToHex, hexToBytes, textToAddressOrNull } from "../base/bytes.ts";
import type { Address } from "../base/brand.ts";
import {
  keySigner,
  signDepositStake,
  signEthereumTransfer,
  signRewardDistribution,
  signSend,
  signWithdrawStake,
} from "./wallet.ts";

// Vectors of theta.md 11.2 and 11.3: hashes of transactions that Theta's own code accepts.
const k0 = keySigner(
  hexToBytes("93a90ea508331dfdf27fb79757d4250b4e84954927ba0073cd67454ac432c737"),
);
const coin = 10n ** 18n;

function address(text: string): Address {
  const value = textToAddressOrNull(text);
  if (value === null) throw new Error(text);
  return value;
}

const k1 = address("19e7e376e7c213b7e7e7e46cc70a5dd086daff2a");
const terms = { chain: "privatenet", fee: 3n * 10n ** 17n };

test("a send has the hash that Theta's test vector gives", () => {
  const signed = signSend(k0, {
    chain: "privatenet",
    sequence: 2n,
    fee: 10n ** 12n,
    outputs: [
      {
        address: address("9F1233798E905E173560071255140b4A8aBd3Ec6"),
        coins: { thetaWei: 10n * coin, tfuelWei: 20n * coin },
      },
    ],
  });
  expect(signed.hash).toBe("0x27f1095c41ae036d09b2624d095c7515eda5886a28b894ea6bb2b82f774641dd");
});

test("stake transactions have the hashes of the vectors", () => {
  const deposit = signDepositStake(k0, {
    ...terms,
    sequence: 5n,
    holder: k1,
    stake: { thetaWei: 200_000n * coin, tfuelWei: 0n },
    purpose: 0,
  });
  const withdraw = signWithdrawStake(k0, { ...terms, sequence: 6n, holder: k1, purpose: 0 });
  const distribute = signRewardDistribution(k0, {
    ...terms,
    sequence: 7n,
    beneficiary: k1,
    splitBasisPoint: 1_000n,
  });
  expect([deposit.hash, withdraw.hash, distribute.hash]).toEqual([
    "0xaef3accad07ff966909dc48135336e4e78a895eafd2466cc1645ff45416f284e",
    "0x20ec7c38d4c08d2489a341a73f33a3fc3dbc523a36e97846040b3d6958cf6a8e",
    "0x2dd02560452c4850abdddba91057a9f7cc72ae429440dc123592c0e32228f1f9",
  ]);
});

test("an Ethereum transfer is byte for byte what ethers signs", async () => {
  const key = new Uint8Array(32).fill(0x11);
  const common = {
    chainId: 366,
    to: "0x9f1233798e905e173560071255140b4a8abd3ec6",
    value: coin,
    maxFeePerGas: 4_000n,
    maxPriorityFeePerGas: 0n,
  };
  const signed = signEthereumTransfer(keySigner(key), {
    ...common,
    nonce: 7n,
    to: address(common.to),
  });
  const raw = await new Wallet(bytesToHex(key)).signTransaction({
    ...common,
    type: 2,
    nonce: 7,
    gasLimit: 21_000n,
  });
  expect(signed.raw).toBe(raw);
  expect(signed.hash).toBe(Transaction.from(raw).hash);
});
