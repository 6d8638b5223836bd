import { refusalMeanings, refusalSentence } from "../ledger/refusal.ts";
import type { QueryRefusal, StateRefusal, SubmitRefusal, TaskRefusal } from "./api.ts";
import { errorCodes, invalidParams, serverError } from "./errors.ts";
import type { RpcError } from "./errors.ts";
import type { JsonValue } from "./json.ts";

// One refusal, two dialects: Theta's single number -32000 with the result code in `data`, and
// Ethereum's -32003 with geth's exact words first, because ethers and viem tell errors by them
// (ecosystem.md 4.4).

/** Refusals for which Ethereum tools know a phrase; they match on it. */
const gethWords: Partial<Record<SubmitRefusal["code"], string>> = {
  sequenceTooLow: "nonce too low",
  sequenceTooHigh: "nonce too high",
  gapTooWide: "nonce too high",
  balanceTooLow: "insufficient funds for gas * price + value",
  feeTooLow: "max fee per gas less than block base fee",
  tipAboveFee: "max priority fee per gas higher than max fee per gas",
  gasLimitTooLow: "intrinsic gas too low",
  gasLimitTooHigh: "exceeds block gas limit",
  transactionTooLarge: "oversized data",
  tooLarge: "oversized data",
  senderHasCode: "sender not an eoa",
  poolFull: "txpool is full",
  poolBytesFull: "txpool is full",
  senderQueueFull: "account limit exceeded",
  replacementTooCheap: "replacement transaction underpriced",
  duplicate: "already known",
  signatureInvalid: "invalid sender",
  wrongChain: "invalid chain id for signer",
  unsupported: "transaction type not supported",
};

/** Codes of the error catalogue (ecosystem.md 3.6) for refusals that have one. */
const catalogueCodes: Partial<Record<SubmitRefusal["code"], string>> = {
  sequenceTooLow: "E_SEQ_TOO_LOW",
  sequenceTooHigh: "E_SEQ_GAP",
  gapTooWide: "E_SEQ_GAP",
  balanceTooLow: "E_INSUFFICIENT_FUNDS",
  signatureInvalid: "E_BAD_SIGNATURE",
  wrongChain: "E_WRONG_CHAIN",
  feeTooLow: "E_FEE_TOO_LOW",
  replacementTooCheap: "E_FEE_TOO_LOW",
  gasLimitTooLow: "E_GAS_LIMIT",
  gasLimitTooHigh: "E_GAS_LIMIT",
  poolFull: "E_BUSY",
  poolBytesFull: "E_BUSY",
};

/** Theta's result code (theta.md 2.9) of a refusal. */
function resultCodeOf(refusal: SubmitRefusal): number {
  if ("got" in refusal) return refusalMeanings[refusal.code].thetaCode;
  return refusal.code === "signatureInvalid" || refusal.code === "wrongChain" ? 100_001 : 100_000;
}

function sentenceOf(refusal: SubmitRefusal): string {
  return "got" in refusal ? refusalSentence(refusal) : refusal.detail;
}

function dataOf(refusal: SubmitRefusal): JsonValue {
  const code = catalogueCodes[refusal.code];
  return {
    ...(code === undefined ? {} : { code }),
    reason: refusal.code,
    resultCode: resultCodeOf(refusal),
    ...("got" in refusal ? { got: `${refusal.got}`, expected: `${refusal.expected}` } : {}),
  };
}

/** A refused transaction as Theta's clients expect it. */
export function thetaSubmitError(refusal: SubmitRefusal): RpcError {
  return serverError(sentenceOf(refusal), dataOf(refusal));
}

/** Ethereum counts nonces from 0, Theta sequences from 1: a refused one is shown as a nonce. */
function inNonces(refusal: SubmitRefusal): SubmitRefusal {
  if (refusal.code !== "sequenceTooLow" && refusal.code !== "sequenceTooHigh") return refusal;
  const { got, expected } = refusal;
  if (typeof got === "string" || typeof expected === "string") return refusal;
  return { ...refusal, got: BigInt(got) - 1n, expected: BigInt(expected) - 1n };
}

function ethereumSentence(refusal: SubmitRefusal): string {
  const words = gethWords[refusal.code];
  if (words === undefined) return sentenceOf(refusal);
  const isNonce = refusal.code === "sequenceTooLow" || refusal.code === "sequenceTooHigh";
  // But for the last nonce of all, of which `expected` is a sentence.
  return isNonce && typeof refusal.expected === "bigint"
    ? `${words}: next nonce ${refusal.expected}, tx nonce ${refusal.got}`
    : `${words}: ${sentenceOf(refusal)}`;
}

/** A refused transaction in geth's words. */
export function ethereumSubmitError(refusal: SubmitRefusal): RpcError {
  const shown = inNonces(refusal);
  const { invalidParams: malformed, transactionRejected } = errorCodes;
  const code = refusal.code === "malformed" ? malformed : transactionRejected;
  return { code, message: ethereumSentence(shown), data: dataOf(shown) };
}

/** State that is gone or not there yet, with the range that can be asked for. */
export function stateError(refusal: StateRefusal): RpcError {
  const { code, height, heightMin, heightMax } = refusal;
  const what =
    code === "pruned"
      ? `state of height ${height} is pruned`
      : `there is no block of height ${height} yet`;
  return {
    code: code === "pruned" ? errorCodes.resourceNotFound : errorCodes.server,
    message: `${what}; heights ${heightMin} to ${heightMax} can be read`,
    data: { code: code === "pruned" ? "E_PRUNED" : "E_NOT_YET", height, heightMin, heightMax },
  };
}

/** Why a task against a state has no answer. */
export function taskError(refusal: TaskRefusal): RpcError {
  switch (refusal.code) {
    case "pruned":
    case "notYet":
      return stateError(refusal);
    case "busy":
    case "tooLong":
      return { code: errorCodes.limitExceeded, message: refusal.detail, data: refusal };
  }
}

/** Why a module's query has no answer. */
export function queryError(refusal: QueryRefusal): RpcError {
  switch (refusal.code) {
    case "pruned":
    case "notYet":
      return stateError(refusal);
    case "unknownModule":
    case "unknownQuery":
    case "parametersInvalid":
      return invalidParams(refusal.detail);
    case "refused":
      return serverError(refusal.detail);
  }
}
