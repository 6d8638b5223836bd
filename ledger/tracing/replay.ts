import type { Verified } from "../../base/brand.ts";
import { accept, type Outcome } from "../../base/outcome.ts";
import { BlockExecution } from "../blockExecution.ts";
import type { BlockContext, Chain } from "../module.ts";
import type { Parameters } from "../parameters.ts";
import type { Receipt } from "../receiptTypes.ts";
import type { Refusal } from "../refusal.ts";
import type { Registry } from "../registry.ts";
import type { StateChanges, StateReader } from "../state.ts";
import type { Transaction } from "../transaction.ts";
import { RecordingReader, type StateReads } from "./recordingReader.ts";
import type { EvmTracer } from "../../vm/tracer.ts";

/** What a transaction did, seen from outside: beside what its tracer saw. */
export type Observed = {
  readonly receipt: Receipt;
  /** What it read, as it was before. */
  readonly reads: StateReads;
  readonly changes: StateChanges;
  /** The state before it: also of code that it read. */
  readonly before: StateReader;
};

/**
 * A committed block once more, transaction by transaction on its parent's state, so that one may
 * look into it. Nothing of it is kept.
 */
export class Replay {
  readonly #registry: Registry;
  readonly #facts: ReplayFacts;
  readonly #execution: BlockExecution;

  constructor(registry: Registry, facts: ReplayFacts) {
    this.#registry = registry;
    this.#facts = facts;
    this.#execution = new BlockExecution(registry, facts);
    this.#execution.begin();
  }

  /** Executes the block's next transaction. */
  async next(transaction: Verified<Transaction>): Promise<Outcome<Receipt, Refusal>> {
    return this.#execution.tryTransaction(transaction);
  }

  /** Executes what may be the next transaction before the tracer's eyes, and takes it back. */
  async observe(
    transaction: Verified<Transaction>,
    tracer: EvmTracer,
  ): Promise<Outcome<Observed, Refusal>> {
    const before = this.#execution.state;
    const reader = new RecordingReader(before);
    const facts = { ...this.#facts, reader, tracer, begun: true } as const;
    const execution = new BlockExecution(this.#registry, facts);
    const receipt = await execution.tryTransaction(transaction);
    if (!receipt.ok) return receipt;
    const { changes } = execution;
    return accept({ receipt: receipt.value, reads: reader.reads, changes, before });
  }
}

type ReplayFacts = {
  readonly reader: StateReader;
  readonly chain: Chain;
  readonly block: BlockContext;
  readonly parameters: Parameters;
};
