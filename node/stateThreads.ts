import { Worker } from "node:worker_threads";

import type { Digest } from "../base/brand.ts";
import { NodeError } from "../base/nodeError.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import { workerFile } from "../crypto/workerFile.node.ts";
import type { BlockContext, Chain } from "../ledger/module.ts";
import type { StateTaskAnswer, StateTaskName, StateTaskRequest } from "../ledger/stateTasks.ts";

/*
 * Where clients' calls run: on threads of their own, so that a contract that computes for seconds
 * holds up neither consensus nor other readers. A thread whose job takes too long, or too much
 * memory, is ended, and another one takes its place. Threads start when there is work for them: a
 * validator that nobody calls has none.
 */

/** What a thread is sent. */
export type StateJob<N extends StateTaskName = StateTaskName> = {
  readonly name: N;
  readonly request: StateTaskRequest<N>;
  /** Of a committed state. */
  readonly root: Digest;
  readonly chain: Chain;
  readonly block: BlockContext;
};

/** What a thread sends back. */
export type StateJobEnd =
  | { readonly type: "answered"; readonly answer: unknown }
  | { readonly type: "pruned" }
  | { readonly type: "threw"; readonly code: string; readonly stack: string };

/** Why a job has no answer; `detail` names the limit. */
export type StateJobRefusal =
  | { readonly code: "pruned" }
  | { readonly code: "busy" | "tooLong"; readonly detail: string };

/** Bounds of the threads; each has a default. */
export type StateThreadsOptions = {
  /** The folder of the store that the node has open as shared. */
  readonly folder: string;
  readonly threadsMax?: number;
  /** Jobs that wait for a thread; more are refused. */
  readonly queuedMax?: number;
  /** Longest time of one job. */
  readonly jobMsMax?: number;
  /** Memory of one thread beside the store's, in MiB. */
  readonly heapMibMax?: number;
};

/** Default of `threadsMax`: one slow call leaves room for quick ones. */
export const stateThreadsMax = 2;
/** Default of `queuedMax`. */
export const stateJobsQueuedMax = 2_000;
/** Default of `jobMsMax`: go-ethereum's. */
export const stateJobMsMax = 5_000;
/** Default of `heapMibMax`. */
export const stateThreadHeapMibMax = 512;

type Waiting = {
  readonly job: StateJob;
  readonly resolve: (outcome: Outcome<unknown, StateJobRefusal>) => void;
  readonly reject: (error: Error) => void;
};

type Thread = {
  readonly worker: Worker;
  isReady: boolean;
  running: Waiting | null;
  timer: NodeJS.Timeout | null;
};

/** Runs jobs on threads, first come, first served. */
export class StateThreads {
  readonly #folder: string;
  readonly #threadsMax: number;
  readonly #queuedMax: number;
  readonly #jobMsMax: number;
  readonly #heapMibMax: number;
  readonly #threads = new Set<Thread>();
  #queue: Waiting[] = [];
  #isStopped = false;

  constructor(options: StateThreadsOptions) {
    this.#folder = options.folder;
    this.#threadsMax = options.threadsMax ?? stateThreadsMax;
    this.#queuedMax = options.queuedMax ?? stateJobsQueuedMax;
    this.#jobMsMax = options.jobMsMax ?? stateJobMsMax;
    this.#heapMibMax = options.heapMibMax ?? stateThreadHeapMibMax;
  }

  /** Jobs waiting or under way. */
  get count(): number {
    return this.#queue.length + [...this.#threads].filter(({ running }) => running !== null).length;
  }

