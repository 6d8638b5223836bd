import { spawn, type ChildProcess } from "node:child_process";
import { Agent, request, type IncomingHttpHeaders } from "node:http";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { gzipSync } from "node:zlib";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { leastMs } from "../test/fakes/leastMs.ts";
import { vectorTest } from "../test/vectors.ts";

// The HTTP server as a process of its own, over a node in memory: sockets that behave badly, and
// the hostile bodies of the vectors. After each, a good client is answered.

const root = join(import.meta.dirname, "..");
const limits = { headersTimeoutMs: 1_000, requestTimeoutMs: 2_000, connectionsMax: 200 };

type Server = { readonly port: number; readonly process: ChildProcess };
const servers: ChildProcess[] = [];

/** Starts the server; `openFilesMax` lowers what the operating system allows the process. */
async function startServer(openFilesMax: number | null): Promise<Server> {
  const script = `import { serveFake } from "./test/fakes/fakeServer.ts";
    await serveFake(${JSON.stringify(limits)});`;
  const prefix = openFilesMax === null ? "" : `ulimit -n ${openFilesMax}; `;
  const child = spawn(
    "sh",
    ["-c", `${prefix}exec "$0" --input-type=module -e "$1"`, process.execPath, script],
    { cwd: root, stdio: ["ignore", "pipe", "inherit"] },
  );
  servers.push(child);
  for await (const line of createInterface(child.stdout)) {
    const { port } = JSON.parse(line) as { port: number };
    return { port, process: child };
  }
  throw new Error("the server ended before it listened");
}

type Answer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
};

type Question = {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly agent?: Agent;
};

function ask(port: number, question: Question): Promise<Answer> {
  const { method = "POST", path = "/", body = "" } = question;
  const headers = question.headers ?? { "content-type": "application/json" };
  const agent = question.agent ?? false;
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: "127.0.0.1", method, path, headers, agent }, (response) => {
      response.setEncoding("utf8");
      let text = "";
      response.on("data", (chunk: string) => (text += chunk));
      response.on("error", reject);
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const plainCall = '{"jsonrpc":"2.0","id":7,"method":"eth_chainId","params":[]}';

/** A good client is served, within a second. */
async function expectServed(port: number, because: string): Promise<void> {
  const tookMs = await leastMs(1_000, async () => {
    const answer = await ask(port, { body: plainCall });
    expect(JSON.parse(answer.text), because).toEqual({ jsonrpc: "2.0", id: 7, result: "0x16e" });
  });
  expect(tookMs, because).toBeLessThan(1_000);
}

/** A raw connection; `closed` resolves with all that was received. */
function open(
  port: number,
  first = "",
): { readonly socket: Socket; readonly closed: Promise<string> } {
  const socket = connect(port, "127.0.0.1");
  let received = "";
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => (received += chunk));
  socket.on("error", () => undefined);
  if (first !== "") socket.write(first);
  return { socket, closed: new Promise((resolve) => socket.on("close", () => resolve(received))) };
}

const head = "POST /rpc HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n";
const lengthOf = (body: string): string => `Content-Length: ${body.length}\r\n`;

let server: Server;
beforeAll(async () => {
  server = await startServer(null);
});
afterAll(() => {
  for (const child of servers) child.kill("SIGKILL");
});

type Generate = {
  readonly generate: "nest" | "repeat";
  readonly depth?: number;
  readonly open?: string;
  readonly close?: string;
  readonly inner?: string;
  readonly wrap?: string;
  readonly prefix?: string;
  readonly item?: string;
  readonly count?: number;
  readonly suffix?: string;
};

type Expected = {
  readonly code?: number;
  readonly id?: unknown;
  readonly result?: boolean;
  readonly empty?: boolean;
  readonly batch?: readonly Expected[];
  readonly oneOf?: readonly Expected[];
  readonly policy?: string;
  readonly idText?: string;
  readonly status?: readonly number[];
};

type HostileItem = {
  readonly id: string;
  readonly body?: string | Generate;
  readonly http?: {
    readonly method?: string;
    readonly path?: string;
    readonly headers?: Readonly<Record<string, string | { repeat: string; count: number }>>;
    readonly body?: string | { readonly "gzip-of-zeros": number };
    readonly idle?: number;
    readonly ws?: unknown;
  };
  readonly expect: Expected;
};

