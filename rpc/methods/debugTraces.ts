import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import type { TraceOptions } from "../../ledger/tracing/tracer.ts";
import type { Method } from "../dispatch.ts";
import { method } from "../dispatch.ts";
import { errorCodes, limitExceeded, type Answer, type RpcError } from "../errors.ts";
import { isJsonObject, memberOf, shortened } from "../json.ts";
import type { MethodHost } from "../methodHost.ts";
import { blockTag, ethereumDigest, optional, type Parameter } from "../parameters.ts";
import { stateError } from "../refusals.ts";
import type { TraceRefusal } from "../traceApi.ts";
import { blockMissing, heightOf } from "./ethereumTags.ts";

/** How long a trace may take unless its caller says otherwise, in milliseconds. */
const timeoutMsDefault = 5_000;

/** Longest time that may be asked for, in milliseconds. */
const timeoutMsMax = 30_000;

/** What geth's tools send as `config`. */
export type TraceConfig = { readonly options: TraceOptions; readonly timeoutMs: number };

const tracerNames = ["callTracer", "prestateTracer", "noopTracer"] as const;

function isOn(object: unknown, name: string): boolean {
  return isJsonObject(object) && memberOf(object, name) === true;
}

/** `5s`, `300ms` or `1m`, as Go writes durations. */
function readTimeoutMs(value: unknown): Outcome<number, string> {
  if (value === undefined || value === null) return accept(timeoutMsDefault);
  const match = typeof value === "string" ? /^(\d{1,6})(ms|s|m)$/.exec(value) : null;
  if (match === null) return refuse('timeout wants a duration such as "5s"');
  const unitMs = match[2] === "ms" ? 1 : match[2] === "s" ? 1_000 : 60_000;
  return accept(Math.min(Number(match[1]) * unitMs, timeoutMsMax));
}

function readOptions(value: Readonly<Record<string, unknown>>): Outcome<TraceOptions, string> {
  const name = memberOf(value, "tracer");
  const own = memberOf(value, "tracerConfig");
  if (name === undefined || name === null || name === "") {
    const limit = memberOf(value, "limit") ?? 0;
    if (typeof limit !== "number" || !Number.isSafeInteger(limit) || limit < 0)
      return refuse("limit wants a whole number");
    return accept({
      tracer: "structLogger",
      withMemory: isOn(value, "enableMemory"),
      withStack: !isOn(value, "disableStack"),
      withStorage: !isOn(value, "disableStorage"),
      withReturnData: isOn(value, "enableReturnData"),
      stepsMax: limit,
    });
  }
  const known = tracerNames.find((tracer) => tracer === name);
  switch (known) {
    case "callTracer":
      return accept({
        tracer: known,
        onlyTopCall: isOn(own, "onlyTopCall"),
        withLog: isOn(own, "withLog"),
      });
    case "prestateTracer":
      return accept({
        tracer: known,
        diffMode: isOn(own, "diffMode"),
        withCode: !isOn(own, "disableCode"),
        withStorage: !isOn(own, "disableStorage"),
      });
    case "noopTracer":
      return accept({ tracer: known });
    case undefined:
      return refuse(
        `tracer ${shortened(JSON.stringify(name), 40)} is not one of ${tracerNames.join(", ")}`,
      );
  }
}

function readConfig(value: unknown): Outcome<TraceConfig, string> {
  const object = value ?? {};
  if (!isJsonObject(object)) return refuse("wants an object");
  const options = readOptions(object);
  if (!options.ok) return options;
  const timeoutMs = readTimeoutMs(memberOf(object, "timeout"));
  if (!timeoutMs.ok) return timeoutMs;
  return accept({ options: options.value, timeoutMs: timeoutMs.value });
}

/** The last parameter of a `debug_trace…` method. */
export const traceConfig: Parameter<TraceConfig> = {
  schema: {
    type: "object",
    description: "tracer, tracerConfig, timeout, and geth's struct logger",
  },
  optional: true,
  read: readConfig,
};

/** Why there is no trace, in an error. */
export function traceError(refusal: TraceRefusal): RpcError {
  switch (refusal.code) {
    case "pruned":
    case "notYet":
      return stateError(refusal);
    case "unknownBlock":
      return blockMissing();
    case "unknownTransaction":
      return { code: errorCodes.resourceNotFound, message: "transaction not found" };
    case "limit":
      return limitExceeded(refusal.limit, refusal.limitMax, null);
  }
}

/** `debug_trace…` of committed transactions. */
export function debugTraceMethods({ node }: MethodHost): readonly Method[] {
  const style = "array";
  const blockTraces = async (
    hash: Parameters<typeof node.traces.block>[0],
    config: TraceConfig,
    signal: AbortSignal,
  ): Promise<Answer> => {
    const traces = await node.traces.block(hash, { ...config, signal });
    if (!traces.ok) return refuse(traceError(traces.refusal));
    return accept(traces.value.map(({ hash: txHash, result }) => ({ txHash, result })));
  };
  return [
    method({
      name: "debug_traceTransaction",
      summary: "Executes a committed transaction again and shows what it did.",
      style,
      heavy: true,
      parameters: { hash: ethereumDigest, config: traceConfig },
      call: async ({ hash, config }, { signal }) => {
        const trace = await node.traces.transaction(hash, { ...config, signal });
        return trace.ok ? trace : refuse(traceError(trace.refusal));
      },
    }),
    method({
      name: "debug_traceBlockByHash",
      summary: "Traces all transactions of a block.",
      style,
      heavy: true,
      parameters: { hash: ethereumDigest, config: traceConfig },
      call: ({ hash, config }, { signal }) => blockTraces(hash, config, signal),
    }),
    method({
      name: "debug_traceBlockByNumber",
      summary: "Traces all transactions of a block.",
      style,
      heavy: true,
      parameters: {
        block: optional(blockTag, { type: "tag", tag: "latest" } as const),
        config: traceConfig,
      },
      call: async ({ block, config }, { signal }) => {
        const height = await heightOf(node, block);
        const head = height === null ? null : await node.headAtHeight(height);
        return head === null ? refuse(blockMissing()) : blockTraces(head.hash, config, signal);
      },
    }),
  ];
}
