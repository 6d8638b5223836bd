import type { Address } from "../../base/brand.ts";
import { bytesToAddress } from "../../base/bytes.ts";
import { accept } from "../../base/outcome.ts";
import {
  addressTopic,
  createEvent,
  createJob,
  createModuleKey,
  createQuery,
} from "../definitions.ts";
import { stateKey, stateKeysWith } from "../keys.ts";
import {
  applied,
  type Module,
  type ModuleContext,
  type OperationDefinition,
  type ReadContext,
} from "../module.ts";
import { integer } from "../parameters.ts";
import {
  addressField,
  amountField,
  decodeOwn,
  encodeWith,
  numberField,
  recordField,
  type Json,
  type ValueOf,
} from "../schema.ts";
import type { ThetaTransaction } from "../thetaTypes.ts";
import { feeFault, mint } from "./bank.ts";
import { readCommittee, stakesOf } from "./stakeRecords.ts";

/*
 * Rewards (theta.md 5.7): every `intervalBlocks` blocks new TFuel is shared among the active stakes
 * of the committee. A holder may pass a part of what its stakes earn to a beneficiary (Theta's type
 * 11).
 *
 *   tag 1 | holder   rule: who gets which part
 */

const key = createModuleKey("reward");
const ruleTag = 1;

const ruleSchema = recordField({ beneficiary: addressField, splitBasisPoints: numberField });

/** Who gets which part of a holder's rewards; 1/100 of a per cent. */
export type RewardRule = ValueOf<typeof ruleSchema>;

/** A source got its share of an interval's reward. */
export const rewarded = createEvent(
  key,
  "Rewarded",
  recordField({ to: addressField, holder: addressField, tfuelWei: amountField }),
  ({ to, holder }) => [addressTopic(to), addressTopic(holder)],
);

function readRule(context: ReadContext, holder: Address): RewardRule | null {
  const bytes = context.state(key).get(stateKey(ruleTag, holder));
  return bytes === null ? null : decodeOwn(ruleSchema, bytes);
}

/**
 * Parts of `total` in proportion to `weights`, in their order; they add up to `total` exactly,
 * because each is the difference of two rounded sums.
 */
export function shares(total: bigint, weights: readonly bigint[]): readonly bigint[] {
  const weight = weights.reduce((sum, part) => sum + part, 0n);
  if (weight === 0n) return weights.map(() => 0n);
  let before = 0n;
  let sum = 0n;
  return weights.map((part) => {
    sum += part;
    const until = (total * sum) / weight;
    const share = until - before;
    before = until;
    return share;
  });
}

function payRewards(context: ModuleContext): void {
  const blocks = context.parameters.amount("reward.intervalBlocks");
  const total = context.parameters.amount("reward.tfuelWeiPerBlock") * blocks;
  const holders = readCommittee(context)?.validators ?? [];
  const stakes = holders.flatMap(({ address: holder }) =>
    stakesOf(context, holder)
      .filter(({ stake }) => !stake.withdrawn)
      .map(({ source, stake }) => ({ holder, source, amount: stake.amount })),
  );
  if (total === 0n || stakes.length === 0) return;
  const parts = shares(
    total,
    stakes.map(({ amount }) => amount),
  );
  stakes.forEach(({ holder, source }, i) => payShare(context, { holder, source }, parts[i] ?? 0n));
}

function payShare(
  context: ModuleContext,
  who: { readonly holder: Address; readonly source: Address },
  share: bigint,
): void {
  const rule = readRule(context, who.holder);
  const split = rule === null ? 0n : (share * BigInt(rule.splitBasisPoints)) / 10_000n;
  if (rule !== null) pay(context, { to: rule.beneficiary, holder: who.holder }, split);
  pay(context, { to: who.source, holder: who.holder }, share - split);
}

