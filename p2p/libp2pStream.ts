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
    // A reset also ends what can be read, and tells so before it tells that it is a reset.
    this.#stream.addEventListener("end", () => end(this.#isOrderly()));
    this.#stream.addEventListener("close", ({ error }) => end(error === undefined));
    if (this.#stream.status !== "open") end(false);
  }

  send(bytes: Uint8Array): boolean {
    return this.#stream.send(bytes);
  }

  /**
   * Until libp2p holds nothing more of ours. Not its `onDrain`: that keeps the promise of its first
   * drain, so from the second on it resolves at once and a slow peer's buffer grows without bound.
   */
  drained(signal: AbortSignal): Promise<void> {
    const stream = this.#stream;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        stream.removeEventListener("idle", settle);
        stream.removeEventListener("close", settle);
        signal.removeEventListener("abort", settle);
        const empty = stream.status === "open" && stream.writeBufferLength === 0;
        if (empty) resolve();
        else reject(new Error("the stream takes no more"));
      };
      if (signal.aborted || stream.status !== "open" || stream.writeBufferLength === 0) {
        settle();
        return;
      }
      stream.addEventListener("idle", settle);
      stream.addEventListener("close", settle);
      signal.addEventListener("abort", settle);
    });
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

  #isOrderly(): boolean {
    const { status } = this.#stream;
    return status !== "reset" && status !== "aborted";
  }

  #isReadable(): boolean {
    const { readStatus } = this.#stream;
    return readStatus === "readable" || readStatus === "paused";
  }
}
