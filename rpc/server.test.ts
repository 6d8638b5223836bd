import { Agent, request } from "node:http";
import { createServer } from "node:net";

import { describe, expect, test } from "vitest";

import { NodeError } from "../base/nodeError.ts";
import { accept } from "../base/outcome.ts";
import type { Method } from "./dispatch.ts";
import { createFakeServer } from "../test/fakes/fakeServer.ts";

const json = { "content-type": "application/json" };
const chainId = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}';

type Headers = Readonly<Record<string, string>>;

async function post(
  options: Parameters<typeof createFakeServer>[0],
  headers: Headers,
  payload = chainId,
) {
  const { server } = createFakeServer(options);
  return server.app.inject({ method: "POST", url: "/rpc", headers, payload });
}

test("JSON-RPC is answered on /rpc and on /, health and metrics on their paths", async () => {
  const { server, node } = createFakeServer();
  const { app } = server;
  for (const url of ["/rpc", "/"]) {
    const answer = await app.inject({ method: "POST", url, headers: json, payload: chainId });
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({ jsonrpc: "2.0", id: 1, result: "0x16e" });
  }
  expect((await app.inject("/")).body).toContain("chain privatenet (366), height 0");
  expect((await app.inject("/healthz")).json()).toMatchObject({ ok: true, height: 0 });
  node.healthy = { ok: false, reason: "no block for 60 s" };
  const sick = await app.inject("/healthz");
  expect([sick.statusCode, sick.json()]).toMatchObject([503, { reason: "no block for 60 s" }]);
  const metrics = await app.inject("/metrics");
  expect(metrics.body).toContain('ledger_rpc_requests_total{method="eth_chainId",code="0"} 2');
  const { openrpc, methods } = (await app.inject("/openrpc.json")).json();
  expect(openrpc).toBe("1.3.2");
  expect(methods.map(({ name }: { name: string }) => name)).toContain("theta.GetAccount");
  expect((await app.inject("/rpc")).statusCode).toBe(405);
  expect((await app.inject("/nothing")).statusCode).toBe(404);
  expect((await app.inject({ method: "POST", url: "/nothing", payload: "x" })).statusCode).toBe(
    404,
  );
});

test("/openrpc.json describes every method that is served, and no other", async () => {
  const { server } = createFakeServer();
  type Described = { readonly name: string; readonly summary: string; readonly params: unknown };
  const { methods } = (await server.app.inject("/openrpc.json")).json<{ methods: Described[] }>();
  expect(methods.map(({ name }) => name)).toEqual(server.methodNames.toSorted());
  expect(new Set(server.methodNames).size).toBe(methods.length);
  for (const { name, summary, params } of methods) {
    expect(summary.length, name).toBeGreaterThan(10);
    expect(Array.isArray(params), name).toBe(true);
  }
});

test("every metric's name ends in its unit", async () => {
  const { node } = createFakeServer();
  const names = (await node.metrics.getMetricsAsJSON()).map(({ name }) => name);
  for (const name of names)
    expect(name).toMatch(/^ledger_rpc_\w+_(total|seconds|flight|connections)$|_connections$/);
});

test("a notification alone is answered with nothing", async () => {
  const answer = await post({}, json, '{"jsonrpc":"2.0","method":"eth_chainId"}');
  expect([answer.statusCode, answer.body]).toEqual([204, ""]);
});

describe("A4: pages of the web cannot call", () => {
  test("a foreign Origin is refused and not told that it may read", async () => {
    for (const origin of [
      "http://evil.example",
      "null",
      "file://",
      "http://localhost.evil.example",
    ]) {
      const answer = await post({}, { ...json, origin });
      expect(answer.statusCode, origin).toBe(403);
      expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
    }
  });

  test("text/plain, forms and compressed bodies are refused to browsers", async () => {
    expect((await post({}, { "content-type": "text/plain" })).statusCode).toBe(415);
    const form = { "content-type": "application/x-www-form-urlencoded" };
    expect((await post({}, { ...form, origin: "http://localhost:3000" })).statusCode).toBe(415);
    expect((await post({}, { ...form, "sec-fetch-site": "cross-site" })).statusCode).toBe(415);
    expect((await post({}, form)).statusCode, "curl -d without a header").toBe(200);
    expect((await post({}, { ...json, "content-encoding": "gzip" })).statusCode).toBe(415);
  });

  test("a Host that is neither an address nor listed is refused: DNS rebinding", async () => {
    for (const host of ["evil.example", "evil.example:16888", "127.0.0.1.evil.example"])
      expect((await post({}, { ...json, host })).statusCode, host).toBe(403);
    for (const host of ["127.0.0.1:16888", "localhost", "[::1]:16888", "192.168.1.7:16888"])
      expect((await post({}, { ...json, host })).statusCode, host).toBe(200);
    const listed = { hosts: ["node.example"] };
    expect((await post(listed, { ...json, host: "node.example:443" })).statusCode).toBe(200);
    const { server } = createFakeServer();
    const metrics = await server.app.inject({ url: "/metrics", headers: { host: "evil.example" } });
    expect(metrics.statusCode).toBe(403);
  });

  test("a listed wallet's page, a loopback page and the server's own page may call", async () => {
    const options = { origins: ["https://wallet.example"] };
    const own = { origin: "http://192.168.1.7:16888", host: "192.168.1.7:16888" };
    const allowed: readonly Headers[] = [
      { origin: "https://wallet.example" },
      { origin: "http://localhost:5173" },
      { origin: "http://127.0.0.1:3000" },
      own,
    ];
    for (const headers of allowed) {
      const answer = await post(options, { ...json, ...headers });
      expect(answer.statusCode, headers["origin"]).toBe(200);
      expect(answer.headers["access-control-allow-origin"]).toBe(headers["origin"]);
    }
  });

  test("a preflight of an allowed page is answered", async () => {
    const { server } = createFakeServer({ origins: ["https://wallet.example"] });
    const preflight = (origin: string) =>
      server.app.inject({
        method: "OPTIONS",
        url: "/rpc",
        headers: {
          origin,
          "access-control-request-method": "POST",
          "access-control-request-headers": "content-type",
          "access-control-request-private-network": "true",
        },
      });
    const answer = await preflight("https://wallet.example");
    expect(answer.statusCode).toBe(204);
    expect(answer.headers).toMatchObject({
      "access-control-allow-origin": "https://wallet.example",
      "access-control-allow-headers": "content-type",
      "access-control-allow-private-network": "true",
    });
    expect((await preflight("https://evil.example")).statusCode).toBe(403);
  });
});