function pay(
  context: ModuleContext,
  who: { readonly to: Address; readonly holder: Address },
  tfuelWei: bigint,
): void {
  if (tfuelWei === 0n) return;
  mint(context, { to: who.to, coins: { thetaWei: 0n, tfuelWei } });
  context.emit(rewarded, { ...who, tfuelWei });
}

/** Pays the interval that ends and schedules the next one: what a coinbase is in Theta. */
const coinbase = createJob(key, "coinbase", recordField({}), (context) => {
  payRewards(context);
  scheduleNext(context);
});

function scheduleNext(context: ModuleContext): void {
  const blocks = context.parameters.count("reward.intervalBlocks");
  const heightMin = context.block.height + blocks;
  context.schedule(coinbase, {}, { heightMin, timestampMsMin: 0 });
}

type Distribution = Extract<ThetaTransaction, { type: "stakeRewardDistribution" }>;

/** Theta's type 11 (theta.md 2.11): sets or, with 0, removes the holder's rule. */
const stakeRewardDistribution: OperationDefinition<Distribution> = {
  description: "gives a part of a holder's stake rewards to a beneficiary",
  schema: null,
  gas: (_body, parameters) => parameters.amount("reward.gas"),
  signers: (body) => [body.holder.address],
  validate: (_context, { body }) => feeFault(body.fee),
  check: (context, { body }) => {
    const splitMax = context.parameters.amount("reward.splitBasisPointsMax");
    return body.splitBasisPoint <= splitMax
      ? null
      : { code: "splitTooHigh", got: body.splitBasisPoint, expected: `at most ${splitMax}` };
  },
  apply: (context, { body }) => {
    const rule = {
      beneficiary: body.beneficiary.address,
      splitBasisPoints: Number(body.splitBasisPoint),
    };
    const value = rule.splitBasisPoints === 0 ? null : encodeWith(ruleSchema, rule);
    context.state(key).set(stateKey(ruleTag, body.holder.address), value);
    return applied;
  },
};

function ruleJson(holder: Address, rule: RewardRule): Json {
  return {
    StakeHolder: holder,
    Beneficiary: rule.beneficiary,
    SplitBasisPoint: rule.splitBasisPoints.toString(),
  };
}

/** Most rules of one answer. */
const rulesMax = 10_000;

/** The module `reward`. */
export const rewardModule: Module = {
  key,
  name: key.name,
  version: 1,
  parameters: {
    tfuelWeiPerBlock: integer(48n * 10n ** 18n, {
      min: 0n,
      max: 10n ** 27n,
      unit: "TFuelWei",
      description: "new TFuel per block, shared by the committee's stakes",
    }),
    intervalBlocks: integer(100n, {
      min: 1n,
      max: 1_000_000n,
      unit: "blocks",
      description: "blocks between two payments of rewards",
    }),
    splitBasisPointsMax: integer(1_000n, {
      min: 0n,
      max: 10_000n,
      unit: "1/100 of a per cent",
      description: "most of a holder's rewards that a beneficiary may get",
    }),
    gas: integer(10_000n, {
      min: 1n,
      max: 10_000_000n,
      unit: "gas",
      description: "gas of a change of a reward rule",
    }),
  },
  operations: { stakeRewardDistribution },
  queries: {
    distribution: createQuery(
      "a holder's reward rule, in Theta's shape",
      recordField({ holder: addressField }),
      (context, { holder }) => {
        const rule = readRule(context, holder);
        return accept(rule === null ? null : ruleJson(holder, rule));
      },
    ),
    distributions: createQuery("all reward rules, in Theta's shape", recordField({}), (context) => {
      const range = { ...stateKeysWith(ruleTag), limit: rulesMax };
      const rules = context.state(key).range(range);
      return accept(
        rules.map(([at, value]) =>
          ruleJson(bytesToAddress(at.subarray(1)), decodeOwn(ruleSchema, value)),
        ),
      );
    }),
  },
  events: [rewarded],
  jobs: [coinbase],
  genesis: { init: (context) => scheduleNext(context) },
  invariants: [],
};
