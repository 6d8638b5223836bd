import { assert } from "../../base/assert.ts";
import type { Address } from "../../base/brand.ts";
import { accept } from "../../base/outcome.ts";
import type { Committee, Validator } from "../../consensus/types.ts";
import { parseBlsPublicKey, verifyBlsPossession } from "../../crypto/bls.ts";
import { addressTopic, createEvent, createJob, createQuery } from "../definitions.ts";
import {
  applied,
  notApplied,
  type Call,
  type Module,
  type ModuleContext,
  type OperationDefinition,
  type ReadContext,
} from "../module.ts";
import { integer } from "../parameters.ts";
import type { Refusal } from "../refusal.ts";
import {
  addressField,
  amountField,
  bytesField,
  numberField,
  recordField,
  type Json,
} from "../schema.ts";
import type { Coins, ThetaTransaction } from "../thetaTypes.ts";
import { amountWord, lastAddress, precompileAddress } from "./evmPrecompiles.ts";
import { cannotPay, feeFault, heldBy, hold, mintHeld, release } from "./bank.ts";
import { committeeOf, forgetEpoch, rememberCommittee } from "./stakeHistory.ts";
import {
  isPunished,
  punish,
  punished,
  readJailTerm,
  slashed,
  slashingParameters,
  slashingQueries,
  unjail,
  unjailed,
} from "./stakeSlashing.ts";
import {
  candidates,
  committeeJson,
  keyHolder,
  readBlsKey,
  readCandidate,
  readCommittee,
  readStake,
  stakedBy,
  stakeKey,
  stakesOf,
  writeBlsKey,
  writeCandidate,
  writeCommittee,
  writeStake,
  type StakeName,
} from "./stakeRecords.ts";

/*
 * Validators' stake (theta.md 2.11, DESIGN 5). A source deposits ThetaWei with a holder; the holder
 * registers a BLS key of its own; at an epoch's end the holders with the most stake and a key are
 * the next committee. A withdrawn stake counts no more and comes back after a height and a time.
 * What becomes of offenders is in stakeSlashing.ts.
 */

const key = stakeKey;

const movedSchema = recordField({
  source: addressField,
  holder: addressField,
  thetaWei: amountField,
});

const byBoth = ({ source, holder }: StakeName): ReturnType<typeof addressTopic>[] => [
  addressTopic(source),
  addressTopic(holder),
];

/** A source added to its stake with a holder. */
export const deposited = createEvent(key, "Deposited", movedSchema, byBoth);

/** A source asked for its stake back. */
export const withdrawn = createEvent(
  key,
  "Withdrawn",
  recordField({
    source: addressField,
    holder: addressField,
    thetaWei: amountField,
    returnHeight: numberField,
    returnTimestampMs: numberField,
  }),
  byBoth,
);

/** A withdrawn stake is back in its source's account. */
export const returned = createEvent(key, "Returned", movedSchema, byBoth);

/** A holder has a new BLS key, in force from the next epoch. */
export const keyRegistered = createEvent(
  key,
  "KeyRegistered",
  recordField({ holder: addressField, blsKey: bytesField(48) }),
  ({ holder }) => [addressTopic(holder)],
);

function theta(amount: bigint): Coins {
  return { thetaWei: amount, tfuelWei: 0n };
}

const returnStake = createJob(
  key,
  "returnStake",
  recordField({ holder: addressField, source: addressField }),
  (context, name) => {
    const stake = readStake(context, name);
    assert(stake !== null && stake.withdrawn, "a stake to be returned is not withdrawn");
    writeStake(context, name, null);
    const candidate = readCandidate(context, name.holder);
    writeCandidate(context, name.holder, { ...candidate, sources: candidate.sources - 1 });
    release(context, key, { to: name.source, coins: theta(stake.amount) });
    context.emit(returned, { ...name, thetaWei: stake.amount });
  },
);

type Deposit = Extract<ThetaTransaction, { type: "depositStake" | "depositStakeV2" }>;
type Withdraw = Extract<ThetaTransaction, { type: "withdrawStake" }>;

/** Purposes of Theta: 0 validator, 1 guardian, 2 elite edge node. */
function purposeFault(purpose: number): Refusal | null {
  if (purpose === 0) return null;
  return purpose <= 2
    ? { code: "stakePurposeUnavailable", got: purpose, expected: "0 (validator)" }
    : { code: "stakePurposeInvalid", got: purpose, expected: "0, 1 or 2" };
}

