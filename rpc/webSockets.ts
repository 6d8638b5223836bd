import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";

import { WebSocket, WebSocketServer, type RawData } from "ws";

import { printValue } from "../base/print.ts";
import type { CallEndpoint } from "./callEndpoint.ts";
import type { RpcLog } from "./dispatch.ts";
import { guardHeaders, type GuardOptions } from "./guard.ts";
import type { RpcLimits } from "./limits.ts";
import type { RpcMetrics } from "./metrics.ts";
import type { Subscriber, Subscriptions } from "./subscriptions.ts";

/** Where WebSockets are opened: where calls are posted, and where Theta and geth have them. */
const paths: ReadonlySet<string> = new Set(["/rpc", "/", "/ws"]);

/** Between two looks whether a client is still there. */
const pingIntervalMs = 30_000;

/** What the endpoint is made of. */
export type WebSocketParts = {
  readonly limits: RpcLimits;
  readonly guard: GuardOptions;
  readonly calls: CallEndpoint;
  readonly subscriptions: Subscriptions;
  readonly metrics: RpcMetrics;
  readonly log: RpcLog;
};

/** JSON-RPC over WebSocket: the same calls as over HTTP, and subscriptions. */
export class WebSockets {
  readonly #parts: WebSocketParts;
  readonly #server: WebSocketServer;
  readonly #clients = new Set<Client>();
  #pings: NodeJS.Timeout | null = null;

  constructor(parts: WebSocketParts) {
    this.#parts = parts;
    const { bodyBytesMax, socketFragmentsMax } = parts.limits;
    const options = {
      noServer: true,
      clientTracking: false,
      // A compressed message may be a thousand times as large as what was sent.
      perMessageDeflate: false,
      maxPayload: bodyBytesMax,
      maxFragments: socketFragmentsMax, // Which the library's types leave out.
    };
    this.#server = new WebSocketServer(options);
  }

  get count(): number {
    return this.#clients.size;
  }

  start(): void {
    this.#pings ??= setInterval(() => {
      for (const client of this.#clients) client.ping();
    }, pingIntervalMs).unref();
  }

  stop(): void {
    if (this.#pings !== null) clearInterval(this.#pings);
    this.#pings = null;
    for (const client of this.#clients) client.end();
  }

  /** Takes the upgrades of a server. */
  watch(server: Server): void {
    server.on("upgrade", (request, socket, head) => {
      socket.on("error", () => undefined);
      if (!this.#admit(request, socket)) return;
      this.#server.handleUpgrade(request, socket, head, (webSocket) => this.#open(webSocket));
    });
  }

  #open(webSocket: WebSocket): void {
    const client: Client = new Client(webSocket, this.#parts, () => this.#clients.delete(client));
    this.#clients.add(client);
  }

  /** Turns away whom this server does not serve. */
  #admit(request: IncomingMessage, socket: Duplex): boolean {
    const refusal = guardHeaders("GET", request.headers, this.#parts.guard);
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    if (refusal !== null) return turnAway(socket, refusal.status, refusal.message);
    if (!paths.has(path)) return turnAway(socket, 404, "WebSockets are at /rpc.");
    const { webSocketsMax } = this.#parts.limits;
    if (this.#clients.size >= webSocketsMax || this.#pings === null) {
      this.#parts.metrics.shed("connections");
      return turnAway(socket, 503, `limit webSocketsMax is ${webSocketsMax}`);
    }
    return true;
  }
}

const statusTexts: Readonly<Record<number, string>> = {
  403: "Forbidden",
  404: "Not Found",
  415: "Unsupported Media Type",
  503: "Service Unavailable",
};

function turnAway(socket: Duplex, status: number, message: string): false {
  const body = `${message}\n`;
  const head = `HTTP/1.1 ${status} ${statusTexts[status] ?? ""}\r\nconnection: close\r\n`;
  const type = "content-type: text/plain; charset=utf-8\r\n";
  socket.end(`${head}${type}content-length: ${body.length}\r\n\r\n${body}`);
  return false;
}

/** One WebSocket. */
class Client implements Subscriber {
  readonly #socket: WebSocket;
  readonly #parts: WebSocketParts;
  readonly #aborts = new Set<() => void>();
  #inFlight = 0;
  #isAlive = true;

  constructor(socket: WebSocket, parts: WebSocketParts, onEnd: () => void) {
    this.#socket = socket;
    this.#parts = parts;
    socket.on("message", (data, isBinary) => this.#onMessage(data, isBinary));
    socket.on("pong", () => (this.#isAlive = true));
    // What the peer did wrong, after which the library closes: a frame that is too large.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      onEnd();
      parts.subscriptions.forget(this);
      for (const abort of this.#aborts) abort();
    });
  }

  /** Ends a client that did not answer the ping before. */
  ping(): void {
    if (!this.#isAlive) return this.end();
    this.#isAlive = false;
    this.#socket.ping();
  }

  end(): void {
    this.#socket.terminate();
  }

  send(text: string): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(text);
    // What it does not read would be kept for it: better it connects again and asks.
    if (this.#socket.bufferedAmount <= this.#parts.limits.socketUnreadBytesMax) return;
    this.#parts.metrics.shed("slow");
    this.end();
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    if (isBinary) return this.#socket.close(1_003, "send text");
    this.#inFlight += 1;
    // A client that sends faster than it is answered waits.
    if (this.#inFlight >= this.#parts.limits.socketRequestsMax) this.#socket.pause();
    void this.#answer(textOf(data));
  }

  async #answer(body: string): Promise<void> {
    let end: (() => void) | null = null;
    try {
      const text = await this.#parts.calls.answerMessage(body, this, (abort) => {
        end = abort;
        this.#aborts.add(abort);
      });
      if (text !== null) this.send(text);
    } catch (error) {
      this.#parts.log.error("the RPC server failed to answer", { error: printValue(error) });
      this.end();
    } finally {
      if (end !== null) this.#aborts.delete(end);
      this.#inFlight -= 1;
      if (this.#socket.isPaused) this.#socket.resume();
    }
  }
}

const decoder = new TextDecoder();

/** The library has checked that text is UTF-8. */
function textOf(data: RawData): string {
  if (!Array.isArray(data)) return decoder.decode(data);
  return data.map((part) => decoder.decode(part, { stream: true })).join("") + decoder.decode();
}
