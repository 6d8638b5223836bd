/** One write of a batch. Keys and values are copied by the engine before the call returns. */
export type KeyValueWrite =
  | { readonly type: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: "delete"; readonly key: Uint8Array };

/** Keys from `from` (inclusive) to `to` (exclusive), in byte order. */
export type KeyRange = {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  readonly reverse?: boolean;
  readonly limit?: number;
};

/** What can be read, from the newest state or from a snapshot. */
export interface KeyValueReader {
  /** The value, or `null`. Synchronous: execution reads state in the middle of a step. */
  get(key: Uint8Array): Uint8Array | null;
  range(range: KeyRange): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>;
}

/** An ordered byte store: the seam between this program and a storage engine. */
export interface KeyValue extends KeyValueReader {
  /**
   * Writes all or nothing. With `sync` the promise resolves only when the batch survives a power
   * cut. A failure (disk full, I/O error) rejects, and the caller ends the process.
   */
  write(batch: readonly KeyValueWrite[], options: { readonly sync: boolean }): Promise<void>;
  /** A view that later writes do not change. */
  snapshot(): KeyValueReader & { close(): Promise<void> };
  close(): Promise<void>;
}