function depositFault(context: ReadContext, { body }: Call<Deposit>): Refusal | null {
  const { source, holder } = body;
  if (body.type === "depositStakeV2") {
    const bytes = body.blsPubkey.length + body.blsPop.length + body.holderSig.length;
    if (bytes > 0) return { code: "keyFieldsUnsigned", got: `${bytes} bytes`, expected: "none" };
  }
  if (source.coins.tfuelWei !== 0n) {
    return { code: "stakeWrongCoin", got: `${source.coins.tfuelWei} TFuelWei`, expected: "none" };
  }
  const amount = source.coins.thetaWei;
  const depositMin = context.parameters.amount("stake.depositMin");
  if (amount < depositMin) {
    return { code: "stakeTooLow", got: amount, expected: `at least ${depositMin} ThetaWei` };
  }
  const refusal = cannotPay(context, source.address, source.coins);
  if (refusal !== null) return { ...refusal, code: "stakeBalanceTooLow" };
  const name = { holder: holder.address, source: source.address };
  const stake = readStake(context, name);
  if (stake !== null && stake.withdrawn) {
    const got = `return at height ${stake.returnHeight}`;
    return {
      code: "stakeWithdrawn",
      got,
      expected: "no withdrawal under way",
      address: name.source,
    };
  }
  const { sources } = readCandidate(context, name.holder);
  const sourcesMax = context.parameters.count("stake.sourcesMax");
  return stake === null && sources >= sourcesMax
    ? { code: "stakesTooMany", got: sources, expected: `at most ${sourcesMax}` }
    : null;
}

const deposit: OperationDefinition<Deposit> = {
  description: "deposits Theta as a validator's stake",
  schema: null,
  gas: (_body, parameters) => parameters.amount("stake.gas"),
  signers: (body) => [body.source.address],
  validate: (_context, { body }) => feeFault(body.fee) ?? purposeFault(body.purpose),
  check: depositFault,
  apply: (context, { body }) => {
    const { address, coins } = body.source;
    const refusal = hold(context, key, { from: address, coins: theta(coins.thetaWei) });
    if (refusal !== null) return notApplied(refusal);
    const name = { holder: body.holder.address, source: address };
    const epochFirst = context.block.epoch + 1;
    addStake(context, name, { amount: coins.thetaWei, epochFirst });
    return applied;
  },
};

function addStake(
  context: ModuleContext,
  name: StakeName,
  added: { readonly amount: bigint; readonly epochFirst: number },
): void {
  const { amount } = added;
  const before = readStake(context, name);
  writeStake(context, name, {
    amount: (before?.amount ?? 0n) + amount,
    withdrawn: false,
    returnHeight: 0,
    returnTimestampMs: 0,
    epochFirst: before?.epochFirst ?? added.epochFirst,
    epochLast: 0,
  });
  const candidate = readCandidate(context, name.holder);
  writeCandidate(context, name.holder, {
    active: candidate.active + amount,
    sources: candidate.sources + (before === null ? 1 : 0),
  });
  context.emit(deposited, { ...name, thetaWei: amount });
}

function withdrawFault(context: ReadContext, { body }: Call<Withdraw>): Refusal | null {
  const name = { holder: body.holder.address, source: body.source.address };
  const stake = readStake(context, name);
  if (stake === null) {
    const expected = `a stake with ${name.holder}`;
    return { code: "stakeNotFound", got: "none", expected, address: name.source };
  }
  if (!stake.withdrawn) return null;
  const got = `return at height ${stake.returnHeight}`;
  return { code: "stakeWithdrawn", got, expected: "an active stake", address: name.source };
}

const withdrawStake: OperationDefinition<Withdraw> = {
  description: "takes a validator's stake back; the coins return after a height and a time",
  schema: null,
  gas: (_body, parameters) => parameters.amount("stake.gas"),
  signers: (body) => [body.source.address],
  validate: (_context, { body }) => feeFault(body.fee) ?? purposeFault(body.purpose),
  check: withdrawFault,
  apply: (context, { body }) => {
    const name = { holder: body.holder.address, source: body.source.address };
    const stake = readStake(context, name);
    assert(stake !== null && !stake.withdrawn, "the stake was checked");
    const { height, timestampMs, epoch } = context.block;
    const returnHeight = height + context.parameters.count("stake.returnBlocks");
    const returnTimestampMs = timestampMs + context.parameters.count("stake.returnMs");
    const leaving = { withdrawn: true, returnHeight, returnTimestampMs, epochLast: epoch };
    writeStake(context, name, { ...stake, ...leaving });
    const candidate = readCandidate(context, name.holder);
    const active = candidate.active - stake.amount;
    writeCandidate(context, name.holder, { ...candidate, active });
    const due = { heightMin: returnHeight, timestampMsMin: returnTimestampMs };
    context.schedule(returnStake, name, due);
    const { amount } = stake;
    context.emit(withdrawn, { ...name, thetaWei: amount, returnHeight, returnTimestampMs });
    return applied;
  },
};

