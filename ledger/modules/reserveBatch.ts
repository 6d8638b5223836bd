import type { Address } from "../../base/brand.ts";
import { refuse, type Outcome } from "../../base/outcome.ts";
import { signerOf } from "../../crypto/verify.ts";
import { createEvent } from "../definitions.ts";
import { incrementCount } from "../voucherIncrements.ts";
import {
  applied,
  type ModuleContext,
  type OperationDefinition,
  type ReadContext,
} from "../module.ts";
import type { Refusal } from "../refusal.ts";
import { numberField, recordField, textField } from "../schema.ts";
import { batchSchema, consentDigest, voucherPayer, type BatchEntry } from "../voucher.ts";
import { assess, settle, type Assessment } from "./reservePool.ts";
import { reserveKey as key } from "./reserveRecords.ts";

/*
 * Many vouchers of many payers in one transaction. Whoever submits them pays for it; each voucher
 * is paid or refused by itself, in order, and a refused one is reported and stops nothing.
 */

/** A voucher of a batch that was not paid, by its place in the batch. */
export const voucherRefused = createEvent(
  key,
  "VoucherRefused",
  recordField({ index: numberField, code: textField(64) }),
  () => [],
);

type Batch = { readonly entries: readonly BatchEntry[] };

/** The module operation `reserve.settleBatch`. */
export const settleBatch: OperationDefinition<Batch> = {
  description: "settles many vouchers; anyone may, and each is paid or refused by itself",
  schema: batchSchema,
  gas: ({ entries }, parameters) =>
    parameters.amount("reserve.batchGas") +
    parameters.amount("reserve.batchGasPerVoucher") * BigInt(entries.length) +
    parameters.amount("reserve.batchGasPerIncrement") *
      BigInt(entries.reduce((sum, { signature }) => sum + incrementCount(signature), 0)),
  signers: (_body, payer) => [payer],
  check: () => null,
  apply: (context, { body, signers }) => {
    const signed = new Set(signers.map(({ address }) => address));
    for (const [index, entry] of body.entries.entries()) {
      const assessed = assessEntry(context, entry, signed);
      if (assessed.ok) settle(context, { voucher: entry, prover: null }, assessed.value);
      else context.emit(voucherRefused, { index, code: assessed.refusal.code });
    }
    return applied;
  },
};

/** The payer's signature is checked last: it costs more than all else. */
function assessEntry(
  context: ModuleContext,
  entry: BatchEntry,
  signed: ReadonlySet<Address>,
): Outcome<Assessment, Refusal> {
  const consent = signed.has(entry.target) || isConsented(context, entry);
  const order = { voucher: entry, targetMin: consent ? entry.targetMin : 0n, consent };
  const assessed = assess(context, order);
  if (!assessed.ok || voucherPayer(entry, context.chain) !== null) return assessed;
  const expected = `a signature of ${entry.source}`;
  return refuse({ code: "voucherSignatureInvalid", got: "another", expected });
}

function isConsented(context: ReadContext, entry: BatchEntry): boolean {
  const { targetSignature: signature, targetMin, target: address } = entry;
  if (signature.length === 0) return false;
  const digests = [consentDigest(entry, targetMin, context.chain)];
  return signerOf({ digests, signature, address }) !== null;
}
