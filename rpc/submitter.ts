import type { Outcome } from "../base/outcome.ts";
import type { NodeApi, Submission, Submitted, SubmitRefusal } from "./api.ts";
import type { RpcLimits } from "./limits.ts";

/** What became of one submission; `busy`: too many are on their way already. */
export type SubmitOutcome = Outcome<Submitted, SubmitRefusal> | "busy";

type Waiting = {
  readonly submission: Submission;
  readonly resolve: (outcome: SubmitOutcome) => void;
  readonly reject: (error: unknown) => void;
};

/**
 * Hands submissions to the node in groups: whatever all connections send within one turn of the
 * event loop is one call, because signatures are recovered and the journal is synced in packages
 * (performance.md 12, levers 1 and 6). A lone submission waits for nothing but the end of its turn.
 */
export class Submitter {
  readonly #node: Pick<NodeApi, "submit">;
  readonly #limits: RpcLimits;
  #group: Waiting[] = [];
  #inFlight = 0;

  constructor(node: Pick<NodeApi, "submit">, limits: RpcLimits) {
    this.#node = node;
    this.#limits = limits;
  }

  submit(submission: Submission): Promise<SubmitOutcome> {
    if (this.#inFlight >= this.#limits.submissionsInFlightMax) return Promise.resolve("busy");
    this.#inFlight += 1;
    return new Promise((resolve, reject) => {
      if (this.#group.length === 0) setImmediate(() => this.#flush());
      this.#group.push({ submission, resolve, reject });
      if (this.#group.length >= this.#limits.submitGroupMax) this.#flush();
    });
  }

  #flush(): void {
    const group = this.#group;
    if (group.length === 0) return;
    this.#group = [];
    void this.#hand(group);
  }

  async #hand(group: readonly Waiting[]): Promise<void> {
    try {
      const submissions = group.map((waiting) => waiting.submission);
      const outcomes = await this.#node.submit(submissions, { local: true });
      for (const [index, waiting] of group.entries()) {
        const outcome = outcomes[index];
        if (outcome === undefined)
          waiting.reject(new Error("the node left a submission unanswered"));
        else waiting.resolve(outcome);
      }
    } catch (error) {
      for (const waiting of group) waiting.reject(error);
    } finally {
      this.#inFlight -= group.length;
    }
  }
}
