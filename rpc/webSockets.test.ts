import { once } from "node:events";

import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";

import { bytesToDigest, bytesToHex, textToAddressOrNull, zeroAddress } from "../base/bytes.ts";
import type { FakeNode } from "../test/fakes/fakeNode.ts";
import { createFakeServer, ethereumTransfer } from "../test/fakes/fakeServer.ts";
import type { RpcLimits } from "./limits.ts";
import type { RpcServer } from "./server.ts";

const receiver = textToAddressOrNull("0x9F1233798E905E173560071255140b4A8aBd3Ec6") ?? zeroAddress;
const topic = bytesToDigest(new Uint8Array(32).fill(7));

const servers: RpcServer[] = [];
const sockets: WebSocket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

type Message = {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly data?: unknown };
  readonly method?: string;
  readonly params?: { readonly subscription: string; readonly result: unknown };
};

/** A client that keeps what it is told, and waits for what it asks. */
class Client {
  readonly socket: WebSocket;
  readonly told: Message[] = [];
  readonly #answers = new Map<number, (message: Message) => void>();
  readonly #waiting: (() => void)[] = [];
  #id = 0;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("error", () => undefined);
    socket.on("message", (data: ArrayBuffer | Uint8Array) => {
      const message = JSON.parse(new TextDecoder().decode(data)) as Message;
      if (message.id === undefined) this.told.push(message);
      else this.#answers.get(message.id)?.(message);
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  call(method: string, ...params: readonly unknown[]): Promise<Message> {
    const id = (this.#id += 1);
    return new Promise((resolve) => {
      this.#answers.set(id, resolve);
      this.socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
  }

  async subscribe(...params: readonly unknown[]): Promise<string> {
    const { result } = await this.call("eth_subscribe", ...params);
    return String(result);
  }

  /** What a subscription was told, once there are so many. */
  async toldTo(subscription: string, count: number): Promise<readonly unknown[]> {
    for (;;) {
      const found = this.told.filter(({ params }) => params?.subscription === subscription);
      if (found.length >= count) return found.map(({ params }) => params?.result);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

type Served = { readonly node: FakeNode; readonly server: RpcServer; readonly url: string };

async function serve(limits: Partial<RpcLimits> = {}): Promise<Served> {
  const { server, node } = createFakeServer({ limits, port: 0 });
  servers.push(server);
  await server.start();
  const port = server.addresses[0]?.port ?? 0;
  return { node, server, url: `ws://127.0.0.1:${port}/rpc` };
}

async function connect(url: string, headers: Record<string, string> = {}): Promise<Client> {
  const socket = new WebSocket(url, { headers });
  sockets.push(socket);
  const client = new Client(socket);
  await once(socket, "open");
  return client;
}

test("calls are answered, subscriptions told of blocks, logs and transactions", async () => {
  const { node, url } = await serve();
  const client = await connect(url);
  expect(await client.call("eth_chainId")).toMatchObject({ result: "0x16e" });
  const heads = await client.subscribe("newHeads");
  const pending = await client.subscribe("newPendingTransactions");
  const all = await client.subscribe("logs", {});
  const none = await client.subscribe("logs", { address: receiver, topics: [null, null] });
  const raw = bytesToHex(ethereumTransfer(0n, receiver, 7n));
  const { result: hash } = await client.call("eth_sendRawTransaction", raw);
  expect(await client.toldTo(pending, 1)).toEqual([hash]);
  const log = { address: receiver, topics: [topic], data: new Uint8Array(0) };
  const place = { index: 3, transactionHash: topic, transactionIndex: 1 };
  node.foundLogs = [
    { log, block: { ...node.head(), header: { ...node.head().header, height: 1 } }, ...place },
  ];
  const block = node.commit();
  expect(await client.toldTo(heads, 1)).toMatchObject([{ number: "0x1", hash: block.hash }]);
  expect(await client.toldTo(all, 1)).toMatchObject([
    { address: receiver, topics: [topic], blockNumber: "0x1", logIndex: "0x3", removed: false },
  ]);
  expect(await client.call("eth_unsubscribe", heads)).toMatchObject({ result: true });
  expect(await client.call("eth_unsubscribe", heads)).toMatchObject({ result: false });
  node.commit();
  await client.call("eth_blockNumber");
  expect(await client.toldTo(heads, 1)).toHaveLength(1);
  expect(await client.toldTo(none, 0)).toHaveLength(0);
});

test("over HTTP there is nobody to tell; an unknown subscription is refused", async () => {
  const { url } = await serve();
  const body = { jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: ["newHeads"] };
  const init = { method: "POST", body: JSON.stringify(body) };
  const answer = await fetch(url.replace("ws:", "http:"), {
    ...init,
    headers: { "content-type": "application/json", connection: "close" },
  });
  expect(await answer.json()).toMatchObject({ error: { code: -32_601 } });
  const client = await connect(url);
  expect(await client.call("eth_subscribe", "nothing")).toMatchObject({ error: { code: -32_602 } });
});

test("a page of a stranger, a wrong path and one too many are turned away", async () => {
  const { url } = await serve({ webSocketsMax: 1 });
  const status = async (target: string, headers = {}): Promise<number> => {
    const socket = new WebSocket(target, { headers });
    socket.on("error", () => undefined);
    const [, response] = (await once(socket, "unexpected-response")) as [
      unknown,
      { statusCode: number },
    ];
    return response.statusCode;
  };
  expect(await status(url, { origin: "http://evil.example" })).toBe(403);
  expect(await status(url.replace("/rpc", "/other"))).toBe(404);
  await connect(url);
  expect(await status(url)).toBe(503);
});

test("A5: 10,000 subscriptions on one WebSocket end at the limit", async () => {
  const { url } = await serve();
  const client = await connect(url);
  const answers = await Promise.all(
    Array.from({ length: 10_000 }, () => client.call("eth_subscribe", "newHeads")),
  );
  const refused = answers.filter(({ error }) => error?.code === -32_005);
  expect(refused).toHaveLength(10_000 - 128);
  expect(refused[0]?.error?.data).toMatchObject({ limit: "socketSubscriptionsMax" });
  expect(await client.call("eth_chainId")).toMatchObject({ result: "0x16e" });
});

test("A5: a client that never reads is dropped at a limit", async () => {
  const { node, server, url } = await serve({ socketUnreadBytesMax: 65_536 });
  const slow = await connect(url);
  const other = await connect(url);
  const heads = await other.subscribe("newHeads");
  for (let i = 0; i < 128; i += 1) await slow.subscribe("newHeads");
  slow.socket.pause();
  const closed = once(slow.socket, "close");
  // Twice what the system's buffers of a connection may take.
  const blocks = 200;
  for (let i = 0; i < blocks; i += 1) {
    node.commit();
    await other.toldTo(heads, i + 1);
  }
  slow.socket.resume();
  await closed;
  expect(await other.call("eth_chainId")).toMatchObject({ result: "0x16e" });
  const metrics = await server.app.inject("/metrics").then(({ body }) => body);
  expect(metrics).toMatch(/ledger_rpc_shed_total\{reason="slow"\} 1/);
});

test("A5: a huge message and a flood of fragments close their own WebSocket", async () => {
  const { url } = await serve({ bodyBytesMax: 65_536, socketFragmentsMax: 16 });
  const other = await connect(url);
  const huge = await connect(url);
  huge.socket.send("x".repeat(65_537));
  expect((await once(huge.socket, "close"))[0]).toBe(1_009);
  const flood = await connect(url);
  for (let i = 0; i < 1_000; i += 1) flood.socket.send("x", { fin: false });
  expect((await once(flood.socket, "close"))[0]).toBe(1_008);
  const binary = await connect(url);
  binary.socket.send(Uint8Array.of(1, 2));
  expect((await once(binary.socket, "close"))[0]).toBe(1_003);
  expect(await other.call("eth_chainId")).toMatchObject({ result: "0x16e" });
});
