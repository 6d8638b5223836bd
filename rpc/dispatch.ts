import { AssertionError } from "../base/assert.ts";
import { NodeError } from "../base/nodeError.ts";
import { toPrintable } from "../base/print.ts";
import type { Answer, RpcError } from "./errors.ts";
import { errorCodes, invalidParams, limitExceeded } from "./errors.ts";
import { isJsonObject, isNestedDeeper, JsonText, memberOf, shortened } from "./json.ts";
import type { RpcLimits } from "./limits.ts";
import type { RpcMetrics } from "./metrics.ts";
import { nearestName } from "./nearest.ts";
import type { ParameterStyle, ParameterTable, ParameterValues } from "./parameters.ts";
import { readParameters } from "./parameters.ts";
import type { Subscriber } from "./subscriptions.ts";

// JSON-RPC 2.0 over text: a body in, the answer's text out, or `null` where nothing is answered.
// Methods answer with values; a method that throws has a bug, which is answered with -32603,
// counted and logged, and ends nothing but that call.

/** What a call may know of the request it came in. */
export type CallContext = {
  /** Aborts when the client goes away or the request's time is over. */
  readonly signal: AbortSignal;
  /** Whom to tell what happens later; `null` where that is not possible: over HTTP. */
  readonly subscriber: Subscriber | null;
};

/** A method of the table. */
export type Method = {
  readonly name: string;
  readonly summary: string;
  readonly style: ParameterStyle;
  readonly parameters: ParameterTable;
  /** Reads many blocks: only a few of these run at one time. */
  readonly heavy: boolean;
  readonly invoke: (params: unknown, context: CallContext) => Answer | Promise<Answer>;
};

/** Where the dispatcher tells of bugs; `node/log.ts` has this shape. */
export type RpcLog = {
  error(message: string, values?: Record<string, unknown>): void;
  warn(message: string, values?: Record<string, unknown>): void;
};

/** Makes a method whose function gets parameters that are read already. */
export function method<P extends ParameterTable>(definition: {
  readonly name: string;
  readonly summary: string;
  readonly style: ParameterStyle;
  readonly parameters: P;
  readonly heavy?: true;
  readonly call: (values: ParameterValues<P>, context: CallContext) => Answer | Promise<Answer>;
}): Method {
  const { name, summary, style, parameters, call } = definition;
  return {
    name,
    summary,
    style,
    parameters,
    heavy: definition.heavy === true,
    invoke: (params, context) => {
      const read = readParameters(parameters, params, style);
      if (!read.ok) return { ok: false, refusal: invalidParams(`${name}: ${read.refusal}`) };
      return call(read.value, context);
    },
  };
}

type Id = string | number | null;

function isId(value: unknown): value is Id {
  if (typeof value === "number") return Number.isSafeInteger(value);
  return typeof value === "string" || value === null;
}

function errorText(id: Id, error: RpcError): string {
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":${JSON.stringify(error)}}`;
}

/** The text of an error answer to a request whose id is not known. */
export function errorAnswerText(error: RpcError): string {
  return errorText(null, error);
}

