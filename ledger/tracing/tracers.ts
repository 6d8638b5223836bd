import { unreachable } from "../../base/assert.ts";
import type { EvmTracer } from "../../vm/tracer.ts";
import { CallTracer } from "./callTracer.ts";
import { PrestateTracer } from "./prestateTracer.ts";
import { StructLogger } from "./structLogger.ts";
import type { Traced, Tracer, TraceOptions, TraceWatch } from "./tracer.ts";

/** The tracer of these options. */
export function createTracer(options: TraceOptions, watch: TraceWatch): Tracer {
  switch (options.tracer) {
    case "structLogger":
      return new StructLogger(options, watch);
    case "callTracer":
      return new CallTracer(options, watch);
    case "prestateTracer":
      return new PrestateTracer(options, watch);
    case "noopTracer":
      return { ...blind, onStep: () => watch.onStep(), answer: (_traced: Traced) => ({}) };
    default:
      return unreachable(options);
  }
}

const blind: Pick<EvmTracer, "onEnter" | "onExit"> = { onEnter: () => {}, onExit: () => {} };