function textOf(body: string | Generate): string {
  if (typeof body === "string") return body;
  if (body.generate === "repeat")
    return `${body.prefix ?? ""}${(body.item ?? "").repeat(body.count ?? 0)}${body.suffix ?? ""}`;
  const depth = body.depth ?? 0;
  const { open: opening = "", inner = "", close: closing = "" } = body;
  const nest = `${opening.repeat(depth)}${inner}${closing.repeat(depth)}`;
  return (body.wrap ?? "%s").replace("%s", () => nest);
}

type Reply = {
  readonly id?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string };
};

function isMet(wanted: Expected, reply: Reply): boolean {
  if (wanted.code !== undefined && reply.error?.code !== wanted.code) return false;
  if (wanted.result === true && reply.result === undefined) return false;
  return !("id" in wanted) || reply.id === wanted.id;
}

function checkBody(item: HostileItem, answer: Answer): void {
  const wanted = item.expect;
  expect(answer.text.length, item.id).toBeLessThan(10_000);
  if (wanted.empty === true) {
    expect(answer.text, item.id).toBe("");
    return;
  }
  const reply = JSON.parse(answer.text) as Reply | readonly Reply[];
  if (wanted.batch !== undefined) {
    expect(Array.isArray(reply), item.id).toBe(true);
    const replies = reply as readonly Reply[];
    expect(replies.length, item.id).toBe(wanted.batch.length);
    for (const one of wanted.batch)
      expect(
        replies.some((candidate) => isMet(one, candidate)),
        item.id,
      ).toBe(true);
    return;
  }
  const single = reply as Reply;
  if (wanted.oneOf !== undefined) {
    const met =
      wanted.oneOf.some((one) => isMet(one, single) && single.error !== undefined) ||
      wanted.oneOf.some((one) => one.result === true && single.result !== undefined);
    expect(met, `${item.id}: ${answer.text}`).toBe(true);
    return;
  }
  if (wanted.policy === "echo-exact-or-error") {
    const exact = answer.text.includes(`"id":${wanted.idText}`);
    expect(exact || single.error !== undefined, item.id).toBe(true);
    return;
  }
  if (wanted.policy?.startsWith("no prototype pollution") === true) {
    // The member named so is none: what remains creates a contract without code.
    expect(single.result, item.id).toBe("0x");
    return;
  }
  if (wanted.policy !== undefined) {
    // Each of these asks for an error: a limit, bad parameters, or a method that is not there.
    expect(single.error, `${item.id}: ${answer.text}`).toBeDefined();
    return;
  }
  expect(isMet(wanted, single), `${item.id}: ${answer.text}`).toBe(true);
}

async function checkHttp(item: HostileItem): Promise<void> {
  const { http } = item;
  if (http === undefined) return;
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(http.headers ?? {}))
    headers[name] = typeof value === "string" ? value : value.repeat.repeat(value.count);
  const { body = "" } = http;
  const bytes = typeof body === "string" ? body : gzipSync(new Uint8Array(body["gzip-of-zeros"]));
  const { method = "POST", path = "/" } = http;
  const answer = await ask(server.port, { method, path, headers, body: bytes });
  const { status } = item.expect;
  if (status !== undefined) expect(status, item.id).toContain(answer.status);
  expect(answer.headers["access-control-allow-origin"], item.id).toBeUndefined();
  expect(answer.text, item.id).not.toContain('"result"');
}

// WebSocket items wait for the WebSocket itself; the 2,000 idle connections have a test of their
// own.
vectorTest<HostileItem>("rpc/hostile.ndjson", async (items) => {
  let count = 0;
  for (const item of items) {
    if (item.http?.ws !== undefined || item.http?.idle !== undefined) continue;
    if (item.body !== undefined)
      checkBody(item, await ask(server.port, { body: textOf(item.body) }));
    else await checkHttp(item);
    await expectServed(server.port, item.id);
    count += 1;
  }
  console.log(`rpc/hostile: ${count} of ${items.length} ran`);
});

