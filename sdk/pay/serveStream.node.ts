import type { IncomingMessage, ServerResponse } from "node:http";
import {
  badRange,
  offerOf,
  plain,
  rangeHeaders,
  readRange,
  requiredAnswer,
  type FileAnswer,
  type FileForSale,
  type FileServerParts,
} from "./fileAnswer.ts";
import { chunkRange } from "./manifest.ts";
import { costOf } from "./price.ts";
import { rangeName, type ByteRange } from "./range.ts";
import { topUpsMax, type Tab } from "./tab.ts";
import { TopUpReader, type TopUp } from "./topUp.ts";
import { paymentHeader } from "./x402.ts";

/*
 * A part of a file in one answer, paid for while it is served: `POST URL?stream` with a range of
 * whole chunks and a first voucher in the header; the request's body are top-ups (`topUp.ts`). Each
 * chunk leaves when it is paid for, and no more than a window leaves before the voucher is on disk.
 */

/** Bytes that may have been served while the voucher for them is not on disk. */
export const unkeptBytesMax: number = 4 * 1_024 * 1_024;

/** Bytes that are read at a time, and ahead of what is paid for. */
const readBytes = 1_024 * 1_024;

/** How long a stream waits for a payment, or for its reader to take a byte, in ms. */
const idleMsMax = 30_000;

/** Streams that one process serves at a time; each holds two reads. */
export const streamsMax = 512;

let streams = 0;

