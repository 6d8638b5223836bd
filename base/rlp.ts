import type { Address, Digest } from "./brand.ts";
import { assert } from "./assert.ts";
import {
  bigIntToBytes,
  bytesToAddress,
  bytesToBigInt,
  bytesToDigest,
  bytesToTextOrNull,
  emptyBytes,
  textToBytes,
} from "./bytes.ts";
import { accept, refuse, type Outcome } from "./outcome.ts";

/*
 * Recursive Length Prefix (Ethereum yellow paper, appendix B), our one canonical encoding. The
 * decoder accepts exactly what the encoder produces and does no work that the input does not pay
 * for: it keeps its own stack, so nesting cannot exhaust the machine's, and counts items as it
 * goes.
 */

/** A byte string or a list of items. */
export type RlpItem = Uint8Array | readonly RlpItem[];

/** Why bytes or an item were refused; `detail` is for people and carries both values. */
export type RlpRefusal = {
  readonly code:
    | "truncated"
    | "trailingBytes"
    | "notCanonical"
    | "tooDeep"
    | "tooManyItems"
    | "wrongForm";
  readonly detail: string;
};

/** Bounds of one decoding, for callers that know their format better than the defaults do. */
export type RlpLimits = {
  /** Most items, lists and byte strings together. */
  readonly itemsMax?: number;
  /** Most lists inside one another; the outermost counts. */
  readonly depthMax?: number;
};

/** Items in one decoding: one per byte of a full one-MiB message of empty strings. */
export const rlpItemsMax = 1_048_576 + 1;

/** Lists inside one another: no format of ours or Ethereum's needs ten. */
export const rlpDepthMax = 64;

/**
 * Whether the item is a list; narrows both ways, which `Array.isArray` does not for readonly
 * arrays.
 */
export function isRlpList(item: RlpItem): item is readonly RlpItem[] {
  return !(item instanceof Uint8Array);
}

// Encoding: the first pass notes each list's payload size in pre-order, the second writes.

function sizeOfLength(length: number): number {
  let size = 1;
  for (let rest = length; rest >= 256; rest = Math.floor(rest / 256)) size += 1;
  return size;
}

function sizeOfHeader(length: number): number {
  return length < 56 ? 1 : 1 + sizeOfLength(length);
}

function measure(item: RlpItem, listSizes: number[]): number {
  if (!isRlpList(item)) {
    if (item.length === 1 && (item[0] ?? 0) < 0x80) return 1;
    return sizeOfHeader(item.length) + item.length;
  }
  const index = listSizes.length;
  listSizes.push(0);
  let payload = 0;
  for (const part of item) payload += measure(part, listSizes);
  listSizes[index] = payload;
  return sizeOfHeader(payload) + payload;
}

class Writer {
  readonly #bytes: Uint8Array;
  readonly #listSizes: readonly number[];
  #at: number;
  #nextList = 0;

  constructor(bytes: Uint8Array, listSizes: readonly number[], at: number) {
    this.#bytes = bytes;
    this.#listSizes = listSizes;
    this.#at = at;
  }

  write(item: RlpItem): void {
    if (isRlpList(item)) {
      this.#header(0xc0, this.#listSizes[this.#nextList] ?? 0);
      this.#nextList += 1;
      for (const part of item) this.write(part);
      return;
    }
    const single = item.length === 1 ? (item[0] ?? 0) : 0x80;
    if (single >= 0x80) this.#header(0x80, item.length);
    // `set` costs a call into the engine, which short strings do not repay.
    if (item.length > 32) this.#bytes.set(item, this.#at);
    else for (let i = 0; i < item.length; i += 1) this.#bytes[this.#at + i] = item[i] ?? 0;
    this.#at += item.length;
  }

  #header(base: number, length: number): void {
    if (length < 56) {
      this.#bytes[this.#at] = base + length;
      this.#at += 1;
      return;
    }
    const size = sizeOfLength(length);
    this.#bytes[this.#at] = base + 55 + size;
    let rest = length;
    for (let i = size; i > 0; i -= 1) {
      this.#bytes[this.#at + i] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    this.#at += 1 + size;
  }
}

