import type { IncomingMessage, ServerResponse } from "node:http";

import { printValue } from "../base/print.ts";
import { Answers } from "./answering.ts";
import { BodyReader } from "./body.ts";
import type { Connections } from "./connections.ts";
import type { Dispatcher, RpcLog } from "./dispatch.ts";
import { errorAnswerText } from "./dispatch.ts";
import type { RpcError } from "./errors.ts";
import { errorCodes, limitExceeded, serverError } from "./errors.ts";
import type { GuardOptions } from "./guard.ts";
import { guardHeaders } from "./guard.ts";
import type { RpcLimits } from "./limits.ts";
import type { RpcMetrics, ShedReason } from "./metrics.ts";
import { HeapPressure } from "./pressure.ts";
import type { Subscriber } from "./subscriptions.ts";

/** Of every answer in JSON. */
export const jsonType = "application/json; charset=utf-8";

/** What the endpoint is made of. */
export type CallEndpointParts = {
  readonly limits: RpcLimits;
  readonly guard: GuardOptions;
  readonly dispatcher: Dispatcher;
  readonly metrics: RpcMetrics;
  readonly connections: Connections;
  readonly log: RpcLog;
};

type TurnedAway = { readonly reason: ShedReason; readonly error: RpcError };

/** Whether a request is a JSON-RPC call; a query behind the path makes it none. */
export function isCall({ method, url }: Pick<IncomingMessage, "method" | "url">): boolean {
  return method === "POST" && (url === "/rpc" || url === "/");
}

/**
 * Where JSON-RPC is posted. It works on Node's own request and response: under load a router and
 * its hooks would cost as much as all the rest of an answer.
 */
export class CallEndpoint {
  readonly #parts: CallEndpointParts;
  readonly #bodies: BodyReader;
  readonly #answers: Answers;
  readonly #heap: HeapPressure;
  #responseSizeInFlight = 0;
  #isStopping = false;

  constructor(parts: CallEndpointParts) {
    this.#parts = parts;
    this.#bodies = new BodyReader(parts.limits);
    this.#answers = new Answers(parts.limits.callTimeoutMs);
    this.#heap = new HeapPressure(parts.limits.heapUsedPercentMax);
  }

  start(): void {
    this.#isStopping = false;
    this.#answers.start();
  }

  /** Ends what is being answered; whoever sends more is turned away. */
  stop(): void {
    this.#isStopping = true;
    this.#answers.stop();
  }

  /** Answers one request, whatever it is. Never throws. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#serve(request, response);
    } catch (error) {
      this.#parts.log.error("the RPC server failed to answer", { error: printValue(error) });
      const message = "the server failed: see its log";
      send(response, 500, errorAnswerText({ code: errorCodes.internal, message }));
    }
  }

  /** The answer to a message of a WebSocket; `null` if it wants none. */
  async answerMessage(
    body: string,
    subscriber: Subscriber,
    onOpen: (abort: () => void) => void,
  ): Promise<string | null> {
    const { dispatcher, metrics } = this.#parts;
    const busy = this.#busy();
    if (busy !== null) {
      metrics.shed(busy.reason);
      return errorAnswerText(busy.error);
    }
    metrics.inFlight(1);
    try {
      return await this.#answers.run(
        (context) => dispatcher.answer(body, context),
        onOpen,
        subscriber,
      );
    } finally {
      metrics.inFlight(-1);
    }
  }

  /** Reads a refused request to its end, so that its sender reads the answer, and refuses it. */
  async turnAway(
    request: IncomingMessage,
    response: ServerResponse,
    why: TurnedAway & { readonly status: number },
  ): Promise<void> {
    this.#parts.metrics.shed(why.reason);
    await this.#bodies.drain(request);
    send(response, why.status, errorAnswerText(why.error));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refusal = guardHeaders("POST", request.headers, this.#parts.guard);
    if (refusal !== null) {
      const error = { code: errorCodes.invalidRequest, message: refusal.message };
      return this.turnAway(request, response, { ...refusal, error });
    }
    const { origin } = request.headers;
    if (origin !== undefined) {
      response.setHeader("access-control-allow-origin", origin).setHeader("vary", "Origin");
    }
    if (this.#isStopping) response.setHeader("connection", "close");
    const busy = this.#busy();
    if (busy !== null) {
      response.setHeader("retry-after", "1");
      return this.turnAway(request, response, { status: 503, ...busy });
    }
    const body = await this.#bodies.read(request);
    if (body === null) return; // The client is gone.
    if (body.ok) return this.#answer(body.value, request, response);
    this.#parts.metrics.shed(body.refusal.status === 503 ? "busy" : "bodyTooLarge");
    send(response, body.refusal.status, errorAnswerText(body.refusal.error));
  }

  async #answer(body: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { connections, dispatcher, metrics } = this.#parts;
    const { socket } = request;
    let size = 0;
    connections.beginAnswer(socket);
    metrics.inFlight(1);
    const text = await this.#answers.run(
      (context) => dispatcher.answer(body, context),
      (abort) =>
        response.once("close", () => {
          abort();
          connections.endAnswer(socket);
          metrics.inFlight(-1);
          this.#responseSizeInFlight -= size;
        }),
    );
    if (response.closed) return;
    if (this.#isStopping) response.setHeader("connection", "close");
    if (text === null) {
      response.statusCode = 204;
      response.end();
      return;
    }
    size = text.length;
    this.#responseSizeInFlight += size;
    send(response, 200, text);
  }

  #busy(): TurnedAway | null {
    if (this.#isStopping) return { reason: "stopping", error: serverError("the node is stopping") };
    const { requestsInFlightMax, responseSizeInFlightMax, heapUsedPercentMax } = this.#parts.limits;
    if (this.#answers.count >= requestsInFlightMax) {
      const error = limitExceeded("requestsInFlightMax", requestsInFlightMax, null);
      return { reason: "busy", error };
    }
    if (this.#responseSizeInFlight > responseSizeInFlightMax) {
      const error = limitExceeded("responseSizeInFlightMax", responseSizeInFlightMax, null);
      return { reason: "busy", error };
    }
    if (this.#heap.isHigh(performance.now())) {
      const error = limitExceeded("heapUsedPercentMax", heapUsedPercentMax, null);
      return { reason: "memory", error };
    }
    return null;
  }
}

/** Headers and body go out in one write, with the length that Node counts. */
function send(response: ServerResponse, status: number, text: string): void {
  if (response.closed || response.headersSent) return;
  response.statusCode = status;
  response.setHeader("content-type", jsonType);
  response.end(text);
}
