import type { NodeApi } from "./api.ts";
import type { Filters } from "./filters.ts";
import type { RpcLimits } from "./limits.ts";
import type { PendingFeed } from "./pendingFeed.ts";
import type { Submitter } from "./submitter.ts";
import type { Subscriptions } from "./subscriptions.ts";
import type { Waiters } from "./waiters.ts";

/** What methods are made from. */
export type MethodHost = {
  readonly node: NodeApi;
  readonly limits: RpcLimits;
  readonly submitter: Submitter;
  readonly waiters: Waiters;
  readonly filters: Filters;
  readonly pendingFeed: PendingFeed;
  readonly subscriptions: Subscriptions;
};