/** The canonical encoding of an item. */
export function encodeRlp(item: RlpItem): Uint8Array {
  const listSizes: number[] = [];
  const bytes = new Uint8Array(measure(item, listSizes));
  new Writer(bytes, listSizes, 0).write(item);
  return bytes;
}

/**
 * Writes the canonical encoding at a place of a buffer that is used again and again, and answers
 * where it ends; `null` if it does not fit. For what is only hashed: allocating costs as much.
 */
export function writeRlp(item: RlpItem, buffer: Uint8Array, at: number): number | null {
  const listSizes: number[] = [];
  const end = at + measure(item, listSizes);
  if (end > buffer.length) return null;
  new Writer(buffer, listSizes, at).write(item);
  return end;
}

class Decoder {
  readonly #bytes: Uint8Array;
  readonly #itemsMax: number;
  readonly #depthMax: number;
  #at = 0;
  #items = 0;
  /** Of the header read last: whether it opens a list, and where its payload ends. */
  #isList = false;
  #end = 0;
  refusal: RlpRefusal | null = null;

  constructor(bytes: Uint8Array, limits: RlpLimits) {
    this.#bytes = bytes;
    this.#itemsMax = limits.itemsMax ?? rlpItemsMax;
    this.#depthMax = limits.depthMax ?? rlpDepthMax;
  }