const registerSchema = recordField({
  holder: addressField,
  blsKey: bytesField(48),
  proof: bytesField(96),
});

/**
 * A module operation, signed by the holder itself: Theta's types leave the key unsigned (DESIGN 5).
 */
const registerKey: OperationDefinition<{
  readonly holder: Address;
  readonly blsKey: Uint8Array;
  readonly proof: Uint8Array;
}> = {
  description: "registers a holder's BLS key for the epochs to come",
  schema: registerSchema,
  gas: (_body, parameters) => parameters.amount("stake.registerKeyGas"),
  signers: (body) => [body.holder],
  check: (context, { body }) => {
    const owner = keyHolder(context, body.blsKey);
    if (owner !== null && owner !== body.holder) {
      return { code: "keyTaken", got: owner, expected: body.holder };
    }
    return null;
  },
  // The pairing costs a millisecond, so it is work for which a fee is paid, never for nothing.
  apply: (context, { body }) => {
    const blsKey = parseBlsPublicKey(body.blsKey);
    if (blsKey === null) {
      return notApplied({ code: "keyInvalid", got: "no point", expected: "a point of G1" });
    }
    const subject = { holder: body.holder, genesis: context.chain.genesisHash };
    if (!verifyBlsPossession(subject, blsKey, body.proof)) {
      const expected = "one for holder and chain";
      return notApplied({ code: "possessionInvalid", got: "another proof", expected });
    }
    writeBlsKey(context, body.holder, body.blsKey);
    context.emit(keyRegistered, { holder: body.holder, blsKey: body.blsKey });
    return applied;
  },
};

/**
 * The holders with the most stake and a key. Without any the committee stays: a chain must not end
 * so.
 */
function selectCommittee(context: ModuleContext, epoch: number): Committee {
  const stakeMin = context.parameters.amount("stake.validatorStakeMin");
  const validators: Validator[] = [];
  for (const { holder, candidate } of candidates(context)) {
    const blsKey = readBlsKey(context, holder);
    if (blsKey === null || candidate.active === 0n || candidate.active < stakeMin) continue;
    if (readJailTerm(context, holder) !== null) continue;
    validators.push({ address: holder, blsKey, stake: candidate.active });
  }
  validators.sort((a, b) => byStake(a, b));
  const selected = validators.slice(0, context.parameters.count("stake.validatorsMax"));
  selected.sort((a, b) => (a.address < b.address ? -1 : 1));
  const before = readCommittee(context)?.validators ?? [];
  const committee = { epoch, validators: selected.length > 0 ? selected : before };
  writeCommittee(context, committee);
  rememberCommittee(context, committee);
  if (epoch === 0) return committee;
  // The bond of whoever withdraws in the epoch that ends here is held as long as this.
  const { height, timestampMs } = context.block;
  const heightMin = height + context.parameters.count("stake.returnBlocks");
  const timestampMsMin = timestampMs + context.parameters.count("stake.returnMs");
  context.schedule(forgetEpoch, { epoch: epoch - 1 }, { heightMin, timestampMsMin });
  return committee;
}

/** Most stake first; of equal ones the lower address, so that all nodes choose alike. */
function byStake(a: Validator, b: Validator): number {
  if (a.stake !== b.stake) return a.stake > b.stake ? -1 : 1;
  return a.address < b.address ? -1 : 1;
}

/** Theta's return height of an active stake: 2^64 - 1, the value its tools know. */
const returnHeightNever = "18446744073709551615";

/** Theta's shape of the validator candidate pool (theta.md 8.2), by active stake, highest first. */
function candidatePool(context: ReadContext): Json {
  const sorted = [...candidates(context)].sort((a, b) => {
    if (a.candidate.active !== b.candidate.active) {
      return a.candidate.active > b.candidate.active ? -1 : 1;
    }
    return a.holder > b.holder ? -1 : 1;
  });
  const SortedCandidates = sorted.map(({ holder }) => ({
    Holder: holder,
    Stakes: stakesOf(context, holder).map(({ source, stake }) => ({
      source,
      amount: stake.amount.toString(),
      withdrawn: stake.withdrawn,
      return_height: stake.withdrawn ? stake.returnHeight.toString() : returnHeightNever,
    })),
  }));
  return { SortedCandidates };
}