  /** `signal`: of who asked; a job that still waits when it aborts is dropped. */
  async run<N extends StateTaskName>(
    job: StateJob<N>,
    signal: AbortSignal | null = null,
  ): Promise<Outcome<StateTaskAnswer<N>, StateJobRefusal>> {
    if (this.#isStopped || this.#queue.length >= this.#queuedMax) {
      const detail = this.#isStopped
        ? "the node is stopping"
        : `limit stateJobsQueuedMax is ${this.#queuedMax}`;
      return refuse({ code: "busy", detail });
    }
    const outcome = await new Promise<Outcome<unknown, StateJobRefusal>>((resolve, reject) => {
      const waiting = { job, resolve, reject };
      this.#queue.push(waiting);
      this.#dispatch();
      if (signal?.aborted === true) this.#drop(waiting);
      signal?.addEventListener("abort", () => this.#drop(waiting), { once: true });
    });
    // The thread answered the job of this very name.
    return outcome.ok ? accept(outcome.value as StateTaskAnswer<N>) : outcome;
  }

  /** Ends all threads; whoever waits is told that the node stops. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    const threads = [...this.#threads];
    const waiting = [...threads.flatMap(({ running }) => running ?? []), ...this.#queue];
    this.#threads.clear();
    this.#queue = [];
    for (const { resolve } of waiting) {
      resolve(refuse({ code: "busy", detail: "the node is stopping" }));
    }
    await Promise.all(threads.map((thread) => this.#end(thread)));
  }

  /** Gives up a job that waits for others, not for a thread that is starting. */
  #drop(waiting: Waiting): void {
    const at = this.#queue.indexOf(waiting);
    if (at < this.#startingCount()) return; // Or it runs, or has run.
    this.#queue.splice(at, 1);
    waiting.resolve(gone);
  }

  #dispatch(): void {
    for (const thread of this.#threads) {
      if (this.#queue.length === 0) return;
      if (thread.running === null && thread.isReady) this.#start(thread);
    }
    if (this.#queue.length > this.#startingCount() && this.#threads.size < this.#threadsMax)
      this.#open();
  }

  #startingCount(): number {
    return [...this.#threads].filter(({ isReady }) => !isReady).length;
  }

  #start(thread: Thread): void {
    const next = this.#queue.shift();
    if (next === undefined) return;
    thread.running = next;
    thread.worker.ref(); // A job keeps the process alive, an idle thread does not.
    thread.timer = setTimeout(() => {
      const seconds = this.#jobMsMax / 1_000;
      const detail = `execution aborted: it took more than ${seconds} s (limit stateJobMsMax)`;
      this.#lose(thread, { code: "tooLong", detail });
    }, this.#jobMsMax);
    thread.worker.postMessage(next.job);
  }

  #open(): void {
    const worker = new Worker(workerFile(new URL("./stateWorker.ts", import.meta.url)), {
      workerData: { folder: this.#folder },
      resourceLimits: { maxOldGenerationSizeMb: this.#heapMibMax },
    });
    const thread: Thread = { worker, isReady: false, running: null, timer: null };
    this.#threads.add(thread);
    worker.on("message", (message: StateJobEnd | "ready") => {
      if (message === "ready") {
        thread.isReady = true;
        worker.unref();
      } else this.#settle(thread, message);
      this.#dispatch();
    });
    worker.on("error", (error: unknown) => this.#onError(thread, error));
  }

  #settle(thread: Thread, end: StateJobEnd): void {
    const { running } = thread;
    this.#rest(thread);
    if (running === null) return;
    switch (end.type) {
      case "answered":
        running.resolve(accept(end.answer));
        break;
      case "pruned":
        running.resolve(refuse({ code: "pruned" }));
        break;
      case "threw":
        running.reject(thrown(end));
    }
  }

  #rest(thread: Thread): void {
    thread.running = null;
    if (thread.timer !== null) clearTimeout(thread.timer);
    thread.timer = null;
    thread.worker.unref();
  }

  /** The thread ran out of memory, which is its job's fault, or could not start, which is ours. */
  #onError(thread: Thread, error: unknown): void {
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code === "ERR_WORKER_OUT_OF_MEMORY") {
      const limit = `limit heapMibMax is ${this.#heapMibMax}`;
      const detail = `execution aborted: it took too much memory (${limit})`;
      this.#lose(thread, { code: "tooLong", detail });
      return;
    }
    const failure = error instanceof Error ? error : new Error(String(error));
    if (!this.#threads.delete(thread)) return;
    const failed = thread.running ?? this.#queue.shift() ?? null;
    this.#rest(thread);
    failed?.reject(failure);
    this.#dispatch();
  }

  #lose(thread: Thread, refusal: StateJobRefusal): void {
    if (!this.#threads.delete(thread)) return;
    const { running } = thread;
    this.#rest(thread);
    running?.resolve(refuse(refusal));
    void this.#end(thread).then(() => this.#dispatch());
  }

  async #end(thread: Thread): Promise<void> {
    if (thread.timer !== null) clearTimeout(thread.timer);
    thread.worker.removeAllListeners();
    await thread.worker.terminate();
  }
}

const gone = refuse({ code: "busy", detail: "the client went away" } as const);

/** What a thread threw, as this thread would have thrown it. */
function thrown({ code, stack }: StateJobEnd & { readonly type: "threw" }): Error {
  return code === "" ? new Error(stack) : new NodeError(code, stack);
}
