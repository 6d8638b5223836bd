import type { CallContext } from "./dispatch.ts";
import { errorAnswerText } from "./dispatch.ts";
import { errorCodes } from "./errors.ts";
import type { Subscriber } from "./subscriptions.ts";

/** One request that is being answered. */
class Answering implements CallContext {
  readonly startedMs: number;
  readonly subscriber: Subscriber | null;
  readonly #resolve: (text: string | null) => void;
  /** Made when a method asks for it: most never do. */
  #controller: AbortController | null = null;
  #aborted = false;

  constructor(subscriber: Subscriber | null, resolve: (text: string | null) => void) {
    this.startedMs = performance.now();
    this.subscriber = subscriber;
    this.#resolve = resolve;
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

  resolve(text: string | null): void {
    this.#resolve(text);
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

  /** Runs `work`; `onOpen` gets what ends it early when the client goes away. */
  run(
    work: (context: CallContext) => Promise<string | null>,
    onOpen: (abort: () => void) => void,
    subscriber: Subscriber | null = null,
  ): Promise<string | null> {
    return new Promise((resolve, reject) => {
      const answering = new Answering(subscriber, resolve);
      this.#open.add(answering);
      onOpen(() => answering.abort());
      work(answering).then(
        (text) => {
          this.#open.delete(answering);
          resolve(text);
        },
        (error: unknown) => {
          this.#open.delete(answering);
          reject(error instanceof Error ? error : new Error(String(error)));
        },
      );
    });
  }

  #endExpired(nowMs: number): void {
    const message = `no answer within ${this.#timeoutMs / 1_000} s (limit callTimeoutMs)`;
    for (const answering of this.#open) {
      if (nowMs - answering.startedMs < this.#timeoutMs) break; // In order of their start.
      this.#open.delete(answering);
      answering.resolve(errorAnswerText({ code: errorCodes.server, message }));
      answering.abort();
    }
  }
}