/** Runs at most `runningMax` at one time; `queueMax` more wait in line. */
class Turnstile {
  readonly #runningMax: number;
  readonly #queueMax: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(runningMax: number, queueMax: number) {
    this.#runningMax = runningMax;
    this.#queueMax = queueMax;
  }

  /** `null` if the line is full. */
  run(work: () => Answer | Promise<Answer>): Promise<Answer> | null {
    if (this.#running >= this.#runningMax && this.#waiting.length >= this.#queueMax) return null;
    return this.#runInTurn(work);
  }

  async #runInTurn(work: () => Answer | Promise<Answer>): Promise<Answer> {
    if (this.#running >= this.#runningMax)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
    try {
      return await work();
    } finally {
      // The place goes to the next in line, so `#running` stays as it is.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}

/** Answers bodies from a table of methods. */
export class Dispatcher {
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #limits: RpcLimits;
  readonly #metrics: RpcMetrics;
  readonly #log: RpcLog;
  readonly #onThrow: (error: unknown) => void;
  readonly #heavy: Turnstile;

  constructor(
    methods: readonly Method[],
    options: {
      readonly limits: RpcLimits;
      readonly metrics: RpcMetrics;
      readonly log: RpcLog;
      /** Told what a method threw; a failing disk, unlike a bug, is to end the node. */
      readonly onThrow?: (error: unknown) => void;
    },
  ) {
    this.#methods = new Map(methods.map((entry) => [entry.name, entry]));
    this.#limits = options.limits;
    this.#metrics = options.metrics;
    this.#log = options.log;
    this.#onThrow = options.onThrow ?? (() => undefined);
    this.#heavy = new Turnstile(options.limits.heavyCallsMax, options.limits.heavyQueueMax);
  }

  get methods(): readonly Method[] {
    return [...this.#methods.values()];
  }

  /**
   * The answer's text; `null` if the body holds notifications only. Most answers are there at once,
   * and pay for no promise then.
   */
  answer(body: string, context: CallContext): string | null | Promise<string | null> {
    const { nestingMax } = this.#limits;
    if (isNestedDeeper(body, nestingMax)) {
      return this.#refuseBody(limitExceeded("nestingMax", nestingMax, null));
    }
    let request: unknown;
    try {
      request = JSON.parse(body);
    } catch {
      return this.#refuseBody({ code: errorCodes.parse, message: "the body is not JSON" });
    }
    const startedMs = performance.now();
    const batch: readonly unknown[] | null = Array.isArray(request) ? request : null;
    const answer =
      batch === null ? this.#answerOne(request, context) : this.#answerBatch(batch, context);
    const measured = (text: string | null): string | null => {
      const name = batch === null ? this.#nameOf(request) : "batch";
      this.#metrics.took(name, performance.now() - startedMs);
      return text;
    };
    return answer instanceof Promise ? answer.then(measured) : measured(answer);
  }

  /** Only names of the table become labels. */
  #nameOf(request: unknown): string {
    const name = isJsonObject(request) ? memberOf(request, "method") : undefined;
    return typeof name === "string" && this.#methods.has(name) ? name : "none";
  }

  async #answerBatch(batch: readonly unknown[], context: CallContext): Promise<string | null> {
    const { batchCallsMax, responseSizeMax } = this.#limits;
    if (batch.length === 0) return this.#refuseBody(invalidRequest("the batch is empty"));
    if (batch.length > batchCallsMax)
      return this.#refuseBody(limitExceeded("batchCallsMax", batchCallsMax, batch.length));
    // All begin before any is awaited: submissions of one batch go to the node in one group.
    const begun = batch.map((request) => this.#answerOne(request, context));
    const texts: string[] = [];
    let size = 0;
    for (const answer of begun) {
      const text = typeof answer === "string" || answer === null ? answer : await answer;
      if (text === null) continue;
      size += text.length;
      if (size > responseSizeMax)
        return this.#refuseBody(limitExceeded("responseSizeMax", responseSizeMax, null));
      texts.push(text);
    }
    return texts.length === 0 ? null : `[${texts.join(",")}]`;
  }

  /** Not `async`: most answers are there at once, and a batch pays for no promise then. */
  #answerOne(request: unknown, context: CallContext): string | null | Promise<string | null> {
    if (!isJsonObject(request)) return this.#refuseBody(invalidRequest("a call is an object"));
    const id = memberOf(request, "id");
    const given = id !== undefined;
    if (given && !isId(id))
      return this.#refuseBody(
        invalidRequest("id must be a string, null or a whole number within 2^53"),
      );
    const answeredId = given && isId(id) ? id : null;
    const params = memberOf(request, "params");
    const name = memberOf(request, "method");
    const fault = requestFault(memberOf(request, "jsonrpc"), name, params);
    if (fault !== null || typeof name !== "string") {
      this.#metrics.refused(errorCodes.invalidRequest);
      return errorText(answeredId, invalidRequest(fault ?? "method must be a string"));
    }
    const called = this.#methods.get(name);
    if (called === undefined) {
      this.#metrics.refused(errorCodes.methodNotFound);
      return given ? errorText(answeredId, this.#notFound(name)) : null;
    }
    const answer = this.#invoke(called, params, context);
    if (answer instanceof Promise)
      return answer.then(
        (value) => this.#encode(called, answeredId, given, value),
        (error: unknown) => this.#encode(called, answeredId, given, this.#failed(called, error)),
      );
    return this.#encode(called, answeredId, given, answer);
  }

  #invoke(called: Method, params: unknown, context: CallContext): Answer | Promise<Answer> {
    try {
      const answer = called.heavy
        ? this.#heavy.run(() => called.invoke(params, context))
        : called.invoke(params, context);
      if (answer === null)
        return {
          ok: false,
          refusal: limitExceeded("heavyQueueMax", this.#limits.heavyQueueMax, null),
        };
      return answer;
    } catch (error) {
      return this.#failed(called, error);
    }
  }

  /**
   * A method never throws for bad input, so this is a bug, and one poisoned call must not end the
   * node; or it is a failure, such as a damaged disk, which `onThrow` ends the node for.
   */
  #failed(called: Method, error: unknown): Answer {
    this.#onThrow(error);
    this.#metrics.threw(called.name);
    const isFailure = error instanceof NodeError;
    this.#log.error("an RPC method threw", {
      method: called.name,
      error: toPrintable(error),
      ...(error instanceof Error && !isFailure ? { stack: error.stack ?? "" } : {}),
      assertion: error instanceof AssertionError,
    });
    const what = isFailure ? `the node failed (${error.code})` : "a bug of the node";
    const message = `${called.name} failed: ${what}, see its log`;
    return { ok: false, refusal: { code: errorCodes.internal, message } };
  }

  /** Never throws: an answer that has no JSON form is a bug like a method that throws. */
  #encode(called: Method, id: Id, given: boolean, answer: Answer): string | null {
    try {
      return this.#encodeAnswer(called, id, given, answer);
    } catch (error) {
      return this.#encodeAnswer(called, id, given, this.#failed(called, error));
    }
  }

  #encodeAnswer(called: Method, id: Id, given: boolean, answer: Answer): string | null {
    this.#metrics.answered(called.name, answer.ok ? 0 : answer.refusal.code);
    if (!given) return null;
    if (!answer.ok) return errorText(id, answer.refusal);
    const { value } = answer;
    const result = value instanceof JsonText ? value.text : JSON.stringify(value);
    const { responseSizeMax } = this.#limits;
    if (result.length > responseSizeMax)
      return errorText(id, limitExceeded("responseSizeMax", responseSizeMax, result.length));
    const idText = typeof id === "number" ? `${id}` : JSON.stringify(id);
    return `{"jsonrpc":"2.0","id":${idText},"result":${result}}`;
  }

  #notFound(name: string): RpcError {
    const near = nearestName(name, this.#methods.keys());
    const hint = near === null ? "" : `; did you mean ${near}?`;
    return {
      code: errorCodes.methodNotFound,
      message: `the method ${shortened(name, 60)} does not exist or is not available${hint}`,
      data: { code: "E_METHOD_NOT_FOUND", ...(near === null ? {} : { nearest: near }) },
    };
  }

  #refuseBody(error: RpcError): string {
    this.#metrics.refused(error.code);
    return errorText(null, error);
  }
}

function invalidRequest(message: string): RpcError {
  return { code: errorCodes.invalidRequest, message: `invalid request: ${message}` };
}

function requestFault(version: unknown, name: unknown, params: unknown): string | null {
  if (version !== "2.0") return 'jsonrpc must be "2.0"';
  if (typeof name !== "string") return "method must be a string";
  if (params !== undefined && (typeof params !== "object" || params === null))
    return "params must be an array or an object, or be left out";
  return null;
}
