import type { Digest } from "../base/brand.ts";

/** Why a wait ended before its transaction was committed. */
export type WaitEnd =
  | { readonly code: "committed" }
  | { readonly code: "timeout" }
  | { readonly code: "aborted" }
  | { readonly code: "abandoned"; readonly reason: string };

/** Most waits at once; one more ends at once as if its time were up. */
export const waitersMax = 20_000;

/** Clients that wait for transactions to be committed. */
export class Waiters {
  readonly #byHash = new Map<Digest, Set<(end: WaitEnd) => void>>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Resolves when `settle` is called for the hash, the time is up, or the client is gone. */
  wait(
    hash: Digest,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<WaitEnd> {
    if (options.signal.aborted) return Promise.resolve({ code: "aborted" });
    if (this.#count >= waitersMax) return Promise.resolve({ code: "timeout" });
    return new Promise((resolve) => {
      const waiting = this.#byHash.get(hash) ?? new Set();
      this.#byHash.set(hash, waiting);
      const finish = (end: WaitEnd): void => {
        if (!waiting.delete(finish)) return;
        this.#count -= 1;
        if (waiting.size === 0) this.#byHash.delete(hash);
        clearTimeout(timer);
        options.signal.removeEventListener("abort", onAbort);
        resolve(end);
      };
      const onAbort = (): void => finish({ code: "aborted" });
      const timer = setTimeout(() => finish({ code: "timeout" }), options.timeoutMs);
      options.signal.addEventListener("abort", onAbort, { once: true });
      waiting.add(finish);
      this.#count += 1;
    });
  }

  /** Ends every wait for a transaction. */
  settle(hash: Digest, end: WaitEnd): void {
    for (const finish of this.#byHash.get(hash) ?? []) finish(end);
  }

  /** Ends all waits: the node stops. */
  stop(): void {
    for (const hash of this.#byHash.keys()) this.settle(hash, { code: "aborted" });
  }
}
