import { emptyBytes } from "../base/bytes.ts";
import { accept, refuse } from "../base/outcome.ts";
import type { Outcome } from "../base/outcome.ts";

/*
 * Frames in a stream of bytes:
 *
 *   | 4 bytes, big-endian | that many bytes  |
 *   | length, at least 1  | the frame        |
 *
 * A fixed prefix has one form for each length, and cannot announce more than 4 GiB; what exceeds
 * the limit is refused at the prefix, before a byte of the frame is kept.
 */

/** Bytes before each frame. */
export const prefixBytes = 4;

/** A frame was announced that is longer than allowed, or empty. */
export type FrameRefusal = {
  readonly code: "frameLength";
  readonly got: number;
  readonly limit: number;
};

/** The frame with its prefix. */
export function prefixFrame(frame: Uint8Array): Uint8Array {
  const prefixed = new Uint8Array(prefixBytes + frame.length);
  new DataView(prefixed.buffer).setUint32(0, frame.length);
  prefixed.set(frame, prefixBytes);
  return prefixed;
}

/** First size of a buffer in which pieces are joined. */
const bufferBytesMin = 1_024;

/**
 * A frame stays a view of what it came in if it is at least this share of it (one part in four).
 */
const viewShareMin = 4;

/**
 * Cuts a stream into frames; keeps at most one unfinished frame and what came with it. A frame that
 * comes in one piece is not copied; pieces are joined in one buffer that doubles, so a sender of
 * single bytes costs no more memory than what he sent.
 */
export class FrameReader {
  readonly #bytesMax: number;
  #buffer: Uint8Array = emptyBytes;
  /** Whether the buffer is ours to write on; else it is a piece as it came. */
  #owned = false;
  #start = 0;
  #end = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes held. */
  get size(): number {
    return this.#end - this.#start;
  }

  /** Adds bytes as they came; the reader may keep them, so they must not change any more. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.size === 0) {
      this.#buffer = bytes;
      this.#owned = false;
      this.#start = 0;
      this.#end = bytes.length;
      return;
    }
    if (!this.#owned || this.#buffer.length - this.#end < bytes.length) this.#grow(bytes.length);
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** The next whole frame, `null` until there is one. After a refusal the stream is lost. */
  next(): Outcome<Uint8Array | null, FrameRefusal> {
    if (this.size < prefixBytes) return accept(null);
    const buffer = this.#buffer;
    const length = new DataView(buffer.buffer, buffer.byteOffset).getUint32(this.#start);
    if (length === 0 || length > this.#bytesMax)
      return refuse({ code: "frameLength", got: length, limit: this.#bytesMax });
    if (this.size < prefixBytes + length) return accept(null);
    const from = this.#start + prefixBytes;
    this.#start = from + length;
    // Copied when the buffer is written on again, or when a small frame would hold a large piece.
    const copied = this.#owned || length * viewShareMin < buffer.buffer.byteLength;
    const frame = copied ? buffer.slice(from, this.#start) : buffer.subarray(from, this.#start);
    if (this.size === 0) this.#release();
    return accept(frame);
  }

  #grow(more: number): void {
    const joined = new Uint8Array(Math.max(bufferBytesMin, 2 * (this.size + more)));
    joined.set(this.#buffer.subarray(this.#start, this.#end));
    this.#end = this.size;
    this.#start = 0;
    this.#buffer = joined;
    this.#owned = true;
  }

  #release(): void {
    this.#buffer = emptyBytes;
    this.#owned = false;
    this.#start = 0;
    this.#end = 0;
  }
}
