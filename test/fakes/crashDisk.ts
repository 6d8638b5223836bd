import { assert } from "../../base/assert.ts";
import type { AppendFile, FileSystem } from "../../store/fileSystem.ts";
import type { BlockingDisk } from "../../store/replaceFile.ts";

/*
 * A disk that loses what it may lose. Every operation is counted; at a chosen one the machine
 * stops, and `survivors` answers the disks that a restart may find: unsynced appends kept, lost,
 * cut at any sector or byte, or with a sector of zeros; an unsynced rename done or not.
 */

type Content = {
  /** Bytes that a sync has made safe. */
  synced: Uint8Array;
  /** Bytes since. */
  tail: Uint8Array;
};

/** The machine has stopped: nothing after this reaches the disk. */
export class Crash extends Error {}

/** The files of a disk after a restart. */
export type Files = ReadonlyMap<string, Uint8Array>;

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

/** What is left of an append that was not synced. */
function tornTails(synced: Uint8Array, tail: Uint8Array): Uint8Array[] {
  const cuts = new Set([0, 1, 15, 16, 17, Math.floor(tail.length / 2), tail.length - 1]);
  for (let at = 0; at <= tail.length; at += 512) cuts.add(at);
  cuts.add(tail.length);
  const torn = [...cuts]
    .filter((cut) => cut >= 0 && cut <= tail.length)
    .map((cut) => join(synced, tail.subarray(0, cut)));
  for (let at = 0; at < tail.length; at += 512) {
    const holed = tail.slice();
    holed.fill(0, at, at + 512);
    torn.push(join(synced, holed));
  }
  return torn;
}

/** A disk with a fuse. */
export class CrashDisk implements FileSystem {
  readonly #files = new Map<string, Content>();
  readonly #locks = new Set<string>();
  /** Names as the last folder sync left them. */
  #safeNames = new Map<string, Content>();
  /** Operations until the crash. */
  #fuse: number;
  operations = 0;
  /** Syncs until one of them fails with an input/output error. */
  syncsUntilFailure = Number.POSITIVE_INFINITY;
  /** Bytes until the disk is full. */
  bytesFree = Number.POSITIVE_INFINITY;

  constructor(files: Files, fuse: number = Number.POSITIVE_INFINITY) {
    for (const [path, bytes] of files) this.#files.set(path, { synced: bytes, tail: empty });
    this.#safeNames = new Map(this.#files);
    this.#fuse = fuse;
  }

  /** Every disk that a restart may find. */
  survivors(): Files[] {
    const found: Files[] = [];
    for (const names of [this.#safeNames, this.#files]) {
      let partial: Map<string, Uint8Array>[] = [new Map<string, Uint8Array>()];
      for (const [path, content] of names) {
        const variants = tornTails(content.synced, content.tail);
        partial = partial.flatMap((files) =>
          variants.map((bytes) => new Map(files).set(path, bytes)),
        );
      }
      found.push(...partial);
    }
    return found;
  }

  read(path: string): Promise<Uint8Array | null> {
    const content = this.#files.get(path);
    return Promise.resolve(content === undefined ? null : join(content.synced, content.tail));
  }

  async create(path: string): Promise<AppendFile> {
    await this.#step();
    assert(!this.#files.has(path), "the file is there already");
    const content: Content = { synced: empty, tail: empty };
    this.#files.set(path, content);
    return this.#append(content);
  }

  async openAt(path: string, size: number): Promise<AppendFile> {
    await this.#step();
    const content = this.#files.get(path);
    assert(content !== undefined, "no such file");
    const whole = join(content.synced, content.tail).subarray(0, size);
    content.tail = whole.slice(Math.min(content.synced.length, size));
    content.synced = whole.slice(0, content.synced.length);
    return this.#append(content);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#step();
    this.#move(from, to);
  }

  async remove(path: string): Promise<void> {
    await this.#step();
    this.#files.delete(path);
  }

  async syncFolderOf(): Promise<void> {
    await this.#step();
    this.#safeNames = new Map(this.#files);
  }

  lock(path: string): Promise<(() => Promise<void>) | null> {
    if (this.#locks.has(path)) return Promise.resolve(null);
    this.#locks.add(path);
    return Promise.resolve(() => {
      this.#locks.delete(path);
      return Promise.resolve();
    });
  }

  /** The same disk for whoever waits for it where it stands. */
  get blocking(): BlockingDisk {
    return {
      write: (path, bytes) => {
        // What was not synced can be lost in any part, so it is there before the step is over.
        this.#files.set(path, { synced: empty, tail: bytes });
        this.#count();
      },
      sync: (path) => {
        this.#count();
        const content = this.#files.get(path);
        assert(content !== undefined, "no such file");
        content.synced = join(content.synced, content.tail);
        content.tail = empty;
      },
      rename: (from, to) => {
        this.#count();
        this.#move(from, to);
      },
      syncFolderOf: () => {
        this.#count();
        this.#safeNames = new Map(this.#files);
      },
    };
  }

  #move(from: string, to: string): void {
    const content = this.#files.get(from);
    assert(content !== undefined, "no such file");
    this.#files.delete(from);
    this.#files.set(to, content);
  }

  #append(content: Content): AppendFile {
    return {
      append: async (bytes) => {
        const room = Math.min(bytes.length, this.bytesFree);
        content.tail = join(content.tail, bytes.subarray(0, room));
        this.bytesFree -= room;
        await this.#step();
        if (room < bytes.length) throw systemError("ENOSPC", "no space left on device");
      },
      sync: async () => {
        await this.#step();
        this.syncsUntilFailure -= 1;
        // The kernel drops what it could not write and forgets about it: a later sync succeeds.
        if (this.syncsUntilFailure === 0) {
          content.tail = empty;
          throw systemError("EIO", "i/o error");
        }
        content.synced = join(content.synced, content.tail);
        content.tail = empty;
      },
      close: () => Promise.resolve(),
    };
  }

  async #step(): Promise<void> {
    this.#count();
  }

  #count(): void {
    if (this.operations === this.#fuse) throw new Crash("the machine stopped");
    this.operations += 1;
  }
}

const empty = new Uint8Array(0);

function systemError(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}
