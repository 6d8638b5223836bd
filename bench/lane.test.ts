import { createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { Lane, type LaneAnswer } from "./lane.ts";

/*
 * Goal: what a busy server says of a connection on which it saw nothing in time is not taken for
 * the answer to a request; that is sent again on the next connection.
 */

const timedOut = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
const answered = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

let server: Server;
let lane: Lane;

afterEach(() => {
  lane.close();
  server.close();
});

/** Sends one request to a server that treats its first connection so; gives the answer. */
async function answerAfter(first: (socket: Socket) => void): Promise<LaneAnswer> {
  let connections = 0;
  server = createServer((socket) => {
    connections += 1;
    if (connections === 1) first(socket);
    else socket.on("data", () => socket.write(answered));
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
  return new Promise((resolve) => {
    let isSent = false;
    const onIdle = (): void => {
      if (!isSent) lane.send("{}");
      isSent = true;
    };
    lane = new Lane({ port, path: "/" }, { onAnswer: resolve, onIdle });
    lane.open();
  });
}

test("a request that a busy server did not see in time is sent again", async () => {
  const answer = await answerAfter((socket) => socket.on("data", () => socket.end(timedOut)));
  expect(answer).toEqual({ status: 200, body: "ok" });
});

test("a request that crosses with the end of a quiet connection is sent again", async () => {
  const answer = await answerAfter((socket) => socket.end(timedOut));
  expect(answer).toEqual({ status: 200, body: "ok" });
});
