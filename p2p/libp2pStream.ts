import type { Stream } from "@libp2p/interface";
import { queueBytesMax, stopMsMax } from "./limits.ts";
import type { ByteStream, StreamListener } from "./transport.ts";

/** Bytes of one stream that libp2p keeps for us while it is paused; the other side's window. */
export const streamReadBytesMax = 8 * 1024 * 1024;

/** A libp2p stream as the network wants it. */
export class Libp2pStream implements ByteStream {
  readonly #stream: Stream;
  #ended = false;

  constructor(stream: Stream) {
    this.#stream = stream;
    stream.maxReadBufferLength = streamReadBytesMax;
    stream.maxWriteBufferLength = 2 * queueBytesMax;
  }

  listen(listener: StreamListener): void {
    const end = (clean: boolean): void => {
      if (this.#ended) return;
      this.#ended = true;
      listener.ended(clean);
    };
    this.#stream.addEventListener("message", ({ data }) => {
      if (!this.#ended) listener.data(data instanceof Uint8Array ? data : data.subarray());
    });
    this.#stream.addEventListener("end", () => end(true));
    this.#stream.addEventListener("close", ({ error }) => end(error === undefined));
    if (this.#stream.status !== "open") end(false);
  }

  send(bytes: Uint8Array): boolean {
    return this.#stream.send(bytes);
  }

  drained(signal: AbortSignal): Promise<void> {
    return this.#stream.onDrain({ signal });
  }

  pause(): void {
    if (this.#isReadable()) this.#stream.pause();
  }

  resume(): void {
    if (this.#isReadable()) this.#stream.resume();
  }

  async close(): Promise<void> {
    try {
      await this.#stream.close({ signal: AbortSignal.timeout(stopMsMax) });
    } catch {
      this.abort(); // The other side does not take the rest: cut it off.
    }
  }

  abort(): void {
    this.#stream.abort(new Error("closed by this node"));
  }

  #isReadable(): boolean {
    const { readStatus } = this.#stream;
    return readStatus === "readable" || readStatus === "paused";
  }
}
