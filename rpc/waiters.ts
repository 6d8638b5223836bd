import type { Digest } from "../base/brand.ts";
import type { Outcome } from "../base/outcome.ts";
import { refuse } from "../base/outcome.ts";
import type { CommittedTransaction, NodeApi, WaitRefusal } from "./api.ts";
import type { RpcLimits } from "./limits.ts";

/** Calls that wait for a commit; their number is bounded. */
export class Waiters {
  readonly #node: Pick<NodeApi, "waitCommitted">;
  readonly #limits: RpcLimits;
  #count = 0;

  constructor(node: Pick<NodeApi, "waitCommitted">, limits: RpcLimits) {
    this.#node = node;
    this.#limits = limits;
  }

  /** Whether one more may wait: looked at before a transaction is submitted on its behalf. */
  get isFull(): boolean {
    return this.#count >= this.#limits.waitersMax;
  }

  async wait(
    hash: Digest,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<Outcome<CommittedTransaction, WaitRefusal | { readonly code: "busy" }>> {
    if (this.isFull) return refuse({ code: "busy" });
    this.#count += 1;
    try {
      return await this.#node.waitCommitted(hash, options);
    } finally {
      this.#count -= 1;
    }
  }
}
