import type { IncomingMessage } from "node:http";

import type { Outcome } from "../base/outcome.ts";
import { accept, refuse } from "../base/outcome.ts";
import type { RpcError } from "./errors.ts";
import { errorCodes, limitExceeded } from "./errors.ts";
import type { RpcLimits } from "./limits.ts";

/** Why a body was not read; `status` is HTTP's. */
export type BodyRefusal = { readonly status: 400 | 413 | 503; readonly error: RpcError };

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
   * The body as text; `null` if the client went away before its end. A refused body is read to its
   * end all the same, so that its sender sees the answer and may use the connection again.
   */
  read(request: IncomingMessage): Promise<Outcome<string, BodyRefusal> | null> {
    const declared = Number(request.headers["content-length"] ?? 0);
    if (declared > this.#limits.bodyBytesMax) {
      return this.drain(request).then(() => refuse(this.#tooLarge(declared)));
    }
    return new Promise((resolve) => this.#collect(request, resolve));
  }

  #collect(
    request: IncomingMessage,
    resolve: (outcome: Outcome<string, BodyRefusal> | null) => void,
  ): void {
    const chunks: Uint8Array[] = [];
    let size = 0;
    const stop = (): void => {
      request.off("data", onData).off("end", onEnd).off("close", onClose).off("error", onClose);
      // Without a listener the stream would throw what its socket still reports.
      request.on("error", () => undefined);
      this.#inFlight -= size;
    };
    const finish = (outcome: Outcome<string, BodyRefusal> | null): void => {
      stop();
      resolve(outcome);
    };
    const onData = (chunk: Uint8Array): void => {
      size += chunk.length;
      this.#inFlight += chunk.length;
      if (size > this.#limits.bodyBytesMax || this.#inFlight > this.#limits.bodyBytesInFlightMax) {
        const own = size > this.#limits.bodyBytesMax;
        const refusal = own ? this.#tooLarge(null) : this.#busy();
        stop();
        void this.drain(request).then(() => resolve(refuse(refusal)));
        return;
      }
      chunks.push(chunk);
    };
    const onEnd = (): void => finish(decoded(joined(chunks, size)));
    const onClose = (): void => finish(null);
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

function decoded(bytes: Uint8Array): Outcome<string, BodyRefusal> {
  try {
    return accept(decoder.decode(bytes));
  } catch {
    const error = { code: errorCodes.parse, message: "the body is not UTF-8" };
    return refuse({ status: 400, error });
  }
}
