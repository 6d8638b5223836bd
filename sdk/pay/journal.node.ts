import { crc32 } from "node:zlib";
import { assert } from "../../base/assert.ts";
import type { Digest } from "../../base/brand.ts";
import { bytesToDigest, concatBytes, hexToBytes } from "../../base/bytes.ts";
import type { AppendFile, PayDisk } from "./disk.node.ts";
import { PayStateError } from "./errors.ts";

/*
 * What a payer or receiver must not forget: an append-only file of records. Whoever waits for a
 * record waits for a sync, and all who wait at once share one (group commit).
 *
 * The file: a sector that says what it is,
 *
 *   magic    7
 *   version  1   of this layout and of the records in it
 *   frames   4   that the file was made with
 *   chain   32   genesis hash: what is owed on one chain is nothing on another
 *   start    4   CRC-32 of the four above
 *
 * then frames of
 *
 *   length   4   of the payload
 *   number   4   of the frame, from 0
 *   synced   4   frames below this number were synced before this one was written
 *   head     4   CRC-32 of the three above
 *   body     4   CRC-32 of number and payload
 *   payload      records, each with 4 bytes of length
 *
 * integers big-endian, filled up with ff to whole sectors, so that no append writes into a sector
 * that holds an older frame. A power cut may leave frames that were not synced cut short or with
 * holes: nobody was told of them, so the file ends there. A damaged frame that was synced is an
 * error: a voucher in it may be out.
 *
 * A failed write or sync is final, because the kernel forgets what it could not write.
 */

const magic = Uint8Array.of(0x4c, 0x50, 0x41, 0x59, 0x4c, 0x4f, 0x47);
const startSize = 44;
const headSize = 20;
const sectorSize = 512;

/**
 * Version of the file's layout and of payers' and receivers' records. A reader of one refuses every
 * other.
 */
export const journalVersion = 2;

/** Bytes of one record. */
export const journalRecordBytesMax = 64 * 1_024;

/** Bytes of records that wait for the disk; more is a caller that does not wait. */
export const journalQueueBytesMax = 16 * 1_024 * 1_024;

/** A longer file is replaced by one that holds the live state only. */
export const journalBytesMax = 8 * 1_024 * 1_024;

/** Payload of one frame, at most, unless a single record is longer. */
const frameBytesMax = 1_024 * 1_024;

/** What a journal is opened with. */
export type JournalOptions = {
  /** Genesis hash of the chain that the payments are on. */
  readonly chain: Digest;
  /** Records that make the present state again, asked when the file is replaced. */
  readonly live: () => readonly Uint8Array[];
  /** Size in bytes at which the file is replaced. */
  readonly sizeBytesMax?: number;
  /** How long to wait for another process that holds it, in ms; not at all by default. */
  readonly lockMsMax?: number;
};

type Waiting = {
  readonly record: Uint8Array;
  /** Whether it must survive a power cut. */
  readonly needsSync: boolean;
  resolve(): void;
  reject(error: Error): void;
};

type Parsed = {
  readonly records: readonly Uint8Array[];
  readonly size: number;
  readonly nextNumber: number;
};

/**
 * Opens or makes a journal and takes its lock. `records` are those of earlier runs, oldest first;
 * the caller applies them before anything else is written.
 */
export async function openJournal(
  disk: PayDisk,
  path: string,
  options: JournalOptions,
): Promise<{ readonly journal: Journal; readonly records: readonly Uint8Array[] }> {
  const unlock = await takeLock(disk, path, options.lockMsMax ?? 0);
  try {
    return await guarded(path, async () => {
      const bytes = await disk.read(path);
      const parsed = bytes === null ? null : parseFile(path, bytes, options.chain);
      let file: AppendFile;
      if (parsed === null) {
        await replaceFile(disk, path, { chain: options.chain, records: [] });
        file = await disk.openAt(path, sectorSize);
      } else {
        file = await disk.openAt(path, parsed.size);
        // The cut must not come undone: what follows would be read as part of a torn frame.
        await file.sync();
      }
      const { size, nextNumber, records } = parsed ?? newFile;
      const journal = new Journal({ disk, path, file, unlock, size, nextNumber, options });
      return { journal, records };
    });
  } catch (error) {
    await unlock();
    throw error;
  }
}

