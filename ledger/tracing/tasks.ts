import { assert } from "../../base/assert.ts";
import type { Digest, Verified } from "../../base/brand.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import { Journal } from "../journal.ts";
import { JournalReader } from "../journalReader.ts";
import type { Refusal } from "../refusal.ts";
import {
  blockFor,
  openSimulation,
  overrideState,
  runSimulated,
  type SimulationRequest,
  type TaskScene,
} from "../simulate.ts";
import type { Transaction } from "../transaction.ts";
import { callFactsOf } from "./callFacts.ts";
import { RecordingReader } from "./recordingReader.ts";
import { Replay, type Observed } from "./replay.ts";
import { TraceBudget, TraceTooLarge, type Traced, type TraceOptions } from "./tracer.ts";
import { createTracer } from "./tracers.ts";

/** A transaction's trace, as JSON text: it may be large, and crosses threads as it is. */
export type TransactionTrace = { readonly hash: Digest; readonly json: string };

/** Why there is no trace: it would be larger than `traceSizeMax`. */
export type TraceRefusal = { readonly code: "traceTooLarge" };

/** A committed block, to be executed again on its parent's state. */
export type BlockTraceRequest = {
  readonly transactions: readonly Verified<Transaction>[];
  /** Index of the only transaction wanted; `null` for all. */
  readonly only: number | null;
  readonly options: TraceOptions;
};

/** Executes a block again and looks into its transactions. */
export function traceBlock(
  scene: TaskScene,
  { transactions, only, options }: BlockTraceRequest,
): Promise<Outcome<readonly TransactionTrace[], TraceRefusal>> {
  return withinBudget(async (budget) => {
    const replay = new Replay(scene.registry, scene);
    const traces: TransactionTrace[] = [];
    for (const [index, transaction] of transactions.entries()) {
      if (only === null || only === index) {
        const tracer = createTracer(options, budget);
        const observed = await replay.observe(transaction, tracer);
        assert(observed.ok, "a committed transaction is valid where it stands");
        const json = JSON.stringify(tracer.answer(tracedOf(transaction, observed.value)));
        traces.push({ hash: transaction.hash, json });
      }
      if (only === index) break;
      const receipt = await replay.next(transaction);
      assert(receipt.ok, "a committed transaction is valid where it stands");
    }
    return traces;
  });
}

/** A message without a transaction, and how it is to be shown. */
export type CallTraceRequest = {
  readonly simulation: SimulationRequest;
  readonly options: TraceOptions;
};

/** Looks into a message that runs on a state with overrides. */
export function traceCall(
  scene: TaskScene,
  { simulation: request, options }: CallTraceRequest,
): Promise<Outcome<Outcome<string, Refusal>, TraceRefusal>> {
  return withinBudget(async (budget) => {
    const { message, state, block, gasMax } = request;
    const below = new Journal(scene.reader);
    overrideState(below, state);
    const before = new JournalReader(below, scene.reader.root);
    const reader = new RecordingReader(before);
    const simulation = openSimulation(scene, blockFor(message, block), new Journal(reader));
    const tracer = createTracer(options, budget);
    const result = await runSimulated(simulation, message, gasMax, { tracer });
    if (!result.ok) return result;
    const { ok, gasUsed, returnData: output, contractAddress } = result.value;
    const traced: Traced = {
      from: message.caller,
      to: message.to,
      value: message.value,
      input: message.data,
      gasLimit: message.gasLimit ?? gasMax,
      gasUsed,
      ok,
      output,
      contractAddress,
      before,
      reads: reader.reads,
      changes: simulation.journal.changes(),
    };
    return accept(JSON.stringify(tracer.answer(traced)));
  });
}

async function withinBudget<T>(
  work: (budget: TraceBudget) => Promise<T>,
): Promise<Outcome<T, TraceRefusal>> {
  try {
    return accept(await work(new TraceBudget()));
  } catch (error) {
    if (error instanceof TraceTooLarge) return refuse({ code: "traceTooLarge" });
    throw error;
  }
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
