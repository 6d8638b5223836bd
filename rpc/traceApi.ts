import type { Digest } from "../base/brand.ts";
import type { Outcome } from "../base/outcome.ts";
import type { Json } from "../ledger/schema.ts";
import type { TraceOptions } from "../ledger/tracing/tracer.ts";
import type { StateRefusal } from "./api.ts";

/** Why there is no trace. */
export type TraceRefusal =
  | StateRefusal
  | { readonly code: "unknownBlock" }
  | { readonly code: "unknownTransaction" }
  /** A named bound was reached. */
  | { readonly code: "limit"; readonly limit: string; readonly limitMax: number };

/** How a trace is made. */
export type TraceRequest = {
  readonly options: TraceOptions;
  /** At most the node's own bound. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
};

/** A transaction of a block and what it did. */
export type TransactionTrace = { readonly hash: Digest; readonly result: Json };

/** Looks into committed transactions by executing them again. */
export interface TraceApi {
  transaction(hash: Digest, request: TraceRequest): Promise<Outcome<Json, TraceRefusal>>;
  block(
    hash: Digest,
    request: TraceRequest,
  ): Promise<Outcome<readonly TransactionTrace[], TraceRefusal>>;
}
