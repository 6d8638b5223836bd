import { once } from "node:events";
import { request } from "node:http";

import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";

import { zeroAddress } from "../base/bytes.ts";
import { refuse } from "../base/outcome.ts";
import { createFakeServer } from "../test/fakes/fakeServer.ts";
import type { TaskPlace } from "./api.ts";
import type { RpcServer } from "./server.ts";

const servers: RpcServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

const body = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "eth_call",
  params: [{ to: zeroAddress }, "latest"],
});

/** Each posts the call and answers what breaks off its connection. */
const clients: Readonly<Record<string, (port: number) => Promise<() => void>>> = {
  HTTP: (port) => {
    const headers = { "content-type": "application/json", "content-length": `${body.length}` };
    const posted = request({ host: "127.0.0.1", port, path: "/rpc", method: "POST", headers });
    posted.on("error", () => undefined); // It is cut off.
    posted.end(body);
    return Promise.resolve(() => posted.destroy());
  },
  WebSocket: async (port) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/rpc`);
    await once(socket, "open");
    socket.send(body);
    return () => socket.terminate();
  },
};

test.each(Object.entries(clients))(
  "A2: what waits for a thread learns that its client went away: %s",
  async (_, connect) => {
    const { server, node } = createFakeServer({ port: 0 });
    servers.push(server);
    const asked = new Promise<AbortSignal>((resolve) => {
      const runTask = (_name: string, _request: unknown, { signal }: TaskPlace): unknown => {
        resolve(signal);
        return once(signal, "abort").then(() => refuse({ code: "busy", detail: "gone" }));
      };
      Object.assign(node, { runTask });
    });
    await server.start();
    const leave = await connect(server.addresses[0]?.port ?? 0);
    const signal = await asked;
    expect(signal.aborted).toBe(false);
    leave();
    if (!signal.aborted) await once(signal, "abort");
    expect(signal.aborted).toBe(true);
  },
);