/** Between two attempts at a lock that another process holds, in ms. */
const lockPauseMs = 100;

async function takeLock(
  disk: PayDisk,
  path: string,
  lockMsMax: number,
): Promise<() => Promise<void>> {
  for (let waitedMs = 0; ; waitedMs += lockPauseMs) {
    const unlock = await guarded(path, () => disk.lock(`${path}.lock`));
    if (unlock !== null) return unlock;
    if (waitedMs >= lockMsMax) {
      throw new PayStateError("E_PAY_IN_USE", `${path} is in use by another process`, {
        hint: "run this again when it has ended: two programs must not spend one pool",
      });
    }
    await new Promise((resolve) => setTimeout(resolve, lockPauseMs));
  }
}

/** The records of a journal that another process may hold: what it has on disk by now. */
export async function readJournal(
  disk: PayDisk,
  path: string,
  chain: Digest,
): Promise<readonly Uint8Array[]> {
  const bytes = await guarded(path, () => disk.read(path));
  return bytes === null ? [] : parseFile(path, bytes, chain).records;
}

type JournalParts = {
  readonly disk: PayDisk;
  readonly path: string;
  readonly file: AppendFile;
  readonly unlock: () => Promise<void>;
  readonly size: number;
  readonly nextNumber: number;
  readonly options: JournalOptions;
};

/** An open journal, held by this process alone. */
export class Journal {
  readonly #disk: PayDisk;
  readonly #path: string;
  readonly #unlock: () => Promise<void>;
  readonly #chain: Digest;
  readonly #live: () => readonly Uint8Array[];
  readonly #sizeMax: number;
  #file: AppendFile;
  #size: number;
  #nextNumber: number;
  /** Frames below this number are synced. */
  #synced: number;
  #queue: Waiting[] = [];
  #queueBytes = 0;
  #flushing: Promise<void> | null = null;
  #failure: Error | null = null;

  constructor({ disk, path, file, unlock, size, nextNumber, options }: JournalParts) {
    this.#disk = disk;
    this.#path = path;
    this.#file = file;
    this.#unlock = unlock;
    this.#chain = options.chain;
    this.#live = options.live;
    this.#sizeMax = options.sizeBytesMax ?? journalBytesMax;
    this.#size = size;
    this.#nextNumber = nextNumber;
    this.#synced = nextNumber;
  }

  /** Resolves when the record, and all before it, would survive a power cut. */
  append(record: Uint8Array): Promise<void> {
    return this.#enqueue(record, true);
  }

  /** Resolves when the record would survive the end of this process, but not a power cut. */
  write(record: Uint8Array): Promise<void> {
    return this.#enqueue(record, false);
  }

