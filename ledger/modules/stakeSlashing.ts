import type { Address } from "../../base/brand.ts";
import { zeroAddress } from "../../base/bytes.ts";
import { addressTopic, createEvent, createQuery } from "../definitions.ts";
import { stateKey } from "../keys.ts";
import {
  applied,
  type ModuleContext,
  type Offence,
  type OperationDefinition,
  type ReadContext,
} from "../module.ts";
import { integer } from "../parameters.ts";
import { accept, refuse } from "../../base/outcome.ts";
import {
  addressField,
  amountField,
  decodeOwn,
  digestField,
  encodeWith,
  numberField,
  recordField,
  type ValueOf,
} from "../schema.ts";
import { burnHeld, release } from "./bank.ts";
import { committeeOf, punishments, readPunishment, writePunishment } from "./stakeHistory.ts";
import {
  committeeJson,
  readCandidate,
  stakeKey,
  stakesOf,
  writeCandidate,
  writeStake,
  type Stake,
} from "./stakeRecords.ts";

/*
 * Consequences (DESIGN 5). Whoever is proved to have broken the rules in an epoch loses a part of
 * every stake that stood behind it in that epoch, once for each epoch: a part of that goes to the
 * reporter, the rest is burned. And it is jailed: in no committee until it asks to be let out, once
 * both a height and a time have passed.
 *
 *   tag 10 | holder   the jail term
 */

const key = stakeKey;
const jailTag = 10;

const termSchema = recordField({ untilHeight: numberField, untilTimestampMs: numberField });

/** When a holder may ask to be let out: both must have passed. */
export type JailTerm = ValueOf<typeof termSchema>;

/** A stake lost a part, because its holder broke the rules. */
export const slashed = createEvent(
  key,
  "Slashed",
  recordField({ source: addressField, holder: addressField, thetaWei: amountField }),
  ({ source, holder }) => [addressTopic(source), addressTopic(holder)],
);

/** A holder was proved to have broken the rules in a slot. */
export const punished = createEvent(
  key,
  "Punished",
  recordField({
    holder: addressField,
    epoch: numberField,
    view: numberField,
    evidence: digestField,
    reporter: addressField,
    slashed: amountField,
    rewarded: amountField,
    jailedUntilHeight: numberField,
    jailedUntilTimestampMs: numberField,
  }),
  ({ holder, reporter }) => [addressTopic(holder), addressTopic(reporter)],
);

/** A holder may be in committees again. */
export const unjailed = createEvent(
  key,
  "Unjailed",
  recordField({ holder: addressField }),
  (value) => [addressTopic(value.holder)],
);

/** The jail term of a holder, or `null` if it is free. */
export function readJailTerm(context: ReadContext, holder: Address): JailTerm | null {
  const bytes = context.state(key).get(stateKey(jailTag, holder));
  return bytes === null ? null : decodeOwn(termSchema, bytes);
}

/** Slashes, pays, burns and jails. */
export function punish(context: ModuleContext, offence: Offence): void {
  const { offender, epoch, view, reporter, evidence } = offence;
  const { parameters, block } = context;
  const lost = slash(context, offence);
  const share = reporter === zeroAddress ? 0n : parameters.amount("stake.reporterBasisPoints");
  const rewarded = (lost * share) / 10_000n;
  if (rewarded > 0n) {
    release(context, key, { to: reporter, coins: { thetaWei: rewarded, tfuelWei: 0n } });
  }
  const burned = lost - rewarded;
  if (burned > 0n) burnHeld(context, key, { thetaWei: burned, tfuelWei: 0n });
  const term = {
    untilHeight: block.height + parameters.count("stake.jailBlocks"),
    untilTimestampMs: block.timestampMs + parameters.count("stake.jailMs"),
  };
  context.state(key).set(stateKey(jailTag, offender), encodeWith(termSchema, term));
  const { height } = block;
  const punishment = { view, evidence, height, reporter, slashed: lost, rewarded };
  writePunishment(context, { offender, epoch }, punishment);
  context.emit(punished, {
    holder: offender,
    epoch,
    view,
    evidence,
    reporter,
    slashed: lost,
    rewarded,
    jailedUntilHeight: term.untilHeight,
    jailedUntilTimestampMs: term.untilTimestampMs,
  });
}

