import type { IncomingMessage, ServerResponse } from "node:http";

import { printValue } from "../base/print.ts";
import { Answers } from "./answering.ts";
import { BodyReader, type ReadBody } from "./body.ts";
import type { Connections } from "./connections.ts";
import type { CallContext, Dispatcher, RpcLog } from "./dispatch.ts";
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
  serve(request: IncomingMessage, response: ServerResponse): void {
    this.#guarded(response, () => this.#serve(request, response));
  }

  /** Nothing that is thrown on the way of one request may end the node. */
  #guarded(response: ServerResponse, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(error, response);
    }
  }

  #fail(error: unknown, response: ServerResponse): void {
    this.#parts.log.error("the RPC server failed to answer", { error: printValue(error) });
    const message = "the server failed: see its log";
    send(response, 500, errorAnswerText({ code: errorCodes.internal, message }));
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
      return await new Promise((answered, failed) => {
        const work = (context: CallContext): ReturnType<Dispatcher["answer"]> =>
          dispatcher.answer(body, context);
        this.#answers.run(work, { opened: onOpen, answered, failed }, subscriber);
      });
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

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const refusal = guardHeaders("POST", request.headers, this.#parts.guard);
    if (refusal !== null) {
      const error = { code: errorCodes.invalidRequest, message: refusal.message };
      void this.turnAway(request, response, { ...refusal, error });
      return;
    }
    const { origin } = request.headers;
    if (origin !== undefined) {
      response.setHeader("access-control-allow-origin", origin).setHeader("vary", "Origin");
    }
    if (this.#isStopping) response.setHeader("connection", "close");
    const busy = this.#busy();
    if (busy !== null) {
      response.setHeader("retry-after", "1");
      void this.turnAway(request, response, { status: 503, ...busy });
      return;
    }
    this.#bodies.read(request, (body) => {
      if (body === null) return; // The client is gone.
      this.#guarded(response, () => this.#answer(body, request, response));
    });
  }

  #answer(body: ReadBody, request: IncomingMessage, response: ServerResponse): void {
    const { connections, dispatcher, metrics } = this.#parts;
    if (!body.ok) {
      metrics.shed(body.refusal.status === 503 ? "busy" : "bodyTooLarge");
      send(response, body.refusal.status, errorAnswerText(body.refusal.error));
      return;
    }
    const { socket } = request;
    let size = 0;
    connections.beginAnswer(socket);
    metrics.inFlight(1);
    this.#answers.run((context) => dispatcher.answer(body.value, context), {
      opened: (abort) => {
        // The end of what it sends is all that is seen of a client that goes away. One that only
        // shuts its sending side down is still answered, but nothing waits for it.
        socket.once("end", abort);
        response.once("close", () => {
          socket.off("end", abort);
          abort();
          connections.endAnswer(socket);
          metrics.inFlight(-1);
          this.#responseSizeInFlight -= size;
        });
      },
      answered: (text) => {
        if (response.closed) return;
        size = text?.length ?? 0;
        this.#responseSizeInFlight += size;
        this.#guarded(response, () => this.#finish(text, response));
      },
      failed: (error) => this.#fail(error, response),
    });
  }

  #finish(text: string | null, response: ServerResponse): void {
    if (this.#isStopping) response.setHeader("connection", "close");
    if (text !== null) return send(response, 200, text);
    response.statusCode = 204;
    response.end();
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

/** Above this size in UTF-16 units a text is not looked through: Node counts its bytes faster. */
const scannedSizeMax = 1_024;

const asciiText = /^[ -~]*$/;

/** Headers and body go out in one write. */
function send(response: ServerResponse, status: number, text: string): void {
  if (response.closed || response.headersSent) return;
  if (text.length <= scannedSizeMax && asciiText.test(text)) {
    // Headers as a list are taken as they stand, and ASCII is one byte a character.
    response.writeHead(status, ["content-type", jsonType, "content-length", `${text.length}`]);
    response.end(text, "latin1");
    return;
  }
  response.statusCode = status;
  response.setHeader("content-type", jsonType);
  response.end(text);
}