  /** Writes what waits, closes the file and lets go of the lock. */
  async close(): Promise<void> {
    try {
      while (this.#flushing !== null) await this.#flushing;
      if (this.#failure !== null) throw this.#failure;
    } finally {
      await this.#file.close();
      await this.#unlock();
    }
  }

  #enqueue(record: Uint8Array, needsSync: boolean): Promise<void> {
    assert(record.length <= journalRecordBytesMax, "a journal record is small");
    if (this.#failure !== null) return Promise.reject(this.#failure);
    this.#queueBytes += record.length;
    assert(this.#queueBytes <= journalQueueBytesMax, "the journal's writer waits for the disk");
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#queue.push({ record, needsSync, resolve, reject });
    this.#flushing ??= this.#flush();
    return promise;
  }

  async #flush(): Promise<void> {
    // What is appended in the same turn shares the frame and its sync.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const group = this.#takeGroup();
      try {
        await this.#writeGroup(group);
      } catch (error) {
        this.#fail(error, group);
        break;
      }
      for (const { resolve } of group) resolve();
    }
    this.#flushing = null;
  }

  #takeGroup(): readonly Waiting[] {
    let size = 0;
    let count = 0;
    for (const { record } of this.#queue) {
      size += record.length + 4;
      if (count > 0 && size > frameBytesMax) break;
      count += 1;
    }
    const group = this.#queue.splice(0, count);
    for (const { record } of group) this.#queueBytes -= record.length;
    return group;
  }

  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    const payload = encodePayload(group.map(({ record }) => record));
    const bytes = encodeFrame(this.#nextNumber, this.#synced, payload);
    await this.#file.append(bytes);
    this.#size += bytes.length;
    this.#nextNumber += 1;
    if (group.some(({ needsSync }) => needsSync)) {
      await this.#file.sync();
      this.#synced = this.#nextNumber;
    }
    if (this.#size > this.#sizeMax) await this.#compact();
  }

  /** The file may then hold what is still queued as well: records say what is, not what changed. */
  async #compact(): Promise<void> {
    const content = { chain: this.#chain, records: this.#live() };
    const { size, nextNumber } = await replaceFile(this.#disk, this.#path, content);
    await this.#file.close();
    this.#file = await this.#disk.openAt(this.#path, size);
    this.#size = size;
    this.#nextNumber = nextNumber;
    this.#synced = nextNumber;
  }

  #fail(error: unknown, group: readonly Waiting[]): void {
    const failure = toFailure(this.#path, error);
    this.#failure = failure;
    for (const { reject } of [...group, ...this.#queue]) reject(failure);
    this.#queue = [];
    this.#queueBytes = 0;
  }
}

const newFile: Parsed = { records: [], size: sectorSize, nextNumber: 0 };

function toFailure(path: string, error: unknown): Error {
  if (error instanceof PayStateError) return error;
  return new PayStateError("E_PAY_STATE", `${path} cannot be read or written`, {
    hint: "check the disk; what was acknowledged before is safe",
    cause: error,
  });
}

async function guarded<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toFailure(path, error);
  }
}

function wholeSectors(size: number): number {
  return Math.ceil(size / sectorSize) * sectorSize;
}

function encodePayload(records: readonly Uint8Array[]): Uint8Array {
  const size = records.reduce((sum, record) => sum + record.length + 4, 0);
  const payload = new Uint8Array(size);
  const view = new DataView(payload.buffer);
  let at = 0;
  for (const record of records) {
    view.setUint32(at, record.length);
    payload.set(record, at + 4);
    at += record.length + 4;
  }
  return payload;
}

function decodePayload(payload: Uint8Array): readonly Uint8Array[] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const records: Uint8Array[] = [];
  for (let at = 0; at < payload.length;) {
    const length = view.getUint32(at);
    records.push(payload.slice(at + 4, at + 4 + length));
    at += length + 4;
  }
  return records;
}

function encodeFrame(number: number, synced: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(wholeSectors(headSize + payload.length));
  bytes.fill(0xff, headSize + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, payload.length);
  view.setUint32(4, number);
  view.setUint32(8, synced);
  view.setUint32(12, crc32(bytes.subarray(0, 12)));
  view.setUint32(16, crc32(payload, crc32(bytes.subarray(4, 8))));
  bytes.set(payload, headSize);
  return bytes;
}

/** The first sector. */
function encodeStart(chain: Digest, frameCount: number): Uint8Array {
  const bytes = new Uint8Array(sectorSize).fill(0xff);
  bytes.set(magic);
  bytes[magic.length] = journalVersion;
  const view = new DataView(bytes.buffer);
  view.setUint32(8, frameCount);
  bytes.set(hexToBytes(chain), 12);
  view.setUint32(startSize, crc32(bytes.subarray(0, startSize)));
  return bytes;
}

type Head = {
  readonly length: number;
  readonly number: number;
  readonly synced: number;
  readonly body: number;
};

/** The head of a frame; `null` if it is cut short or does not check out. */
function readHead(file: Uint8Array, at: number): Head | null {
  if (at + headSize > file.length) return null;
  const view = new DataView(file.buffer, file.byteOffset + at, headSize);
  if (view.getUint32(12) !== crc32(file.subarray(at, at + 12))) return null;
  return {
    length: view.getUint32(0),
    number: view.getUint32(4),
    synced: view.getUint32(8),
    body: view.getUint32(16),
  };
}

/** The payload of a frame, or `null` if any of it is not as it was written. */
function readPayload(file: Uint8Array, at: number, head: Head): Uint8Array | null {
  const end = at + headSize + head.length;
  if (at + wholeSectors(headSize + head.length) > file.length) return null;
  const payload = file.subarray(at + headSize, end);
  const seed = crc32(file.subarray(at + 4, at + 8));
  return crc32(payload, seed) === head.body ? payload : null;
}

/** How many frames the file was made with; throws if it is not of this format and chain. */
function checkStart(path: string, file: Uint8Array, chain: Digest): number {
  if (file.length < sectorSize || !magic.every((byte, i) => file[i] === byte)) {
    throw damaged(path, 0);
  }
  const version = file[magic.length] ?? 0;
  if (version !== journalVersion) throw otherVersion(path, version);
  const start = new DataView(file.buffer, file.byteOffset, sectorSize);
  if (start.getUint32(startSize) !== crc32(file.subarray(0, startSize))) throw damaged(path, 0);
  const found = bytesToDigest(file.subarray(12, startSize));
  if (found !== chain) throw otherChain(path, found, chain);
  return start.getUint32(8);
}

/** The records up to the first frame that is damaged; throws if that frame was synced. */
function parseFile(path: string, file: Uint8Array, chain: Digest): Parsed {
  const madeWith = checkStart(path, file, chain);
  const records: Uint8Array[] = [];
  let number = 0;
  let at = sectorSize;
  while (at < file.length) {
    const head = readHead(file, at);
    const payload = head === null || head.number !== number ? null : readPayload(file, at, head);
    if (head === null || payload === null) {
      if (number < madeWith || wasSynced(file, at, number)) throw damaged(path, at);
      break;
    }
    records.push(...decodePayload(payload));
    number += 1;
    at += wholeSectors(headSize + head.length);
  }
  if (number < madeWith) throw damaged(path, at);
  return { records, size: at, nextNumber: number };
}

/** Whether a frame after `at` says that frame `number` was synced before it was written. */
function wasSynced(file: Uint8Array, at: number, number: number): boolean {
  for (let next = at + sectorSize; next < file.length; next += sectorSize) {
    const head = readHead(file, next);
    if (head !== null && head.synced > number) return true;
  }
  return false;
}

function damaged(path: string, at: number): PayStateError {
  return new PayStateError("E_PAY_STATE_CORRUPT", `${path} is damaged at byte ${at}`, {
    hint: "restore it from a backup; vouchers in it may be out already",
  });
}

function otherVersion(path: string, version: number): PayStateError {
  const message = `${path} has format ${version}; this program reads format ${journalVersion}`;
  const hint =
    version > journalVersion
      ? "start a newer version of the program"
      : "settle with the version that wrote it, then move the file away";
  return new PayStateError("E_PAY_STATE_FORMAT", message, { hint });
}

/** Somebody's records of payments are of another chain than the node's. */
export function otherChain(path: string, found: Digest, expected: Digest): PayStateError {
  const message = `${path} is of the chain with genesis ${found}; the node's is ${expected}`;
  return new PayStateError("E_PAY_STATE_CHAIN", message, {
    hint: "name a node of that chain: --rpc URL, or another wallet folder: --config DIR",
  });
}

/** Writes a whole file under another name and puts it in place: a crash leaves old or new. */
async function replaceFile(
  disk: PayDisk,
  path: string,
  { chain, records }: { readonly chain: Digest; readonly records: readonly Uint8Array[] },
): Promise<{ readonly size: number; readonly nextNumber: number }> {
  const fresh = `${path}.new`;
  await disk.remove(fresh);
  const file = await disk.create(fresh);
  const frames: Uint8Array[] = [];
  for (let at = 0; at < records.length;) {
    const group: Uint8Array[] = [];
    for (let size = 0; at < records.length && size < frameBytesMax; at += 1) {
      const record = records[at] ?? new Uint8Array();
      group.push(record);
      size += record.length;
    }
    frames.push(encodeFrame(frames.length, 0, encodePayload(group)));
  }
  const bytes = concatBytes(encodeStart(chain, frames.length), ...frames);
  await file.append(bytes);
  await file.sync();
  await file.close();
  await disk.rename(fresh, path);
  await disk.syncFolderOf(path);
  return { size: bytes.length, nextNumber: frames.length };
}
