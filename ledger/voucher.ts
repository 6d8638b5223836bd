import type { Address, Digest } from "../base/brand.ts";
import { bigIntToBytes, bytesToBigInt, emptyBytes } from "../base/bytes.ts";
import { rlpBigInt } from "../base/rlp.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { signerOf } from "../crypto/verify.ts";
import {
  addressField,
  amountField,
  bytesOfSizesField,
  listField,
  optionalBytesField,
  recordField,
  textField,
  type Schema,
} from "./schema.ts";
import { incrementProofBytes, incrementVoucherPayer } from "./voucherIncrements.ts";
import { resourceIdBytesMax } from "./thetaCodec.ts";
import { signBytes, sourceSignBytes } from "./thetaSignBytes.ts";
import type { ThetaTransaction } from "./thetaTypes.ts";
import { typedDigests } from "./typedVoucher.ts";

/*
 * A voucher: what a payer signs off chain, and the only thing that a receiver needs (theta.md 3.4).
 * Five fields say what is owed: target, amount, payment sequence, reserve sequence, resource id.
 * The amount is cumulative within a payment sequence.
 *
 * There are two ways to sign the same five fields, and whoever checks takes either: the source
 * sign bytes of a Theta service payment, and EIP-712 typed data, which any Ethereum wallet can
 * show. The first binds the chain's name as Theta does, the second its number and its genesis hash
 * (DESIGN 3). Instead of a signature over its amount a voucher may carry a step along a signed hash
 * chain (`voucherIncrements.ts`).
 */

/** What a payer owes a receiver out of one pool. */
export type Voucher = {
  /** The payer: owner of the pool. */
  readonly source: Address;
  /** The receiver. */
  readonly target: Address;
  /** TFuelWei, cumulative within the payment sequence. */
  readonly amount: bigint;
  /** From 1, below 2^64. */
  readonly paymentSequence: bigint;
  /** Names the pool among those of the source, below 2^64. */
  readonly reserveSequence: bigint;
  /** What is paid for; at most 256 bytes of UTF-8. */
  readonly resourceId: string;
};

/**
 * A voucher and the payer's word: a signature over either form (`r || s || v`, 65 bytes, v 0 or 1)
 * or a step along a hash chain (`incrementProofBytes`).
 */
export type SignedVoucher = Voucher & { readonly signature: Uint8Array };

/** Bytes of a signature. */
export const voucherSignatureBytes = 65;

/** How a voucher is signed. */
export type VoucherForm = "theta" | "typed";

/** What of a chain a voucher is bound to. */
export type VoucherChain = {
  /** Theta's text name. */
  readonly name: string;
  /** EIP-155 number. */
  readonly id: number;
  readonly genesisHash: Digest;
};

type ServicePayment = Extract<ThetaTransaction, { readonly type: "servicePayment" }>;

const u64Max = 0xffff_ffff_ffff_ffffn;

/** An unsigned integer below 2^64: sequences. */
export const sequenceField: Schema<bigint> = {
  description: "sequence",
  toItem: (value) => rlpBigInt(value),
  fromItem: (item, reader) => reader.bigInt(item, 64),
  toJson: (value) => value.toString(),
  fromJson: (json) => {
    const read = amountField.fromJson(json);
    return read === null || read.value > u64Max ? null : read;
  },
};

const voucherFieldSchemas = {
  source: addressField,
  target: addressField,
  amount: amountField,
  paymentSequence: sequenceField,
  reserveSequence: sequenceField,
  resourceId: textField(resourceIdBytesMax),
  signature: bytesOfSizesField([voucherSignatureBytes, incrementProofBytes]),
};

/** RLP and JSON of a signed voucher, for storage and HTTP. */
export const signedVoucherSchema: Schema<SignedVoucher> = recordField(voucherFieldSchemas);

/** A voucher of a batch: a receiver's own, or one that somebody else settles for it. */
export type BatchEntry = SignedVoucher & {
  /** Least TFuelWei that the target accepts; counts only with the target's word. */
  readonly targetMin: bigint;
  /**
   * `consentDigest` signed by the target, 65 bytes; empty where the target itself signs the batch.
   * Others need it to go on to a higher payment sequence, and where a split rule takes a share.
   */
  readonly targetSignature: Uint8Array;
};

/** Vouchers of one batch: what fits the bytes of a transaction. */
export const batchEntriesMax = 1_024;

/** Body of the module operation `reserve.settleBatch`. */
export const batchSchema: Schema<{ readonly entries: readonly BatchEntry[] }> = recordField({
  entries: listField(
    recordField({
      ...voucherFieldSchemas,
      targetMin: amountField,
      targetSignature: optionalBytesField(65),
    }),
    batchEntriesMax,
  ),
});

/** The digest that the payer signs. */
export function voucherDigest(
  voucher: Voucher,
  form: VoucherForm,
  chain: VoucherChain,
): Uint8Array {
  return form === "theta"
    ? keccak256(sourceSignBytes(voucherToPayment(voucher), chain.name))
    : typedDigests(voucher, chain)(voucher.amount);
}

/**
 * The digests of vouchers that differ in nothing but the amount: what does not change is encoded
 * once.
 */
export function voucherDigests(
  voucher: Omit<Voucher, "amount">,
  form: VoucherForm,
  chain: VoucherChain,
): (amount: bigint) => Uint8Array {
  if (form === "typed") return typedDigests(voucher, chain);
  let template: Template | null = null;
  return (amount) => {
    const bytes = bigIntToBytes(amount);
    if (template?.sizeBytes !== bytes.length)
      template = thetaTemplate(voucher, chain.name, bytes.length);
    if (template === null) return voucherDigest({ ...voucher, amount }, form, chain);
    template.bytes.set(bytes, template.start);
    return keccak256(template.bytes);
  };
}

