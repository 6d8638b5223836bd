import { readFileSync } from "node:fs";
import { setPriority } from "node:os";
import type { FromGenerator, GeneratorReport, Order, ToGenerator } from "./generatorTypes.ts";
import { Lane, type LaneAnswer } from "./lane.ts";

/*
 * The load generator: a process of its own, told what to do over the channel of `fork`. It holds
 * the signed transactions in memory and does nothing but frame, send and count.
 */

/** How long a connection waits before it sends a refused transaction again. */
const backoffMs = 25;

/** How long refused transactions are tried again after the order to stop. */
const drainMsMax = 30_000;

/** Methods that only admit; those that wait for the block would measure something else. */
const methodOf = {
  native: "theta.BroadcastRawTransactionAsync",
  ethereum: "eth_sendRawTransaction",
} as const;

function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

type RpcFailure = {
  readonly code: number;
  readonly message: string;
  readonly data?: { readonly reason?: string; readonly code?: string; readonly limit?: string };
};

/** Refusals that ask for patience: full queues, and what is only refused because of those. */
function isPressure(failure: RpcFailure): boolean {
  const { code, data } = failure;
  if (code === -32_005 || data?.code === "E_BUSY" || data?.code === "E_SEQ_GAP") return true;
  return data?.reason === "senderQueueFull";
}

/** It is there already: an earlier attempt whose answer was lost. */
function isKnown(failure: RpcFailure): boolean {
  return failure.data?.reason === "duplicate" || /already (known|imported)/.test(failure.message);
}

function reasonOf(failure: RpcFailure): string {
  const { data, message } = failure;
  return data?.limit ?? data?.reason ?? data?.code ?? message.slice(0, 80);
}

class Generator {
  readonly #order: Order;
  readonly #raws: readonly string[];
  readonly #lanes: GeneratorLane[] = [];
  readonly #pressure: Record<string, number> = {};
  readonly #refused: Record<string, number> = {};
  #cpuAtStart = process.cpuUsage();
  #startedAtMs = 0;
  #fedUntilMs = 0;
  #stopAtMs = Number.POSITIVE_INFINITY;
  #attempted = 0;
  #accepted = 0;
  #dropped = 0;
  #inFlight = 0;
  #committed = 0;
  #missedTurns = 0;
  #turn = 0;
  #isDone = false;
  #isPaused = false;

