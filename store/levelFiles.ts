import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { crc32c, maskedCrc32c } from "./crc32c.ts";
import { CorruptionError, toStorageError } from "./failures.ts";

/*
 * LevelDB checks its write-ahead log when it opens, and drops what does not check out without a
 * word:
 * a flipped bit would take committed blocks with it. Of its tables it checks nothing when it reads.
 * Neither can be asked for through the engine's binding, so both are checked here, on its files.
 *
 * Log: blocks of 32 KiB with fragments, none across a block's end; a rest under 7 bytes is filled
 * up.
 *   4 masked CRC-32C of type and payload | 2 length | 1 type | payload      little-endian
 *   type 1 a whole record, 2 its first, 3 a middle, 4 its last fragment
 * Table: blocks, then an index of them, then a footer of 48 bytes with the index's place.
 *   block: contents | 1 compression | 4 masked CRC-32C of contents and compression
 */

const logBlockSize = 32_768;
const logHeadSize = 7;
const sectorSize = 512;

type Fragment = { readonly type: number; readonly end: number };

/** The whole and undamaged fragment at `at`; `null` if there is none. */
function fragmentAt(file: Uint8Array, at: number): Fragment | null {
  const blockEnd = Math.min(file.length, (Math.floor(at / logBlockSize) + 1) * logBlockSize);
  if (at + logHeadSize > blockEnd) return null;
  const view = new DataView(file.buffer, file.byteOffset + at, logHeadSize);
  const end = at + logHeadSize + view.getUint16(4, true);
  const type = view.getUint8(6);
  if (end > blockEnd || type < 1 || type > 4) return null;
  const crc = maskedCrc32c(crc32c(file.subarray(at + 6, end)));
  return crc === view.getUint32(0, true) ? { type, end } : null;
}

/** Where the next fragment begins: a rest that is too short for a head is passed over. */
function nextFragment(end: number): number {
  const left = logBlockSize - (end % logBlockSize);
  return left < logHeadSize ? end + left : end;
}

/**
 * Whether a log that is bad at `at` was damaged after it was synced. Each write is synced before
 * the next, so a stop of the machine can only spoil the last: cut it off, or leave sectors of zeros
 * in it.
 */
function isDamage(file: Uint8Array, at: number): boolean {
  if (hasRecordAfter(file, at)) return true;
  if (at + logHeadSize > file.length) return false;
  const length = new DataView(file.buffer, file.byteOffset + at + 4, 2).getUint16(0, true);
  return at + logHeadSize + length <= file.length && !hasZeroSector(file, at);
}

/** Whether a record begins after `at`: what is before it was synced. */
function hasRecordAfter(file: Uint8Array, at: number): boolean {
  // A damaged length hides where the next fragment of its block is; that of a block is known.
  const blockEnd = Math.min(file.length, (Math.floor(at / logBlockSize) + 1) * logBlockSize);
  for (let from = at + 1; from < blockEnd; from += 1) {
    const type = file[from + 6];
    if ((type === 1 || type === 2) && fragmentAt(file, from) !== null) return true;
  }
  for (let block = blockEnd; block < file.length; block += logBlockSize) {
    if (hasRecordFrom(file, block)) return true;
  }
  return false;
}

/** Whether a record begins at a block's start, or behind fragments of an earlier one. */
function hasRecordFrom(file: Uint8Array, from: number): boolean {
  for (let at = from; ;) {
    const fragment = fragmentAt(file, at);
    if (fragment === null) return false;
    if (fragment.type <= 2) return true;
    at = nextFragment(fragment.end);
  }
}

function hasZeroSector(file: Uint8Array, from: number): boolean {
  for (let at = from - (from % sectorSize); at < file.length; at += sectorSize) {
    const sector = file.subarray(Math.max(at, from), Math.min(file.length, at + sectorSize));
    if (sector.every((byte) => byte === 0)) return true;
  }
  return false;
}

/** Offset of the damage in a log's bytes; `null` if there is none. A last write cut off is none. */
export function logDamage(file: Uint8Array): number | null {
  for (let at = 0; at < file.length;) {
    const fragment = fragmentAt(file, at);
    if (fragment === null) return isDamage(file, at) ? at : null;
    at = nextFragment(fragment.end);
  }
  return null;
}

