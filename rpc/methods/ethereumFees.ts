import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import type { BlockHead, BlockView, NodeApi } from "../api.ts";
import { errorCodes, invalidParams, limitExceeded, type Answer } from "../errors.ts";
import type { RpcLimits } from "../limits.ts";
import { readThetaNumber, toQuantity } from "../numbers.ts";
import type { Parameter } from "../parameters.ts";

/** Percentiles in one eth_feeHistory, as geth bounds them. */
const percentilesMax = 100;

/** Count of blocks: hex by the standard; a plain number is unambiguous and older tools send it. */
export const blockCount: Parameter<bigint> = {
  schema: { type: ["string", "integer"] },
  optional: false,
  read: readThetaNumber,
};

/** Ascending numbers from 0 to 100. */
export const percentiles: Parameter<readonly number[]> = {
  schema: { type: "array", items: { type: "number", minimum: 0, maximum: 100 } },
  optional: true,
  read: (value) => {
    if (value === undefined || value === null) return accept([]);
    if (!Array.isArray(value)) return refuse("wants an array of numbers");
    if (value.length > percentilesMax) return refuse(`wants at most ${percentilesMax} numbers`);
    return readAscending(value);
  },
};

function readAscending(values: readonly unknown[]): Outcome<readonly number[], string> {
  const numbers: number[] = [];
  for (const value of values) {
    if (typeof value !== "number" || value < 0 || value > 100)
      return refuse("wants numbers from 0 to 100");
    const last = numbers.at(-1);
    if (last !== undefined && value < last) return refuse("wants ascending numbers");
    numbers.push(value);
  }
  return accept(numbers);
}

/** Tips per gas at the percentiles of the block's gas, in order of tip. */
export function tipsAt(block: BlockView, wanted: readonly number[]): readonly bigint[] {
  const { baseFee } = block.header;
  const paid = block.receipts
    .map(({ gasPrice, gasUsed }) => ({
      tip: gasPrice > baseFee ? gasPrice - baseFee : 0n,
      gasUsed,
    }))
    .toSorted((a, b) => (a.tip < b.tip ? -1 : a.tip > b.tip ? 1 : 0));
  const total = paid.reduce((sum, { gasUsed }) => sum + gasUsed, 0n);
  return wanted.map((percentile) => {
    // Percentiles may have fractions: compared in millionths of a per cent.
    const threshold = (total * BigInt(Math.round(percentile * 1e6))) / 100_000_000n;
    let sum = 0n;
    for (const { tip, gasUsed } of paid) {
      sum += gasUsed;
      if (sum >= threshold) return tip;
    }
    return 0n;
  });
}

/**
 * What a wallet should offer as tip: a tenth of the base fee, so that order under load means
 * something.
 */
export function suggestedTip(node: NodeApi): bigint {
  const tip = node.nextBaseFee() / 10n;
  return tip === 0n ? 1n : tip;
}

/**
 * eth_feeHistory: n + 1 base fees, n ratios, n × percentiles rewards exactly, because tools index
 * them.
 */
export async function feeHistory(
  node: NodeApi,
  limits: RpcLimits,
  wanted: {
    readonly count: bigint;
    readonly newest: BlockHead;
    readonly percentiles: readonly number[];
  },
): Promise<Answer> {
  const { feeHistoryBlocksMax } = limits;
  if (wanted.count > BigInt(feeHistoryBlocksMax)) {
    const error = limitExceeded("feeHistoryBlocksMax", feeHistoryBlocksMax, Number(wanted.count));
    return refuse({ ...error, code: errorCodes.invalidParams });
  }
  if (wanted.count === 0n) return refuse(invalidParams("blockCount must be at least 1"));
  const last = wanted.newest.header.height;
  const first = Math.max(0, last - Number(wanted.count) + 1);
  const heads: BlockHead[] = [];
  const reward: (readonly string[])[] = [];
  for (let height = first; height <= last; height += 1) {
    const block = wanted.percentiles.length > 0 ? await node.blockAtHeight(height) : null;
    const head = block ?? (await node.headAtHeight(height));
    if (head === null) return refuse(invalidParams(`block ${height} is not stored here`));
    heads.push(head);
    if (block !== null) reward.push(tipsAt(block, wanted.percentiles).map(toQuantity));
  }
  const following = await node.headAtHeight(last + 1);
  const nextBaseFee = following?.header.baseFee ?? node.nextBaseFee();
  return accept({
    oldestBlock: toQuantity(first),
    baseFeePerGas: [...heads.map(({ header }) => header.baseFee), nextBaseFee].map(toQuantity),
    gasUsedRatio: heads.map(({ header }) =>
      header.gasLimit === 0n ? 0 : Number((header.gasUsed * 1_000_000n) / header.gasLimit) / 1e6,
    ),
    ...(wanted.percentiles.length === 0 ? {} : { reward }),
  });
}