/** Takes the part of each stake that stood behind the offender; says how much together. */
function slash(context: ModuleContext, { offender: holder, epoch }: Offence): bigint {
  const basisPoints = context.parameters.amount("stake.slashBasisPoints");
  let lost = 0n;
  let lostActive = 0n;
  for (const { source, stake } of stakesOf(context, holder)) {
    const part = stoodBehind(stake, epoch) ? (stake.amount * basisPoints) / 10_000n : 0n;
    if (part === 0n) continue;
    writeStake(context, { holder, source }, { ...stake, amount: stake.amount - part });
    lost += part;
    if (!stake.withdrawn) lostActive += part;
    context.emit(slashed, { source, holder, thetaWei: part });
  }
  const candidate = readCandidate(context, holder);
  writeCandidate(context, holder, { ...candidate, active: candidate.active - lostActive });
  return lost;
}

/** Whether a stake counted in an epoch: who came later, or had left before, is not to blame. */
function stoodBehind(stake: Stake, epoch: number): boolean {
  return stake.epochFirst <= epoch && (!stake.withdrawn || epoch <= stake.epochLast);
}

/** Lets a holder out of jail. */
export const unjail: OperationDefinition<{ readonly holder: Address }> = {
  description: "lets a holder into committees again after its jail term",
  schema: recordField({ holder: addressField }),
  gas: (_body, parameters) => parameters.amount("stake.gas"),
  signers: (body) => [body.holder],
  check: (context, { body }) => {
    const term = readJailTerm(context, body.holder);
    if (term === null) return { code: "notJailed", got: "free", expected: "jailed" };
    const { height, timestampMs } = context.block;
    if (height >= term.untilHeight && timestampMs >= term.untilTimestampMs) return null;
    const expected = `height ${term.untilHeight} and time ${term.untilTimestampMs}`;
    return { code: "keyJailed", got: `height ${height} and time ${timestampMs}`, expected };
  },
  apply: (context, { body }) => {
    context.state(key).set(stateKey(jailTag, body.holder), null);
    context.emit(unjailed, { holder: body.holder });
    return applied;
  },
};

/** Punishments that one query lists, at most. */
const punishmentsListedMax = 1_000;

/** What clients may ask about offences. */
export const slashingQueries = {
  offences: createQuery(
    "who was punished, by the epoch of the offence",
    recordField({}),
    (context) =>
      accept(
        punishments(context, punishmentsListedMax).map(({ epoch, holder, punishment }) => ({
          epoch,
          holder,
          view: punishment.view,
          evidence: punishment.evidence,
          height: punishment.height,
          reporter: punishment.reporter,
          slashed: punishment.slashed.toString(),
          rewarded: punishment.rewarded.toString(),
        })),
      ),
  ),
  jail: createQuery(
    "a holder's jail term; null if it is free",
    recordField({ holder: addressField }),
    (context, { holder }) => {
      const term = readJailTerm(context, holder);
      return accept(term === null ? null : termSchema.toJson(term));
    },
  ),
  committeeOf: createQuery(
    "the committee of an epoch whose stakes can still be slashed",
    recordField({ epoch: numberField }),
    (context, { epoch }) => {
      const committee = committeeOf(context, epoch);
      if (committee !== null) return accept(committeeJson(committee));
      return refuse(`the committee of epoch ${epoch} is not kept`);
    },
  ),
};

/** Parameters of consequences. */
export const slashingParameters = {
  slashBasisPoints: integer(500n, {
    min: 0n,
    max: 10_000n,
    unit: "1/10000",
    description: "part of each stake behind an offender that it loses",
  }),
  reporterBasisPoints: integer(1_000n, {
    min: 0n,
    max: 10_000n,
    unit: "1/10000",
    description: "part of what is slashed that goes to the reporter; the rest is burned",
  }),
  jailBlocks: integer(14_400n, {
    min: 0n,
    max: 100_000_000n,
    unit: "blocks",
    description: "least blocks in jail",
  }),
  jailMs: integer(86_400_000n, {
    min: 0n,
    max: 10n ** 12n,
    unit: "ms",
    description: "least block time in jail",
  }),
};

/** Whether a holder was punished for an offence in that epoch already. */
export function isPunished(
  context: ReadContext,
  offence: Pick<Offence, "offender" | "epoch">,
): boolean {
  return readPunishment(context, offence) !== null;
}
