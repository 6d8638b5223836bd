import { leaderOf, stakeTotal, type Hash } from "./committee.ts";
import type { EpochInfo } from "./types.ts";

/*
 * Which leaders let their views pass, as a chain of blocks shows it: views without a block between
 * a block and its parent were left by timeout. All who hold the chain compute the same. A leader is
 * chosen with the history of the newest block that the chain commits, so an uncommitted fork moves
 * nobody.
 */

/**
 * Per validator index, the height at which it last let a view pass and last proposed; 0 for never.
 */
export type LeaderHistory = {
  readonly height: number;
  readonly missed: readonly number[];
  readonly proposed: readonly number[];
};

/** For how many blocks a leader that timed out is passed over before it is tried again. */
export const passOverBlocks = 32;

/** Of a long gap between two blocks only the last views count, so that the cost is bounded. */
export const gapViewsMax = 64;

/** Nobody missed or proposed anything: the start of each epoch. */
export function emptyHistory(epoch: EpochInfo): LeaderHistory {
  const zeros = epoch.committee.validators.map(() => 0);
  return { height: epoch.rootHeight, missed: zeros, proposed: zeros };
}

/** The history after a block, where `missed` led the views between its parent's and its own. */
export function extendHistory(
  history: LeaderHistory,
  block: { readonly height: number; readonly proposer: number; readonly missed: Iterable<number> },
): LeaderHistory {
  const missed = [...history.missed];
  const proposed = [...history.proposed];
  for (const index of block.missed) missed[index] = block.height;
  proposed[block.proposer] = block.height;
  return { height: block.height, missed, proposed };
}

/**
 * Validators that let a view pass after they last proposed, at most `passOverBlocks` ago; the
 * latest first and together below a third of stake, so that the others can always reach a quorum.
 */
export function passedOver(epoch: EpochInfo, history: LeaderHistory): ReadonlySet<number> {
  const { validators } = epoch.committee;
  const late: { index: number; missed: number }[] = [];
  history.missed.forEach((missed, index) => {
    const isRecent = missed > 0 && history.height - missed < passOverBlocks;
    if (isRecent && missed > (history.proposed[index] ?? 0)) late.push({ index, missed });
  });
  const chosen = new Set<number>();
  if (late.length === 0) return chosen;
  late.sort((a, b) => (a.missed === b.missed ? a.index - b.index : b.missed - a.missed));
  const total = stakeTotal(epoch.committee);
  let stake = 0n;
  for (const { index } of late) {
    const more = stake + (validators[index]?.stake ?? 0n);
    if (more * 3n >= total) continue;
    stake = more;
    chosen.add(index);
  }
  return chosen;
}

/** The leader of a view for blocks whose parent's chain has this reference history. */
export function leaderAfter(
  epoch: EpochInfo,
  reference: LeaderHistory,
  view: number,
  hash: Hash,
): number {
  const { committee, seed } = epoch;
  return leaderOf({ committee, seed, view }, passedOver(epoch, reference), hash);
}
