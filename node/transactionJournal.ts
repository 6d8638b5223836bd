import { appendFileSync } from "node:fs";
import { open, readFile, rename, type FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { concatBytes } from "../base/bytes.ts";
import type { NodeError } from "../base/nodeError.ts";
import { toStorageError } from "../store/failures.ts";

/**
 * Transactions that this node accepted over RPC and that are not committed yet. A submission is
 * answered only after its record was handed to the operating system, so neither a failed proposal
 * nor a killed process loses it; on start the records that are not committed are submitted again.
 *
 * Record: length of payload (u32, big-endian) | CRC-32 of payload (u32) | payload.
 * A record that was cut off by a crash ends the reading: it was never answered.
 *
 * A failed write is final: what lies after a half-written record would not be found again.
 */
export class TransactionJournal {
  readonly #path: string;
  #handle: FileHandle;
  /** Waiting to be written, in order; the last one takes more. */
  readonly #groups: Group[] = [];
  #writing: Promise<void> | null = null;
  #recordsOnDisk: number;
  readonly #onFailure: (error: NodeError) => void;
  #failure: NodeError | null = null;

  private constructor(parts: {
    readonly path: string;
    readonly handle: FileHandle;
    readonly records: number;
    readonly onFailure: (error: NodeError) => void;
  }) {
    this.#path = parts.path;
    this.#handle = parts.handle;
    this.#recordsOnDisk = parts.records;
    this.#onFailure = parts.onFailure;
  }

  /**
   * Opens or creates the file and gives the payloads that it holds, oldest first. `onFailure` is
   * told of the first failed write: the promise that is in every answer cannot be kept from then
   * on.
   */
  static async open(
    path: string,
    onFailure: (error: NodeError) => void,
  ): Promise<{
    readonly journal: TransactionJournal;
    readonly payloads: Uint8Array[];
    /** Bytes after the last whole record. */
    readonly droppedBytes: number;
  }> {
    try {
      const file = await readFile(path).catch((error: unknown) => {
        if (isNotFound(error)) return new Uint8Array(0);
        throw error;
      });
      const { payloads, end } = readRecords(new Uint8Array(file));
      const handle = await open(path, "a", 0o600);
      await handle.truncate(end);
      const records = payloads.length;
      const journal = new TransactionJournal({ path, handle, records, onFailure });
      return { journal, payloads, droppedBytes: file.length - end };
    } catch (error) {
      throw toStorageError(path, error);
    }
  }

  /** How many records the file holds, committed ones included. */
  get recordCount(): number {
    return this.#recordsOnDisk;
  }

  /**
   * Resolves when the payload would survive the death of this process. Appends go out in groups,
   * and all of a group are given the same promise.
   */
  append(payload: Uint8Array): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    let group = this.#groups.at(-1);
    if (group === undefined || group.records.length >= groupMax) {
      group = { records: [], ...Promise.withResolvers<void>() };
      this.#groups.push(group);
    }
    group.records.push(encodeRecord(payload));
    this.#writing ??= this.#drain();
    return group.promise;
  }

  async #drain(): Promise<void> {
    await new Promise<void>((next) => setImmediate(next));
    for (let group = this.#groups.shift(); group !== undefined; group = this.#groups.shift()) {
      if (this.#failure === null) await this.#write(group.records);
      if (this.#failure === null) group.resolve();
      else group.reject(this.#failure);
    }
    this.#writing = null;
  }

  async #write(records: readonly Uint8Array[]): Promise<void> {
    try {
      const bytes = concatBytes(...records);
      // A little goes into the operating system's memory faster than to another thread.
      if (bytes.length <= syncBytesMax) appendFileSync(this.#handle.fd, bytes);
      else await this.#handle.appendFile(bytes);
      this.#recordsOnDisk += records.length;
    } catch (error) {
      this.#failure = toStorageError(this.#path, error);
      this.#onFailure(this.#failure);
    }
  }

  /**
   * Replaces the file by one that holds only what `keep` gives; atomic. It is asked when no append
   * is under way, so that whatever was appended before is either kept or of no use any more.
   */
  async compact(keep: () => readonly Uint8Array[]): Promise<void> {
    while (this.#writing !== null) await this.#writing;
    let settle = (): void => {};
    this.#writing = new Promise((resolve) => (settle = resolve));
    const payloads = keep();
    try {
      const next = await open(`${this.#path}.new`, "w", 0o600);
      await next.appendFile(concatBytes(...payloads.map(encodeRecord)));
      await next.sync();
      await rename(`${this.#path}.new`, this.#path);
      await this.#handle.close();
      this.#handle = next;
      this.#recordsOnDisk = payloads.length;
    } catch (error) {
      throw toStorageError(this.#path, error);
    } finally {
      this.#writing = null;
      settle();
      if (this.#groups.length > 0) this.#writing = this.#drain();
    }
  }

  async close(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
    await this.#handle.close();
  }
}

/** Payloads that are written, and lost or kept, together. */
type Group = {
  readonly records: Uint8Array[];
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: NodeError) => void;
};

/** Bytes of a group that are written without leaving the thread. */
const syncBytesMax = 65_536;

/** Largest payload of a record, in bytes: above any transaction. */
const payloadBytesMax = 16_777_216;

/** Most records that one write carries. */
const groupMax = 8_192;

function encodeRecord(payload: Uint8Array): Uint8Array {
  const record = new Uint8Array(8 + payload.length);
  const view = new DataView(record.buffer);
  view.setUint32(0, payload.length);
  view.setUint32(4, crc32(payload));
  record.set(payload, 8);
  return record;
}

function readRecords(bytes: Uint8Array): { payloads: Uint8Array[]; end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const payloads: Uint8Array[] = [];
  let end = 0;
  while (end + 8 <= bytes.length) {
    const size = view.getUint32(end);
    if (size > payloadBytesMax || end + 8 + size > bytes.length) break;
    const payload = bytes.slice(end + 8, end + 8 + size);
    if (crc32(payload) !== view.getUint32(end + 4)) break;
    payloads.push(payload);
    end += 8 + size;
  }
  return { payloads, end };
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