  constructor(order: Order) {
    this.#order = order;
    this.#raws = readFileSync(order.filePath, "latin1").split("\n", order.countMax);
    if (this.#raws.at(-1) === "") throw new Error(`${order.filePath} has too few lines`);
    for (let i = 0; i < order.laneCount; i += 1) this.#lanes.push(new GeneratorLane(i, this));
  }

  get order(): Order {
    return this.#order;
  }

  get count(): number {
    return this.#raws.length;
  }

  get isStopping(): boolean {
    return this.#stopAtMs !== Number.POSITIVE_INFINITY;
  }

  /** How many more may be sent now. */
  get room(): number {
    const { pace } = this.#order;
    if (this.isStopping || this.#isPaused || this.#startedAtMs === 0) return 0;
    if (pace.type !== "closed") return Number.POSITIVE_INFINITY;
    return pace.outstandingMax - (this.#accepted + this.#inFlight - this.#committed);
  }

  start(): void {
    this.#cpuAtStart = process.cpuUsage();
    this.#startedAtMs = nowMs();
    this.#fedUntilMs = this.#startedAtMs;
    say({ type: "started", atMs: this.#startedAtMs });
    if (this.#order.pace.type === "closed") for (const lane of this.#lanes) lane.pump();
    else this.#tick();
  }

  connect(): void {
    for (const lane of this.#lanes) lane.open();
  }

  onCommitted(count: number): void {
    this.#committed = count;
    if (this.#order.pace.type !== "closed") return;
    for (const lane of this.#lanes) lane.pump();
  }

  pause(): void {
    this.#isPaused = true;
    this.#sayIfPaused();
  }

  resume(): void {
    this.#isPaused = false;
    for (const lane of this.#lanes) lane.pump();
  }

  #sayIfPaused(): void {
    if (!this.#isPaused || this.#inFlight > 0 || this.#lanes.some((lane) => !lane.isDone)) return;
    say({ type: "paused", accepted: this.#accepted });
  }

  stop(): void {
    if (this.isStopping || this.#isDone) return;
    this.#stopAtMs = nowMs();
    this.#fedUntilMs = this.#stopAtMs;
    for (const lane of this.#lanes) lane.pump();
    this.endIfDone();
    setTimeout(() => this.#end(), drainMsMax).unref();
  }

  /** Gives turns to the connections at their intended times. */
  #tick(): void {
    const { pace, batchSize, laneCount } = this.#order;
    if (pace.type === "closed" || this.isStopping) return;
    const turnsPerMs = pace.ratePerSecond / batchSize / 1_000;
    // The first turn is at the start: from intended times latencies are counted.
    const due = Math.floor((nowMs() - this.#startedAtMs) * turnsPerMs) + 1;
    const turnsMax = pace.type === "open" ? Math.ceil(this.count / batchSize) : due;
    for (; this.#turn < Math.min(due, turnsMax); this.#turn += 1) {
      const lane = this.#lanes[this.#turn % laneCount];
      if (lane?.takeTurn() === "missed") this.#missedTurns += 1;
    }
    if (pace.type === "overload" || this.#turn < turnsMax) setTimeout(() => this.#tick(), 1);
  }

  bodyOf(indices: readonly number[]): string {
    const method = methodOf[this.#order.kind];
    const calls = indices.map(
      (index, id) =>
        `{"jsonrpc":"2.0","id":${id},"method":"${method}","params":["${this.#raws[index] ?? ""}"]}`,
    );
    return this.#order.batchSize === 1 ? (calls[0] ?? "") : `[${calls.join(",")}]`;
  }

  onSent(count: number, isNew: boolean): void {
    this.#attempted += count;
    this.#inFlight += count;
    if (isNew) this.#fedUntilMs = nowMs();
  }

  onAccepted(count: number): void {
    this.#accepted += count;
    this.#inFlight -= count;
  }

  onPressure(reason: string): void {
    this.#pressure[reason] = (this.#pressure[reason] ?? 0) + 1;
    this.#inFlight -= 1;
  }

  onRefused(reason: string): void {
    this.#refused[reason] = (this.#refused[reason] ?? 0) + 1;
    this.#inFlight -= 1;
    this.#dropped += 1;
  }

  endIfDone(): void {
    this.#sayIfPaused();
    const isFed = this.isStopping || this.#accepted + this.#dropped === this.count;
    if (isFed && this.#inFlight === 0 && this.#lanes.every((lane) => lane.isDone)) this.#end();
  }

  #end(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    for (const lane of this.#lanes) lane.close();
    const { user, system } = process.cpuUsage(this.#cpuAtStart);
    const report: GeneratorReport = {
      startedAtMs: this.#startedAtMs,
      fedUntilMs: this.#fedUntilMs,
      attempted: this.#attempted,
      accepted: this.#accepted,
      pressure: this.#pressure,
      refused: this.#refused,
      missedTurns: this.#missedTurns,
      cpuMs: (user + system) / 1_000,
    };
    say({ type: "done", report });
    process.disconnect();
  }
}

/** One connection with its share of the senders, whose transactions it sends in order. */
class GeneratorLane {
  readonly #generator: Generator;
  readonly #connection: Lane;
  #next: number;
  #sent: readonly number[] = [];
  #retry: number[] = [];
  #owedTurns = 0;
  #backoff: NodeJS.Timeout | null = null;

  constructor(index: number, generator: Generator) {
    this.#generator = generator;
    this.#next = index;
    const { port, path } = generator.order;
    this.#connection = new Lane(
      { port, path },
      { onAnswer: (answer) => this.#take(answer), onIdle: () => this.pump() },
    );
  }

  get isDone(): boolean {
    return this.#sent.length === 0 && this.#retry.length === 0;
  }

  open(): void {
    this.#connection.open();
  }

  close(): void {
    if (this.#backoff !== null) clearTimeout(this.#backoff);
    this.#connection.close();
  }

  takeTurn(): "taken" | "missed" {
    const isOverload = this.#generator.order.pace.type === "overload";
    if (isOverload && !this.#connection.isIdle) return "missed";
    this.#owedTurns += 1;
    this.pump();
    return "taken";
  }

  /** Sends what may be sent now. */
  pump(): void {
    if (!this.#connection.isIdle || this.#backoff !== null) return;
    const { pace, batchSize } = this.#generator.order;
    const waitsForTurn = pace.type !== "closed" && !this.#generator.isStopping;
    const retriesAlone = pace.type === "open" || this.#generator.isStopping;
    const needsTurn = waitsForTurn && !(retriesAlone && this.#retry.length > 0);
    if (needsTurn && this.#owedTurns === 0) return;
    const indices = this.#retry.splice(0, batchSize);
    const retried = indices.length;
    let room = Math.min(
      this.#generator.room,
      retriesAlone && retried > 0 ? 0 : batchSize - retried,
    );
    for (; room > 0 && this.#next < this.#generator.count; room -= 1) {
      indices.push(this.#next);
      this.#next += this.#generator.order.laneCount;
    }
    if (indices.length === 0) return;
    if (needsTurn) this.#owedTurns -= 1;
    this.#sent = indices;
    this.#generator.onSent(indices.length, indices.length > retried);
    this.#connection.send(this.#generator.bodyOf(indices));
  }

  #take(answer: LaneAnswer): void {
    const sent = this.#sent;
    this.#sent = [];
    if (answer.status === 200 && !answer.body.includes('"error"')) {
      this.#generator.onAccepted(sent.length);
    } else this.#sort(sent, answer);
    if (this.#retry.length > 0 && this.#generator.order.pace.type !== "overload") this.#rest();
    else if (this.#retry.length > 0 && this.#generator.isStopping) this.#rest();
    else this.pump();
    this.#generator.endIfDone();
  }

  #rest(): void {
    this.#backoff = setTimeout(() => {
      this.#backoff = null;
      this.pump();
    }, backoffMs);
  }

  #sort(sent: readonly number[], answer: LaneAnswer): void {
    if (answer.status === 429 || answer.status === 503) {
      for (const index of sent) this.#again(index, `HTTP ${answer.status}`);
      return;
    }
    const parsed: unknown = JSON.parse(answer.body);
    const answers = (Array.isArray(parsed) ? parsed : sent.map(() => parsed)) as readonly {
      readonly id?: number | null;
      readonly error?: RpcFailure;
    }[];
    const failures = new Map<number, RpcFailure>();
    for (const [place, one] of answers.entries()) {
      if (one.error !== undefined)
        failures.set(Array.isArray(parsed) ? (one.id ?? place) : place, one.error);
    }
    for (const [place, index] of sent.entries()) {
      const failure = failures.get(place);
      if (failure === undefined || isKnown(failure)) this.#generator.onAccepted(1);
      else if (isPressure(failure)) this.#again(index, reasonOf(failure));
      else this.#generator.onRefused(reasonOf(failure));
    }
    this.#retry.sort((a, b) => a - b);
  }

  #again(index: number, reason: string): void {
    this.#generator.onPressure(reason);
    this.#retry.push(index);
  }
}

function say(message: FromGenerator): void {
  process.send?.(message);
}

let generator: Generator | null = null;

process.on("message", (message: ToGenerator) => {
  switch (message.type) {
    case "prepare":
      if (message.order.nice > 0) setPriority(message.order.nice);
      generator = new Generator(message.order);
      generator.connect();
      say({ type: "ready" });
      break;
    case "go":
      generator?.start();
      break;
    case "committed":
      generator?.onCommitted(message.count);
      break;
    case "pause":
      generator?.pause();
      break;
    case "resume":
      generator?.resume();
      break;
    case "stop":
      generator?.stop();
      break;
  }
});
