import type { CallContext } from "./dispatch.ts";
import { errorAnswerText } from "./dispatch.ts";
import { errorCodes } from "./errors.ts";
import type { Subscriber } from "./subscriptions.ts";

/** What is told of one request; nothing here may throw. */
type Listener = {
  /** Gets what ends it early when the client goes away. */
  readonly opened: (abort: () => void) => void;
  /** Its answer, `null` where it wants none; the last that is told, unless it failed. */
  readonly answered: (text: string | null) => void;
  /** A bug: methods do not throw. */
  readonly failed: (error: unknown) => void;
};

/** One request that is being answered. */
class Answering implements CallContext {
  readonly startedMs: number;
  readonly subscriber: Subscriber | null;
  readonly answered: Listener["answered"];
  /** Made when a method asks for it: most never do. */
  #controller: AbortController | null = null;
  #aborted = false;

  constructor(subscriber: Subscriber | null, answered: Listener["answered"]) {
    this.startedMs = performance.now();
    this.subscriber = subscriber;
    this.answered = answered;
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  abort(): void {
    this.#aborted = true;
    this.#controller?.abort();
  }
}

/** How often the answers' ages are looked at; a limit of a minute needs no timer for each call. */
const sweepIntervalMs = 1_000;

/**
 * The requests being answered: ends those whose time is over, and all of them when the server
 * stops.
 */
export class Answers {
  readonly #timeoutMs: number;
  readonly #open = new Set<Answering>();
  #sweep: NodeJS.Timeout | null = null;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  get count(): number {
    return this.#open.size;
  }

  start(): void {
    this.#sweep ??= setInterval(() => this.#endExpired(performance.now()), sweepIntervalMs).unref();
  }

  stop(): void {
    if (this.#sweep !== null) clearInterval(this.#sweep);
    this.#sweep = null;
    for (const answering of this.#open) answering.abort();
  }

  /**
   * Runs `work`. What it answers at once goes on at once: under load each promise on the way of a
   * request costs as much as its method.
   */
  run(
    work: (context: CallContext) => Promise<string | null> | string | null,
    on: Listener,
    subscriber: Subscriber | null = null,
  ): void {
    const answering = new Answering(subscriber, on.answered);
    this.#open.add(answering);
    on.opened(() => answering.abort());
    const ended = (): boolean => !this.#open.delete(answering);
    let answer: Promise<string | null> | string | null;
    try {
      answer = work(answering);
    } catch (error) {
      if (!ended()) on.failed(error);
      return;
    }
    if (answer instanceof Promise) {
      answer.then(
        (text) => void (ended() || on.answered(text)),
        (error: unknown) => void (ended() || on.failed(error)),
      );
    } else if (!ended()) on.answered(answer);
  }

  #endExpired(nowMs: number): void {
    const message = `no answer within ${this.#timeoutMs / 1_000} s (limit callTimeoutMs)`;
    for (const answering of this.#open) {
      if (nowMs - answering.startedMs < this.#timeoutMs) break; // In order of their start.
      this.#open.delete(answering);
      answering.answered(errorAnswerText({ code: errorCodes.server, message }));
      answering.abort();
    }
  }
}
