import { crc32 } from "node:zlib";
import { assert } from "../base/assert.ts";
import { concatBytes } from "../base/bytes.ts";
import { NodeError } from "../base/nodeError.ts";
import { CorruptionError, InUseError, StorageError, toStorageError } from "./failures.ts";
import type { AppendFile, FileSystem } from "./fileSystem.ts";

/*
 * What a validator has voted for, on disk before any signature leaves. Append-only; each record
 * is synced before `append` resolves; the newest one holds everything, so a long file is replaced
 * by a short one through an atomic rename. What the bytes mean is the caller's matter.
 *
 * The file: a sector with 8 bytes of magic, then records of
 *
 *   length   4   of the payload
 *   number   4   of the record, from 0, continued across replacements
 *   head     4   CRC-32 of the two above
 *   body     4   CRC-32 of number and payload
 *   payload
 *
 * integers big-endian, each filled up with ff to whole sectors of 512 bytes, so that no append
 * writes into a sector that holds an older record. A power cut can leave the last record cut
 * short, or with sectors of zeros where writes were lost: it was never acknowledged, and is
 * dropped. Anything else that does not check out was synced once and has changed since: an error,
 * because the vote in it may be out.
 *
 * A failed write or sync is final. The kernel marks the pages clean after a failed sync, so a
 * second one would report success about nothing [fsync failures, ATC 2020].
 */

const magic = Uint8Array.of(0x4c, 0x53, 0x41, 0x46, 0x45, 0x00, 0x00, 0x01);
const headSize = 16;
const sectorSize = 512;

/** Bytes of one record: far above what a vote and two certificates need. */
export const safetyRecordBytesMax = 1024 * 1024;

/** A longer file is replaced by one with the live records only. */
export const safetyFileBytesMax = 4 * 1024 * 1024;

/** Settings of a safety file. */
export type SafetyFileOptions = {
  /**
   * Records that a replacement must keep, of those kept so far and the new one. Default: the last.
   */
  readonly live?: (records: readonly Uint8Array[]) => readonly Uint8Array[];
  /** Size in bytes at which the file is replaced. */
  readonly sizeBytesMax?: number;
};

type Parsed = {
  readonly records: readonly Uint8Array[];
  /** Bytes up to the end of the last whole record. */
  readonly size: number;
  readonly nextNumber: number;
};

function wholeSectors(size: number): number {
  return Math.ceil(size / sectorSize) * sectorSize;
}

function encodeRecord(number: number, payload: Uint8Array): Uint8Array {
  assert(payload.length <= safetyRecordBytesMax, "a safety record is small");
  const bytes = new Uint8Array(wholeSectors(headSize + payload.length)).fill(0xff);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, payload.length);
  view.setUint32(4, number);
  view.setUint32(8, crc32(bytes.subarray(0, 8)));
  view.setUint32(12, crc32(payload, crc32(bytes.subarray(4, 8))));
  bytes.set(payload, headSize);
  return bytes;
}

/** Whether some sector is all zeros, as a lost write leaves it. */
function hasLostSector(file: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += sectorSize) {
    if (file.subarray(at, Math.min(end, at + sectorSize)).every((byte) => byte === 0)) return true;
  }
  return false;
}

type Head = { readonly length: number; readonly number: number; readonly body: number };

/** The head of a record; `null` if it is cut short or does not check out. */
function readHead(file: Uint8Array, at: number): Head | null {
  if (at + headSize > file.length) return null;
  const view = new DataView(file.buffer, file.byteOffset + at, headSize);
  if (view.getUint32(8) !== crc32(file.subarray(at, at + 8))) return null;
  return { length: view.getUint32(0), number: view.getUint32(4), body: view.getUint32(12) };
}

/** Whether a record begins anywhere after `start`: then what is before it was acknowledged. */
function hasHeadAfter(file: Uint8Array, start: number): boolean {
  for (let at = start + sectorSize; at < file.length; at += sectorSize) {
    if (readHead(file, at) !== null) return true;
  }
  return false;
}

/** Whether the record at `at` may be an append that a power cut interrupted. */
function isTorn(file: Uint8Array, at: number, end: number | null): boolean {
  if (end !== null && end > file.length) return true;
  if (end === null && hasHeadAfter(file, at)) return false;
  if (end !== null && end < file.length) return false;
  return file.length - at < headSize || hasLostSector(file, at, file.length);
}

/** The records of a file; a torn last one is left out. */
function parseFile(path: string, file: Uint8Array): Parsed {
  if (file.length < sectorSize || !magic.every((byte, i) => file[i] === byte)) {
    throw new CorruptionError(`${path} at 0`, "The safety file has no known beginning.");
  }
  const records: Uint8Array[] = [];
  let number: number | null = null;
  let at = sectorSize;
  while (at < file.length) {
    const head = readHead(file, at);
    const end = head === null ? null : at + wholeSectors(headSize + head.length);
    if (head === null || end === null || !isWhole(file, at, head, number)) {
      if (isTorn(file, at, end)) break;
      throw new CorruptionError(`${path} at ${at}`, "A safety record does not match its checksum.");
    }
    records.push(file.slice(at + headSize, at + headSize + head.length));
    number = head.number + 1;
    at = end;
  }
  return { records, size: at, nextNumber: number ?? 0 };
}

/** Whether all of a record is there, checks out, and has the number that is its turn. */
function isWhole(file: Uint8Array, at: number, head: Head, number: number | null): boolean {
  const payloadEnd = at + headSize + head.length;
  if (at + wholeSectors(headSize + head.length) > file.length) return false;
  if (number !== null && head.number !== number) return false;
  const seed = crc32(file.subarray(at + 4, at + 8));
  return head.body === crc32(file.subarray(at + headSize, payloadEnd), seed);
}

