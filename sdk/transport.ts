import { accept, refuse, type Outcome } from "../base/outcome.ts";
import { ProtocolError, RpcError, TimeoutError, UnreachableError } from "./errors.ts";

/** Where and how requests are sent. */
export type TransportOptions = {
  /** Absolute URL of the node's `/rpc` path. */
  readonly url: string;
  /** Deadline of one request; 30,000 unless given. */
  readonly timeoutMs?: number;
  /** Stands in for the platform's `fetch`. */
  readonly fetch?: typeof fetch;
};

/** What one request may override. */
export type CallOptions = {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
};

/** One call of a batch. */
export type Call = { readonly method: string; readonly params?: unknown };

/** Largest answer that is read, in bytes; a longer one is cut off and refused. */
export const answerBytesMax: number = 64 * 1_024 * 1_024;

/** Calls that one batch may hold; what the node takes is its own limit. */
export const batchCallsMax = 1_000;

const timeoutMsDefault = 30_000;

type Answer = { readonly id: number | null; readonly outcome: Outcome<unknown, RpcError> };

/** JSON-RPC 2.0 over HTTP: each call has a deadline, each failure its own class. No retries. */
export class Transport {
  readonly url: string;
  readonly #fetch: typeof fetch;
  readonly #timeoutMs: number;
  #nextId = 1;

  constructor(options: TransportOptions) {
    this.url = options.url;
    this.#fetch = options.fetch ?? fetch;
    this.#timeoutMs = options.timeoutMs ?? timeoutMsDefault;
  }

  /** The result, or throws `RpcError`, `UnreachableError`, `TimeoutError`, `ProtocolError`. */
  async call(method: string, params: unknown = {}, options: CallOptions = {}): Promise<unknown> {
    const id = this.#nextId++;
    const body = { jsonrpc: "2.0", id, method, params };
    const answer = readAnswer(await this.#post(method, body, options), () => method);
    if (answer.id !== id && answer.outcome.ok)
      throw new ProtocolError(`the answer to ${method} has id ${answer.id}, not ${id}`);
    if (!answer.outcome.ok) throw answer.outcome.refusal;
    return answer.outcome.value;
  }

  /** Results in the order of `calls`; one call's refusal does not fail the others. */
  async batch(
    calls: readonly Call[],
    options: CallOptions = {},
  ): Promise<readonly Outcome<unknown, RpcError>[]> {
    if (calls.length === 0) return [];
    if (calls.length > batchCallsMax)
      throw new RangeError(`a batch has at most ${batchCallsMax} calls, not ${calls.length}`);
    const first = this.#nextId;
    this.#nextId += calls.length;
    const body = calls.map((call, i) => ({
      jsonrpc: "2.0",
      id: first + i,
      method: call.method,
      params: call.params ?? {},
    }));
    const answer = await this.#post(`a batch of ${calls.length}`, body, options);
    const methodOf = (id: number | null): string => calls[(id ?? -1) - first]?.method ?? "a batch";
    if (!Array.isArray(answer)) {
      const single = readAnswer(answer, methodOf);
      throw single.outcome.ok
        ? new ProtocolError("a batch got a single answer")
        : single.outcome.refusal;
    }
    const outcomes = new Map(
      answer.map((one: unknown) => {
        const { id, outcome } = readAnswer(one, methodOf);
        return [id, outcome] as const;
      }),
    );
    return calls.map((call, i) => {
      const outcome = outcomes.get(first + i);
      if (outcome === undefined)
        throw new ProtocolError(`the batch has no answer to ${call.method}`);
      return outcome;
    });
  }

  async #post(what: string, body: unknown, options: CallOptions): Promise<unknown> {
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
    const deadline = AbortSignal.timeout(timeoutMs);
    const signal =
      options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal]);
    let text: string;
    let status: number;
    try {
      const response = await this.#fetch(this.url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
        signal,
      });
      status = response.status;
      text = await readText(response);
    } catch (error) {
      if (error instanceof ProtocolError) throw error;
      if (options.signal?.aborted === true) throw options.signal.reason;
      if (deadline.aborted) throw new TimeoutError(what, timeoutMs);
      throw new UnreachableError(this.url, error);
    }
    try {
      return JSON.parse(text) as unknown;
    } catch (error) {
      throw new ProtocolError(`${this.url} answered HTTP ${status} without JSON`, error);
    }
  }
}

async function readText(response: Response): Promise<string> {
  if (response.body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let sizeBytes = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    sizeBytes += value.length;
    if (sizeBytes > answerBytesMax) {
      await reader.cancel();
      throw new ProtocolError(`the answer is larger than ${answerBytesMax} bytes`);
    }
    text += decoder.decode(value, { stream: true });
  }
}

function readAnswer(answer: unknown, methodOf: (id: number | null) => string): Answer {
  if (typeof answer !== "object" || answer === null || Array.isArray(answer))
    throw new ProtocolError("the answer is not a JSON-RPC object");
  const id = "id" in answer && typeof answer.id === "number" ? answer.id : null;
  if ("error" in answer && typeof answer.error === "object" && answer.error !== null) {
    const { error } = answer;
    const code = "code" in error && typeof error.code === "number" ? error.code : 0;
    const message = "message" in error ? String(error.message) : "refused without a message";
    const data = "data" in error ? error.data : null;
    return { id, outcome: refuse(new RpcError(methodOf(id), { code, message, data })) };
  }
  if (!("result" in answer))
    throw new ProtocolError("the answer has neither a result nor an error");
  return { id, outcome: accept(answer.result) };
}
