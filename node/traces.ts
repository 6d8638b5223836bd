import { assert } from "../base/assert.ts";
import type { Digest, Verified } from "../base/brand.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import { blockContextOf, type Executor } from "../ledger/execute.ts";
import type { Json } from "../ledger/schema.ts";
import { callFactsOf } from "../ledger/tracing/callFacts.ts";
import type { Observed, Replay } from "../ledger/tracing/replay.ts";
import { TraceStop, type Traced, type TraceWatch } from "../ledger/tracing/tracer.ts";
import { createTracer } from "../ledger/tracing/tracers.ts";
import type { Transaction } from "../ledger/transaction.ts";
import type { StateRefusal } from "../rpc/api.ts";
import type { TraceApi, TraceRefusal, TraceRequest, TransactionTrace } from "../rpc/traceApi.ts";
import type { StateReader } from "../ledger/state.ts";
import { PrunedError } from "../store/failures.ts";
import type { Reads, VerifiedBlock } from "./reads.ts";

/** Characters of one answer's traces together. */
export const traceSizeMax = 24 * 1_024 * 1_024;

/** Longest time that one request may trace, in milliseconds. */
export const traceMsMax = 30_000;

/** How long a trace keeps the thread before others have their turn, in milliseconds. */
const turnMs = 5;

/** Instructions between two looks at the clock. */
const stepsPerLook = 64;

/** Bounds one request, and lets consensus have the thread between its turns. */
export class Watch implements TraceWatch {
  readonly #endMs: number;
  readonly #timeoutMs: number;
  readonly #signal: AbortSignal;
  #turnEndMs: number;
  #steps = 0;
  #size = 0;

  constructor(request: { readonly timeoutMs: number; readonly signal: AbortSignal }) {
    const nowMs = performance.now();
    this.#timeoutMs = Math.min(request.timeoutMs, traceMsMax);
    this.#endMs = nowMs + this.#timeoutMs;
    this.#turnEndMs = nowMs + turnMs;
    this.#signal = request.signal;
  }

  onStep(): Promise<void> | null {
    this.#steps += 1;
    return this.#steps % stepsPerLook === 0 ? this.rest() : null;
  }

  /** Gives the thread away if this turn is over. */
  rest(): Promise<void> | null {
    const nowMs = performance.now();
    if (nowMs > this.#endMs || this.#signal.aborted)
      throw new TraceStop("traceTimeoutMs", this.#timeoutMs);
    if (nowMs < this.#turnEndMs) return null;
    return new Promise((resolve) => {
      setImmediate(() => {
        this.#turnEndMs = performance.now() + turnMs;
        resolve();
      });
    });
  }

  spend(characters: number): void {
    this.#size += characters;
    if (this.#size > traceSizeMax) throw new TraceStop("traceSizeMax", traceSizeMax);
  }
}

/** What traces are made from. */
export type TraceParts = {
  readonly executor: Executor;
  readonly reads: Reads;
  readonly stateAt: (height: number) => Outcome<StateReader, StateRefusal>;
};

/** Looks into committed transactions by executing their blocks again. */
export function createTraces(parts: TraceParts): TraceApi {
  return {
    transaction: async (hash, request) => {
      const place = parts.reads.transaction(hash);
      if (place === null) return refuse({ code: "unknownTransaction" });
      const traces = await traceBlock(parts, place.block.hash, { ...request, only: place.index });
      if (!traces.ok) return traces;
      const [trace] = traces.value;
      assert(trace !== undefined, "a traced transaction has a trace");
      return accept(trace.result);
    },
    block: (hash, request) => traceBlock(parts, hash, { ...request, only: null }),
  };
}

type BlockRequest = TraceRequest & { readonly only: number | null };

async function traceBlock(
  parts: TraceParts,
  hash: Digest,
  request: BlockRequest,
): Promise<Outcome<readonly TransactionTrace[], TraceRefusal>> {
  const block = parts.reads.verifiedBlock(hash);
  if (block === null) return refuse({ code: "unknownBlock" });
  if (block.header.height === 0) return accept([]);
  const parent = parts.reads.headAtHeight(block.header.height - 1);
  assert(parent !== null, "a committed block's parent is committed");
  const state = parts.stateAt(parent.header.height);
  if (!state.ok) return state;
  const replay = (): Replay =>
    parts.executor.replay(state.value, blockContextOf(block.header, parent.header));
  try {
    return accept(await replayBlock(replay(), block, request));
  } catch (error) {
    if (error instanceof TraceStop)
      return refuse({ code: "limit", limit: error.limit, limitMax: error.limitMax });
    if (!(error instanceof PrunedError)) throw error;
    const again = parts.stateAt(parent.header.height);
    if (again.ok) throw error;
    return again;
  }
}

async function replayBlock(
  replay: Replay,
  block: VerifiedBlock,
  request: BlockRequest,
): Promise<readonly TransactionTrace[]> {
  const watch = new Watch(request);
  const traces: TransactionTrace[] = [];
  for (const [index, transaction] of block.transactions.entries()) {
    await watch.rest();
    if (request.only === null || request.only === index) {
      const result = await traceOne(replay, transaction, watch, request);
      traces.push({ hash: transaction.hash, result });
      if (request.only === index) break;
    }
    const receipt = await replay.next(transaction);
    assert(receipt.ok, "a committed transaction is valid where it stands");
  }
  return traces;
}

async function traceOne(
  replay: Replay,
  transaction: Verified<Transaction>,
  watch: Watch,
  { options }: TraceRequest,
): Promise<Json> {
  const tracer = createTracer(options, watch);
  const observed = await replay.observe(transaction, tracer);
  assert(observed.ok, "a committed transaction is valid where it stands");
  return tracer.answer(tracedOf(transaction, observed.value));
}

function tracedOf(transaction: Transaction, observed: Observed): Traced {
  const { receipt, reads, changes, before } = observed;
  return {
    ...callFactsOf(transaction),
    gasLimit: transaction.gasLimit === 0n ? receipt.gasUsed : transaction.gasLimit,
    gasUsed: receipt.gasUsed,
    ok: receipt.status === 1,
    output: receipt.returnData,
    contractAddress: receipt.contractAddress,
    reads,
    changes,
    before,
  };
}
