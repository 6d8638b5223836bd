import { unreachable } from "../../base/assert.ts";
import type { EvmTracer } from "../../vm/tracer.ts";
import { CallTracer } from "./callTracer.ts";
import { PrestateTracer } from "./prestateTracer.ts";
import { StructLogger } from "./structLogger.ts";
import type { Tracer, TraceOptions, TraceBudget } from "./tracer.ts";

/** The tracer of these options. */
export function createTracer(options: TraceOptions, budget: TraceBudget): Tracer {
  switch (options.tracer) {
    case "structLogger":
      return new StructLogger(options, budget);
    case "callTracer":
      return new CallTracer(options, budget);
    case "prestateTracer":
      return new PrestateTracer(options, budget);
    case "noopTracer":
      return { ...blind, answer: () => ({}) };
    default:
      return unreachable(options);
  }
}

const blind: EvmTracer = { onEnter: () => {}, onExit: () => {}, onStep: () => {} };
