import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

/** Parts of a transaction's way through the node, for the breakdown of processor time. */
export type Stage =
  | "decode"
  | "recover"
  | "admit"
  | "journal"
  | "build"
  | "execute"
  | "trie"
  | "roots"
  | "store"
  | "verify";

/** What the node counts. Names end in their unit; the server serves the registry at `/metrics`. */
export class NodeMetrics {
  readonly registry = new Registry();
  readonly committedTransactions = new Counter({
    name: "ledger_committed_transactions_total",
    help: "Transactions in committed blocks since the start.",
    registers: [this.registry],
  });
  readonly committedBlocks = new Counter({
    name: "ledger_committed_blocks_total",
    help: "Blocks committed since the start.",
    registers: [this.registry],
  });
  readonly headHeight = new Gauge({
    name: "ledger_head_height_blocks",
    help: "Height of the newest committed block.",
    registers: [this.registry],
  });
  readonly view = new Gauge({
    name: "ledger_view_number",
    help: "View of the newest committed block.",
    registers: [this.registry],
  });
  readonly refused = new Counter({
    name: "ledger_refused_transactions_total",
    help: "Submitted transactions that were refused, by code.",
    labelNames: ["code"],
    registers: [this.registry],
  });
  readonly checkedSignatures = new Counter({
    name: "ledger_checked_signatures_total",
    help: "BLS signatures of other nodes that were verified; an aggregate counts one.",
    registers: [this.registry],
  });
  readonly commitDelay = new Histogram({
    name: "ledger_commit_delay_seconds",
    help: "From a block's timestamp to its commit.",
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [this.registry],
  });
  readonly #stageMs = new Map<Stage, number>();

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    const stageMs = this.#stageMs;
    new Counter({
      name: "ledger_stage_seconds_total",
      help: "Time on the main thread by stage; recover is time until workers answered.",
      labelNames: ["stage"],
      registers: [this.registry],
      // Told when it is read: a labelled counter is slow where small groups of transactions pass.
      collect() {
        this.reset();
        for (const [stage, elapsedMs] of stageMs) this.inc({ stage }, elapsedMs / 1_000);
      },
    });
  }

  /** Adds a gauge whose value is asked for when metrics are read. */
  watch(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers: [this.registry],
      collect: () => gauge.set(read()),
    });
  }

  /** Runs synchronous work and counts its time. */
  timed<T>(stage: Stage, work: () => T): T {
    const startMs = performance.now();
    try {
      return work();
    } finally {
      this.addStage(stage, performance.now() - startMs);
    }
  }

  /** Awaits work and counts the time until it is done, waiting included. */
  async timedUntil<T>(stage: Stage, work: () => Promise<T>): Promise<T> {
    const startMs = performance.now();
    try {
      return await work();
    } finally {
      this.addStage(stage, performance.now() - startMs);
    }
  }

  /** Counts signatures of consensus that were verified together. */
  checked(claims: number, elapsedMs: number): void {
    this.checkedSignatures.inc(claims);
    this.addStage("verify", elapsedMs);
  }

  /** Counts time that was measured elsewhere. */
  addStage(stage: Stage, elapsedMs: number): void {
    this.#stageMs.set(stage, (this.#stageMs.get(stage) ?? 0) + elapsedMs);
  }
}
