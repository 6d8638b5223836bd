import type { Address } from "../../base/brand.ts";
import { emptyBytes, zeroAddress } from "../../base/bytes.ts";
import { decodeEthereumEnvelope } from "../ethereumCodec.ts";
import { impersonatedCall } from "../modules/dev.ts";
import { decodeThetaTransaction } from "../thetaCodec.ts";
import type { Transaction } from "../transaction.ts";

/** A transaction as a call of contracts sees it. */
export type CallFacts = {
  readonly from: Address;
  /** `null` creates a contract. */
  readonly to: Address | null;
  /** TFuelWei. */
  readonly value: bigint;
  readonly input: Uint8Array;
};

/**
 * What a transaction says as a call. One that is none, such as a stake, is its payer's to himself:
 * whoever walks a block's traces finds each transaction.
 */
export function callFactsOf(transaction: Transaction): CallFacts {
  const { envelope, encoded, payer: from } = transaction;
  const impersonated = impersonatedCall(transaction);
  if (impersonated !== null) return impersonated;
  const none = { from, to: from, value: 0n, input: emptyBytes };
  if (envelope === "ethereum") {
    const decoded = decodeEthereumEnvelope(encoded);
    if (!decoded.ok) return none;
    const { to, value, data } = decoded.value.transaction;
    return { from, to, value, input: data };
  }
  const decoded = envelope === "native" ? decodeThetaTransaction(encoded.subarray(1)) : null;
  if (decoded === null || !decoded.ok) return none;
  const theta = decoded.value;
  if (theta.type === "send") {
    const [output] = theta.outputs;
    return { ...none, to: output?.address ?? from, value: output?.coins.tfuelWei ?? 0n };
  }
  if (theta.type !== "smartContract") return none;
  const to = theta.to.address === zeroAddress ? null : theta.to.address;
  return { from, to, value: theta.from.coins.tfuelWei, input: theta.data };
}
