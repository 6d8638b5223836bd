import { createServer, type Server } from "node:http";

import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";

import { NodeError } from "../base/nodeError.ts";
import { printValue } from "../base/print.ts";
import { Answers } from "./answering.ts";
import type { NodeApi } from "./api.ts";
import { answerBrokenRequests } from "./brokenRequests.ts";
import { BodyReader } from "./body.ts";
import { Connections } from "./connections.ts";
import type { Method, RpcLog } from "./dispatch.ts";
import { Dispatcher, errorAnswerText } from "./dispatch.ts";
import type { RpcError } from "./errors.ts";
import { errorCodes, limitExceeded, serverError } from "./errors.ts";
import type { GuardOptions } from "./guard.ts";
import { guardRequest } from "./guard.ts";
import type { RpcLimits } from "./limits.ts";
import { rpcLimitsDefault } from "./limits.ts";
import { ledgerMethods } from "./methods/ledger.ts";
import { ethereumMethods } from "./methods/ethereum.ts";
import { thetaMethods } from "./methods/theta.ts";
import type { MethodHost } from "./methodHost.ts";
import type { RpcMetrics, ShedReason } from "./metrics.ts";
import { createRpcMetrics } from "./metrics.ts";
import { openRpcOf } from "./openrpc.ts";
import { HeapPressure } from "./pressure.ts";
import { Submitter } from "./submitter.ts";
import { Waiters } from "./waiters.ts";

/** Where to listen; port 0 takes a free one. */
export type Listen = { readonly host: string; readonly port: number };

/** What the server is told. */
export type RpcServerOptions = GuardOptions & {
  /** All answer alike; a devnet also listens where Ethereum tools look first. */
  readonly listen: readonly Listen[];
  readonly log: RpcLog;
  readonly limits?: Partial<RpcLimits>;
  /** Told what a method threw, which it never does for bad input. */
  readonly onThrow?: (error: unknown) => void;
  /** Methods of later parts of the program, after the built-in ones. */
  readonly methods?: readonly Method[];
};

const jsonType = "application/json; charset=utf-8";
const textType = "text/plain; charset=utf-8";
/** How long answers may take to finish when the server stops. */
const stopTimeoutMs = 2_000;

/** All methods that a node answers. */
export function createMethods(host: MethodHost): readonly Method[] {
  return [...thetaMethods(host), ...ethereumMethods(host), ...ledgerMethods(host)];
}

/** The HTTP server of a node: JSON-RPC, metrics, health. */
export class RpcServer {
  readonly #node: NodeApi;
  readonly #options: RpcServerOptions;
  readonly #limits: RpcLimits;
  readonly #metrics: RpcMetrics;
  readonly #dispatcher: Dispatcher;
  readonly #bodies: BodyReader;
  readonly #connections: Connections;
  readonly #answers: Answers;
  readonly #heap: HeapPressure;
  readonly #app: FastifyInstance;
  #servers: Server[] = [];
  #responseSizeInFlight = 0;
  #isStopping = false;

