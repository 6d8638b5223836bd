import { soundRules } from "../../consensus/rules.ts";
import type { SafetyRecord } from "../../consensus/types.ts";
import type { Strategy, Swarm } from "./swarm.ts";
import type { Plant } from "./world.ts";

/** A known bug, and where it shows. */
export type PlantedBug = {
  readonly name: string;
  readonly plant: Plant;
  /** Replaces parts of the drawn swarm where random ones would need many seeds. */
  readonly swarm?: Partial<Swarm>;
  /** Seeds of the tests among which it must be noticed. */
  readonly seeds: number;
};

/** Checkers that look at the rule itself: switched off, so that the harm it does must be seen. */
export const ruleCheckers: ReadonlySet<string> = new Set([
  "certificate",
  "commitProof",
  "evidence",
  "guard",
]);

function liars(count: number, honest: number, strategies: readonly Strategy[]): Swarm["roles"] {
  return [
    ...Array.from({ length: count }, () => ({ type: "liar", strategies }) as const),
    ...Array.from({ length: honest }, () => ({ type: "honest" }) as const),
  ];
}

/** A network that hides certificates from some: short partitions and much loss. */
const rough = {
  lossPercent: 10,
  latencyMsMean: 100,
  partitionMsMean: 2_000,
  crashOneIn: 0,
  crashInEffectsOneIn: 0,
  workMsMean: 200,
  byOperations: false,
  reviewMsMax: 0,
  objectsOneIn: 0,
  diskMsMax: 0,
  corruptOneIn: 0,
  replayOneIn: 0,
  stallMsMax: 0,
  clocksJump: false,
  viewsMin: 150,
} as const;

/** Long partitions into halves, with a twin on either side, and no other trouble. */
const halves = {
  ...rough,
  lossPercent: 0,
  latencyMsMean: 10,
  partitionMsMean: 10_000,
  isTight: true,
  isAsymmetric: false,
  committeeChanges: false,
  epochBlocks: 1_000_000,
} as const;

/** Short partitions, so that now and then one node alone knows a commit. */
const flapping = {
  ...rough,
  lossPercent: 0,
  latencyMsMean: 10,
  partitionMsMean: 2_000,
  viewsMin: 300,
  isTight: true,
  stakes: "equal",
  isAsymmetric: true,
  committeeChanges: false,
  epochBlocks: 1_000_000,
} as const;

const crashy = { ...rough, crashOneIn: 40, crashInEffectsOneIn: 40, downMsMean: 10 } as const;

function withoutLock(record: SafetyRecord): SafetyRecord {
  const root = { ...record.highCertificate, view: 0, parentView: 0 };
  const none = new Uint8Array(0);
  const highCertificate = { ...root, signers: none, signature: none };
  return { ...record, lockView: 0, highCertificate, vote: null, timeout: null };
}

/** The bugs that the simulator must notice. */
export const plantedBugs: readonly PlantedBug[] = [
  {
    name: "evidence is kept to itself",
    plant: { mute: true },
    swarm: { ...rough, roles: liars(2, 5, ["equivocator", "twin"]) },
    seeds: 20,
  },
  {
    name: "a signature does not wait for a slow disk",
    plant: { noBarrier: true },
    swarm: { ...crashy, diskMsMax: 100 },
    seeds: 20,
  },
  { name: "no persist", plant: { forgets: true }, swarm: crashy, seeds: 20 },
  {
    name: "simple majority",
    plant: { rules: { isQuorum: (power, total) => power * 2n > total } },
    swarm: { ...halves, roles: liars(1, 4, ["twin"]) },
    seeds: 20,
  },
  {
    name: "head count instead of stake",
    plant: { rules: { weightOf: () => 1n } },
    swarm: {
      ...halves,
      roles: liars(2, 2, ["twin"]),
      stakes: "equal",
    },
    seeds: 20,
  },
  {
    name: "no lock rule",
    plant: {
      rules: {
        extendsSafely: ({ view, parentCertificate, timeoutCertificate }) =>
          parentCertificate.view === view - 1 || timeoutCertificate?.view === view - 1,
      },
    },
    swarm: { ...flapping, roles: liars(1, 3, ["forker"]) },
    seeds: 40,
  },
  {
    name: "commit without consecutive views",
    plant: { rules: { commitTarget: () => "parent" } },
    swarm: { ...rough, roles: liars(2, 5, ["hoarder", "withholder", "lowTimeouts"]) },
    seeds: 40,
  },
  {
    name: "two votes in a view",
    plant: { rules: { mayVote: ({ hash }, { vote }) => vote?.block !== hash }, unguarded: true },
    swarm: { ...rough, roles: liars(1, 3, ["equivocator", "twin"]) },
    seeds: 20,
  },
  {
    name: "stale timeout certificate accepted",
    plant: {
      rules: {
        extendsSafely: (block) =>
          soundRules.extendsSafely(block) ||
          (block.timeoutCertificate !== null &&
            block.parentCertificate.view >= block.timeoutCertificate.highCertificate.view),
      },
    },
    swarm: { ...flapping, roles: liars(1, 3, ["forker"]) },
    seeds: 40,
  },
  {
    name: "an epoch started before its last block is committed",
    plant: {
      rules: {
        commitTarget: (certificate, block) =>
          block.endsEpoch ? "block" : soundRules.commitTarget(certificate, block),
      },
    },
    swarm: {
      ...rough,
      roles: liars(2, 5, ["hoarder", "lowTimeouts", "withholder"]),
      epochBlocks: 2,
      committeeChanges: true,
    },
    seeds: 40,
  },
  {
    name: "a bare certificate taken for a commit proof",
    plant: { rules: { isCommitProof: (_, { links }) => links.length > 0 } },
    swarm: {
      ...rough,
      roles: liars(2, 5, ["bareProver", "hoarder", "lowTimeouts"]),
      epochBlocks: 5,
    },
    seeds: 40,
  },
  {
    name: "a lock carried away by a restart",
    plant: { readRecord: withoutLock, losesBlocks: true },
    swarm: crashy,
    seeds: 20,
  },
];