describe("A1: bodies beyond the limits", () => {
  for (const mebibytes of [9, 64])
    test(`a body of ${mebibytes} MiB is refused and its connection serves on`, async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const body = new Uint8Array(mebibytes * 1_048_576).fill(32);
      const answer = await ask(server.port, { body, agent });
      expect(answer.status).toBe(413);
      expect(JSON.parse(answer.text)).toMatchObject({
        id: null,
        error: { code: -32_005, data: { limit: "bodyBytesMax", max: 8_388_608 } },
      });
      expect((await ask(server.port, { body: plainCall, agent })).text).toContain("0x16e");
      agent.destroy();
    });

  test("a body without declared length is counted as it comes", async () => {
    const { socket, closed } = open(server.port, `${head}Transfer-Encoding: chunked\r\n\r\n`);
    const chunk = `100000\r\n${" ".repeat(0x100000)}\r\n`;
    for (let i = 0; i < 9; i += 1) socket.write(chunk);
    socket.end("0\r\n\r\n");
    expect(await closed).toContain("413");
    await expectServed(server.port, "after a chunked body");
  });
});

describe("A3: sockets that behave badly", () => {
  test("a client that half-closes after its request still gets the answer", async () => {
    const { socket, closed } = open(server.port, `${head}${lengthOf(plainCall)}\r\n${plainCall}`);
    socket.end();
    expect(await closed).toContain('"result":"0x16e"');
  });

  test("slow headers and slow bodies are ended; a good client is served meanwhile", async () => {
    const slow = Array.from({ length: 50 }, (_, i) =>
      open(server.port, i % 2 === 0 ? head : `${head}Content-Length: 100\r\n\r\n{`),
    );
    await expectServed(server.port, "while 50 are slow");
    for (const { closed } of slow) expect(await closed).toMatch(/^(HTTP\/1\.1 408|$)/);
    await expectServed(server.port, "after 50 slow ones");
  });

  test("2,000 idle connections do not keep a good client out", async () => {
    const idle = Array.from({ length: 2_000 }, () => open(server.port));
    await Promise.all(
      idle.map(
        ({ socket }) =>
          new Promise((resolve) => socket.on("connect", resolve).on("close", resolve)),
      ),
    );
    await expectServed(server.port, "while 2,000 are idle");
    const metrics = await ask(server.port, { method: "GET", path: "/metrics" });
    const connections = /^ledger_rpc_connections (\d+)$/m.exec(metrics.text)?.[1];
    expect(Number(connections)).toBeLessThanOrEqual(limits.connectionsMax);
    for (const { socket } of idle) socket.destroy();
  });

  test("headers without end, two lengths and smuggled requests are refused", async () => {
    const hidden = `${head}${lengthOf(plainCall)}\r\n${plainCall}`;
    const bad = [
      `${head}X-Big: ${"a".repeat(1_048_576)}\r\n\r\n`,
      `${head}${Array.from({ length: 5_000 }, (_, i) => `X-${i}: 1\r\n`).join("")}\r\n`,
      `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
      `${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345${hidden}`,
      `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n${hidden}`,
      `${head}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
      "\0\x01\x02\r\n\r\n",
    ];
    for (const bytes of bad) {
      const answer = await open(server.port, bytes).closed;
      expect(answer, bytes.slice(0, 200)).toMatch(/^(HTTP\/1\.1 4(00|31)|$)/);
      expect(answer).not.toContain('"result"');
    }
    await expectServed(server.port, "after bad framing");
  });

  test("a client that resets in the middle of its body harms nobody", async () => {
    for (let i = 0; i < 20; i += 1) {
      const { socket, closed } = open(server.port, `${head}Content-Length: 1000000\r\n\r\n{`);
      await new Promise((resolve) => socket.on("connect", resolve));
      socket.resetAndDestroy();
      await closed;
    }
    await expectServed(server.port, "after resets");
  });

  test("pipelined requests are answered in their order", async () => {
    const one = (id: number): string => {
      const body = plainCall.replace("7", `${id}`);
      return `${head}${lengthOf(body)}\r\n${body}`;
    };
    const { socket, closed } = open(
      server.port,
      Array.from({ length: 20 }, (_, i) => one(i)).join(""),
    );
    socket.end();
    const ids = [...(await closed).matchAll(/"id":(\d+)/g)].map(([, id]) => Number(id));
    expect(ids).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });
});

test("A14: a process without file descriptors sheds connections and serves again", async () => {
  const poor = await startServer(64);
  const idle = Array.from({ length: 150 }, () => open(poor.port));
  await Promise.all(idle.map(({ closed }) => closed));
  expect(poor.process.exitCode).toBeNull();
  await expectServed(poor.port, "after its descriptors were used up");
});
