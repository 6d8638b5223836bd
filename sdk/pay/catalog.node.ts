import { createHash } from "node:crypto";
import { open, realpath, stat, type FileHandle } from "node:fs/promises";
import { join, sep } from "node:path";
import type { FileForSale } from "./fileAnswer.ts";
import { chunkBytesDefault, chunksMax, manifestId, type Manifest } from "./manifest.ts";

/*
 * The files of a folder as things to be sold: each with its hash list, computed when it is first
 * asked for and again when the file has changed.
 */

/** What a catalog is made of. */
export type CatalogOptions = {
  readonly chunkBytes?: number;
  /** One resource id for all files; else each file's manifest is its own. */
  readonly resourceId?: string;
};

/** Files that are kept open with their hash lists. */
export const catalogEntriesMax = 256;

type Open = FileForSale & { readonly stamp: string; readonly handle: FileHandle };

/** The files below one folder. */
export class FileCatalog {
  readonly #folder: string;
  readonly #chunkBytes: number;
  readonly #resourceId: string | null;
  readonly #entries = new Map<string, Promise<Open>>();

  constructor(folder: string, options: CatalogOptions = {}) {
    this.#folder = folder;
    this.#chunkBytes = options.chunkBytes ?? chunkBytesDefault;
    this.#resourceId = options.resourceId ?? null;
  }

  /** The file at a URL's path; `null` if there is none to sell. */
  async find(urlPath: string): Promise<FileForSale | null> {
    const path = await this.#resolve(urlPath);
    if (path === null) return null;
    const stats = await stat(path);
    if (!stats.isFile() || stats.size === 0) return null;
    if (Math.ceil(stats.size / this.#chunkBytes) > chunksMax) return null;
    const stamp = `${stats.size} ${stats.mtimeMs} ${stats.ino}`;
    const known = await this.#entries.get(path);
    if (known?.stamp === stamp) return known;
    const entry = this.#open(path, stamp, stats.size);
    this.#entries.set(path, entry);
    await known?.handle.close();
    entry.catch(() => this.#entries.delete(path));
    await this.#shed();
    return entry;
  }

  async close(): Promise<void> {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    for (const entry of entries) await (await entry).handle.close();
  }

  /** Nothing outside the folder, through links or dots, and nothing that begins with a dot. */
  async #resolve(urlPath: string): Promise<string | null> {
    let decoded: string;
    try {
      decoded = decodeURIComponent(urlPath);
    } catch {
      return null;
    }
    const parts = decoded.split("/").filter((part) => part !== "");
    if (parts.length === 0 || parts.some((part) => /^\.|[\0\\]/.test(part))) return null;
    try {
      const root = await realpath(this.#folder);
      const path = await realpath(join(root, ...parts));
      return path.startsWith(root + sep) ? path : null;
    } catch {
      return null; // No such file.
    }
  }

  async #open(path: string, stamp: string, sizeBytes: number): Promise<Open> {
    const handle = await open(path, "r");
    try {
      const chunkBytes = this.#chunkBytes;
      const count = Math.ceil(sizeBytes / chunkBytes);
      const hashes = new Uint8Array(count * 32);
      const buffer = new Uint8Array(chunkBytes);
      for (let i = 0; i < count; i += 1) {
        const chunk = buffer.subarray(0, Math.min(chunkBytes, sizeBytes - i * chunkBytes));
        await fill(handle, chunk, i * chunkBytes);
        hashes.set(createHash("sha256").update(chunk).digest(), i * 32);
      }
      const manifest: Manifest = { sizeBytes, chunkBytes, hashes };
      const id = await manifestId(manifest);
      const resourceId = this.#resourceId ?? id;
      const readInto = (bytes: Uint8Array, start: number): Promise<void> =>
        fill(handle, bytes, start);
      return { manifest, id, resourceId, readInto, stamp, handle };
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async #shed(): Promise<void> {
    for (const [path, entry] of this.#entries) {
      if (this.#entries.size <= catalogEntriesMax) return;
      this.#entries.delete(path);
      await (await entry).handle.close();
    }
  }
}

async function fill(handle: FileHandle, bytes: Uint8Array, start: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesRead } = await handle.read(bytes, done, bytes.length - done, start + done);
    if (bytesRead === 0) throw new Error("the file became shorter while it was read");
    done += bytesRead;
  }
}
