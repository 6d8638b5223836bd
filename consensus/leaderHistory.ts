import { leaderOf, stakeTotal, type Hash } from "./committee.ts";
import type { EpochInfo } from "./types.ts";

/*
 * Which leaders let their views pass, as a chain of blocks shows it: views without a block between
 * a block and its parent were left by timeout. The leader of a view follows from the block that it
 * builds on, the views since that block being missed ones: all who hold the block compute the same,
 * and a leader that just let a view pass is not drawn again in the next
 * (docs/adr/015-leaders-passed-over.md).
 */

/** What a chain says of one validator: heights, 0 for never. */
type Turns = {
  /** Of the block that showed last that it let a view pass, and which view. */
  readonly missed: number;
  readonly missedView: number;
  readonly proposed: number;
  /** Of the block whose parent's certificate it last signed. */
  readonly voted: number;
};

/** The turns of each validator, by index, up to a block. */
export type LeaderHistory = { readonly height: number; readonly turns: readonly Turns[] };

/** For how many blocks a leader that let a view pass, but goes on voting, is passed over. */
export const passOverBlocks = 32;

/**
 * One that gives no sign of life is tried again only when the height passes a multiple of this: a
 * dead leader costs a view now and then, and a live one whose votes always come too late for the
 * certificate gets its turns back.
 */
export const retryBlocks = 1_024;

/** Of a long gap between two blocks only the last views count, so that the cost is bounded. */
export const gapViewsMax = 64;

/** The start of an epoch: all that is known is who was absent from the one before. */
export function historyAtRoot({ committee, rootHeight, absent }: EpochInfo): LeaderHistory {
  const none = { missed: 0, missedView: 0, proposed: 0, voted: 0 };
  const turns = committee.validators.map((_, index) =>
    absent.includes(index) ? { ...none, missed: rootHeight } : none,
  );
  return { height: rootHeight, turns };
}

function withTurns(history: LeaderHistory, index: number, news: Partial<Turns>): LeaderHistory {
  const turns = history.turns.map((old, at) => (at === index ? { ...old, ...news } : old));
  return { ...history, turns };
}

/** Whether a validator let a view pass after it last proposed, and its time has not come again. */
function isLate({ height }: LeaderHistory, { missed, proposed, voted }: Turns): boolean {
  if (missed <= proposed) return false;
  const next = height + 1;
  // The votes that a block shows were given before the views that were missed on its way.
  return voted > missed
    ? next - missed < passOverBlocks
    : Math.floor(next / retryBlocks) === Math.floor(missed / retryBlocks);
}

/**
 * Validators that are late; the latest first and together below a third of stake, so that the
 * others can always reach a quorum.
 */
export function passedOver(epoch: EpochInfo, history: LeaderHistory): ReadonlySet<number> {
  const { validators } = epoch.committee;
  const late = history.turns
    .map((turns, index) => ({ index, ...turns }))
    .filter((turns) => isLate(history, turns));
  const chosen = new Set<number>();
  if (late.length === 0) return chosen;
  late.sort((a, b) => {
    if (a.missed !== b.missed) return b.missed - a.missed;
    return a.missedView === b.missedView ? a.index - b.index : b.missedView - a.missedView;
  });
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

/** The end of a chain: the block that the next one builds on. */
export type ChainEnd = { readonly view: number; readonly history: LeaderHistory };

/** The leader of a view on a chain, and the history in which all views before it were missed. */
export function leaderAfter(
  epoch: EpochInfo,
  end: ChainEnd,
  view: number,
  hash: Hash,
): { readonly leader: number; readonly history: LeaderHistory } {
  const { committee, seed } = epoch;
  const draw = (at: number): number =>
    leaderOf({ committee, seed, view: at }, passedOver(epoch, history), hash);
  let { history } = end;
  for (let at = Math.max(end.view + 1, view - gapViewsMax); at < view; at += 1) {
    history = withTurns(history, draw(at), { missed: history.height + 1, missedView: at });
  }
  return { leader: draw(view), history };
}

/**
 * The history after a block, where `voters` signed the certificate that it holds for its parent.
 */
export function extendHistory(
  history: LeaderHistory,
  block: {
    readonly height: number;
    readonly proposer: number;
    readonly voters: ReadonlySet<number>;
  },
): LeaderHistory {
  const { height, proposer, voters } = block;
  const turns = history.turns.map((old, index) => ({
    ...old,
    proposed: index === proposer ? height : old.proposed,
    voted: voters.has(index) ? height : old.voted,
  }));
  return { height, turns };
}