test("A6: no method holds keys, administers or writes files", async () => {
  const { server } = createFakeServer();
  const names = [
    ..."sign signTransaction sendTransaction signTypedData_v4".split(" ").map((n) => `eth_${n}`),
    "personal_sign personal_unlockAccount personal_newAccount personal_importRawKey miner_start admin_addPeer",
    "debug_setHead evm_mine evm_setAccountBalance anvil_setBalance hardhat_impersonateAccount",
    "theta.BackupSnapshot theta.BackupChain theta.BackupChainCorrection thetacli.NewKey",
    "thetacli.UnlockKey thetacli.Send ledger.stop",
  ].flatMap((line) => line.split(" "));
  for (const method of names) {
    const payload = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: [] });
    const answer = await server.app.inject({ method: "POST", url: "/", headers: json, payload });
    expect(answer.json(), method).toMatchObject({ error: { code: -32_601 } });
  }
});

test("A14: near the end of the heap calls are refused, health is still answered", async () => {
  const { server, node } = createFakeServer({ limits: { heapUsedPercentMax: 0 } });
  const { app } = server;
  const answer = await app.inject({ method: "POST", url: "/", headers: json, payload: chainId });
  expect([answer.statusCode, answer.headers["retry-after"]]).toEqual([503, "1"]);
  expect(answer.json()).toMatchObject({ error: { data: { limit: "heapUsedPercentMax" } } });
  expect((await app.inject("/healthz")).statusCode).toBe(200);
  expect(await node.metrics.metrics()).toContain('ledger_rpc_shed_total{reason="memory"} 1');
});

test("more requests at one time than the limit are refused with its name", async () => {
  const limits = { requestsInFlightMax: 0 };
  const answer = await post({ limits }, json);
  expect(answer.statusCode).toBe(503);
  expect(answer.json()).toMatchObject({ error: { data: { limit: "requestsInFlightMax" } } });
});

test("a port in use is a failure that names host and port", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const address = other.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const { server } = createFakeServer({ port });
  const failure = await server.start().catch((error: unknown) => error);
  other.close();
  expect(failure).toBeInstanceOf(NodeError);
  expect(failure).toMatchObject({
    code: "E_PORT_IN_USE",
    message: `port ${port} on 127.0.0.1 is in use`,
  });
});

test("start and stop are safe to call twice", async () => {
  const { server } = createFakeServer();
  await server.start();
  await server.start();
  expect(server.addresses).toHaveLength(1);
  await server.stop();
  await server.stop();
  expect(server.addresses).toHaveLength(0);
});

test("a client that goes on sending does not keep a stopping server up", async () => {
  const release: (() => void)[] = [];
  const slow: Method = {
    name: "slow",
    summary: "",
    style: "array",
    parameters: {},
    heavy: false,
    invoke: () => new Promise((resolve) => release.push(() => resolve(accept(1)))),
  };
  const { server } = createFakeServer({ methods: [slow] });
  await server.start();
  const { port = 0 } = server.addresses[0] ?? {};
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const first = postOn(agent, port, chainId.replace("eth_chainId", "slow"));
  await expect.poll(() => release.length).toBe(1);
  // The connection is kept alive and being answered, so it outlives the beginning of the end.
  const stopped = server.stop();
  release[0]?.();
  expect(await first).toMatchObject({ status: 200, connection: "close" });
  await expect(postOn(agent, port, chainId)).rejects.toThrow("ECONNREFUSED");
  await stopped;
  agent.destroy();
});

function postOn(
  agent: Agent,
  port: number,
  body: string,
): Promise<{ readonly status: number | undefined; readonly connection: string | undefined }> {
  return new Promise((resolve, reject) => {
    const sent = request({ agent, port, method: "POST", headers: json }, (response) => {
      response.resume();
      const { connection } = response.headers;
      response.on("end", () => resolve({ status: response.statusCode, connection }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
