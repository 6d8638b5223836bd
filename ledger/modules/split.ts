import { accept } from "../../base/outcome.ts";
import {
  addressTopic,
  createEvent,
  createJob,
  createModuleKey,
  createQuery,
} from "../definitions.ts";
import {
  applied,
  type Call,
  type Module,
  type ModuleContext,
  type OperationDefinition,
  type ReadContext,
} from "../module.ts";
import { integer } from "../parameters.ts";
import { resourceHash } from "../pool.ts";
import type { Refusal } from "../refusal.ts";
import {
  addressField,
  decodeOwn,
  encodeWith,
  listField,
  numberField,
  recordField,
  textField,
  type Json,
} from "../schema.ts";
import {
  lastHeightOf,
  sharesAt,
  splitRuleKey,
  splitRuleKeys,
  splitRuleSchema,
  type SplitRule,
  type SplitTerm,
} from "../splitRule.ts";
import { bytesToDigest } from "../../base/bytes.ts";
import { resourceIdBytesMax, thetaAccountsMax } from "../thetaCodec.ts";
import type { ThetaTransaction } from "../thetaTypes.ts";
import { feeFault } from "./bank.ts";

/*
 * Split rules: who shares in the payments for a resource (theta.md 3.9). A new or changed rule is
 * announced first and holds after a notice, so that nobody who served under the old one is
 * surprised (DESIGN 6). A rule that has ended belongs to nobody; a job removes it.
 */

const key = createModuleKey("split");

type SetRule = Extract<ThetaTransaction, { type: "splitRule" }>;

/** A resource's shares were announced. */
export const ruleSet = createEvent(
  key,
  "RuleSet",
  recordField({
    resourceId: textField(resourceIdBytesMax),
    initiator: addressField,
    shares: listField(
      recordField({ address: addressField, percentage: numberField }),
      thetaAccountsMax,
    ),
    startHeight: numberField,
    endHeight: numberField,
  }),
  ({ resourceId, initiator }) => [bytesToDigest(resourceHash(resourceId)), addressTopic(initiator)],
);

const expireRule = createJob(
  key,
  "expireRule",
  recordField({ resourceId: textField(resourceIdBytesMax) }),
  (context, { resourceId }) => {
    const rule = readRule(context, resourceId);
    // A rule that was set again meanwhile has a later job of its own.
    if (rule === null || lastHeightOf(rule) >= context.block.height) return;
    context.state(key).set(splitRuleKey(resourceId), null);
  },
);

function readRule(context: ReadContext, resourceId: string): SplitRule | null {
  const bytes = context.state(key).get(splitRuleKey(resourceId));
  return bytes === null ? null : decodeOwn(splitRuleSchema, bytes);
}

/** The shares of payments for a resource in the block at hand. */
export function sharesOf(context: ReadContext, resourceId: string): SplitTerm["shares"] {
  return sharesAt(readRule(context, resourceId), context.block.height - 1);
}

/** A rule that still holds, or will; one that has ended is nobody's. */
function liveRule(context: ReadContext, resourceId: string): SplitRule | null {
  const rule = readRule(context, resourceId);
  return rule === null || lastHeightOf(rule) < context.block.height - 1 ? null : rule;
}

/** Shares of nothing are legal (theta.md 3.9) and are not kept: they change no payment. */
function sharesIn(body: SetRule): SplitTerm["shares"] {
  return body.splits.filter(({ percentage }) => percentage > 0);
}

function ruleFault(context: ReadContext, { body }: Call<SetRule>): Refusal | null {
  let sum = 0;
  for (const { address, percentage } of body.splits) {
    if (percentage > 100) {
      return { code: "splitPercentageInvalid", got: percentage, expected: "0 to 100", address };
    }
    sum += percentage;
  }
  if (sum > 100) return { code: "splitSumTooHigh", got: sum, expected: "at most 100" };
  const shares = sharesIn(body).length;
  const sharesMax = context.parameters.count("split.sharesMax");
  if (shares > sharesMax) {
    return { code: "splitSharesTooMany", got: shares, expected: `at most ${sharesMax}` };
  }
  const durationMax = context.parameters.amount("split.durationBlocksMax");
  if (body.duration > durationMax) {
    const expected = `at most ${durationMax} blocks`;
    return { code: "splitDurationTooLong", got: body.duration, expected };
  }
  const rule = liveRule(context, body.resourceId);
  return rule === null || rule.initiator === body.initiator.address
    ? null
    : { code: "splitUnauthorized", got: body.initiator.address, expected: rule.initiator };
}

