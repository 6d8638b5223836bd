import { assert } from "../base/assert.ts";

/** What may only grow. Views and what is measured in them start again with each epoch. */
export type Marks = {
  readonly epoch: number;
  /** Of the newest committed block. */
  readonly height: number;
  readonly view: number;
  readonly votedView: number;
  readonly lockView: number;
  readonly highView: number;
};

/** Asserted at the end of every step. */
export function assertForward(before: Marks, after: Marks): void {
  assert(after.epoch >= before.epoch, "the epoch went back");
  assert(after.height >= before.height, "the committed height went back");
  assert(after.highView >= after.lockView, "the high certificate is below the lock");
  if (after.epoch > before.epoch) return;
  assert(after.view >= before.view, "the view went back");
  assert(after.votedView >= before.votedView, "the voted view went back");
  assert(after.lockView >= before.lockView, "the lock went back");
  assert(after.highView >= before.highView, "the high certificate went back");
}
