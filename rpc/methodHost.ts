import type { NodeApi } from "./api.ts";
import type { RpcLimits } from "./limits.ts";
import type { Submitter } from "./submitter.ts";
import type { Waiters } from "./waiters.ts";

/** What methods are made from. */
export type MethodHost = {
  readonly node: NodeApi;
  readonly limits: RpcLimits;
  readonly submitter: Submitter;
  readonly waiters: Waiters;
};