/** Serves a stream to its end, or says why not. */
export async function answerStream(
  parts: FileServerParts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<FileAnswer | null> {
  const [path = "/"] = (request.url ?? "/").split("?", 1);
  const file = await parts.catalog.find(path);
  if (file === null) return plain(404, "no such file");
  const range = readRange(request.headers.range ?? null, file.manifest.sizeBytes);
  if (range === null || !isWhole(file, range)) return badRange(file, "whole chunks are needed");
  if (streams >= streamsMax) return plain(503, "too many streams");
  let tab: Tab | null = null;
  if (parts.gate !== null) {
    const payment = request.headers[paymentHeader];
    const { start } = range;
    const first = { start, end: Math.min(start + file.manifest.chunkBytes, range.end) };
    const opened = await parts.gate.open({
      payment: typeof payment === "string" ? payment : null,
      url: path,
      resourceId: file.resourceId,
      cost: costOf(parts.gate.price, first.end - first.start),
      range: rangeName(file.id, first),
      extra: offerOf(file),
    });
    if (opened.type === "required") return requiredAnswer(opened);
    ({ tab } = opened);
  }
  streams += 1;
  try {
    response.writeHead(206, rangeHeaders(file, range));
    response.flushHeaders();
    await new Stream({ parts, path, file, range, tab, request, response }).serve();
  } finally {
    streams -= 1;
  }
  return null;
}

function isWhole({ manifest }: FileForSale, { start, end }: ByteRange): boolean {
  const { chunkBytes, sizeBytes } = manifest;
  return start % chunkBytes === 0 && (end % chunkBytes === 0 || end === sizeBytes);
}

type StreamParts = {
  readonly parts: FileServerParts;
  readonly path: string;
  readonly file: FileForSale;
  readonly range: ByteRange;
  readonly tab: Tab | null;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
};

class Stream {
  readonly #given: StreamParts;
  readonly #reader = new TopUpReader();
  #waiting: TopUp[] = [];
  #isOffering = false;
  #isOver = false;
  #wake: (() => void) | null = null;
  /** Buffers whose bytes have left. */
  readonly #spare: ArrayBuffer[] = [];

  constructor(given: StreamParts) {
    this.#given = given;
  }

  async serve(): Promise<void> {
    const { request, response, range } = this.#given;
    const over = (): void => this.#end();
    request.on("data", (bytes: Uint8Array) => this.#onData(bytes));
    request.on("error", over);
    response.on("error", over);
    response.on("drain", () => this.#wake?.());
    response.on("close", over);
    // Counts from the last byte in either direction: a slow reader is not an idle one.
    response.setTimeout(idleMsMax, over);
    if (response.closed) return;
    let next = this.#read(range.start);
    for (let start = range.start; start < range.end;) {
      const block = await next;
      const end = start + block.length;
      if (end < range.end) {
        next = this.#read(end);
        // Whoever stops early does not wait for it.
        next.catch(() => undefined);
      }
      if (!(await this.#write(block, start))) return;
      start = end;
    }
    await this.#given.tab?.keep();
    response.end();
  }

  /** Sends a block as it is paid for; whether it was. Its buffer is used again when it has left. */
  async #write(block: Uint8Array<ArrayBuffer>, start: number): Promise<boolean> {
    const { response } = this.#given;
    const end = start + block.length;
    let writing = 0;
    for (let at = start; at < end;) {
      const paidTo = await this.#paidTo(at, end);
      if (paidTo === at) return false;
      writing += 1;
      const isRoom = response.write(block.subarray(at - start, paidTo - start), () => {
        writing -= 1;
        if (writing === 0 && paidTo === end) this.#spare.push(block.buffer);
      });
      if (!isRoom && !(await this.#until(() => !response.writableNeedDrain))) return false;
      at = paidTo;
    }
    return true;
  }

  async #read(start: number): Promise<Uint8Array<ArrayBuffer>> {
    const { file, range } = this.#given;
    const { chunkBytes } = file.manifest;
    const whole = Math.max(chunkBytes, readBytes - (readBytes % chunkBytes));
    const buffer = this.#spare.pop() ?? new ArrayBuffer(Math.min(whole, range.end - range.start));
    const block = new Uint8Array(buffer, 0, Math.min(buffer.byteLength, range.end - start));
    await file.readInto(block, start);
    return block;
  }

  /** Where what is paid for ends, at least one chunk further than `at`; `at` if nothing comes. */
  async #paidTo(at: number, end: number): Promise<number> {
    const { parts, tab } = this.#given;
    if (tab === null || parts.gate === null) {
      this.#report(at, end, 0n);
      return end;
    }
    const most = costOf(parts.gate.price, unkeptBytesMax);
    if (tab.unkept * 2n > most) this.#keepSoon(tab);
    while (tab.unkept > most) await tab.keep();
    let paidTo = this.#takeFrom(at, end);
    if (paidTo === at) await this.#until(() => (paidTo = this.#takeFrom(at, end)) > at);
    return paidTo;
  }

  /** Takes the cost of as many chunks as are paid for; where they end. */
  #takeFrom(at: number, end: number): number {
    const { parts, file, tab } = this.#given;
    if (tab === null || parts.gate === null) return end;
    let paidTo = at;
    while (paidTo < end) {
      const chunk = chunkRange(file.manifest, paidTo / file.manifest.chunkBytes);
      const cost = costOf(parts.gate.price, chunk.end - chunk.start);
      const taken = tab.take(cost, rangeName(file.id, chunk));
      if (!taken.ok) break;
      this.#report(chunk.start, chunk.end, taken.value);
      paidTo = chunk.end;
    }
    return paidTo;
  }

  #report(start: number, end: number, taken: bigint): void {
    const { parts, path: url } = this.#given;
    parts.onServed?.({ url, bytes: end - start, taken });
  }

  #keepSoon(tab: Tab): void {
    if (tab.unkept > 0n) tab.keep().catch(() => this.#end());
  }

  #onData(bytes: Uint8Array): void {
    const topUps = this.#reader.push(bytes);
    if (!topUps.ok) return this.#end();
    this.#waiting.push(...topUps.value);
    if (this.#waiting.length > topUpsMax) return this.#end();
    if (!this.#isOffering) void this.#offer();
  }

  async #offer(): Promise<void> {
    const { tab } = this.#given;
    this.#isOffering = true;
    try {
      while (tab !== null && this.#waiting.length > 0 && !this.#isOver) {
        const refusal = await tab.offer(this.#waiting.splice(0));
        if (refusal !== null) this.#end();
        this.#wake?.();
      }
    } catch {
      this.#end();
    }
    this.#isOffering = false;
  }

  /** Resolves with `true` when `isSo` says so, with `false` when the stream is over before. */
  async #until(isSo: () => boolean): Promise<boolean> {
    while (!this.#isOver) {
      if (isSo()) return true;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return false;
  }

  /** Nothing more is served: what the connection still carries is lost with it. */
  #end(): void {
    this.#isOver = true;
    this.#given.response.destroy();
    this.#wake?.();
  }
}
