import { constants, writeSync } from "node:fs";
import { open, readFile, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { ClassicLevel } from "classic-level";

/** A file that is only ever appended to. */
export interface AppendFile {
  /** Resolves when the operating system has the bytes; only `sync` makes them last. */
  append(bytes: Uint8Array): Promise<void>;
  /** Resolves when all that was appended would survive a power cut. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * The disk as the safety file needs it: small, so that a test can lose or tear every step of it.
 */
export interface FileSystem {
  /** The whole file, or `null` if there is none. */
  read(path: string): Promise<Uint8Array | null>;
  /** Makes an empty file; fails if it is there. */
  create(path: string): Promise<AppendFile>;
  /** Opens a file to append to its first `size` bytes; what is after them is cut off. */
  openAt(path: string, size: number): Promise<AppendFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes creations, renames and removals in the folder of `path` last. */
  syncFolderOf(path: string): Promise<void>;
  /** Takes a lock that ends with the process; `null` if another holder has it. */
  lock(path: string): Promise<(() => Promise<void>) | null>;
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function toAppendFile(handle: FileHandle, start: number): AppendFile {
  let end = start;
  return {
    async append(bytes) {
      // In place: the kernel takes a copy, sooner than another thread would have its turn.
      for (let done = 0; done < bytes.length;) {
        const written = writeSync(handle.fd, bytes, done, bytes.length - done, end);
        done += written;
        end += written;
      }
    },
    sync: () => handle.datasync(),
    close: () => handle.close(),
  };
}

/** The real disk. */
export const nodeFileSystem: FileSystem = {
  async read(path) {
    try {
      const bytes = await readFile(path);
      return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    } catch (error) {
      if (isCode(error, "ENOENT")) return null;
      throw error;
    }
  },
  async create(path) {
    return toAppendFile(await open(path, "wx", 0o600), 0);
  },
  async openAt(path, size) {
    const handle = await open(path, constants.O_RDWR);
    await handle.truncate(size);
    return toAppendFile(handle, size);
  },
  rename: (from, to) => rename(from, to),
  async remove(path) {
    await rm(path, { force: true });
  },
  async syncFolderOf(path) {
    const folder = await open(dirname(path), constants.O_RDONLY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
  /*
   * Node has no file locks and a file with a process number outlives a kill, so an empty LevelDB
   * stands for the lock: its own lock is the operating system's and ends with the process.
   */
  async lock(path) {
    const engine = new ClassicLevel(path);
    try {
      await engine.open();
    } catch (error) {
      if (error instanceof Error && isCode(error.cause, "LEVEL_LOCKED")) return null;
      throw error;
    }
    return () => engine.close();
  },
};
