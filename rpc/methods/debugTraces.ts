import type { Digest } from "../../base/brand.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import type { BlockOverrides, StateOverrides } from "../../ledger/simulate.ts";
import type { TransactionTrace } from "../../ledger/tracing/tasks.ts";
import { traceSizeMax, type TraceOptions } from "../../ledger/tracing/tracer.ts";
import type { Method } from "../dispatch.ts";
import { method } from "../dispatch.ts";
import { limitExceeded, serverError, type Answer, type RpcError } from "../errors.ts";
import { isJsonObject, JsonText, memberOf, shortened } from "../json.ts";
import type { MethodHost } from "../methodHost.ts";
import { ethereumDigest, type Parameter } from "../parameters.ts";
import { taskError } from "../refusals.ts";
import { messageRefusalError } from "./callFailures.ts";
import { callObject } from "./callObject.ts";
import { blockOverrides, stateOverrides } from "./callOverrides.ts";
import { requestOf, runTaskAt } from "./ethereumCalls.ts";
import { heightOf, tagOrLatest } from "./ethereumTags.ts";

/** What geth's tools send as `config`; a call's has overrides too. */
export type TraceConfig = {
  readonly options: TraceOptions;
  readonly state: StateOverrides;
  readonly block: BlockOverrides;
};

const tracerNames = ["callTracer", "prestateTracer", "noopTracer"] as const;

function isOn(object: unknown, name: string): boolean {
  return isJsonObject(object) && memberOf(object, name) === true;
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
  const state = stateOverrides.read(memberOf(object, "stateOverrides"));
  if (!state.ok) return refuse(`stateOverrides ${state.refusal}`);
  const block = blockOverrides.read(memberOf(object, "blockOverrides"));
  if (!block.ok) return refuse(`blockOverrides ${block.refusal}`);
  return accept({ options: options.value, state: state.value, block: block.value });
}

/** The last parameter; a `timeout` is not looked at, for the node has its own. */
const traceConfig: Parameter<TraceConfig> = {
  schema: { type: "object", description: "tracer, tracerConfig, or geth's struct logger's" },
  optional: true,
  read: readConfig,
};

const style = "array";

async function blockTraces(
  { node }: MethodHost,
  hash: Digest | null,
  request: Parameters<MethodHost["node"]["traceBlock"]>[1],
): Promise<Outcome<readonly TransactionTrace[], RpcError>> {
  const outcome = hash === null ? null : await node.traceBlock(hash, request);
  if (outcome === null) return refuse(serverError(`block ${hash ?? ""} not found`));
  if (!outcome.ok) return refuse(taskError(outcome.refusal));
  return outcome.value.ok ? outcome.value : refuse(tooLarge);
}

const tooLarge = limitExceeded("traceSizeMax", traceSizeMax, null);

async function blockAnswer(
  host: MethodHost,
  hash: Digest | null,
  request: Pick<Parameters<typeof blockTraces>[2], "options" | "signal">,
): Promise<Answer> {
  const traces = await blockTraces(host, hash, { only: null, ...request });
  if (!traces.ok) return traces;
  const items = traces.value.map(({ hash: of, json }) => `{"txHash":"${of}","result":${json}}`);
  return accept(new JsonText(`[${items.join(",")}]`));
}

function transactionMethods(host: MethodHost): readonly Method[] {
  const { node } = host;
  const traceTransaction = method({
    name: "debug_traceTransaction",
    summary: "Executes a committed transaction again and shows what it did.",
    style,
    parameters: { hash: ethereumDigest, config: traceConfig },
    call: async ({ hash, config: { options } }, { signal }) => {
      const found = await node.transaction(hash);
      if (found.state !== "committed") return refuse(serverError("transaction not found"));
      const { block, index } = found.committed;
      const traces = await blockTraces(host, block.hash, { only: index, options, signal });
      if (!traces.ok) return traces;
      return accept(new JsonText(traces.value[0]?.json ?? "null"));
    },
  });
  const traceCall = method({
    name: "debug_traceCall",
    summary: "Runs a call on a committed state and shows what it does.",
    style,
    parameters: { transaction: callObject, block: tagOrLatest, config: traceConfig },
    call: async ({ transaction, block: tag, config }, { signal }) => {
      const { options, ...overrides } = config;
      const simulation = requestOf(host, transaction, overrides);
      if (!simulation.ok) return simulation;
      const request = { simulation: simulation.value, options };
      const answer = await runTaskAt(host, "traceCall", request, { tag, signal });
      if (!answer.ok) return answer;
      if (!answer.value.ok) return refuse(tooLarge);
      const trace = answer.value.value;
      return trace.ok
        ? accept(new JsonText(trace.value))
        : refuse(messageRefusalError(trace.refusal));
    },
  });
  return [traceTransaction, traceCall];
}

/** `debug_trace…`, as go-ethereum has it. */
export function debugTraceMethods(host: MethodHost): readonly Method[] {
  const { node } = host;
  return [
    ...transactionMethods(host),
    method({
      name: "debug_traceBlockByHash",
      summary: "Traces all transactions of a block.",
      style,
      parameters: { hash: ethereumDigest, config: traceConfig },
      call: ({ hash, config: { options } }, { signal }) =>
        blockAnswer(host, hash, { options, signal }),
    }),
    method({
      name: "debug_traceBlockByNumber",
      summary: "Traces all transactions of a block.",
      style,
      parameters: { block: tagOrLatest, config: traceConfig },
      call: async ({ block, config: { options } }, { signal }) => {
        const height = await heightOf(node, block);
        const head = height === null ? null : await node.headAtHeight(height);
        return blockAnswer(host, head?.hash ?? null, { options, signal });
      },
    }),
  ];
}
