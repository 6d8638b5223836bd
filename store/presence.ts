import { assert } from "../base/assert.ts";

/*
 * Which keys a store holds, in memory, so that asking for a hash that is not there costs no read:
 * nearly every node that a block adds is new. 64 bits of each hash in one flat table with linear
 * probing. It may say "perhaps" of a key that is not there, never "no" of one that is: while a
 * store is still being read through, every answer is "perhaps" and removals leave what they find.
 */

/** Keys in a table; beyond (an archive) it gives up and says "perhaps" for ever. */
export const presentKeysMax = 16 * 1024 * 1024;

const slotsMin = 1 << 10;

/** What was learned of one table of a store. */
export class Presence {
  /** Two words per slot; both zero is free. */
  #words = new Uint32Array(slotsMin * 2);
  #count = 0;
  #isComplete: boolean;
  #hasGivenUp = false;
  readonly #keysMax: number;

  /** An empty table is complete from the start. */
  constructor(options: { readonly isComplete: boolean; readonly keysMax?: number }) {
    this.#isComplete = options.isComplete;
    this.#keysMax = options.keysMax ?? presentKeysMax;
  }

  /** Keys known. */
  get count(): number {
    return this.#count;
  }

  /** Whether all keys of the store have been added. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** All keys of the store have been added. */
  complete(): void {
    this.#isComplete = true;
  }

  /** `false` only if the key is certainly not stored. `kind` is the number of its table. */
  mayHold(kind: number, hash: Uint8Array): boolean {
    if (!this.#isComplete || this.#hasGivenUp) return true;
    const high = wordAt(hash, 0);
    const low = lowWord(kind, hash);
    return this.#words[2 * this.#find(high, low) + 1] !== 0;
  }

  add(kind: number, hash: Uint8Array): void {
    if (this.#hasGivenUp) return;
    if (this.#count >= this.#keysMax) {
      this.#hasGivenUp = true;
      this.#words = new Uint32Array(0);
      this.#count = 0;
      return;
    }
    this.#insert(wordAt(hash, 0), lowWord(kind, hash));
    this.#count += 1;
    if (this.#count * 10 > this.#words.length * 3) this.#grow();
  }

  remove(kind: number, hash: Uint8Array): void {
    // While keys are still being learned, this one may be yet to come.
    if (!this.#isComplete || this.#hasGivenUp) return;
    const slot = this.#find(wordAt(hash, 0), lowWord(kind, hash));
    assert(this.#words[2 * slot + 1] !== 0, "a key that is removed was there");
    this.#count -= 1;
    this.#closeGap(slot);
  }

  /** The slot of an entry, or the free one that ends its run. */
  #find(high: number, low: number): number {
    const words = this.#words;
    const mask = words.length / 2 - 1;
    let slot = high & mask;
    for (; words[2 * slot + 1] !== 0; slot = (slot + 1) & mask) {
      if (words[2 * slot] === high && words[2 * slot + 1] === low) return slot;
    }
    return slot;
  }

  /** Equal entries are kept as often as they are added. */
  #insert(high: number, low: number): void {
    const words = this.#words;
    const mask = words.length / 2 - 1;
    let slot = high & mask;
    while (words[2 * slot + 1] !== 0) slot = (slot + 1) & mask;
    words[2 * slot] = high;
    words[2 * slot + 1] = low;
  }

  #grow(): void {
    const old = this.#words;
    this.#words = new Uint32Array(old.length * 2);
    for (let i = 0; i < old.length; i += 2) {
      const low = old[i + 1] ?? 0;
      if (low !== 0) this.#insert(old[i] ?? 0, low);
    }
  }

  /** Moves entries of the run back over the gap unless that would put them before their place. */
  #closeGap(start: number): void {
    const words = this.#words;
    const mask = words.length / 2 - 1;
    let gap = start;
    for (let slot = (gap + 1) & mask; words[2 * slot + 1] !== 0; slot = (slot + 1) & mask) {
      const home = (words[2 * slot] ?? 0) & mask;
      if (((slot - home) & mask) < ((slot - gap) & mask)) continue;
      words[2 * gap] = words[2 * slot] ?? 0;
      words[2 * gap + 1] = words[2 * slot + 1] ?? 0;
      gap = slot;
    }
    words[2 * gap] = 0;
    words[2 * gap + 1] = 0;
  }
}

function wordAt(hash: Uint8Array, at: number): number {
  const a = hash[at] ?? 0;
  const b = hash[at + 1] ?? 0;
  const c = hash[at + 2] ?? 0;
  return ((a << 24) | (b << 16) | (c << 8) | (hash[at + 3] ?? 0)) >>> 0;
}

/** The second word tells the kinds apart, and is never zero. */
function lowWord(kind: number, hash: Uint8Array): number {
  const word = (wordAt(hash, 4) ^ (kind << 28)) >>> 0;
  return word === 0 ? 1 : word;
}
