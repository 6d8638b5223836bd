import type { Digest } from "../base/brand.ts";
import { concatBytes, emptyBytes } from "../base/bytes.ts";
import { encodeRlp, rlpNumber, rlpText, type RlpItem } from "../base/rlp.ts";
import { keccak256, keccakDigest } from "../crypto/keccak.ts";
import {
  encodeThetaTransaction,
  encodeTyped,
  thetaFieldsToRlp,
  thetaTypeCodes,
} from "./thetaCodec.ts";
import type { Coins, ThetaTransaction, TxInput } from "./thetaTypes.ts";

/*
 * What a Theta wallet signs (theta.md 2.4): `inner = rlp(chain name) || rlp(type) || rlp(fields)`
 * with the signatures that the signer does not cover left out, wrapped in the form of an unsigned
 * legacy Ethereum transaction, so that hardware wallets sign it:
 *
 *   V1  [nonce 0, gasPrice 0, gasLimit 0, to 20 zero bytes, value 0, inner]
 *   V2  the same and [chain id 1, 0, 0], as EIP-155 would have it
 *
 * V1 is what an unprotected legacy transaction to the zero address would sign, and V2 one of chain
 * 1: both are refused as Ethereum envelopes, so a signature never serves twice.
 */

/** The wrapper around the inner bytes. */
export type SignWrapper = "v1" | "v2";

/**
 * Who signs a service payment: the payer off chain, or the receiver who settles it (theta.md 3.4).
 */
export type PaymentSide = "source" | "target";

type ServicePayment = Extract<ThetaTransaction, { readonly type: "servicePayment" }>;

const noCoins: Coins = { thetaWei: 0n, tfuelWei: 0n };
const wrapperStart: readonly RlpItem[] = [
  emptyBytes,
  emptyBytes,
  emptyBytes,
  new Uint8Array(20),
  emptyBytes,
];
const wrapperEnds: Readonly<Record<SignWrapper, readonly RlpItem[]>> = {
  v1: [],
  v2: [rlpNumber(1), emptyBytes, emptyBytes],
};

/**
 * The bytes under the signatures of a transaction. Of a service payment these are the target's;
 * `sourceSignBytes` gives the payer's.
 */
export function signBytes(
  tx: ThetaTransaction,
  chainName: string,
  wrapper: SignWrapper,
): Uint8Array {
  return wrap(innerBytes(unsignedForm(tx), chainName), wrapper);
}

/** The bytes that the payer of a service payment signs off chain; the wrapper is always V1. */
export function sourceSignBytes(payment: ServicePayment, chainName: string): Uint8Array {
  const { source, target } = payment;
  const covered: ServicePayment = {
    ...payment,
    fee: noCoins,
    source: { ...source, sequence: 0n, signature: emptyBytes },
    target: { address: target.address, coins: noCoins, sequence: 0n, signature: emptyBytes },
  };
  return wrap(innerBytes(covered, chainName), "v1");
}

/** Digests of both wrappers over the same inner bytes, V1 first. */
export function signDigests(tx: ThetaTransaction, chainName: string): readonly Uint8Array[] {
  const inner = innerBytes(unsignedForm(tx), chainName);
  return [keccak256(wrap(inner, "v1")), keccak256(wrap(inner, "v2"))];
}

/** Whether the V2 wrapper counts: not for Coinbase, Slash and ServicePayment (theta.md 2.4). */
export function takesV2(type: ThetaTransaction["type"]): boolean {
  return type !== "coinbase" && type !== "slash" && type !== "servicePayment";
}

/** Theta's TxID: keccak of the V1 sign bytes. It is not the transaction's hash. */
export function thetaTxId(tx: ThetaTransaction, chainName: string): Digest {
  return keccakDigest(signBytes(tx, chainName, "v1"));
}

/** The transaction's hash: keccak of the raw signed bytes. */
export function thetaHash(tx: ThetaTransaction): Digest {
  return keccakDigest(encodeThetaTransaction(tx));
}

function wrap(inner: Uint8Array, wrapper: SignWrapper): Uint8Array {
  return encodeRlp([...wrapperStart, inner, ...wrapperEnds[wrapper]]);
}

function innerBytes(tx: ThetaTransaction, chainName: string): Uint8Array {
  const typed = encodeTyped(thetaTypeCodes[tx.type], thetaFieldsToRlp(tx));
  return concatBytes(encodeRlp(rlpText(chainName)), typed);
}

function unsigned(input: TxInput): TxInput {
  return { ...input, signature: emptyBytes };
}

/** The transaction without the signatures that its signer does not cover. */
function unsignedForm(tx: ThetaTransaction): ThetaTransaction {
  switch (tx.type) {
    case "coinbase":
    case "slash":
      return { ...tx, proposer: unsigned(tx.proposer) };
    case "send":
      return { ...tx, inputs: tx.inputs.map(unsigned) };
    case "servicePayment":
      return { ...tx, target: unsigned(tx.target) };
    case "splitRule":
      return { ...tx, initiator: unsigned(tx.initiator) };
    case "smartContract":
      return { ...tx, from: unsigned(tx.from) };
    case "stakeRewardDistribution":
      return { ...tx, holder: unsigned(tx.holder) };
    case "depositStakeV2":
      return unsignedDeposit(tx);
    case "reserveFund":
    case "releaseFund":
    case "depositStake":
    case "withdrawStake":
    default:
      return { ...tx, source: unsigned(tx.source) };
  }
}

/** Of purpose 0 (validator) the signed form is that of type 8: the key fields are not covered. */
function unsignedDeposit(
  tx: Extract<ThetaTransaction, { readonly type: "depositStakeV2" }>,
): ThetaTransaction {
  const source = unsigned(tx.source);
  if (tx.purpose !== 0) return { ...tx, source };
  const { fee, holder, purpose } = tx;
  return { type: "depositStake", fee, source, holder, purpose };
}
