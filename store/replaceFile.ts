import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** The steps of putting a file in place, each over when it returns; a test stops at any of them. */
export interface BlockingDisk {
  /** Makes the file, or empties it; only its owner may read it. */
  write(path: string, bytes: Uint8Array): void;
  /** Makes what was written to it last. */
  sync(path: string): void;
  rename(from: string, to: string): void;
  /** Makes creations, renames and removals in the folder of `path` last. */
  syncFolderOf(path: string): void;
}

function syncPath(path: string): void {
  const handle = openSync(path, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** The real disk. */
export const nodeBlockingDisk: BlockingDisk = {
  write: (path, bytes) => writeFileSync(path, bytes, { mode: 0o600 }),
  sync: syncPath,
  rename: renameSync,
  syncFolderOf: (path) => syncPath(dirname(path)),
};

/**
 * Puts a small file in the place of another, or where none was: a stop at any moment leaves the old
 * bytes or the new ones, and after the return only these. For what is written rarely, since the
 * thread waits for the disk.
 */
export function replaceFile(
  path: string,
  bytes: Uint8Array,
  disk: BlockingDisk = nodeBlockingDisk,
): void {
  const fresh = `${path}.new`;
  disk.write(fresh, bytes);
  disk.sync(fresh);
  disk.rename(fresh, path);
  disk.syncFolderOf(path);
}
