import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Address } from "../base/brand.ts";
import {
  packClaims,
  recoverRecords,
  signerOf,
  unpackSigners,
  type SignatureClaim,
} from "./verify.ts";
import { workerFile } from "./workerFile.node.ts";

/*
 * Signature recovery on worker threads. Recovery is the largest part of a transfer's cost (about 50
 * µs), so it leaves the main thread in packages, large enough that passing them costs little. Where
 * there is one core, or when the threads die, the same work is done in place.
 */

/** Bounds of a pool; each has a default. */
export type RecoverPoolOptions = {
  /** Threads; 0 recovers in place. Default: one per core but the main thread's, at most 4. */
  readonly threads?: number;
  /** Claims waiting or under way; more are refused, which is back-pressure for the sender. */
  readonly claimsQueuedMax?: number;
  /**
   * How long the first claim of a package waits for others, while there are fewer than the minimum.
   */
  readonly lingerMs?: number;
  /** Told once per thread that dies. */
  readonly onFailure?: (error: Error) => void;
  /** Starts a thread that answers packed records; default: `recoverWorker.node.ts`. */
  readonly startWorker?: () => Worker;
};

/** Claims that make a package worth sending at once. */
export const packageClaimsMin = 32;

/** Claims in one package; bounds how long a thread is busy (about 13 ms). */
export const packageClaimsMax = 256;

/** Below this many, passing a package costs more than recovering in place. */
export const inlineClaimsMax = 2;

type Signers = readonly (Address | null)[];

type Job = {
  readonly claims: readonly SignatureClaim[];
  readonly resolve: (signers: Signers) => void;
};

type Thread = { readonly worker: Worker; package: readonly Job[] | null };

/** Recovers signers on worker threads, in packages; `start` and `stop` may be called twice. */
export class RecoverPool {
  readonly #threadCount: number;
  readonly #claimsQueuedMax: number;
  readonly #lingerMs: number;
  readonly #onFailure: (error: Error) => void;
  readonly #startWorker: () => Worker;
  readonly #threads: Thread[] = [];
  #waiting: Job[] = [];
  #claimsWaiting = 0;
  #claimsQueued = 0;
  #linger: NodeJS.Timeout | null = null;

  constructor(options: RecoverPoolOptions = {}) {
    this.#threadCount = options.threads ?? Math.min(4, availableParallelism() - 1);
    this.#claimsQueuedMax = options.claimsQueuedMax ?? 65_536;
    this.#lingerMs = options.lingerMs ?? 2;
    this.#onFailure = options.onFailure ?? (() => undefined);
    this.#startWorker = options.startWorker ?? startWorker;
  }

  /** Threads alive; 0 means that recovery happens in place. */
  get threads(): number {
    return this.#threads.length;
  }

  /** Claims waiting or under way. */
  get claimsQueued(): number {
    return this.#claimsQueued;
  }

  start(): void {
    while (this.#threads.length < this.#threadCount) this.#threads.push(this.#startThread());
  }

  /** Ends the threads; claims that are still waiting are recovered in place. */
  async stop(): Promise<void> {
    const threads = this.#threads.splice(0);
    for (const thread of threads) {
      thread.worker.removeAllListeners();
      if (thread.package !== null) this.#recoverInPlace(thread.package);
    }
    this.#dispatch();
    await Promise.all(threads.map((thread) => thread.worker.terminate()));
  }

  /**
   * The signer of each claim, `null` where one does not hold; `null` for all when the queue is
   * full.
   */
  recover(claims: readonly SignatureClaim[]): Promise<Signers> | null {
    if (this.#threads.length === 0) return Promise.resolve(claims.map(signerOf));
    if (this.#claimsQueued + claims.length > this.#claimsQueuedMax) return null;
    this.#claimsQueued += claims.length;
    this.#claimsWaiting += claims.length;
    const { promise, resolve } = Promise.withResolvers<Signers>();
    this.#waiting.push({ claims, resolve });
    if (this.#claimsWaiting >= packageClaimsMin) this.#dispatch();
    else this.#linger ??= setTimeout(() => this.#dispatch(), this.#lingerMs);
    return promise;
  }

  /** Gives waiting claims to idle threads; what finds none goes when a thread answers. */
  #dispatch(): void {
    if (this.#linger !== null) clearTimeout(this.#linger);
    this.#linger = null;
    if (this.#threads.length === 0 || this.#claimsWaiting <= inlineClaimsMax) {
      this.#recoverInPlace(this.#takePackage(Number.POSITIVE_INFINITY));
      return;
    }
    for (const thread of this.#threads) {
      if (thread.package !== null || this.#waiting.length === 0) continue;
      const jobs = this.#takePackage(packageClaimsMax);
      thread.package = jobs;
      const records = packClaims(jobs.flatMap((job) => job.claims));
      thread.worker.ref(); // Work under way keeps the process alive; an idle thread does not.
      thread.worker.postMessage(records, [records.buffer]);
    }
  }

  /** Whole jobs up to `claimsMax` claims, but at least one job. */
  #takePackage(claimsMax: number): readonly Job[] {
    let claims = 0;
    let jobs = 0;
    for (const job of this.#waiting) {
      if (jobs > 0 && claims + job.claims.length > claimsMax) break;
      claims += job.claims.length;
      jobs += 1;
    }
    this.#claimsWaiting -= claims;
    return this.#waiting.splice(0, jobs);
  }

  #recoverInPlace(jobs: readonly Job[]): void {
    const claims = jobs.flatMap((job) => job.claims);
    this.#settle(jobs, recoverRecords(packClaims(claims)));
  }

  #settle(jobs: readonly Job[], answers: Uint8Array): void {
    const signers = unpackSigners(
      jobs.flatMap((job) => job.claims),
      answers,
    );
    let at = 0;
    for (const job of jobs) {
      job.resolve(signers.slice(at, at + job.claims.length));
      at += job.claims.length;
    }
    this.#claimsQueued -= at;
  }

  #startThread(): Thread {
    const worker = this.#startWorker();
    const thread: Thread = { worker, package: null };
    worker.unref();
    worker.on("message", (answers: Uint8Array) => {
      const jobs = thread.package ?? [];
      thread.package = null;
      worker.unref();
      this.#settle(jobs, answers);
      if (this.#waiting.length > 0) this.#dispatch();
    });
    worker.on("error", (error: unknown) => {
      this.#lose(thread, error instanceof Error ? error : new Error(String(error)));
    });
    worker.on("exit", (code) => {
      this.#lose(thread, new Error(`a recovery thread ended with code ${code}`));
    });
    return thread;
  }

  /** A thread died: its package is done in place, the others go on. */
  #lose(thread: Thread, error: Error): void {
    const index = this.#threads.indexOf(thread);
    if (index < 0) return;
    this.#threads.splice(index, 1);
    const jobs = thread.package;
    thread.package = null;
    if (jobs !== null) this.#recoverInPlace(jobs);
    if (this.#threads.length === 0) this.#dispatch();
    this.#onFailure(error);
  }
}

function startWorker(): Worker {
  return new Worker(workerFile(new URL("./recoverWorker.node.ts", import.meta.url)));
}