function recountStakes(context: ReadContext): string | null {
  let total = 0n;
  const bySource = new Map<Address, bigint>();
  for (const { holder, candidate } of candidates(context)) {
    const stakes = stakesOf(context, holder);
    let active = 0n;
    for (const { source, stake } of stakes) {
      total += stake.amount;
      if (stake.withdrawn) continue;
      active += stake.amount;
      bySource.set(source, (bySource.get(source) ?? 0n) + stake.amount);
    }
    if (active !== candidate.active || stakes.length !== candidate.sources) {
      const kept = `${candidate.active} in ${candidate.sources} stakes`;
      return `${holder} has ${active} in ${stakes.length} stakes, recorded are ${kept}`;
    }
  }
  for (const [source, sum] of bySource) {
    const kept = stakedBy(context, source);
    if (kept !== sum) return `${source} has ${sum} in active stakes, recorded are ${kept}`;
  }
  const held = heldBy(context, key);
  if (held.thetaWei === total && held.tfuelWei === 0n) return null;
  return `stakes are ${total} ThetaWei, held are ${held.thetaWei}`;
}

const wei = { min: 0n, max: 10n ** 30n, unit: "ThetaWei" };

/** Before genesis is complete. */
const noCommittee: Committee = { epoch: 0, validators: [] };

/** The module `stake`. */
export const stakeModule: Module = {
  key,
  name: key.name,
  version: 3,
  parameters: {
    depositMin: integer(200_000n * 10n ** 18n, { ...wei, description: "least deposit" }),
    validatorStakeMin: integer(200_000n * 10n ** 18n, {
      ...wei,
      description: "least active stake of a validator",
    }),
    validatorsMax: integer(31n, {
      min: 1n,
      max: 256n,
      unit: "validators",
      description: "most validators of a committee",
    }),
    sourcesMax: integer(256n, {
      min: 1n,
      max: 10_000n,
      unit: "stakes",
      description: "most sources of one holder",
    }),
    returnBlocks: integer(28_800n, {
      min: 1n,
      max: 100_000_000n,
      unit: "blocks",
      description: "least blocks until a withdrawn stake returns",
    }),
    returnMs: integer(172_800_000n, {
      min: 0n,
      max: 10n ** 12n,
      unit: "ms",
      description: "least block time until a withdrawn stake returns",
    }),
    gas: integer(10_000n, {
      min: 1n,
      max: 10_000_000n,
      unit: "gas",
      description: "gas of a deposit or withdrawal",
    }),
    registerKeyGas: integer(150_000n, {
      min: 1n,
      max: 10_000_000n,
      unit: "gas",
      description: "gas of a key's registration: it costs a pairing check",
    }),
    ...slashingParameters,
  },
  operations: {
    depositStake: deposit,
    depositStakeV2: deposit,
    withdrawStake,
    registerKey,
    unjail,
  },
  queries: {
    ...slashingQueries,
    candidates: createQuery(
      "validator candidates by stake, in Theta's shape",
      recordField({}),
      (context) => accept(candidatePool(context)),
    ),
    committee: createQuery("the committee that was selected last", recordField({}), (context) =>
      accept(committeeJson(readCommittee(context) ?? noCommittee)),
    ),
    key: createQuery(
      "a holder's BLS key",
      recordField({ holder: addressField }),
      (context, { holder }) => {
        const blsKey = readBlsKey(context, holder);
        return accept(blsKey === null ? null : bytesField(48).toJson(blsKey));
      },
    ),
  },
  events: [deposited, withdrawn, returned, keyRegistered, slashed, punished, unjailed],
  jobs: [returnStake, forgetEpoch],
  genesis: {
    init: (context, content) => {
      for (const { source, holder, amount } of content.stakes) {
        mintHeld(context, key, theta(amount));
        addStake(context, { holder, source }, { amount, epochFirst: 0 });
      }
      for (const { holder, blsKey } of content.keys) writeBlsKey(context, holder, blsKey);
      selectCommittee(context, 0);
    },
  },
  invariants: [{ name: "stakes are held", check: recountStakes }],
  precompiles: [
    {
      address: precompileAddress(202),
      gas: () => 200n,
      run: (context, { input }) => accept(amountWord(stakedBy(context, lastAddress(input)))),
    },
  ],
  hooks: {
    selectCommittee,
    committee: (context) => readCommittee(context) ?? noCommittee,
    onEvidence: punish,
    committeeOf,
    isPunished,
  },
};
