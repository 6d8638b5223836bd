import { constants, readFileSync, writeSync } from "node:fs";
import { link, open, readFile, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";

/*
 * The disk as a payment journal needs it: small, so that a test can lose or tear every step of it.
 */

/** A file that is only ever appended to. */
export interface AppendFile {
  /** Resolves when the operating system has the bytes; only `sync` makes them last. */
  append(bytes: Uint8Array): Promise<void>;
  /** Resolves when all that was appended would survive a power cut. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** What a journal asks of a disk. */
export interface PayDisk {
  /** The whole file, or `null` if there is none. */
  read(path: string): Promise<Uint8Array | null>;
  /** Makes an empty file; fails if it is there. */
  create(path: string): Promise<AppendFile>;
  /**
   * Opens a file to append to its first `size` bytes; what is after them is cut off. Zeros may
   * follow what was appended until it is closed.
   */
  openAt(path: string, size: number): Promise<AppendFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes creations, renames and removals in the folder of `path` last. */
  syncFolderOf(path: string): Promise<void>;
  /** Takes a lock that ends with the process; `null` if another holder has it. */
  lock(path: string): Promise<(() => Promise<void>) | null>;
}

/** The real disk. */
export const nodePayDisk: PayDisk = {
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
    return toAppendFile(await open(path, "wx", 0o600), { start: 0, reserveBytes: 0 });
  },
  async openAt(path, size) {
    const handle = await open(path, constants.O_RDWR);
    await handle.truncate(size);
    return toAppendFile(handle, { start: size, reserveBytes });
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
  lock: takeLock,
};

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

/** Bytes that are written in place: to copy them takes less than to wake a thread for it. */
const inPlaceBytesMax = 64 * 1_024;

/**
 * Bytes by which a file grows at a time. Within them a sync writes data only, where each change of
 * the size would be one more commit of the file system: a third of the time, measured on ext4.
 */
const reserveBytes = 256 * 1_024;

/** Zeros stand where nothing was appended yet: after a crash they are found at the end. */
function toAppendFile(
  handle: FileHandle,
  given: { readonly start: number; readonly reserveBytes: number },
): AppendFile {
  let end = given.start;
  let reserved = given.start;
  const write = async (bytes: Uint8Array, start: number): Promise<void> => {
    const isSmall = bytes.length <= inPlaceBytesMax;
    for (let done = 0; done < bytes.length;) {
      const rest = [done, bytes.length - done, start + done] as const;
      done += isSmall
        ? writeSync(handle.fd, bytes, ...rest)
        : (await handle.write(bytes, ...rest)).bytesWritten;
    }
  };
  return {
    async append(bytes) {
      const after = end + bytes.length;
      if (after > reserved && given.reserveBytes > 0) {
        await write(new Uint8Array(given.reserveBytes), after);
        reserved = after + given.reserveBytes;
      }
      await write(bytes, end);
      end = after;
    },
    sync: () => handle.datasync(),
    async close() {
      if (reserved > end) await handle.truncate(end);
      await handle.close();
    },
  };
}

/** Attempts to take a lock whose holder is gone. */
const lockAttemptsMax = 4;

/*
 * Node has no file locks. The lock is a file that names its holder, a process number and the time
 * when that process began, so that neither a kill nor a number used again leaves it locked. It
 * appears by `link`, which fails if it is there. A dead holder's file is moved aside and looked at
 * again before it goes: another process may have taken the lock in between.
 */
async function takeLock(path: string): Promise<(() => Promise<void>) | null> {
  const mine = `${process.pid} ${startOf(process.pid) ?? ""}`;
  const own = `${path}.${process.pid}.${lockCount++}`;
  const handle = await open(own, "wx", 0o600);
  try {
    await handle.writeFile(mine);
    await handle.close();
    for (let attempt = 0; attempt < lockAttemptsMax; attempt += 1) {
      if (await linked(own, path)) return () => rm(path, { force: true });
      const holder = await textOf(path);
      if (holder === null) continue;
      if (isAlive(holder)) return null;
      const aside = `${own}.dead`;
      try {
        await rename(path, aside);
      } catch (error) {
        if (isCode(error, "ENOENT")) continue;
        throw error;
      }
      if ((await textOf(aside)) !== holder) await linked(aside, path);
      await rm(aside, { force: true });
    }
    return null;
  } finally {
    await rm(own, { force: true });
  }
}

let lockCount = 0;

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (isCode(error, "EEXIST")) return false;
    throw error;
  }
}

async function textOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isCode(error, "ENOENT")) return null;
    throw error;
  }
}

function isAlive(holder: string): boolean {
  const [text = "", started = ""] = holder.split(" ");
  const pid = Number(text);
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return isCode(error, "EPERM");
  }
  const now = startOf(pid);
  return now === null || started === "" || now === started;
}

/** When a process began, in clock ticks since the machine did; `null` where nobody says so. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null; // Not Linux: the process number alone must do.
  }
}
