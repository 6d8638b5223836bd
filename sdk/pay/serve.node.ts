import type { IncomingMessage, ServerResponse } from "node:http";
import { textToBytes } from "../../base/bytes.ts";
import type { CatalogEntry, FileCatalog } from "./catalog.node.ts";
import type { PayGate } from "./gate.ts";
import { manifestToJson } from "./manifest.ts";
import { costOf } from "./price.ts";
import { rangeName } from "./range.ts";
import { paymentHeader, requiredHeader, responseHeader, type JsonRecord } from "./x402.ts";

/*
 * Files over HTTP, paid by the byte. A request names a range and carries a voucher that covers it;
 * one round trip serves it. Without a voucher the answer is 402 and says what it would cost. The
 * hash list is free, at `?manifest`.
 */

/** Bytes that one request may ask for: what a payer may lose to a server that does not answer. */
export const requestBytesMax: number = 16 * 1_024 * 1_024;

/** What was served, for lists and meters. */
export type ServedRange = {
  readonly url: string;
  readonly bytes: number;
  /** TFuelWei taken for it. */
  readonly taken: bigint;
};

/** What a file server is made of. */
export type FileServerParts = {
  readonly catalog: FileCatalog;
  /** `null` serves for nothing. */
  readonly gate: PayGate | null;
  readonly onServed?: (served: ServedRange) => void;
};

/** A handler for `node:http`, and for `express` and its like. */
export type RequestHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  next?: (error?: unknown) => void,
) => void;

/** Serves the catalog's files to whoever pays. */
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
    await answer(parts, request, response);
  } catch (error) {
    if (next !== undefined) next(error);
    else if (response.headersSent) response.destroy();
    else plain(response, 500, "the file cannot be read");
  }
}

async function answer(
  parts: FileServerParts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const target = request.url ?? "/";
  const [path = "/", query = ""] = target.split("?", 2);
  if (request.method !== "GET") {
    response.setHeader("allow", "GET");
    plain(response, 405, "only GET");
    return;
  }
  const entry = await parts.catalog.find(path);
  if (entry === null) {
    plain(response, 404, "no such file");
    return;
  }
  if (query === "manifest") {
    json(response, 200, { ...manifestToJson(entry.manifest) });
    return;
  }
  const range = readRange(request.headers.range, entry.manifest.sizeBytes);
  if (range === null || range.end - range.start > requestBytesMax) {
    response.setHeader("content-range", `bytes */${entry.manifest.sizeBytes}`);
    plain(response, 416, `a range of at most ${requestBytesMax} bytes is needed`);
    return;
  }
  await serveRange(parts, { request, response, entry, path, range });
}

type RangeRequest = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly entry: CatalogEntry;
  readonly path: string;
  readonly range: { readonly start: number; readonly end: number };
};

async function serveRange(
  { gate, onServed }: FileServerParts,
  { request, response, entry, path, range }: RangeRequest,
): Promise<void> {
  const { start, end } = range;
  let taken = 0n;
  if (gate !== null) {
    const given = request.headers[paymentHeader];
    const admission = await gate.admit({
      payment: typeof given === "string" ? given : null,
      url: path,
      resourceId: entry.resourceId,
      cost: costOf(gate.price, end - start),
      range: rangeName(entry.id, range),
      extra: offerOf(entry),
    });
    if (admission.type === "required") {
      response.setHeader(requiredHeader, admission.header);
      response.setHeader("cache-control", "no-store");
      json(response, admission.status, admission.body);
      return;
    }
    response.setHeader(responseHeader, admission.header);
    taken = admission.charged.taken;
  }
  const bytes = await entry.read(start, end);
  response.writeHead(206, {
    "content-type": "application/octet-stream",
    "content-length": bytes.length,
    "content-range": `bytes ${start}-${end - 1}/${entry.manifest.sizeBytes}`,
    "accept-ranges": "bytes",
    etag: `"${entry.id}"`,
  });
  response.end(bytes);
  onServed?.({ url: path, bytes: bytes.length, taken });
}

/** What the offer says of the file. */
function offerOf({ manifest, id }: CatalogEntry): JsonRecord {
  return { sizeBytes: manifest.sizeBytes, chunkBytes: manifest.chunkBytes, manifestId: id };
}

/** One range `bytes=a-b`, or the whole file without one; `null` if it cannot be served. */
function readRange(
  header: string | undefined,
  sizeBytes: number,
): { readonly start: number; readonly end: number } | null {
  if (header === undefined) return { start: 0, end: sizeBytes };
  const match = /^bytes=(\d{1,15})-(\d{1,15})?$/.exec(header);
  if (match === null) return null;
  const start = Number(match[1]);
  const last = match[2] === undefined ? sizeBytes - 1 : Number(match[2]);
  const end = Math.min(last, sizeBytes - 1) + 1;
  return start < end ? { start, end } : null;
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(`${text}\n`);
}

function json(response: ServerResponse, status: number, body: object): void {
  const bytes = textToBytes(JSON.stringify(body));
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": bytes.length,
  });
  response.end(bytes);
}
