import { ClassicLevel, type Iterator as ClassicIterator } from "classic-level";
import { assert } from "../base/assert.ts";
import type { NodeError } from "../base/nodeError.ts";
import type { KeyRange, KeyValue, KeyValueReader, KeyValueWrite } from "./keyValue.ts";
import { checkLogs } from "./levelFiles.ts";
import { CorruptionError, InUseError, toStorageError } from "./failures.ts";

/** Entries fetched from the engine at a time: one crossing of its boundary costs as much as ten. */
const rangePageMax = 1_000;

/** Sizes of the engine's buffers in bytes. */
export type LevelOptions = {
  /** Uncompressed table blocks kept in memory. */
  readonly blockCacheBytes?: number;
  /** Log and memory table before a table file is written; also what is replayed after a crash. */
  readonly writeBufferBytes?: number;
  /**
   * Several threads of this process open the folder, which all of them must say. One that comes
   * later does not check logs that are written to meanwhile.
   */
  readonly shared?: "first" | "later";
};

type Engine = ClassicLevel<Uint8Array, Uint8Array>;
type EngineIterator = ClassicIterator<Engine, Uint8Array, Uint8Array>;
type EngineSnapshot = ReturnType<Engine["snapshot"]>;

/**
 * Opens, or creates, the LevelDB store in a folder; a second opener gets an `InUseError`, and a log
 * that was damaged after it was synced a `CorruptionError`.
 */
export async function openLevel(folder: string, options: LevelOptions = {}): Promise<KeyValue> {
  if (options.shared !== "later") checkLogs(folder);
  const engine: Engine = new ClassicLevel(folder, {
    keyEncoding: "view",
    valueEncoding: "view",
    cacheSize: options.blockCacheBytes ?? 32 * 1024 * 1024,
    writeBufferSize: options.writeBufferBytes ?? 32 * 1024 * 1024,
    // Hashes do not compress, and the rest is small.
    compression: false,
    multithreading: options.shared !== undefined,
  });
  try {
    await engine.open();
  } catch (error) {
    throw hasCode(error, "LEVEL_LOCKED")
      ? new InUseError(folder, error)
      : engineFailure(folder, error);
  }
  return new LevelKeyValue(folder, engine);
}

/** The engine answers with Node's own subclass, whose `slice` shares memory: hide it. */
function plainView(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Whether the engine's code is anywhere in the chain of causes. */
function hasCode(error: unknown, code: string): boolean {
  if (!(error instanceof Error)) return false;
  if ("code" in error && error.code === code) return true;
  return hasCode(error.cause, code);
}

/** The engine names damage that it meets; any other failure is the disk's. */
function engineFailure(folder: string, error: unknown): NodeError {
  if (!hasCode(error, "LEVEL_CORRUPTION")) return toStorageError(folder, error);
  return new CorruptionError(folder, "The store's files are damaged.", { cause: error });
}

class LevelKeyValue implements KeyValue {
  readonly #folder: string;
  readonly #engine: Engine;
  /** The first failed write; the disk's state is unknown after it, so no later write is tried. */
  #failure: Error | null = null;

  constructor(folder: string, engine: Engine) {
    this.#folder = folder;
    this.#engine = engine;
  }

  get(key: Uint8Array): Uint8Array | null {
    return this.#read(key, undefined);
  }

  range(range: KeyRange): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]> {
    return this.#scan(range, undefined);
  }

  async write(batch: readonly KeyValueWrite[], options: { readonly sync: boolean }): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    const chained = this.#engine.batch();
    for (const write of batch) {
      if (write.type === "put") chained.put(write.key, write.value);
      else chained.del(write.key);
    }
    try {
      await chained.write({ sync: options.sync });
    } catch (error) {
      this.#failure ??= engineFailure(this.#folder, error);
      throw this.#failure;
    }
  }

  snapshot(): KeyValueReader & { close(): Promise<void> } {
    const snapshot = this.#engine.snapshot();
    return {
      get: (key) => this.#read(key, snapshot),
      range: (range) => this.#scan(range, snapshot),
      close: () => snapshot.close(),
    };
  }

  async close(): Promise<void> {
    await this.#engine.close();
  }

  #read(key: Uint8Array, snapshot: EngineSnapshot | undefined): Uint8Array | null {
    try {
      const value =
        snapshot === undefined
          ? this.#engine.getSync(key)
          : this.#engine.getSync(key, { snapshot });
      return value === undefined ? null : plainView(value);
    } catch (error) {
      assert(this.#engine.status === "open", "the store is closed");
      throw engineFailure(this.#folder, error);
    }
  }

  async *#scan(
    range: KeyRange,
    snapshot: EngineSnapshot | undefined,
  ): AsyncIterable<readonly [Uint8Array, Uint8Array]> {
    const iterator = this.#engine.iterator({
      gte: range.from,
      lt: range.to,
      reverse: range.reverse ?? false,
      limit: range.limit ?? -1,
      ...(snapshot === undefined ? {} : { snapshot }),
    });
    try {
      for (;;) {
        const page = await this.#page(iterator);
        if (page.length === 0) return;
        for (const [key, value] of page) yield [plainView(key), plainView(value)];
      }
    } finally {
      await iterator.close();
    }
  }

  async #page(iterator: EngineIterator): Promise<readonly (readonly [Uint8Array, Uint8Array])[]> {
    try {
      return await iterator.nextv(rangePageMax);
    } catch (error) {
      throw engineFailure(this.#folder, error);
    }
  }
}
