import { textToBytes } from "../../base/bytes.ts";
import type { Admission, PayGate } from "./gate.ts";
import { manifestToJson, type Manifest } from "./manifest.ts";
import { costOf } from "./price.ts";
import { rangeName, type ByteRange } from "./range.ts";
import { requiredHeader, responseHeader, type JsonRecord } from "./x402.ts";

/*
 * Files for money, whatever carries the request: HTTP (`serve.node.ts`) or a stream between peers
 * (`relay.ts`). A request names a range and carries a voucher that covers it; one round trip serves
 * it. Without a voucher the answer is 402 and says what it would cost. The hash list is free, at
 * `?manifest`.
 */

/** Bytes that one request may ask for: what a payer may lose to a server that does not answer. */
export const requestBytesMax: number = 16 * 1_024 * 1_024;

/** Seconds after which a server whose chain is away may be asked again. */
const retrySeconds = 5;

/** A file for sale. */
export type FileForSale = {
  readonly manifest: Manifest;
  /** Hash of the manifest. */
  readonly id: string;
  readonly resourceId: string;
  /** Fills the bytes with what is from `start` on. */
  readInto(bytes: Uint8Array, start: number): Promise<void>;
};

/** What was served, for lists and meters. */
export type ServedRange = {
  readonly url: string;
  readonly bytes: number;
  /** TFuelWei taken for it. */
  readonly taken: bigint;
};

/** What files are sold with. */
export type FileServerParts = {
  readonly catalog: { find(path: string): Promise<FileForSale | null> };
  /** `null` serves for nothing. */
  readonly gate: PayGate | null;
  readonly onServed?: (served: ServedRange) => void;
};

/** One request, of the method GET. */
export type FileRequest = {
  /** Path and query, as in a URL. */
  readonly target: string;
  /** The header `range`; `null` for the whole file. */
  readonly range: string | null;
  /** The payment header. */
  readonly payment: string | null;
};

/** Its answer, in words of HTTP. */
export type FileAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

/** Answers one request; rejects only when the file cannot be read. */
export async function answerFile(
  parts: FileServerParts,
  request: FileRequest,
): Promise<FileAnswer> {
  const [path = "/", query = ""] = request.target.split("?", 2);
  const file = await parts.catalog.find(path);
  if (file === null) return plain(404, "no such file");
  if (query === "manifest") return json(200, manifestToJson(file.manifest));
  const range = readRange(request.range, file.manifest.sizeBytes);
  if (range === null || range.end - range.start > requestBytesMax)
    return badRange(file, `a range of at most ${requestBytesMax} bytes is needed`);
  return answerRange(parts, { file, path, range, payment: request.payment });
}

async function answerRange(
  { gate, onServed }: FileServerParts,
  asked: {
    readonly file: FileForSale;
    readonly path: string;
    readonly range: ByteRange;
    readonly payment: string | null;
  },
): Promise<FileAnswer> {
  const { file, path, range, payment } = asked;
  const { start, end } = range;
  const paid: Record<string, string> = {};
  let taken = 0n;
  if (gate !== null) {
    const admission = await gate.admit({
      payment,
      url: path,
      resourceId: file.resourceId,
      cost: costOf(gate.price, end - start),
      range: rangeName(file.id, range),
      extra: offerOf(file),
    });
    if (admission.type === "required") return requiredAnswer(admission);
    paid[responseHeader] = admission.header;
    taken = admission.charged.taken;
  }
  const body = new Uint8Array(end - start);
  await file.readInto(body, start);
  onServed?.({ url: path, bytes: body.length, taken });
  const headers = { ...paid, ...rangeHeaders(file, range) };
  return { status: 206, headers, body };
}

/** That another range is needed. */
export function badRange(file: FileForSale, text: string): FileAnswer {
  const refused = plain(416, text);
  const size = `bytes */${file.manifest.sizeBytes}`;
  return { ...refused, headers: { ...refused.headers, "content-range": size } };
}

/** That a payment is needed. */
export function requiredAnswer(
  required: Extract<Admission, { readonly type: "required" }>,
): FileAnswer {
  const answer = json(required.status, required.body);
  const retry = required.status === 503 ? { "retry-after": `${retrySeconds}` } : {};
  const headers = { [requiredHeader]: required.header, "cache-control": "no-store", ...retry };
  return { ...answer, headers: { ...answer.headers, ...headers } };
}

/** Headers of a part of a file. */
export function rangeHeaders(file: FileForSale, { start, end }: ByteRange): FileAnswer["headers"] {
  return {
    "content-type": "application/octet-stream",
    "content-length": `${end - start}`,
    "content-range": `bytes ${start}-${end - 1}/${file.manifest.sizeBytes}`,
    "accept-ranges": "bytes",
    etag: `"${file.id}"`,
  };
}

/** What the offer says of the file. */
export function offerOf({ manifest, id }: FileForSale): JsonRecord {
  return { sizeBytes: manifest.sizeBytes, chunkBytes: manifest.chunkBytes, manifestId: id };
}

/** One range `bytes=a-b`, or the whole file without one; `null` if it cannot be served. */
export function readRange(header: string | null, sizeBytes: number): ByteRange | null {
  if (header === null) return { start: 0, end: sizeBytes };
  const match = /^bytes=(\d{1,15})-(\d{1,15})?$/.exec(header);
  if (match === null) return null;
  const start = Number(match[1]);
  const last = match[2] === undefined ? sizeBytes - 1 : Number(match[2]);
  const end = Math.min(last, sizeBytes - 1) + 1;
  return start < end ? { start, end } : null;
}

/** An answer of one line. */
export function plain(status: number, text: string): FileAnswer {
  return answerOf(status, "text/plain; charset=utf-8", textToBytes(`${text}\n`));
}

function json(status: number, value: object): FileAnswer {
  return answerOf(status, "application/json", textToBytes(JSON.stringify(value)));
}

function answerOf(status: number, type: string, body: Uint8Array): FileAnswer {
  return {
    status,
    headers: { "content-type": type, "content-length": `${body.length}` },
    body,
  };
}
