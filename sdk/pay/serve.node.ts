import type { IncomingMessage, ServerResponse } from "node:http";
import { answerFile, plain, type FileAnswer, type FileServerParts } from "./fileAnswer.ts";
import { answerStream } from "./serveStream.node.ts";
import { paymentHeader } from "./x402.ts";

/** A handler for `node:http`, and for `express` and its like. */
export type RequestHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  next?: (error?: unknown) => void,
) => void;

/** Serves the catalog's files over HTTP to whoever pays. */
export function createFileHandler(parts: FileServerParts): RequestHandler {
  return (request, response, next) => {
    void answerOrFail(parts, { request, response, next });
  };
}

async function answerOrFail(
  parts: FileServerParts,
  given: {
    readonly request: IncomingMessage;
    readonly response: ServerResponse;
    readonly next: ((error?: unknown) => void) | undefined;
  },
): Promise<void> {
  const { request, response, next } = given;
  try {
    if (request.method === "POST" && request.url?.endsWith("?stream") === true) {
      const refused = await answerStream(parts, request, response);
      // What the client still sends would be read as its next request.
      if (refused !== null)
        send(response, { ...refused, headers: { ...refused.headers, connection: "close" } });
      return;
    }
    if (request.method !== "GET") {
      response.setHeader("allow", "GET");
      send(response, plain(405, "only GET"));
      return;
    }
    const payment = request.headers[paymentHeader];
    const answer = await answerFile(parts, {
      target: request.url ?? "/",
      range: request.headers.range ?? null,
      payment: typeof payment === "string" ? payment : null,
    });
    send(response, answer);
  } catch (error) {
    if (next !== undefined) next(error);
    else if (response.headersSent) response.destroy();
    else send(response, plain(500, "the file cannot be read"));
  }
}

function send(response: ServerResponse, { status, headers, body }: FileAnswer): void {
  response.writeHead(status, headers);
  response.end(body);
}