function lastOnly(records: readonly Uint8Array[]): readonly Uint8Array[] {
  return records.slice(-1);
}

async function takeLock(disk: FileSystem, path: string): Promise<() => Promise<void>> {
  const unlock = await guarded(path, () => disk.lock(`${path}.lock`));
  if (unlock === null) throw new InUseError(path, null);
  return unlock;
}

async function guarded<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof NodeError ? error : toStorageError(path, error);
  }
}

/**
 * Writes a whole file under another name and puts it in place, so that a crash leaves old or new.
 */
async function replaceFile(
  disk: FileSystem,
  path: string,
  start: { readonly number: number; readonly records: readonly Uint8Array[] },
): Promise<number> {
  const fresh = `${path}.new`;
  await disk.remove(fresh);
  const file = await disk.create(fresh);
  const parts = start.records.map((record, i) => encodeRecord(start.number + i, record));
  const first = new Uint8Array(sectorSize).fill(0xff);
  first.set(magic);
  const bytes = concatBytes(first, ...parts);
  await file.append(bytes);
  await file.sync();
  await file.close();
  await disk.rename(fresh, path);
  await disk.syncFolderOf(path);
  return bytes.length;
}

/** Makes the file that goes with a new key, with its first record. Fails if there is one. */
export async function createSafetyFile(
  disk: FileSystem,
  path: string,
  first: Uint8Array,
): Promise<void> {
  const unlock = await takeLock(disk, path);
  try {
    await guarded(path, async () => {
      if ((await disk.read(path)) !== null) {
        throw new StorageError("E_SAFETY_FILE", `The safety file ${path} is there already.`);
      }
      await replaceFile(disk, path, { number: 0, records: [first] });
    });
  } finally {
    await unlock();
  }
}

/** Opens a file and takes its lock; `null` if there is none: then its key may not sign. */
export async function openSafetyFile(
  disk: FileSystem,
  path: string,
  options: SafetyFileOptions = {},
): Promise<SafetyFile | null> {
  const unlock = await takeLock(disk, path);
  try {
    return await guarded(path, async () => {
      const bytes = await disk.read(path);
      if (bytes === null) {
        await unlock();
        return null;
      }
      const parsed = parseFile(path, bytes);
      const file = await disk.openAt(path, parsed.size);
      // The cut must not come undone: what follows would then be read as part of a torn record.
      await file.sync();
      return new SafetyFile({ disk, path, file, unlock, parsed, options });
    });
  } catch (error) {
    await unlock();
    throw error;
  }
}

type SafetyFileParts = {
  readonly disk: FileSystem;
  readonly path: string;
  readonly file: AppendFile;
  readonly unlock: () => Promise<void>;
  readonly parsed: Parsed;
  readonly options: SafetyFileOptions;
};

/** An open safety file, held by this process alone. */
export class SafetyFile {
  readonly #disk: FileSystem;
  readonly #path: string;
  readonly #unlock: () => Promise<void>;
  readonly #live: (records: readonly Uint8Array[]) => readonly Uint8Array[];
  readonly #sizeMax: number;
  #file: AppendFile;
  #records: readonly Uint8Array[];
  #size: number;
  #nextNumber: number;
  #isBusy = false;
  #failure: StorageError | null = null;

  constructor({ disk, path, file, unlock, parsed, options }: SafetyFileParts) {
    this.#disk = disk;
    this.#path = path;
    this.#file = file;
    this.#unlock = unlock;
    this.#live = options.live ?? lastOnly;
    this.#sizeMax = options.sizeBytesMax ?? safetyFileBytesMax;
    this.#records = this.#live(parsed.records);
    this.#size = parsed.size;
    this.#nextNumber = parsed.nextNumber;
  }

  /** The live records, oldest first. */
  get records(): readonly Uint8Array[] {
    return this.#records;
  }

  /** The newest record; `null` if the file holds none. */
  get newest(): Uint8Array | null {
    return this.#records.at(-1) ?? null;
  }

  /** Number of the newest record, from 0 and continued across replacements; -1 for none. */
  get newestNumber(): number {
    return this.#nextNumber - 1;
  }

  /** Resolves when the record would survive a power cut. After one failure every call fails. */
  async append(record: Uint8Array): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    assert(!this.#isBusy, "safety records are written one at a time");
    this.#isBusy = true;
    try {
      await this.#write(record.slice());
    } catch (error) {
      this.#failure = toStorageError(this.#path, error);
      throw this.#failure;
    } finally {
      this.#isBusy = false;
    }
  }

  /** Closes the file and lets go of the lock. */
  async close(): Promise<void> {
    await this.#file.close();
    await this.#unlock();
  }

  async #write(record: Uint8Array): Promise<void> {
    const bytes = encodeRecord(this.#nextNumber, record);
    await this.#file.append(bytes);
    await this.#file.sync();
    this.#records = this.#live([...this.#records, record]);
    this.#size += bytes.length;
    this.#nextNumber += 1;
    if (this.#size > this.#sizeMax) await this.#compact();
  }

  async #compact(): Promise<void> {
    const number = this.#nextNumber - this.#records.length;
    const size = await replaceFile(this.#disk, this.#path, { number, records: this.#records });
    await this.#file.close();
    this.#file = await this.#disk.openAt(this.#path, size);
    this.#size = size;
  }
}
