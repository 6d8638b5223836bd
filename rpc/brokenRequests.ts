import type { Server } from "node:http";
import type { Duplex } from "node:stream";

/** How long a client whose request is broken may go on sending before its connection is cut. */
const lingerMs = 1_000;

const statuses: ReadonlyMap<string, string> = new Map([
  ["HPE_HEADER_OVERFLOW", "431 Request Header Fields Too Large"],
  ["HPE_CHUNK_EXTENSIONS_OVERFLOW", "413 Content Too Large"],
  ["ERR_HTTP_REQUEST_TIMEOUT", "408 Request Timeout"],
]);

function codeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : "";
}

/**
 * Answers what is not HTTP. Node cuts such a connection at once, and a client that is still sending
 * then sees a reset instead of the reason; here it is read on for a moment. The parser stays in its
 * error, so nothing that follows on the connection is taken for a request.
 */
export function answerBrokenRequests(server: Server): void {
  const refused = new WeakSet<Duplex>();
  server.on("clientError", (error: Error, socket: Duplex) => {
    if (refused.has(socket)) return; // More of the same request.
    refused.add(socket);
    const code = codeOf(error);
    if (code === "ECONNRESET" || !socket.writable) {
      socket.destroy();
      return;
    }
    const status = statuses.get(code) ?? "400 Bad Request";
    const answer = `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
    // A request that was only too slow could still be finished, and would then be carried out.
    const isLate = code === "ERR_HTTP_REQUEST_TIMEOUT";
    socket.end(answer, isLate ? () => socket.destroy() : undefined);
    const timer = setTimeout(() => socket.destroy(), lingerMs).unref();
    socket.once("close", () => clearTimeout(timer));
    socket.on("error", () => undefined);
  });
}
