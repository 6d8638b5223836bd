import type { Digest } from "../base/brand.ts";
import { concatBytes, emptyBytes, hexToBytes } from "../base/bytes.ts";
import { encodeRlp, readList, rlpNumber, rlpText, type RlpItem } from "../base/rlp.ts";
import { keccak256, keccakDigest } from "../crypto/keccak.ts";
import { scratch, scratchFront, writeScratch } from "./scratch.ts";
import { encodeThetaTransaction, thetaFieldsToRlp, thetaTypeCodes } from "./thetaCodec.ts";
import type { Coins, ThetaTransaction } from "./thetaTypes.ts";

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

type ServicePayment = Extract<ThetaTransaction, { readonly type: "servicePayment" }>;

const noCoins: Coins = { thetaWei: 0n, tfuelWei: 0n };

/** Bytes that the signer of a transaction does not cover: no signature. */
const none: RlpItem = emptyBytes;

/**
 * The bytes under the signatures of a transaction. Of a service payment these are the target's;
 * `sourceSignBytes` gives the payer's.
 */
export function signBytes(
  tx: ThetaTransaction,
  chainName: string,
  wrapper: SignWrapper,
): Uint8Array {
  const { prefix, covered } = innerParts(tx, thetaFieldsToRlp(tx), chainName);
  return wrap(concatBytes(prefix, encodeRlp(covered)), wrapper);
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
  return signBytes(covered, chainName, "v1");
}

/**
 * Keccak of `signBytes`. `fields` are those the transaction was decoded from, so that nothing is
 * encoded again but what changes.
 */
export function signBytesDigest(
  tx: ThetaTransaction,
  fields: readonly RlpItem[],
  signed: { readonly chainName: string; readonly wrapper: SignWrapper },
): Uint8Array {
  const { prefix, covered } = innerParts(tx, fields, signed.chainName);
  const inner = writeScratch(prefix, covered);
  return keccak256(
    inner === null
      ? wrap(concatBytes(prefix, encodeRlp(covered)), signed.wrapper)
      : wrapScratch(inner.length, signed.wrapper),
  );
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

/** `[0, 0, 0, 20 zero bytes, 0]`, encoded: what precedes the inner bytes in both wrappers. */
const wrapperStart = hexToBytes(`80808094${"00".repeat(20)}80`);
const wrapperEnds: Readonly<Record<SignWrapper, Uint8Array>> = {
  v1: emptyBytes,
  v2: hexToBytes("018080"),
};

function wrap(inner: Uint8Array, wrapper: SignWrapper): Uint8Array {
  const end = wrapperEnds[wrapper];
  const innerHeader = rlpHeader(0x80, inner.length);
  const payload = wrapperStart.length + innerHeader.length + inner.length + end.length;
  return concatBytes(rlpHeader(0xc0, payload), wrapperStart, innerHeader, inner, end);
}

/** Header of a string (base 0x80) or list (0xc0) of this many bytes, at least two. */
function rlpHeader(base: number, length: number): Uint8Array {
  if (length < 56) return Uint8Array.of(base + length);
  if (length < 0x100) return Uint8Array.of(base + 56, length);
  if (length < 0x1_0000) return Uint8Array.of(base + 57, length >> 8, length & 255);
  return Uint8Array.of(base + 58, length >> 16, (length >> 8) & 255, length & 255);
}

/** Puts the wrapper around inner bytes that lie in the scratch buffer already. */
function wrapScratch(innerLength: number, wrapper: SignWrapper): Uint8Array {
  const end = wrapperEnds[wrapper];
  const innerHeader = rlpHeader(0x80, innerLength);
  const payload = wrapperStart.length + innerHeader.length + innerLength + end.length;
  const header = rlpHeader(0xc0, payload);
  const atWrapper = scratchFront - innerHeader.length - wrapperStart.length;
  const start = atWrapper - header.length;
  scratch.set(header, start);
  scratch.set(wrapperStart, atWrapper);
  scratch.set(innerHeader, scratchFront - innerHeader.length);
  scratch.set(end, scratchFront + innerLength);
  return scratch.subarray(start, scratchFront + innerLength + end.length);
}

/** `rlp(chain name) || rlp(code)`, and the fields that follow as a list. */
function innerParts(
  tx: ThetaTransaction,
  fields: readonly RlpItem[],
  chainName: string,
): { readonly prefix: Uint8Array; readonly covered: readonly RlpItem[] } {
  // Of purpose 0 (validator) the signed form is that of type 8: the key fields are not covered.
  const asType8 = tx.type === "depositStakeV2" && tx.purpose === 0;
  const type = asType8 ? "depositStake" : tx.type;
  return {
    prefix: innerPrefix(chainName, thetaTypeCodes[type]),
    covered: withoutSignatures(tx.type, asType8 ? fields.slice(0, 4) : fields),
  };
}

// A node knows one chain: its prefixes are encoded once, not for every transaction.
let prefixes: { readonly name: string; readonly byCode: readonly Uint8Array[] } = {
  name: "",
  byCode: [],
};

function innerPrefix(name: string, code: number): Uint8Array {
  if (prefixes.name !== name || prefixes.byCode.length === 0) {
    const encoded = encodeRlp(rlpText(name));
    const codes = Object.values(thetaTypeCodes);
    const byCode = codes.map((each) => concatBytes(encoded, encodeRlp(rlpNumber(each))));
    prefixes = { name, byCode };
  }
  return prefixes.byCode[code] ?? emptyBytes;
}

/** Which field holds the input whose signature is left out; of a send it is a list of them. */
const signedFields: Readonly<Record<ThetaTransaction["type"], number>> = {
  coinbase: 0,
  slash: 0,
  send: 1,
  reserveFund: 1,
  releaseFund: 1,
  servicePayment: 2,
  splitRule: 2,
  smartContract: 0,
  depositStake: 1,
  withdrawStake: 1,
  depositStakeV2: 1,
  stakeRewardDistribution: 1,
};

function withoutSignatures(
  type: ThetaTransaction["type"],
  fields: readonly RlpItem[],
): readonly RlpItem[] {
  const at = signedFields[type];
  const field = readList(fields[at]) ?? [];
  return fields.with(at, type === "send" ? field.map(unsigned) : unsigned(field));
}

/** An input `[address, coins, sequence, signature]` without its signature. */
function unsigned(input: RlpItem): RlpItem {
  return readList(input, 4)?.with(3, none) ?? input;
}
