import type { IncomingMessage } from "node:http";

import type { Outcome } from "../base/outcome.ts";
import { accept, refuse } from "../base/outcome.ts";
import type { RpcError } from "./errors.ts";
import { errorCodes, limitExceeded } from "./errors.ts";
import type { RpcLimits } from "./limits.ts";

/** Why a body was not read; `status` is HTTP's. */
export type BodyRefusal = { readonly status: 400 | 413 | 503; readonly error: RpcError };

/** A body as text, or why it was not read. */
export type ReadBody = Outcome<string, BodyRefusal>;

const decoder = new TextDecoder("utf-8", { fatal: true });

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined) return only;
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** Reads bodies, and bounds the bytes of one and of all that are being read. */
export class BodyReader {
  readonly #limits: RpcLimits;
  #inFlight = 0;

  constructor(limits: RpcLimits) {
    this.#limits = limits;
  }

  /**
   * Gives the body as text; `null` if the client went away before its end. A refused body is read
   * to its end all the same, so that its sender sees the answer and may use the connection again.
   */
  read(request: IncomingMessage, onRead: (body: ReadBody | null) => void): void {
    const declared = Number(request.headers["content-length"] ?? 0);
    if (declared > this.#limits.bodyBytesMax) {
      void this.drain(request).then(() => onRead(refuse(this.#tooLarge(declared))));
    } else this.#collect(request, onRead);
  }

  #collect(request: IncomingMessage, onRead: (body: ReadBody | null) => void): void {
    const chunks: Uint8Array[] = [];
    let size = 0;
    let isOver = false;
    const end = (): void => {
      isOver = true;
      this.#inFlight -= size;
    };
    const finish = (body: ReadBody | null): void => {
      if (isOver) return;
      end();
      onRead(body);
    };
    const onData = (chunk: Uint8Array): void => {
      if (isOver) return;
      size += chunk.length;
      this.#inFlight += chunk.length;
      if (size > this.#limits.bodyBytesMax || this.#inFlight > this.#limits.bodyBytesInFlightMax) {
        const own = size > this.#limits.bodyBytesMax;
        const refusal = own ? this.#tooLarge(null) : this.#busy();
        end();
        void this.drain(request).then(() => onRead(refuse(refusal)));
        return;
      }
      chunks.push(chunk);
    };
    const onEnd = (): void => finish(decoded(joined(chunks, size)));
    const onClose = (): void => finish(null);
    // They stay: without a listener the stream would throw what its socket still reports.
    request.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose);
  }

  /**
   * Reads a refused request to its end and throws it away. The answer comes after: a client that is
   * still sending when its connection closes sees a reset instead of the answer.
   */
  drain(request: IncomingMessage): Promise<void> {
    let bytes = 0;
    return new Promise((resolve) => {
      const done = (): void => resolve();
      request.on("data", (chunk: Uint8Array) => {
        bytes += chunk.length;
        if (bytes > this.#limits.drainBytesMax) request.destroy();
      });
      request.on("end", done).on("close", done).on("error", done);
      if (request.readableEnded || request.destroyed) resolve();
      request.resume();
    });
  }

  #tooLarge(got: number | null): BodyRefusal {
    return { status: 413, error: limitExceeded("bodyBytesMax", this.#limits.bodyBytesMax, got) };
  }

  #busy(): BodyRefusal {
    const { bodyBytesInFlightMax } = this.#limits;
    return {
      status: 503,
      error: limitExceeded("bodyBytesInFlightMax", bodyBytesInFlightMax, null),
    };
  }
}

function decoded(bytes: Uint8Array): ReadBody {
  try {
    return accept(decoder.decode(bytes));
  } catch {
    const error = { code: errorCodes.parse, message: "the body is not UTF-8" };
    return refuse({ status: 400, error });
  }
}