function setRule(context: ModuleContext, body: SetRule): void {
  const parentHeight = context.block.height - 1;
  const startHeight = parentHeight + context.parameters.count("split.noticeBlocks");
  const endHeight = startHeight + Number(body.duration);
  const { resourceId } = body;
  const before = liveRule(context, resourceId);
  const current = before?.terms.findLast((term) => term.startHeight <= parentHeight);
  const holds = current !== undefined && current.endHeight >= parentHeight;
  // What was announced but does not hold yet gives way: its notice is for other shares.
  const kept = holds && startHeight > parentHeight ? [current] : [];
  const shares = sharesIn(body);
  const initiator = body.initiator.address;
  const rule = { resourceId, initiator, terms: [...kept, { shares, startHeight, endHeight }] };
  context.state(key).set(splitRuleKey(resourceId), encodeWith(splitRuleSchema, rule));
  context.schedule(expireRule, { resourceId }, { heightMin: endHeight + 1, timestampMsMin: 0 });
  context.emit(ruleSet, { resourceId, initiator, shares, startHeight, endHeight });
}

const splitRule: OperationDefinition<SetRule> = {
  description: "says who shares in the payments for a resource, after a notice",
  schema: null,
  gas: (body, parameters) =>
    parameters.amount("split.gas") +
    parameters.amount("split.gasPerShare") * BigInt(body.splits.length),
  signers: (body) => [body.initiator.address],
  validate: (_context, { body }) => feeFault(body.fee),
  check: ruleFault,
  apply: (context, { body }) => {
    setRule(context, body);
    return applied;
  },
};

function splitsJson(shares: SplitTerm["shares"]): Json {
  return shares.map(({ address, percentage }) => ({ Address: address, Percentage: percentage }));
}

/** Theta's shape (theta.md 3.9), and what was announced beside it. */
function ruleJson(context: ReadContext, resourceId: string): Json {
  const rule = liveRule(context, resourceId);
  if (rule === null) return null;
  const parentHeight = context.block.height - 1;
  const announced = rule.terms.find(({ startHeight }) => startHeight > parentHeight);
  const current = rule.terms.find((term) => term !== announced);
  return {
    initiator_address: rule.initiator,
    resource_id: rule.resourceId,
    splits: splitsJson(sharesAt(rule, parentHeight)),
    end_block_height: `${(current ?? announced)?.endHeight ?? 0}`,
    announced:
      announced === undefined
        ? null
        : {
            splits: splitsJson(announced.shares),
            start_block_height: `${announced.startHeight}`,
            end_block_height: `${announced.endHeight}`,
          },
  };
}

/** No rule gives away more than there is. */
function recountRules(context: ReadContext): string | null {
  for (const [, bytes] of context.state(key).range(splitRuleKeys)) {
    const rule = decodeOwn(splitRuleSchema, bytes);
    for (const { shares } of rule.terms) {
      const sum = shares.reduce((total, { percentage }) => total + percentage, 0);
      if (sum > 100) return `the shares of ${rule.resourceId} are ${sum} per cent`;
    }
  }
  return null;
}

/** The module `split`. */
export const splitModule: Module = {
  key,
  name: key.name,
  version: 1,
  parameters: {
    noticeBlocks: integer(100n, {
      min: 0n,
      max: 1_000_000n,
      unit: "blocks",
      description: "blocks until a new or changed split rule holds: time to settle under the old",
    }),
    durationBlocksMax: integer(100_000_000n, {
      min: 1n,
      max: 10n ** 12n,
      unit: "blocks",
      description: "most blocks that a split rule holds",
    }),
    sharesMax: integer(16n, {
      min: 1n,
      max: 100n,
      unit: "shares",
      description: "most shares above zero of a split rule: each is an account to be written",
    }),
    gas: integer(10_000n, {
      min: 1n,
      max: 10_000_000n,
      unit: "gas",
      description: "gas of a split rule",
    }),
    gasPerShare: integer(100n, {
      min: 0n,
      max: 10_000_000n,
      unit: "gas",
      description: "gas of a split rule per share",
    }),
  },
  operations: { splitRule },
  queries: {
    rule: createQuery(
      "who shares in the payments for a resource, in Theta's shape; null if nobody does",
      recordField({ resourceId: textField(resourceIdBytesMax) }),
      (context, { resourceId }) => accept(ruleJson(context, resourceId)),
    ),
  },
  events: [ruleSet],
  jobs: [expireRule],
  genesis: { init: () => {} },
  invariants: [{ name: "shares are at most a whole", check: recountRules }],
};
