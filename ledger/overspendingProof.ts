import { transactionBytesMax } from "../base/limits.ts";
import { refuse, type Outcome } from "../base/outcome.ts";
import { decodeRlp, encodeRlp, RlpReader, rlpBigInt, type RlpRefusal } from "../base/rlp.ts";
import { readServicePayment, thetaFieldsToRlp } from "./thetaCodec.ts";
import type { ThetaTransaction } from "./thetaTypes.ts";

/**
 * What a Slash transaction carries: payments of one pool that together exceed its fund (theta.md
 * 3.7).
 */
export type OverspendingProof = {
  readonly reserveSequence: bigint;
  readonly payments: readonly Extract<ThetaTransaction, { readonly type: "servicePayment" }>[];
};

/**
 * Payments of one proof: each is a signature that is checked before anybody has paid for it. Who
 * holds more vouchers settles them: the one that the fund does not cover is a proof as well.
 */
export const proofPaymentsMax = 256;

const u64Bits = 64;

/** `[reserveSequence, [payment…]]`, payments without their type code. */
export function encodeOverspendingProof(proof: OverspendingProof): Uint8Array {
  return encodeRlp([rlpBigInt(proof.reserveSequence), proof.payments.map(thetaFieldsToRlp)]);
}

/** Reads a proof; what it proves is for the reserve module to say. */
export function decodeOverspendingProof(bytes: Uint8Array): Outcome<OverspendingProof, RlpRefusal> {
  const reader = new RlpReader("overspending proof");
  if (bytes.length > transactionBytesMax) reader.refuse(`${bytes.length} bytes`);
  if (reader.refusal !== null) return refuse(reader.refusal);
  const item = decodeRlp(bytes, { itemsMax: 32 * proofPaymentsMax, depthMax: 8 });
  if (!item.ok) return item;
  const [reserveSequence, payments] = reader.list(item.value, 2);
  return reader.outcome({
    reserveSequence: reader.bigInt(reserveSequence, u64Bits),
    payments: reader.array(payments, proofPaymentsMax, (part) =>
      readServicePayment(reader, reader.list(part)),
    ),
  });
}
