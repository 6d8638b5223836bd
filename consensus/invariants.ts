import { assert } from "../base/assert.ts";
import type { ReplicaStatus } from "./replicaOptions.ts";

/** What may only grow, asserted at the end of every step; views start again with each epoch. */
export function assertForward(before: ReplicaStatus, after: ReplicaStatus): void {
  assert(after.epoch >= before.epoch, "the epoch went back");
  assert(after.committedHeight >= before.committedHeight, "the committed height went back");
  const highView = after.highCertificate.view;
  assert(highView >= after.lockView, "the high certificate is below the lock");
  if (after.epoch > before.epoch) return;
  assert(after.view >= before.view, "the view went back");
  assert(after.votedView >= before.votedView, "the voted view went back");
  assert(after.lockView >= before.lockView, "the lock went back");
  assert(highView >= before.highCertificate.view, "the high certificate went back");
}