/** Refuses a store whose write-ahead logs are damaged; to be called before the engine opens it. */
export function checkLogs(folder: string): void {
  for (const { path, file } of filesOf(folder, /^\d+\.log$/)) {
    const at = logDamage(file);
    if (at !== null) {
      throw new CorruptionError(`${path} at ${at}`, "The store's log does not match its checksum.");
    }
  }
}

const footerSize = 48;
const blockTailSize = 5;
/** Last eight bytes of every table. */
const tableMagic = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];

type Span = { readonly offset: number; readonly size: number };

/** Reads base-128 integers, least significant group first, as far as a safe integer goes. */
class Varints {
  readonly #bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** `null` at the end of the bytes or beyond 2^53. */
  next(): number | null {
    let value = 0;
    for (let scale = 1; scale < 2 ** 53; scale *= 128) {
      const byte = this.#bytes[this.at];
      if (byte === undefined) return null;
      this.at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return Number.isSafeInteger(value) ? value : null;
    }
    return null;
  }

  span(): Span | null {
    const offset = this.next();
    const size = this.next();
    return offset === null || size === null ? null : { offset, size };
  }
}

/** A block's contents, if it matches its checksum. */
function blockAt(file: Uint8Array, { offset, size }: Span): Uint8Array | null {
  const end = offset + size;
  if (end + blockTailSize > file.length) return null;
  const stored = new DataView(file.buffer, file.byteOffset + end + 1, 4).getUint32(0, true);
  if (maskedCrc32c(crc32c(file.subarray(offset, end + 1))) !== stored) return null;
  return file.subarray(offset, end);
}

/** What an index block points at; `null` if it makes no sense. */
function spansOf(index: Uint8Array): readonly Span[] | null {
  const view = new DataView(index.buffer, index.byteOffset, index.length);
  const end = index.length - 4 - 4 * view.getUint32(index.length - 4, true);
  const spans: Span[] = [];
  const reader = new Varints(index, 0);
  while (reader.at < end) {
    const [shared, unshared, valueSize] = [reader.next(), reader.next(), reader.next()];
    if (shared === null || unshared === null || valueSize === null) return null;
    const start = reader.at + unshared;
    const span = new Varints(index, start).span();
    if (span === null) return null;
    spans.push(span);
    reader.at = start + valueSize;
  }
  return spans;
}

/** Offset of the first damage in a table's bytes; `null` if there is none. */
export function tableDamage(file: Uint8Array): number | null {
  const footer = file.length - footerSize;
  if (footer < 0) return 0;
  if (tableMagic.some((byte, i) => file[file.length - 8 + i] !== byte)) return footer;
  const handles = new Varints(file, footer);
  const metaPlace = handles.span();
  const indexPlace = handles.span();
  const meta = metaPlace === null ? null : blockAt(file, metaPlace);
  const index = indexPlace === null ? null : blockAt(file, indexPlace);
  if (index === null || meta === null) return footer;
  const spans = spansOf(index);
  if (spans === null) return indexPlace?.offset ?? footer;
  const bad = [...spans, ...(spansOf(meta) ?? [])].find((span) => blockAt(file, span) === null);
  return bad === undefined ? null : bad.offset;
}

/** One sentence for each damaged table of a store. */
export function tableProblems(folder: string): readonly string[] {
  return [...filesOf(folder, /^\d+\.(?:ldb|sst)$/)].flatMap(({ path, file }) => {
    const at = tableDamage(file);
    return at === null ? [] : [`${path} does not match its checksum at ${at}`];
  });
}

function* filesOf(
  folder: string,
  name: RegExp,
): Generator<{ readonly path: string; readonly file: Uint8Array }> {
  for (const found of namesIn(folder)) {
    if (!name.test(found)) continue;
    const path = join(folder, found);
    const file = readOrNull(path);
    if (file !== null) yield { path, file };
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw toStorageError(folder, error);
  }
}

/** The engine that holds the store may remove a file at any time. */
function readOrNull(path: string): Uint8Array | null {
  try {
    const bytes = readFileSync(path);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  } catch (error) {
    if (isMissing(error)) return null;
    throw toStorageError(path, error);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
