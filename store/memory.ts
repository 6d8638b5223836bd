import { assert } from "../base/assert.ts";
import { compareBytes } from "../base/bytes.ts";
import type { KeyRange, KeyValue, KeyValueReader, KeyValueWrite } from "./keyValue.ts";

/*
 * A sorted array of keys beside a map: a true implementation for tests and throw-away networks.
 * Latin-1 text of the bytes sorts as the bytes do, and strings are cheap map keys.
 */

type Table = ReadonlyMap<string, Uint8Array>;

function keyText(key: Uint8Array): string {
  return String.fromCharCode(...key);
}

function keyBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

async function* rangeOf(
  table: Table,
  sorted: readonly string[],
  range: KeyRange,
): AsyncIterable<readonly [Uint8Array, Uint8Array]> {
  assert(compareBytes(range.from, range.to) <= 0, "a range goes from low to high");
  const from = lowerBound(sorted, keyText(range.from));
  const to = lowerBound(sorted, keyText(range.to));
  const count = Math.min(to - from, range.limit ?? Number.POSITIVE_INFINITY);
  for (let i = 0; i < count; i += 1) {
    const text = sorted[range.reverse === true ? to - 1 - i : from + i] ?? "";
    const value = table.get(text);
    assert(value !== undefined, "the sorted keys and the table disagree");
    yield [keyBytes(text), value.slice()];
  }
}

/** Index of the first key that is not below `text`. */
function lowerBound(sorted: readonly string[], text: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareText(sorted[middle] ?? "", text) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A store that forgets everything when the process ends. */
export class MemoryKeyValue implements KeyValue {
  #table = new Map<string, Uint8Array>();
  /** Sorted keys; `null` after a write, made again when a range asks. */
  #sorted: readonly string[] | null = null;
  /** Snapshots that share `#table`: a write copies the table first. */
  #shared = false;
  #open = true;

  get(key: Uint8Array): Uint8Array | null {
    this.#assertOpen();
    return this.#table.get(keyText(key))?.slice() ?? null;
  }

  range(range: KeyRange): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]> {
    this.#assertOpen();
    return this.#view().range(range);
  }

  write(batch: readonly KeyValueWrite[]): Promise<void> {
    this.#assertOpen();
    if (this.#shared) {
      this.#table = new Map(this.#table);
      this.#shared = false;
    }
    for (const write of batch) {
      if (write.type === "put") this.#table.set(keyText(write.key), write.value.slice());
      else this.#table.delete(keyText(write.key));
    }
    this.#sorted = null;
    return Promise.resolve();
  }

  snapshot(): KeyValueReader & { close(): Promise<void> } {
    this.#assertOpen();
    return { ...this.#view(), close: () => Promise.resolve() };
  }

  close(): Promise<void> {
    this.#open = false;
    return Promise.resolve();
  }

  #view(): KeyValueReader {
    const table = this.#table;
    this.#shared = true;
    this.#sorted ??= [...table.keys()].sort(compareText);
    const sorted = this.#sorted;
    return {
      get: (key) => table.get(keyText(key))?.slice() ?? null,
      range: (range) => rangeOf(table, sorted, range),
    };
  }

  #assertOpen(): void {
    assert(this.#open, "the store is closed");
  }
}
