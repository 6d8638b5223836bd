import type { TransferKind } from "./transactionFile.ts";

/** How transactions are sent. */
export type Pace =
  /**
   * Each connection sends as soon as it is answered, while fewer than this many are uncommitted.
   */
  | { readonly type: "closed"; readonly outstandingMax: number }
  /** At intended times; what is late counts from its intended time (no coordinated omission). */
  | { readonly type: "open"; readonly ratePerSecond: number }
  /**
   * At intended times; a connection that is still busy misses its turn, a refused one tries again.
   */
  | { readonly type: "overload"; readonly ratePerSecond: number };

/** What the generator is to send, and where. */
export type Order = {
  readonly port: number;
  readonly path: string;
  readonly filePath: string;
  readonly kind: TransferKind;
  /** Only the first so many lines of the file. */
  readonly countMax: number;
  /** Connections; divides the number of senders, so that each sender stays on one connection. */
  readonly laneCount: number;
  /** Transactions in one JSON-RPC batch; 1 for single requests. */
  readonly batchSize: number;
  readonly pace: Pace;
  /** Scheduling priority of the process, 0 to 19. */
  readonly nice: number;
};

/** What the generator is told. */
export type ToGenerator =
  | { readonly type: "prepare"; readonly order: Order }
  | { readonly type: "go" }
  | { readonly type: "committed"; readonly count: number }
  /** Send nothing new; what was refused and may leave a gap is still tried again. */
  | { readonly type: "stop" };

/** What the generator did. Times are milliseconds since 1970. */
export type GeneratorReport = {
  readonly startedAtMs: number;
  /** When the last new transaction was sent, or the order to stop came. */
  readonly fedUntilMs: number;
  readonly attempted: number;
  readonly accepted: number;
  /** Answers that asked for patience, by reason; each transaction was tried again. */
  readonly pressure: Readonly<Record<string, number>>;
  /** Answers that refused for good, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** Turns that found their connection busy (overload). */
  readonly missedTurns: number;
  /** Processor time of the process from start to end of sending. */
  readonly cpuMs: number;
};

/** What the generator says. */
export type FromGenerator =
  | { readonly type: "ready" }
  | { readonly type: "started"; readonly atMs: number }
  | { readonly type: "done"; readonly report: GeneratorReport };
