import { assert } from "../base/assert.ts";

/*
 * Encoded nodes by hash in large byte arrays: a million small objects would cost five times the
 * memory and all of the garbage collector's time. Two generations bound it: when the young one is
 * full the old one is dropped whole, and a hit in the old one is copied to the young, so what is
 * used stays. Nothing is ever removed one by one, and bytes once written never change, so a view
 * that was handed out stays valid.
 *
 * A record: hash (32), length (4, little-endian), bytes; starts at a multiple of 4.
 */

/** Bytes of a node worth keeping; longer ones are contract code or module values, read rarely. */
export const cachedNodeBytesMax = 4_096;

const slabBytes = 1024 * 1024;
const headBytes = 36;

function wordAt(hash: Uint8Array, at: number): number {
  const high = ((hash[at] ?? 0) << 24) | ((hash[at + 1] ?? 0) << 16);
  return (high | ((hash[at + 2] ?? 0) << 8) | (hash[at + 3] ?? 0)) >>> 0;
}

class Generation {
  readonly #slabs: Uint8Array[] = [];
  /**
   * Two words per slot, at the hash's place or after: position / 4 + 1 of the record (0 is free),
   * and four bytes of the hash, so that a look at a stranger's slot ends without one at its
   * record.
   */
  #table = new Uint32Array(2 << 12);
  #count = 0;
  /** Where the next record goes, counted over all slabs. */
  #end = 0;

  get usedBytes(): number {
    return this.#slabs.length * slabBytes + this.#table.byteLength;
  }

  get(hash: Uint8Array): Uint8Array | null {
    const entry = this.#table[2 * this.#slot(hash, this.#table)] ?? 0;
    if (entry === 0) return null;
    const position = (entry - 1) * 4;
    const slab = this.#slab(position);
    const start = position % slabBytes;
    const length =
      (slab[start + 32] ?? 0) | ((slab[start + 33] ?? 0) << 8) | ((slab[start + 34] ?? 0) << 16);
    return slab.subarray(start + headBytes, start + headBytes + length);
  }

  set(hash: Uint8Array, bytes: Uint8Array): void {
    const slot = this.#slot(hash, this.#table);
    if (this.#table[2 * slot] !== 0) return;
    const size = (headBytes + bytes.length + 3) & ~3;
    if ((this.#end % slabBytes) + size > slabBytes || this.#slabs.length === 0) {
      this.#end = this.#slabs.length * slabBytes;
      this.#slabs.push(new Uint8Array(slabBytes));
    }
    const slab = this.#slab(this.#end);
    const start = this.#end % slabBytes;
    slab.set(hash, start);
    slab[start + 32] = bytes.length & 255;
    slab[start + 33] = (bytes.length >> 8) & 255;
    slab[start + 34] = (bytes.length >> 16) & 255;
    slab.set(bytes, start + headBytes);
    this.#table[2 * slot] = this.#end / 4 + 1;
    this.#table[2 * slot + 1] = wordAt(hash, 4);
    this.#end += size;
    // A record that fills its slab ends where the next slab starts: that one is made when needed.
    if (this.#end === this.#slabs.length * slabBytes) this.#slabs.push(new Uint8Array(slabBytes));
    this.#count += 1;
    if (this.#count * 3 > this.#table.length) this.#grow();
  }

  #slab(position: number): Uint8Array {
    const slab = this.#slabs[Math.floor(position / slabBytes)];
    assert(slab !== undefined, "a cached node lies in a slab");
    return slab;
  }

  /** The slot of the hash, or the free one where it belongs. */
  #slot(hash: Uint8Array, table: Uint32Array): number {
    const mask = table.length / 2 - 1;
    const tag = wordAt(hash, 4);
    let slot = wordAt(hash, 0) & mask;
    for (let entry = table[2 * slot] ?? 0; entry !== 0; entry = table[2 * slot] ?? 0) {
      if (table[2 * slot + 1] === tag && this.#isAt((entry - 1) * 4, hash)) return slot;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #isAt(position: number, hash: Uint8Array): boolean {
    const slab = this.#slab(position);
    const start = position % slabBytes;
    for (let i = 0; i < 32; i += 1) if (slab[start + i] !== hash[i]) return false;
    return true;
  }

  #grow(): void {
    const table = new Uint32Array(this.#table.length * 2);
    for (let old = 0; old < this.#table.length; old += 2) {
      const entry = this.#table[old] ?? 0;
      if (entry === 0) continue;
      const position = (entry - 1) * 4;
      const start = position % slabBytes;
      const hash = this.#slab(position).subarray(start, start + 32);
      const slot = this.#slot(hash, table);
      table[2 * slot] = entry;
      table[2 * slot + 1] = this.#table[old + 1] ?? 0;
    }
    this.#table = table;
  }
}

/** A bounded cache of encoded nodes. */
export class NodeCache {
  readonly #generationBytesMax: number;
  #young = new Generation();
  #old = new Generation();

  /** Holds at most about `sizeBytesMax`, allocated as it fills; 0 keeps nothing. */
  constructor(sizeBytesMax: number) {
    this.#generationBytesMax = Math.floor(sizeBytesMax / 2);
  }

  get usedBytes(): number {
    return this.#young.usedBytes + this.#old.usedBytes;
  }

  /** Whether one more node makes none go. */
  get hasRoom(): boolean {
    return this.#young.usedBytes < this.#generationBytesMax;
  }

  get(hash: Uint8Array): Uint8Array | null {
    const young = this.#young.get(hash);
    if (young !== null) return young;
    const old = this.#old.get(hash);
    if (old !== null) this.set(hash, old);
    return old;
  }

  set(hash: Uint8Array, bytes: Uint8Array): void {
    if (bytes.length > cachedNodeBytesMax || this.#generationBytesMax === 0) return;
    if (this.#young.usedBytes > this.#generationBytesMax) {
      this.#old = this.#young;
      this.#young = new Generation();
    }
    this.#young.set(hash, bytes);
  }
}
