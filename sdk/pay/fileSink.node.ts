import { constants } from "node:fs";
import { open, rename, type FileHandle } from "node:fs/promises";
import type { FileSink } from "./download.ts";
import { chunkCount, chunkRange, isChunk, type Manifest } from "./manifest.ts";

/*
 * A file that is put together from chunks. Until it is whole it has the ending `.part`; what is in
 * there from an earlier run is held against the hash list, so nothing else need be remembered.
 */

/** A file on disk in the making. */
export class PartialFile implements FileSink {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #manifest: Manifest;
  readonly #present: Set<number>;

  constructor(
    handle: FileHandle,
    parts: {
      readonly path: string;
      readonly manifest: Manifest;
      readonly present: Set<number>;
    },
  ) {
    this.#handle = handle;
    this.#path = parts.path;
    this.#manifest = parts.manifest;
    this.#present = parts.present;
  }

  /** Bytes that are there. */
  get presentBytes(): number {
    let sum = 0;
    for (const index of this.#present) {
      const { start, end } = chunkRange(this.#manifest, index);
      sum += end - start;
    }
    return sum;
  }

  has(index: number): boolean {
    return this.#present.has(index);
  }

  async write(index: number, bytes: Uint8Array): Promise<void> {
    const { start } = chunkRange(this.#manifest, index);
    for (let done = 0; done < bytes.length;) {
      const left = bytes.length - done;
      const { bytesWritten } = await this.#handle.write(bytes, done, left, start + done);
      done += bytesWritten;
    }
    this.#present.add(index);
  }

  async sync(): Promise<void> {
    await this.#handle.datasync();
  }

  /** Gives the whole file its name. */
  async finish(): Promise<void> {
    await this.#handle.truncate(this.#manifest.sizeBytes);
    await this.#handle.sync();
    await this.#handle.close();
    await rename(partName(this.#path), this.#path);
  }

  /** Leaves the file for a later run. */
  async close(): Promise<void> {
    await this.#handle.close();
  }
}

function partName(path: string): string {
  return `${path}.part`;
}

/** Opens what there is of a file, or begins it. */
export async function openPartialFile(path: string, manifest: Manifest): Promise<PartialFile> {
  const handle = await open(partName(path), constants.O_RDWR | constants.O_CREAT, 0o644);
  try {
    const present = new Set<number>();
    const { size } = await handle.stat();
    const buffer = new Uint8Array(manifest.chunkBytes);
    for (let index = 0; index < chunkCount(manifest); index += 1) {
      const { start, end } = chunkRange(manifest, index);
      if (end > size) break;
      const { bytesRead } = await handle.read(buffer, 0, end - start, start);
      if (await isChunk(manifest, index, buffer.subarray(0, bytesRead))) present.add(index);
    }
    return new PartialFile(handle, { path, manifest, present });
  } catch (error) {
    await handle.close();
    throw error;
  }
}