  /** Reads items until the end of the bytes; `null` after a refusal. */
  sequence(countMax: number): RlpItem[] | null {
    const top: RlpItem[] = [];
    // The list being filled and its end; those around it wait on two parallel stacks.
    let list = top;
    let end = this.#bytes.length;
    const lists: RlpItem[][] = [];
    const ends: number[] = [];
    for (;;) {
      while (this.#at === end) {
        const outer = lists.pop();
        if (outer === undefined) return top;
        list = outer;
        end = ends.pop() ?? 0;
      }
      if (list === top && top.length === countMax) {
        return this.#refuse("trailingBytes", `${end - this.#at} bytes after the last item`);
      }
      if (!this.#readHeader(end)) return null;
      if (!this.#isList) {
        list.push(this.#at === this.#end ? emptyBytes : this.#bytes.subarray(this.#at, this.#end));
        this.#at = this.#end;
        continue;
      }
      if (lists.length === this.#depthMax) {
        return this.#refuse("tooDeep", `more than ${this.#depthMax} lists inside one another`);
      }
      const inner: RlpItem[] = [];
      list.push(inner);
      lists.push(list);
      ends.push(end);
      list = inner;
      end = this.#end;
    }
  }

  #refuse(code: RlpRefusal["code"], detail: string): null {
    this.refusal = { code, detail };
    return null;
  }

  /** Moves to the payload of the item at hand and notes its kind and end. */
  #readHeader(end: number): boolean {
    this.#items += 1;
    if (this.#items > this.#itemsMax) {
      this.#refuse("tooManyItems", `more than ${this.#itemsMax} items`);
      return false;
    }
    const prefix = this.#bytes[this.#at] ?? 0;
    this.#isList = prefix >= 0xc0;
    if (prefix < 0x80) {
      this.#end = this.#at + 1;
      return true;
    }
    const short = prefix - (this.#isList ? 0xc0 : 0x80);
    this.#at += 1;
    if (short < 56) return this.#setEnd(short, end);
    return this.#readLongLength(short - 55, end);
  }

  #readLongLength(size: number, end: number): boolean {
    if (this.#at + size > end) return this.#setEnd(size, end);
    let length = 0;
    // Beyond 2^53 this is inexact, but such a length overruns any input and is refused all the
    // same.
    for (let i = 0; i < size; i += 1) length = length * 256 + (this.#bytes[this.#at + i] ?? 0);
    if (length < 56 || this.#bytes[this.#at] === 0) {
      this.#refuse("notCanonical", `long form of length ${length} in ${size} bytes`);
      return false;
    }
    this.#at += size;
    return this.#setEnd(length, end);
  }

  #setEnd(length: number, end: number): boolean {
    if (length > end - this.#at) {
      this.#refuse("truncated", `${length} bytes announced, ${end - this.#at} left`);
      return false;
    }
    this.#end = this.#at + length;
    if (length === 1 && !this.#isList && (this.#bytes[this.#at] ?? 0) < 0x80) {
      this.#refuse("notCanonical", "a single byte below 128 with a prefix");
      return false;
    }
    return true;
  }
}

/** Reads exactly one item; byte strings are views into `bytes`. */
export function decodeRlp(bytes: Uint8Array, limits: RlpLimits = {}): Outcome<RlpItem, RlpRefusal> {
  const decoder = new Decoder(bytes, limits);
  const items = decoder.sequence(1);
  if (items === null) return refuse(decoder.refusal ?? wrongForm("unreadable"));
  const item = items[0];
  if (item === undefined) return refuse({ code: "truncated", detail: "no item in 0 bytes" });
  return accept(item);
}

/** Reads consecutive items to the end of the bytes (Theta: `rlp(type) || rlp(fields)`). */
export function decodeRlpSequence(
  bytes: Uint8Array,
  limits: RlpLimits = {},
): Outcome<readonly RlpItem[], RlpRefusal> {
  const decoder = new Decoder(bytes, limits);
  const items = decoder.sequence(Number.POSITIVE_INFINITY);
  return items === null ? refuse(decoder.refusal ?? wrongForm("unreadable")) : accept(items);
}

function wrongForm(detail: string): RlpRefusal {
  return { code: "wrongForm", detail };
}

// Writers.

/** An unsigned integer as a byte string: big-endian, no leading zeros, zero is empty. */
export function rlpBigInt(value: bigint): Uint8Array {
  return value <= 0x1fffffffffffffn ? rlpNumber(Number(value)) : bigIntToBytes(value);
}

/** An unsigned safe integer as a byte string. */
export function rlpNumber(value: number): Uint8Array {
  assert(Number.isSafeInteger(value) && value >= 0, `not an unsigned safe integer: ${value}`);
  if (value === 0) return emptyBytes;
  const bytes = new Uint8Array(sizeOfLength(value));
  let rest = value;
  for (let i = bytes.length - 1; i >= 0; i -= 1) {
    bytes[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return bytes;
}

/** A text as its UTF-8 bytes. */
export function rlpText(text: string): Uint8Array {
  return textToBytes(text);
}

// Readers: `null` if the item has another form. `undefined` (a missing field) is another form too.

/** A list, of exactly `count` items if that is given. */
export function readList(item: RlpItem | undefined, count?: number): readonly RlpItem[] | null {
  if (item === undefined || !isRlpList(item)) return null;
  return count !== undefined && item.length !== count ? null : item;
}

/** A byte string of at most `sizeMax` bytes. */
export function readBytes(item: RlpItem | undefined, sizeMax: number): Uint8Array | null {
  if (item === undefined || isRlpList(item)) return null;
  return item.length > sizeMax ? null : item;
}

/** A byte string of exactly `size` bytes. */
export function readFixed(item: RlpItem | undefined, size: number): Uint8Array | null {
  if (item === undefined || isRlpList(item)) return null;
  return item.length === size ? item : null;
}

/** A minimal unsigned integer below 2^bitsMax; `bitsMax` is a multiple of 8. */
export function readBigInt(item: RlpItem | undefined, bitsMax: number): bigint | null {
  const bytes = readBytes(item, bitsMax / 8);
  return bytes === null || bytes[0] === 0 ? null : bytesToBigInt(bytes);
}

/** A minimal unsigned safe integer. */
export function readNumber(item: RlpItem | undefined): number | null {
  const bytes = readBytes(item, 7);
  if (bytes === null || bytes[0] === 0) return null;
  let value = 0;
  for (const byte of bytes) value = value * 256 + byte;
  return Number.isSafeInteger(value) ? value : null;
}

/** Valid UTF-8 of at most `sizeMax` bytes. */
export function readText(item: RlpItem | undefined, sizeMax: number): string | null {
  const bytes = readBytes(item, sizeMax);
  return bytes === null ? null : bytesToTextOrNull(bytes);
}

/**
 * Reads the fields of one decoded item; the first refusal sticks and later answers are only
 * placeholders of the right form, so that a codec is a list of reads and one `outcome` at its end.
 */
export class RlpReader {
  readonly #subject: string;
  #refusal: RlpRefusal | null = null;

  /** `subject` names what is read ("header", "vote") in refusals. */
  constructor(subject: string) {
    this.#subject = subject;
  }

  /** The first refusal, or `null` while all is well. */
  get refusal(): RlpRefusal | null {
    return this.#refusal;
  }

  /** The value, unless something was refused on the way. */
  outcome<T>(value: T): Outcome<T, RlpRefusal> {
    return this.#refusal === null ? accept(value) : refuse(this.#refusal);
  }

  /** Refuses with a reason of the codec's own. */
  refuse(detail: string): void {
    this.#refusal ??= wrongForm(`${this.#subject}: ${detail}`);
  }

  /** Refuses unless the condition holds. */
  check(condition: boolean, detail: string): void {
    if (!condition) this.refuse(detail);
  }

  /** A list, of exactly `count` items if that is given. */
  list(item: RlpItem | undefined, count?: number): readonly RlpItem[] {
    return this.#take(
      readList(item, count),
      [],
      item,
      `a list of ${count ?? "any number of"} items`,
    );
  }

  /** A list of at most `countMax` items, each read by `read`. */
  array<T>(item: RlpItem | undefined, countMax: number, read: (part: RlpItem) => T): T[] {
    const parts = this.list(item);
    if (parts.length > countMax) {
      this.refuse(`at most ${countMax} items expected, got ${parts.length}`);
      return [];
    }
    return parts.map(read);
  }

  /** A byte string of at most `sizeMax` bytes. */
  bytes(item: RlpItem | undefined, sizeMax: number): Uint8Array {
    return this.#take(readBytes(item, sizeMax), emptyBytes, item, `at most ${sizeMax} bytes`);
  }

  /** A byte string of exactly `size` bytes. */
  fixed(item: RlpItem | undefined, size: number): Uint8Array {
    return readFixed(item, size) ?? this.#take(null, new Uint8Array(size), item, `${size} bytes`);
  }

  /** A 32-byte digest. */
  digest(item: RlpItem | undefined): Digest {
    return bytesToDigest(this.fixed(item, 32));
  }

  /** A 20-byte address. */
  address(item: RlpItem | undefined): Address {
    return bytesToAddress(this.fixed(item, 20));
  }

  /** A minimal unsigned integer below 2^bitsMax. */
  bigInt(item: RlpItem | undefined, bitsMax: number): bigint {
    return this.#take(readBigInt(item, bitsMax), 0n, item, `an integer of ${bitsMax} bits`);
  }

  /** A minimal unsigned safe integer. */
  number(item: RlpItem | undefined): number {
    return this.#take(readNumber(item), 0, item, "an integer of 53 bits");
  }

  /** Valid UTF-8 of at most `sizeMax` bytes. */
  text(item: RlpItem | undefined, sizeMax: number): string {
    return this.#take(readText(item, sizeMax), "", item, `text of at most ${sizeMax} bytes`);
  }

  /** Zero (empty) or one. */
  flag(item: RlpItem | undefined): boolean {
    const value = readNumber(item);
    return this.#take(value === null || value > 1 ? null : value === 1, false, item, "0 or 1");
  }

  #take<T>(value: T | null, placeholder: T, item: RlpItem | undefined, wanted: string): T {
    if (value !== null) return value;
    this.refuse(`expected ${wanted}, got ${describe(item)}`);
    return placeholder;
  }
}

function describe(item: RlpItem | undefined): string {
  if (item === undefined) return "nothing";
  if (isRlpList(item)) return `a list of ${item.length} items`;
  const start = Array.from(item.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0"));
  return `${item.length} bytes 0x${start.join("")}${item.length > 8 ? "…" : ""}`;
}