/** Sign bytes with a hole of so many bytes for the amount. */
type Template = {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly sizeBytes: number;
};

/**
 * RLP of equally long integers differs only in their bytes, but for single bytes. Where they are is
 * seen from two amounts that have no byte in common; `null` if there is no such place.
 */
function thetaTemplate(
  voucher: Omit<Voucher, "amount">,
  chainName: string,
  sizeBytes: number,
): Template | null {
  if (sizeBytes < 2) return null;
  const [ones, twos] = [1, 2].map((byte) => {
    const amount = bytesToBigInt(new Uint8Array(sizeBytes).fill(byte));
    return sourceSignBytes(voucherToPayment({ ...voucher, amount }), chainName);
  });
  if (ones === undefined || twos === undefined || ones.length !== twos.length) return null;
  const differs = (i: number): boolean => ones[i] !== twos[i];
  const start = ones.findIndex((_byte, i) => differs(i));
  const end = start + sizeBytes;
  const isHole = ones.every((_byte, i) => differs(i) === (i >= start && i < end));
  return start >= 0 && isHole ? { bytes: ones, start, sizeBytes } : null;
}

/** The payer, if the signature is its own and canonical; `null` if not. */
export function voucherPayer(signed: SignedVoucher, chain: VoucherChain): Address | null {
  const { signature, source: address } = signed;
  if (signature.length === incrementProofBytes) return incrementVoucherPayer(signed, chain);
  const first = { digests: [voucherDigest(signed, "theta", chain)], signature, address };
  // The typed form is hashed only where the other one does not fit.
  return (
    signerOf(first) ??
    signerOf({ digests: [voucherDigest(signed, "typed", chain)], signature, address })
  );
}

/** Something that signs for one address, by a 32-byte digest: `r || s || v`, v 0 or 1. */
export interface VoucherSigner {
  readonly address: Address;
  sign(digest: Uint8Array): Uint8Array;
  /** Signs each of many digests off this thread, where there is another. */
  readonly signMany?: (digests: readonly Uint8Array[]) => Promise<readonly Uint8Array[]>;
}

/** Signs a voucher of the signer's own pool. */
export function signVoucher(
  terms: Omit<Voucher, "source">,
  form: VoucherForm,
  options: { readonly chain: VoucherChain; readonly signer: VoucherSigner },
): SignedVoucher {
  const { target, amount, paymentSequence, reserveSequence, resourceId } = terms;
  const source = options.signer.address;
  const voucher = { source, target, amount, paymentSequence, reserveSequence, resourceId };
  const signature = options.signer.sign(voucherDigest(voucher, form, options.chain));
  return { ...voucher, signature };
}

/**
 * The signature of a wallet of Ethereum in our one form: 27 and 28 become 0 and 1; `null` if it has
 * another size or another last byte. What it is worth is for `voucherPayer` to say.
 */
export function walletSignature(signature: Uint8Array): Uint8Array | null {
  const last = signature[64] ?? 255;
  const v = last >= 27 ? last - 27 : last;
  if (signature.length !== 65 || v > 1) return null;
  const canonical = signature.slice();
  canonical[64] = v;
  return canonical;
}

/**
 * What a target signs so that somebody else may settle a voucher for it: the payment that it would
 * broadcast itself, without fee and sequence.
 */
export function consentDigest(
  signed: SignedVoucher,
  targetMin: bigint,
  chain: VoucherChain,
): Uint8Array {
  return keccak256(signBytes(settlementOf(signed, { fee: 0n, targetMin }), chain.name, "v1"));
}

const noCoins = { thetaWei: 0n, tfuelWei: 0n };

/** How a receiver settles a voucher of its own. */
export type SettlementTerms = {
  /** TFuelWei; the receiver pays it, out of what it gets if need be. */
  readonly fee: bigint;
  /** Least TFuelWei that must reach the receiver after all shares of a split rule; 0 for any. */
  readonly targetMin: bigint;
};

/** The service payment that settles a voucher; the target has still to sign it. */
export function settlementOf(signed: SignedVoucher, terms: SettlementTerms): ServicePayment {
  const payment = voucherToPayment(signed);
  return {
    ...payment,
    fee: { thetaWei: 0n, tfuelWei: terms.fee },
    source: { ...payment.source, signature: signed.signature },
    target: { ...payment.target, coins: { thetaWei: 0n, tfuelWei: terms.targetMin } },
  };
}

/** The voucher inside a service payment. */
export function paymentToVoucher(payment: ServicePayment): SignedVoucher {
  const { source, target, paymentSequence, reserveSequence, resourceId } = payment;
  return {
    source: source.address,
    target: target.address,
    amount: source.coins.tfuelWei,
    paymentSequence,
    reserveSequence,
    resourceId,
    signature: source.signature,
  };
}

/** A service payment of nothing but the voucher's fields. */
function voucherToPayment(voucher: Voucher): ServicePayment {
  const { source, target, amount, paymentSequence, reserveSequence, resourceId } = voucher;
  return {
    type: "servicePayment",
    fee: noCoins,
    source: {
      address: source,
      coins: { thetaWei: 0n, tfuelWei: amount },
      sequence: 0n,
      signature: emptyBytes,
    },
    target: { address: target, coins: noCoins, sequence: 0n, signature: emptyBytes },
    paymentSequence,
    reserveSequence,
    resourceId,
  };
}
