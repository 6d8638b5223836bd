import type { Address } from "../base/brand.ts";

/*
 * Why a transaction, an operation or a block was refused. One table turns each code into Theta's
 * result code, a verdict on the peer that sent it, and a sentence; nobody else words refusals.
 */

/** What gossip does with a refused message: `reject` costs the sender reputation. */
export type Verdict = "ignore" | "reject";

type RefusalMeaning = {
  /** Result code of the Theta ledger (theta.md 2.9). */
  readonly thetaCode: number;
  readonly verdict: Verdict;
  /** A sentence about what was refused; both values follow it. */
  readonly sentence: string;
};

const ignore = "ignore";
const reject = "reject";

/**
 * Every refusal of the ledger. An honest peer may be ahead of or behind us, so most are ignored.
 */
export const refusalMeanings = {
  sequenceTooLow: meaning(100_002, ignore, "the sequence was used already"),
  sequenceTooHigh: meaning(100_002, ignore, "the sequence is ahead of the account's"),
  balanceTooLow: meaning(100_003, ignore, "the balance is too low"),
  feeTooLow: meaning(100_006, ignore, "the fee is below gas times base fee"),
  feeInTheta: meaning(100_006, reject, "the fee must be in TFuel only"),
  tipAboveFee: meaning(100_006, reject, "the priority fee is above the maximum fee per gas"),
  feeOverflow: meaning(105_004, reject, "the highest possible fee does not fit 256 bits"),
  gasLimitTooLow: meaning(105_005, reject, "the gas limit is below what the operation needs"),
  gasLimitTooHigh: meaning(105_005, ignore, "the gas limit is above a transaction's maximum"),
  expired: meaning(100_000, ignore, "the expiry height has passed"),
  signerMissing: meaning(100_005, reject, "a signer that the operation needs is missing"),
  signerRepeated: meaning(100_005, reject, "the same account signs twice"),
  senderHasCode: meaning(100_005, ignore, "a contract cannot be a sender"),
  moduleUnknown: meaning(100_000, ignore, "there is no such module"),
  operationUnknown: meaning(100_000, ignore, "the module has no such operation"),
  executionReverted: meaning(105_001, ignore, "the contract reverted"),
  executionFailed: meaning(105_001, ignore, "the contract failed"),
  precompileFrame: meaning(105_001, ignore, "the precompile changes state: only a plain call may"),
  precompileInput: meaning(105_001, ignore, "the precompile's input is malformed"),
  initCodeTooLarge: meaning(105_005, ignore, "the init code is too large"),
  operationUnavailable: meaning(100_005, ignore, "this runtime does not offer the operation yet"),
  bodyInvalid: meaning(100_000, reject, "the operation's body is malformed"),
  blockGasFull: meaning(100_000, ignore, "the block has no gas left for it"),
  blockBytesFull: meaning(100_000, ignore, "the block has no bytes left for it"),
  transactionTooLarge: meaning(100_000, reject, "the transaction has too many bytes"),
  transactionRepeated: meaning(100_000, ignore, "the block holds the transaction already"),
  inputsMissing: meaning(100_000, reject, "a send needs inputs and outputs"),
  accountsTooMany: meaning(100_000, reject, "the transaction touches too many accounts"),
  accountRepeated: meaning(100_000, reject, "an account occurs twice"),
  accountIsContract: meaning(100_005, ignore, "a send cannot touch a contract"),
  amountsUnequal: meaning(100_000, reject, "inputs are not outputs and fee"),
  stakePurposeInvalid: meaning(106_001, reject, "there is no such stake purpose"),
  stakePurposeUnavailable: meaning(106_001, ignore, "the purpose needs a module that is absent"),
  stakeWrongCoin: meaning(106_002, reject, "the purpose takes another coin"),
  stakeTooLow: meaning(106_003, ignore, "the deposit is below the least stake"),
  stakeBalanceTooLow: meaning(106_004, ignore, "the balance is too low for the stake"),
  stakeNotFound: meaning(106_002, ignore, "the source has no stake with the holder"),
  stakeWithdrawn: meaning(106_002, ignore, "the stake is being returned"),
  stakesTooMany: meaning(106_005, ignore, "the holder has too many sources of stake"),
  keyFieldsUnsigned: meaning(100_005, reject, "a validator's key is registered by its holder"),
  keyInvalid: meaning(100_001, reject, "the BLS key is not a valid point"),
  possessionInvalid: meaning(100_001, reject, "the proof of possession does not fit"),
  keyTaken: meaning(100_005, ignore, "the BLS key belongs to another holder"),
  fundMissing: meaning(101_002, ignore, "a pool needs a fund"),
  fundInTheta: meaning(101_003, ignore, "fund and collateral are TFuel only"),
  durationOutOfRange: meaning(101_001, ignore, "the duration is out of range"),
  collateralTooLow: meaning(101_001, ignore, "the collateral must be above the fund"),
  resourcesMissing: meaning(101_001, ignore, "a pool needs something that it pays for"),
  poolsTooMany: meaning(101_001, ignore, "the account has too many pools"),
  poolLimitsTooHigh: meaning(101_001, ignore, "the collateral does not cover the pool's limits"),
  releaseUnknown: meaning(102_001, ignore, "there is no such pool to be released"),
  releaseTooEarly: meaning(102_001, ignore, "the pool's freeze is not over"),
  paymentInTheta: meaning(100_000, reject, "payments are TFuel only"),
  paymentToSelf: meaning(100_000, reject, "source and target are the same account"),
  paymentZero: meaning(103_001, reject, "a payment of nothing"),
  paymentSequenceTooLow: meaning(103_001, ignore, "a higher payment sequence was settled"),
  poolUnknown: meaning(103_001, ignore, "there is no such pool"),
  poolEnded: meaning(103_001, ignore, "the pool has ended"),
  poolCondemned: meaning(103_001, ignore, "the pool is condemned already"),
  resourceNotInPool: meaning(103_001, ignore, "the pool does not pay for this resource"),
  voucherSettled: meaning(103_001, ignore, "as much or more was settled under this sequence"),
  voucherSignatureInvalid: meaning(100_001, ignore, "the voucher is not signed by its source"),
  consentMissing: meaning(100_001, ignore, "only with the target's signature can this be settled"),
  targetMinUnmet: meaning(103_001, ignore, "the target would get less than it accepts"),
  receiversTooMany: meaning(103_001, ignore, "the pool has paid its most receivers"),
  receiverMaxExceeded: meaning(103_001, ignore, "the pool pays one receiver no more than this"),
  proofMalformed: meaning(100_000, reject, "the overspending proof is malformed"),
  overspendUnproven: meaning(103_001, ignore, "the vouchers do not exceed the fund"),
  splitUnauthorized: meaning(104_001, ignore, "the resource's rule is another account's"),
  splitPercentageInvalid: meaning(100_000, reject, "a share is not a percentage"),
  splitSumTooHigh: meaning(100_000, reject, "the shares are more than a whole"),
  splitSharesTooMany: meaning(100_000, ignore, "the rule has too many shares"),
  splitDurationTooLong: meaning(100_000, ignore, "the rule would hold too long"),
  splitTooHigh: meaning(100_000, reject, "the split is above its maximum"),
  keyJailed: meaning(100_005, ignore, "the jail term is not over"),
  notJailed: meaning(100_005, ignore, "the holder is not jailed"),
  evidenceMalformed: meaning(100_000, reject, "the evidence is malformed"),
  evidenceEpoch: meaning(100_000, ignore, "the stakes of the evidence's epoch are not held"),
  evidenceKnown: meaning(100_000, ignore, "the offender was punished for that epoch"),
  evidenceFalse: meaning(100_000, reject, "the evidence proves nothing"),
  evidenceFull: meaning(100_000, ignore, "too much evidence waits for a block"),
  epochEnded: meaning(100_000, ignore, "a block after the epoch's last carries no transactions"),
  heightWrong: meaning(100_000, reject, "the height is not the parent's plus one"),
  timestampTooLow: meaning(100_000, reject, "the timestamp is not above the parent's"),
  timestampTooHigh: meaning(100_000, reject, "the timestamp is beyond 2^52"),
  baseFeeWrong: meaning(100_000, reject, "the base fee is not what the parent leads to"),
  gasLimitWrong: meaning(100_000, reject, "the block's gas limit is not the parameter"),
  runtimeWrong: meaning(100_000, ignore, "the runtime is not the one of this height"),
  poolFull: meaning(100_000, ignore, "the mempool is full; try again or offer a higher fee"),
  poolBytesFull: meaning(100_000, ignore, "the mempool's bytes are full"),
  senderQueueFull: meaning(100_000, ignore, "the sender has too many pending transactions"),
  gapTooWide: meaning(100_002, ignore, "the sequence is too far ahead of the account's"),
  replacementTooCheap: meaning(100_006, ignore, "a replacement must offer a higher fee"),
  duplicate: meaning(100_000, ignore, "the transaction is pending already"),
} as const satisfies Record<string, RefusalMeaning>;

/** A code of the table above. */
export type RefusalCode = keyof typeof refusalMeanings;

/** A refused step: the code and the two values that disagreed. */
export type Refusal = {
  readonly code: RefusalCode;
  readonly got: bigint | number | string;
  readonly expected: bigint | number | string;
  /** Account concerned, if there is one. */
  readonly address?: Address;
};

function meaning(thetaCode: number, verdict: Verdict, sentence: string): RefusalMeaning {
  return { thetaCode, verdict, sentence };
}

/** One sentence for people with both values. */
export function refusalSentence(refusal: Refusal): string {
  const whose = refusal.address === undefined ? "" : ` (account ${refusal.address})`;
  const { sentence } = refusalMeanings[refusal.code];
  return `${sentence}: got ${refusal.got}, expected ${refusal.expected}${whose}`;
}