  constructor(node: NodeApi, options: RpcServerOptions) {
    this.#node = node;
    this.#options = options;
    this.#limits = { ...rpcLimitsDefault, ...options.limits };
    this.#metrics = createRpcMetrics(node.metrics);
    const limits = this.#limits;
    const host: MethodHost = {
      node,
      limits,
      submitter: new Submitter(node, limits),
      waiters: new Waiters(node, limits),
    };
    this.#dispatcher = new Dispatcher([...createMethods(host), ...(options.methods ?? [])], {
      limits,
      metrics: this.#metrics,
      log: options.log,
      ...(options.onThrow === undefined ? {} : { onThrow: options.onThrow }),
    });
    this.#bodies = new BodyReader(limits);
    this.#answers = new Answers(limits.callTimeoutMs);
    this.#heap = new HeapPressure(limits.heapUsedPercentMax);
    this.#connections = new Connections(limits.connectionsMax, {
      change: this.#metrics.connection,
      evicted: () => this.#metrics.shed("connections"),
    });
    this.#app = this.#createApp();
  }

  /** Where it listens, ports filled in; empty before `start`. */
  get addresses(): readonly Listen[] {
    return this.#servers.map((server) => {
      const address = server.address();
      if (address === null || typeof address === "string") return { host: "", port: 0 };
      return { host: address.address, port: address.port };
    });
  }

  /** For tests without a socket. */
  get app(): FastifyInstance {
    return this.#app;
  }

  async start(): Promise<void> {
    if (this.#servers.length > 0) return;
    this.#isStopping = false;
    await this.#app.ready();
    this.#answers.start();
    for (const listen of this.#options.listen) {
      const server = this.#createServer();
      try {
        await listenOn(server, listen);
      } catch (error) {
        await this.stop();
        throw error;
      }
      server.on("error", (error) => {
        this.#options.log.warn("an RPC listener reported an error", { error: printValue(error) });
      });
      this.#servers.push(server);
    }
  }

  /** Ends what is being answered; whoever sends more on an open connection is turned away. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const servers = this.#servers;
    this.#servers = [];
    this.#answers.stop();
    const closed = servers.map((server) => new Promise((resolve) => server.close(resolve)));
    this.#connections.destroyQuiet();
    const timer = setTimeout(() => this.#connections.destroyAll(), stopTimeoutMs);
    await Promise.all(closed);
    clearTimeout(timer);
  }

  #createServer(): Server {
    const limits = this.#limits;
    const server = createServer(
      {
        maxHeaderSize: limits.headerBytesMax,
        headersTimeout: limits.headersTimeoutMs,
        requestTimeout: limits.requestTimeoutMs,
        keepAliveTimeout: limits.keepAliveTimeoutMs,
        // Node looks at slow requests this often; its default of 30 s would be the real time-out.
        connectionsCheckingInterval: 1_000,
      },
      (request, response) => this.#app.routing(request, response),
    );
    // A client that shuts its sending side down still gets its answer (Node ends it by default).
    Object.assign(server, { httpAllowHalfOpen: true });
    // Nothing moved for so long: also ends a client that never reads its answer.
    server.timeout = limits.callTimeoutMs + 10_000;
    this.#connections.watch(server);
    answerBrokenRequests(server);
    return server;
  }

  #createApp(): FastifyInstance {
    const app = fastify({ logger: false, bodyLimit: Number.MAX_SAFE_INTEGER });
    app.removeAllContentTypeParsers();
    // The body is read by the handler itself, which counts bytes over all connections.
    app.addContentTypeParser("*", (_request, _payload, done) => done(null, undefined));
    app.addHook("onRequest", (request, reply, done) => {
      if (this.#admit(request, reply)) done();
    });
    const answer = (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> =>
      this.#answer(request, reply);
    app.post("/rpc", answer);
    app.post("/", answer);
    app.get("/", (_request, reply) => reply.type(textType).send(this.#banner()));
    app.get("/rpc", (_request, reply) =>
      reply.code(405).header("allow", "POST").type(textType).send("POST JSON-RPC 2.0 here.\n"),
    );
    app.get("/healthz", (_request, reply) => this.#health(reply));
    app.get("/metrics", async (_request, reply) =>
      reply.type(this.#node.metrics.contentType).send(await this.#node.metrics.metrics()),
    );
    const document = JSON.stringify(openRpcOf(this.#dispatcher.methods, this.#node.build));
    app.get("/openrpc.json", (_request, reply) => reply.type(jsonType).send(document));
    app.setNotFoundHandler((_request, reply) =>
      reply.code(404).type(textType).send("Nothing is here. JSON-RPC is at POST /rpc.\n"),
    );
    app.setErrorHandler((error, _request, reply) => this.#onError(error, reply));
    return app;
  }

  /** Host, origin, type and preflight; answers itself and returns false where the request ends. */
  #admit(request: FastifyRequest, reply: FastifyReply): boolean {
    const { headers, method } = request;
    const refusal = guardRequest(
      {
        method,
        host: headers.host,
        origin: headers.origin,
        contentType: headers["content-type"],
        contentEncoding: headers["content-encoding"],
        fetchSite: textOf(headers["sec-fetch-site"]),
      },
      this.#options,
    );
    if (refusal !== null) {
      const error = { code: errorCodes.invalidRequest, message: refusal.message };
      this.#turnAway(request, reply, { status: refusal.status, reason: refusal.reason, error });
      return false;
    }
    if (headers.origin !== undefined) {
      reply.header("access-control-allow-origin", headers.origin).header("vary", "Origin");
      if (method === "OPTIONS") {
        preflight(request, reply);
        return false;
      }
    }
    return true;
  }

  #turnAway(
    request: FastifyRequest,
    reply: FastifyReply,
    why: { readonly status: number; readonly reason: ShedReason; readonly error: RpcError },
  ): void {
    this.#metrics.shed(why.reason);
    void this.#bodies.drain(request.raw).then(() => {
      if (reply.raw.closed || reply.raw.destroyed) return reply.hijack();
      return reply.code(why.status).type(jsonType).send(errorAnswerText(why.error));
    });
  }

  async #answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    if (this.#isStopping) reply.header("connection", "close");
    const busy = this.#busy();
    if (busy !== null) {
      reply.header("retry-after", "1");
      this.#turnAway(request, reply, { status: 503, ...busy });
      return reply;
    }
    const body = await this.#bodies.read(request.raw);
    if (body === null) return reply.hijack(); // The client is gone.
    if (!body.ok) {
      this.#metrics.shed(body.refusal.status === 503 ? "busy" : "bodyTooLarge");
      const text = errorAnswerText(body.refusal.error);
      return reply.code(body.refusal.status).type(jsonType).send(text);
    }
    return this.#answerBody(body.value, request, reply);
  }

  async #answerBody(
    body: string,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const { socket } = request.raw;
    let size = 0;
    this.#connections.beginAnswer(socket);
    this.#metrics.inFlight(1);
    const text = await this.#answers.run(
      (context) => this.#dispatcher.answer(body, context),
      (abort) =>
        reply.raw.once("close", () => {
          abort();
          this.#connections.endAnswer(socket);
          this.#metrics.inFlight(-1);
          this.#responseSizeInFlight -= size;
        }),
    );
    if (reply.raw.closed) return reply.hijack();
    if (this.#isStopping) reply.header("connection", "close");
    if (text === null) return reply.code(204).send();
    size = text.length;
    this.#responseSizeInFlight += size;
    return reply.header("content-type", jsonType).send(text);
  }

  #busy(): { readonly reason: ShedReason; readonly error: RpcError } | null {
    if (this.#isStopping) return { reason: "stopping", error: serverError("the node is stopping") };
    const { requestsInFlightMax, responseSizeInFlightMax, heapUsedPercentMax } = this.#limits;
    if (this.#answers.count >= requestsInFlightMax)
      return {
        reason: "busy",
        error: limitExceeded("requestsInFlightMax", requestsInFlightMax, null),
      };
    if (this.#responseSizeInFlight > responseSizeInFlightMax)
      return {
        reason: "busy",
        error: limitExceeded("responseSizeInFlightMax", responseSizeInFlightMax, null),
      };
    if (this.#heap.isHigh(performance.now()))
      return {
        reason: "memory",
        error: limitExceeded("heapUsedPercentMax", heapUsedPercentMax, null),
      };
    return null;
  }

  #health(reply: FastifyReply): FastifyReply {
    const { ok, reason } = this.#node.health();
    const { hash, header } = this.#node.head();
    const { syncing } = this.#node.syncStatus();
    const body = { ok, reason, height: header.height, hash, syncing };
    return reply
      .code(ok ? 200 : 503)
      .header("content-type", jsonType)
      .send(JSON.stringify(body));
  }

  #banner(): string {
    const { chain, build } = this.#node;
    const { height } = this.#node.head().header;
    return [
      `Ledger ${build.version}, chain ${chain.name} (${chain.id}), height ${height}.`,
      "JSON-RPC 2.0: POST /rpc. Methods: /openrpc.json. Health: /healthz. Metrics: /metrics.",
      "",
    ].join("\n");
  }

  #onError(error: unknown, reply: FastifyReply): void {
    const status = statusOf(error);
    if (status >= 500)
      this.#options.log.error("the RPC server failed to answer", { error: printValue(error) });
    const message = status >= 500 ? "the server failed: see its log" : "the request is malformed";
    const code = status >= 500 ? errorCodes.internal : errorCodes.invalidRequest;
    void reply.code(status).type(jsonType).send(errorAnswerText({ code, message }));
  }
}

