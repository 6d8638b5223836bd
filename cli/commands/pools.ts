import type { Address } from "../../base/brand.ts";
import { hexToBytesOrNull } from "../../base/bytes.ts";
import {
  nativeGasMax,
  signReleaseFund,
  signReserveFund,
  signSettlement,
  signSplitRule,
  walletSignature,
} from "../../sdk/wallet.ts";
import type { Action, Flags } from "../commandTree.ts";
import { UsageError } from "../failure.ts";
import { addressFlag, amountFlag, integerFlag, requiredFlag, sequenceMax } from "../flags.ts";
import { draftTransaction, submitTransaction } from "../submit.ts";

/* Micropayment pools: Theta's `tx reserve`, `release` and `split_rule`, and a settlement. */

function account(flags: Flags, flag: string): Address {
  return addressFlag(`--${flag}`, requiredFlag(`--${flag}`, flags.text(flag)));
}

function sequence(flag: string, text: string | undefined): bigint {
  return integerFlag(flag, requiredFlag(flag, text), { min: 1n, max: sequenceMax });
}

function duration(flags: Flags): bigint {
  return integerFlag("--duration", flags.text("duration") ?? "1000", { min: 0n, max: sequenceMax });
}

function signatureFlag(flag: string, text: string | undefined): Uint8Array {
  const bytes = hexToBytesOrNull(requiredFlag(flag, text).replace(/^0x/i, ""));
  const signature = bytes === null ? null : walletSignature(bytes);
  if (signature === null) throw new UsageError(`${flag} is not a signature: 130 hex digits`);
  return signature;
}

function listOf(text: string): readonly string[] {
  return text.split(",").map((part) => part.trim());
}

/** `tx reserve`: opens a pool. */
export const reserveCommand: Action = async (context, flags) => {
  const from = account(flags, "from");
  const fund = amountFlag("--fund", flags.text("fund") ?? "0", "tfuel");
  const collateral = amountFlag("--collateral", flags.text("collateral") ?? "0", "tfuel");
  if (collateral <= fund)
    throw new UsageError("--collateral must be above --fund: it is what overspending costs");
  const ids = requiredFlag("--resource_ids", flags.text("resourceIds"));
  const resourceIds = listOf(ids);
  const durationBlocks = duration(flags);
  const gas = nativeGasMax.reserve + nativeGasMax.reservePerResource * BigInt(resourceIds.length);
  const draft = await draftTransaction(context, flags, from, gas);
  const { chain, sequence: seq, fee, signer } = draft;
  const terms = { chain, sequence: seq, fee, fund, collateral, resourceIds, durationBlocks };
  await submitTransaction(context, flags, draft, signReserveFund(signer, terms));
};

/**
 * `tx release`: closes a pool whose freeze is over, if no job did. The job runs in the first block
 * that could hold this, unless that block is full of jobs: mostly it is refused.
 */
export const releaseCommand: Action = async (context, flags) => {
  const from = account(flags, "from");
  const reserveSequence = sequence("--reserve_seq", flags.text("reserveSeq"));
  const draft = await draftTransaction(context, flags, from, nativeGasMax.pool);
  const { chain, sequence: seq, fee, signer } = draft;
  const signed = signReleaseFund(signer, { chain, sequence: seq, fee, reserveSequence });
  await submitTransaction(context, flags, draft, signed);
};

/** `tx split_rule`: who shares in the payments for a resource. */
export const splitRuleCommand: Action = async (context, flags) => {
  const from = account(flags, "from");
  const resourceId = requiredFlag("--resource_id", flags.text("resourceId"));
  const addresses = listOf(requiredFlag("--addresses", flags.text("addresses")));
  const percentages = listOf(requiredFlag("--percentages", flags.text("percentages")));
  if (addresses.length !== percentages.length)
    throw new UsageError(
      `--addresses has ${addresses.length} entries and --percentages ${percentages.length}`,
    );
  const splits = addresses.map((address, i) => ({
    address: addressFlag("--addresses", address),
    percentage: Number(integerFlag("--percentages", percentages[i] ?? "", { min: 0n, max: 100n })),
  }));
  const sum = splits.reduce((total, { percentage }) => total + percentage, 0);
  if (sum > 100) throw new UsageError(`--percentages add up to ${sum}, at most 100 are shared`);
  const durationBlocks = duration(flags);
  const draft = await draftTransaction(context, flags, from, nativeGasMax.splitRule);
  const { chain, sequence: seq, fee, signer } = draft;
  const terms = { chain, sequence: seq, fee, resourceId, splits, durationBlocks };
  await submitTransaction(context, flags, draft, signSplitRule(signer, terms));
};

/** `tx service_payment`: a receiver settles a voucher that it holds. */
export const servicePaymentCommand: Action = async (context, flags) => {
  const from = account(flags, "from");
  const to = account(flags, "to");
  const amount = amountFlag("--amount", requiredFlag("--amount", flags.text("amount")), "tfuel");
  const targetMin = amountFlag("--min", flags.text("min") ?? "0", "tfuel");
  const paymentSequence = sequence("--payment_seq", flags.text("paymentSeq") ?? "1");
  const reserveSequence = sequence("--reserve_seq", flags.text("reserveSeq"));
  const resourceId = requiredFlag("--resource_id", flags.text("resourceId"));
  const signature = signatureFlag("--source_signature", flags.text("sourceSignature"));
  const draft = await draftTransaction(context, flags, to, nativeGasMax.pool);
  const voucher = {
    source: from,
    target: to,
    amount,
    paymentSequence,
    reserveSequence,
    resourceId,
    signature,
  };
  const { chain, fee, signer } = draft;
  const signed = signSettlement(signer, { chain, fee, targetMin, voucher });
  await submitTransaction(context, flags, draft, signed);
};
