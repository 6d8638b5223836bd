import { assert } from "../base/assert.ts";
import { concatBytes } from "../base/bytes.ts";
import { createDeadline } from "./clock.ts";
import type { Clock } from "./clock.ts";
import { frameCodec } from "./envelope.ts";
import type { Frame } from "./envelope.ts";
import { FrameReader, prefixFrame } from "./frames.ts";
import { frameMsMax, frameOverheadMax, stallMsMax, writeBytesMax } from "./limits.ts";
import type { ByteStream } from "./transport.ts";

/*
 * Frames over one long-lived stream, both ways. Writing: a bounded queue, joined into pieces; the
 * newest frame is refused when it is full, and a peer that takes nothing for `stallMsMax` ends the
 * channel. Reading: one frame at a time; while the receiver thinks, the stream is paused, so the
 * sender feels it and nothing piles up here.
 */

/** Why a channel is over. */
export type ChannelEnd = "closed" | "reset" | "stalled" | "unfinished" | "oversize" | "malformed";

/** What is done with frames and with the end; `frame` may take its time, then nothing is read. */
export interface ChannelListener {
  frame(frame: Frame): Promise<void> | null;
  ended(end: ChannelEnd): void;
}

/** Limits of one channel; the largest body of a frame differs by direction. */
export type ChannelLimits = {
  readonly bodyBytesMax: number;
  readonly queueBytesMax: number;
  readonly queueFramesMax: number;
};

/** A frame as the wire has it, to be sent to many without encoding it again. */
export function frameToWire(frame: Frame): Uint8Array {
  return prefixFrame(frameCodec.encode(frame));
}

/** One stream of frames; it may be filled before it is attached to a stream. */
export class Channel {
  readonly #clock: Clock;
  readonly #limits: ChannelLimits;
  readonly #listener: ChannelListener;
  readonly #reader: FrameReader;
  readonly #over = new AbortController();
  #stream: ByteStream | null = null;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #writing = false;
  #reading = false;
  #end: ChannelEnd | null = null;
  #stopUnfinished: (() => void) | null = null;

  constructor(clock: Clock, limits: ChannelLimits, listener: ChannelListener) {
    this.#clock = clock;
    this.#limits = limits;
    this.#listener = listener;
    this.#reader = new FrameReader(limits.bodyBytesMax + frameOverheadMax);
  }

  /** Bytes that wait to be taken by the other side. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Aborted when the channel is over. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Starts reading, and writing what waits. */
  attach(stream: ByteStream): void {
    assert(this.#stream === null, "a channel is attached once");
    if (this.#end !== null) {
      stream.abort();
      return;
    }
    this.#stream = stream;
    stream.listen({
      data: (bytes) => this.#onData(bytes),
      ended: (clean) => this.end(clean ? "closed" : "reset"),
    });
    if (this.#queue.length > 0) void this.#write(stream);
  }

  /** Queues a frame of `frameToWire`; false if the queue is full or the channel over. */
  send(wire: Uint8Array): boolean {
    const { queueBytesMax, queueFramesMax } = this.#limits;
    if (this.#end !== null || this.#queue.length >= queueFramesMax) return false;
    if (this.#queuedBytes + wire.length > queueBytesMax) return false;
    this.#queue.push(wire);
    this.#queuedBytes += wire.length;
    if (this.#stream !== null && !this.#writing) void this.#write(this.#stream);
    return true;
  }

  /** Ends it on both sides: gracefully when `closed`, else cut. Only the first end counts. */
  end(end: ChannelEnd): void {
    if (this.#end !== null) return;
    this.#end = end;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#stopUnfinished?.();
    this.#over.abort();
    if (end === "closed") void this.#stream?.close();
    else this.#stream?.abort();
    this.#listener.ended(end);
  }

  /** Takes frames while they fit one piece; a long frame goes in several, so progress shows. */
  #nextPiece(): Uint8Array {
    const head = this.#queue[0];
    if (head !== undefined && head.length > writeBytesMax) {
      this.#queue[0] = head.subarray(writeBytesMax);
      return head.subarray(0, writeBytesMax);
    }
    let size = 0;
    let count = 0;
    for (const frame of this.#queue) {
      if (count > 0 && size + frame.length > writeBytesMax) break;
      size += frame.length;
      count += 1;
    }
    const [first, ...others] = this.#queue.splice(0, count);
    assert(first !== undefined, "a piece is taken from frames that wait");
    return others.length === 0 ? first : concatBytes(first, ...others);
  }

  async #write(stream: ByteStream): Promise<void> {
    this.#writing = true;
    await Promise.resolve(); // What is sent in the same turn goes in one piece.
    while (this.#queue.length > 0 && this.#end === null) {
      const piece = this.#nextPiece();
      if (!(await this.#writePiece(stream, piece))) break;
      // Counted until it was taken: what lies in the transport's buffer waits as well.
      if (this.#end === null) this.#queuedBytes -= piece.length;
    }
    this.#writing = false;
  }

  async #writePiece(stream: ByteStream, piece: Uint8Array): Promise<boolean> {
    try {
      if (stream.send(piece)) return true;
    } catch {
      this.end("reset"); // The stream ended under us; its end is told only once.
      return false;
    }
    const deadline = createDeadline(this.#clock, stallMsMax, this.#over.signal);
    try {
      await stream.drained(deadline.signal);
      return true;
    } catch {
      this.end(deadline.expired() ? "stalled" : "reset");
      return false;
    } finally {
      deadline.cancel();
    }
  }

  #onData(bytes: Uint8Array): void {
    if (this.#end !== null) return;
    this.#reader.push(bytes);
    if (!this.#reading) this.#read();
  }

  /** Reads on until a frame's receiver wants time, or no frame is whole. */
  #read(): void {
    while (this.#end === null) {
      const next = this.#reader.next();
      if (!next.ok) {
        this.end("oversize");
        return;
      }
      if (next.value === null) break;
      this.#stopUnfinished?.();
      this.#stopUnfinished = null;
      const frame = frameCodec.decode(next.value);
      if (!frame.ok) {
        this.end("malformed");
        return;
      }
      const busy = this.#listener.frame(frame.value);
      if (busy !== null) {
        void this.#hold(busy);
        return;
      }
    }
    if (this.#end !== null || this.#reader.size === 0) return;
    this.#stopUnfinished ??= this.#clock.after(frameMsMax, () => this.end("unfinished"));
  }

  async #hold(busy: Promise<void>): Promise<void> {
    this.#reading = true;
    this.#stream?.pause();
    await busy;
    this.#reading = false;
    if (this.#end !== null) return;
    this.#stream?.resume();
    if (!this.#reading) this.#read();
  }
}
