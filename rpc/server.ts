import { createServer, type Server } from "node:http";

import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";

import { NodeError } from "../base/nodeError.ts";
import { printValue } from "../base/print.ts";
import type { NodeApi } from "./api.ts";
import { answerBrokenRequests } from "./brokenRequests.ts";
import { CallEndpoint, isCall, jsonType } from "./callEndpoint.ts";
import { Connections } from "./connections.ts";
import type { Method, RpcLog } from "./dispatch.ts";
import { Dispatcher, errorAnswerText } from "./dispatch.ts";
import { errorCodes } from "./errors.ts";
import { Filters } from "./filters.ts";
import type { GuardOptions } from "./guard.ts";
import { guardHeaders } from "./guard.ts";
import type { RpcLimits } from "./limits.ts";
import { rpcLimitsDefault } from "./limits.ts";
import { debugRawMethods } from "./methods/debugRaw.ts";
import { debugTraceMethods } from "./methods/debugTraces.ts";
import { developmentMethods } from "./methods/development.ts";
import { ledgerMethods } from "./methods/ledger.ts";
import { ethereumMethods } from "./methods/ethereum.ts";
import { thetaMethods } from "./methods/theta.ts";
import type { MethodHost } from "./methodHost.ts";
import { createRpcMetrics } from "./metrics.ts";
import { openRpcOf } from "./openrpc.ts";
import { PendingFeed } from "./pendingFeed.ts";
import { Submitter } from "./submitter.ts";
import { Subscriptions } from "./subscriptions.ts";
import { Waiters } from "./waiters.ts";
import { WebSockets } from "./webSockets.ts";

/** Where to listen; port 0 takes a free one. `optional`: done without if the port is in use. */
export type Listen = {
  readonly host: string;
  readonly port: number;
  readonly optional?: boolean;
};

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

const textType = "text/plain; charset=utf-8";
/** How long answers may take to finish when the server stops. */
const stopTimeoutMs = 2_000;

/** All methods that a node answers. */
export function createMethods(host: MethodHost): readonly Method[] {
  return [
    ...thetaMethods(host),
    ...ethereumMethods(host),
    ...debugRawMethods(host),
    ...debugTraceMethods(host),
    ...developmentMethods(host),
    ...ledgerMethods(host),
  ];
}

/** The HTTP server of a node: JSON-RPC, metrics, health. */
export class RpcServer {
  readonly #node: NodeApi;
  readonly #options: RpcServerOptions;
  readonly #limits: RpcLimits;
  readonly #dispatcher: Dispatcher;
  readonly #connections: Connections;
  readonly #calls: CallEndpoint;
  readonly #host: MethodHost;
  readonly #webSockets: WebSockets;
  readonly #app: FastifyInstance;
  #servers: Server[] = [];

  /** What can be called. */
  readonly methodNames: readonly string[];

  constructor(node: NodeApi, options: RpcServerOptions) {
    this.#node = node;
    this.#options = options;
    this.#limits = { ...rpcLimitsDefault, ...options.limits };
    const metrics = createRpcMetrics(node.metrics);
    const limits = this.#limits;
    const host: MethodHost = {
      node,
      limits,
      submitter: new Submitter(node, limits),
      waiters: new Waiters(node, limits),
      filters: new Filters(limits, () => performance.now()),
      pendingFeed: new PendingFeed(node),
      subscriptions: new Subscriptions(node, limits, options.log),
    };
    this.#host = host;
    const methods = [...createMethods(host), ...(options.methods ?? [])];
    this.methodNames = methods.map(({ name }) => name);
    this.#dispatcher = new Dispatcher(methods, {
      limits,
      metrics,
      log: options.log,
      ...(options.onThrow === undefined ? {} : { onThrow: options.onThrow }),
    });
    this.#connections = new Connections(limits.connectionsMax, {
      change: metrics.connection,
      evicted: () => metrics.shed("connections"),
    });
    this.#calls = new CallEndpoint({
      limits,
      guard: options,
      dispatcher: this.#dispatcher,
      metrics,
      connections: this.#connections,
      log: options.log,
    });
    this.#webSockets = new WebSockets({
      limits,
      guard: options,
      calls: this.#calls,
      subscriptions: host.subscriptions,
      metrics,
      log: options.log,
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
    await this.#app.ready();
    this.#calls.start();
    this.#host.subscriptions.start();
    this.#webSockets.start();
    for (const listen of this.#options.listen) {
      const server = this.#createServer();
      try {
        await listenOn(server, listen);
      } catch (error) {
        if (listen.optional === true && isPortInUse(error)) continue;
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
    const servers = this.#servers;
    this.#servers = [];
    this.#calls.stop();
    this.#host.subscriptions.stop();
    this.#host.pendingFeed.stop();
    this.#webSockets.stop();
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
      (request, response) => {
        if (isCall(request)) this.#calls.serve(request, response);
        else this.#app.routing(request, response);
      },
    );
    // A client that shuts its sending side down still gets its answer (Node ends it by default).
    Object.assign(server, { httpAllowHalfOpen: true });
    // Nothing moved for so long: also ends a client that never reads its answer.
    server.timeout = limits.callTimeoutMs + 10_000;
    this.#connections.watch(server);
    this.#webSockets.watch(server);
    answerBrokenRequests(server);
    return server;
  }

  #createApp(): FastifyInstance {
    const app = fastify({ logger: false, bodyLimit: Number.MAX_SAFE_INTEGER });
    app.removeAllContentTypeParsers();
    // The endpoint reads the body itself, and counts bytes over all connections.
    app.addContentTypeParser("*", (_request, _payload, done) => done(null, undefined));
    app.addHook("onRequest", (request, reply, done) => {
      if (request.routeOptions.url !== undefined && request.method === "POST") done();
      else if (this.#admit(request, reply)) done();
    });
    // Calls with a query in their URL, and those of tests without a socket; others come directly.
    const call = (request: FastifyRequest, reply: FastifyReply): void => {
      reply.hijack();
      this.#calls.serve(request.raw, reply.raw);
    };
    app.post("/rpc", call);
    app.post("/", call);
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

  /** Host, origin and preflight; answers itself and returns false where the request ends. */
  #admit(request: FastifyRequest, reply: FastifyReply): boolean {
    const { headers, method } = request;
    const refusal = guardHeaders(method, headers, this.#options);
    if (refusal !== null) {
      const error = { code: errorCodes.invalidRequest, message: refusal.message };
      reply.hijack();
      void this.#calls.turnAway(request.raw, reply.raw, { ...refusal, error });
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

function isPortInUse(error: unknown): boolean {
  return error instanceof NodeError && error.code === "E_PORT_IN_USE";
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
