import { Prng } from "./prng.ts";

/** What a liar does; each is a wrapper around the honest replica or acts on what it hears. */
export const strategies = [
  "twin",
  "withholder",
  "selectiveSender",
  "equivocator",
  "doubleVoter",
  "staleProposer",
  "forker",
  "hoarder",
  "lowTimeouts",
  "bareProver",
  "invalidBlocks",
  "garbage",
] as const;

/** One way to lie. */
export type Strategy = (typeof strategies)[number] | "slowBlocks" | "censor";

/**
 * How a validator fails: lies, or is honest and one of those that the healed quorum does without.
 */
export type Role =
  | { readonly type: "honest" }
  | { readonly type: "frail" }
  | { readonly type: "liar"; readonly strategies: readonly Strategy[] };

/** Which faults exist in a run, and how often. Times are in virtual milliseconds. */
export type Swarm = {
  /** Index = identity. The stake of all that are not honest stays below a third in every epoch. */
  readonly roles: readonly Role[];
  readonly stakes: "equal" | "mixed" | "steep";
  /** Whether the faulty hold as much as they may. */
  readonly isTight: boolean;
  /** Blocks in an epoch; large for none in a run. */
  readonly epochBlocks: number;
  /** Whether stakes and members change at each epoch. */
  readonly committeeChanges: boolean;
  /** Whether it is operations in blocks that change them; else each epoch draws its own. */
  readonly byOperations: boolean;
  readonly latencyMsMin: number;
  readonly latencyMsMean: number;
  readonly lossPercent: number;
  readonly duplicatePercent: number;
  /** Mean time between changes of the partition; 0 for never. */
  readonly partitionMsMean: number;
  readonly isAsymmetric: boolean;
  /** One crash in so many inputs, and in so many effects; 0 for never. */
  readonly crashOneIn: number;
  readonly crashInEffectsOneIn: number;
  readonly downMsMean: number;
  /** Mean time between arrivals of work. */
  readonly workMsMean: number;
  /** Longest review between execution and vote, 0 for none, and one objection in so many. */
  readonly reviewMsMax: number;
  readonly objectsOneIn: number;
  /** Clocks are set at most this far apart. */
  readonly clockSkewMsMax: number;
  /** Longest that a write to disk takes. */
  readonly diskMsMax: number;
  /** One message in so many arrives with a part of it changed; 0 for never. */
  readonly corruptOneIn: number;
  /** One message in so many comes again, up to an hour later; 0 for never. */
  readonly replayOneIn: number;
  /** Longest that a process stands still now and then, answering nothing. */
  readonly stallMsMax: number;
  /** Whether the clocks of frail nodes jump, by up to a day, or stand still. */
  readonly clocksJump: boolean;
  /** Views of the safety phase. */
  readonly viewsMin: number;
};

function drawSize(dice: Prng): number {
  if (dice.chance(1, 12)) return dice.between(11, 31);
  return dice.pick([1, 2, 3, 4, 4, 4, 5, 6, 7, 7, 10]);
}

/** Draws the faulty: with any number of identities, since what counts is their stake. */
function drawRoles(dice: Prng, size: number): Role[] {
  const roles: Role[] = Array.from({ length: size }, () => ({ type: "honest" }));
  if (size < 2 || dice.chance(1, 4)) return roles;
  const count = dice.between(1, Math.max(1, Math.floor((size - 1) / 2)));
  const drawn = dice.shuffle([...roles.keys()]).slice(0, count);
  const profile = dice.shuffle(strategies).slice(0, dice.between(1, 4));
  for (const identity of drawn) {
    if (dice.chance(1, 4)) {
      roles[identity] = { type: "frail" };
      continue;
    }
    const own = profile.filter(() => dice.chance(2, 3));
    roles[identity] = { type: "liar", strategies: own.length > 0 ? own : profile };
  }
  return roles;
}

/** What was drawn last: older seeds keep what they drew before. */
function drawLater(
  dice: Prng,
  isCalm: boolean,
): Pick<
  Swarm,
  | "byOperations"
  | "reviewMsMax"
  | "objectsOneIn"
  | "clockSkewMsMax"
  | "diskMsMax"
  | "corruptOneIn"
  | "replayOneIn"
  | "stallMsMax"
  | "clocksJump"
> {
  const reviewMsMax = dice.pick([0, 0, 0, 50, 300]);
  return {
    byOperations: dice.chance(1, 2),
    reviewMsMax,
    objectsOneIn: reviewMsMax === 0 ? 0 : dice.pick([0, 10, 30]),
    clockSkewMsMax: dice.pick([0, 200, 240]),
    diskMsMax: isCalm ? 0 : dice.pick([0, 0, 5, 100]),
    corruptOneIn: isCalm ? 0 : dice.pick([0, 0, 500, 50]),
    replayOneIn: isCalm ? 0 : dice.pick([0, 0, 200, 20]),
    stallMsMax: isCalm ? 0 : dice.pick([0, 0, 500, 5_000]),
    clocksJump: dice.chance(1, 3),
  };
}

/** The same liars, who also make blocks that take long. */
function slowed(roles: readonly Role[]): readonly Role[] {
  return roles.map((role) =>
    role.type === "liar" ? { ...role, strategies: [...role.strategies, "slowBlocks"] } : role,
  );
}

/** The swarm of a seed. */
export function drawSwarm(seed: number, viewsMin: number): Swarm {
  const dice = new Prng(seed, "swarm");
  const size = drawSize(dice);
  const isCalm = dice.chance(1, 8);
  const epochBlocks = dice.pick([2, 3, 5, 8, 20, 1_000_000]);
  const swarm = {
    roles: drawRoles(dice, size),
    stakes: dice.pick(["equal", "mixed", "steep"] as const),
    isTight: dice.chance(1, 2),
    epochBlocks,
    committeeChanges: dice.chance(2, 3),
    latencyMsMin: dice.between(0, 20),
    latencyMsMean: dice.pick([1, 10, 50, 100, 300]),
    lossPercent: isCalm ? 0 : dice.pick([0, 0, 1, 5, 10, 20, 30]),
    duplicatePercent: dice.pick([0, 0, 1, 10]),
    partitionMsMean: isCalm ? 0 : dice.pick([0, 0, 2_000, 5_000, 15_000]),
    isAsymmetric: dice.chance(1, 3),
    crashOneIn: isCalm ? 0 : dice.pick([0, 0, 2_000, 500, 100]),
    crashInEffectsOneIn: isCalm ? 0 : dice.pick([0, 0, 2_000, 300]),
    downMsMean: dice.pick([10, 500, 5_000]),
    workMsMean: dice.pick([200, 2_000, 20_000]),
    viewsMin,
  };
  const later = drawLater(dice, isCalm);
  return { ...swarm, ...later, roles: later.byOperations ? slowed(swarm.roles) : swarm.roles };
}