function textOf(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === "string" ? header : header?.[0];
}

function statusOf(error: unknown): number {
  if (typeof error !== "object" || error === null || !("statusCode" in error)) return 500;
  return typeof error.statusCode === "number" ? error.statusCode : 500;
}

function preflight(request: FastifyRequest, reply: FastifyReply): void {
  reply
    .header("access-control-allow-methods", "POST, GET")
    .header("access-control-allow-headers", "content-type")
    .header("access-control-max-age", "86400");
  // A public page that calls a private address asks for this too.
  if (request.headers["access-control-request-private-network"] !== undefined)
    reply.header("access-control-allow-private-network", "true");
  void reply.code(204).send();
}

function listenOn(server: Server, listen: Listen): Promise<void> {
  const { host, port } = listen;
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => reject(listenFailure(error, listen));
    server.once("error", onError);
    server.listen({ host, port, exclusive: true }, () => {
      server.off("error", onError);
      resolve();
    });
  });
}

function listenFailure(error: Error, { host, port }: Listen): NodeError {
  const code = "code" in error ? error.code : null;
  if (code === "EADDRINUSE")
    return new NodeError("E_PORT_IN_USE", `port ${port} on ${host} is in use`, {
      hint: `stop the program that uses it, or choose another rpc.port`,
      cause: error,
    });
  if (code === "EACCES")
    return new NodeError("E_PORT_DENIED", `no permission to listen on port ${port} of ${host}`, {
      hint: "choose an rpc.port of 1024 or above",
      cause: error,
    });
  return new NodeError("E_LISTEN", `cannot listen on port ${port} of ${host}: ${error.message}`, {
    hint: "check rpc.address",
    cause: error,
  });
}
