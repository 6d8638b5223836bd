/*
 * A map keyed by 32-byte hashes without making text of them: the first 30 bits are the key of an
 * ordinary map (more would not be a small integer of the engine's), and what shares them is
 * chained, so a ground collision costs a comparison only.
 */

type Entry<V> = { readonly hash: Uint8Array; value: V; next: Entry<V> | null };

function numberOf(hash: Uint8Array): number {
  const low = ((hash[1] ?? 0) << 16) | ((hash[2] ?? 0) << 8) | (hash[3] ?? 0);
  return (((hash[0] ?? 0) & 0x3f) << 24) | low;
}

function sameHash(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < 32; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

/** A map from 32-byte hashes. Iterates by first insertion of the leading 30 bits. */
export class DigestMap<V> {
  readonly #entries = new Map<number, Entry<V>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(hash: Uint8Array): V | undefined {
    let entry = this.#entries.get(numberOf(hash)) ?? null;
    while (entry !== null && !sameHash(entry.hash, hash)) entry = entry.next;
    return entry?.value;
  }

  set(hash: Uint8Array, value: V): void {
    const key = numberOf(hash);
    const first = this.#entries.get(key) ?? null;
    for (let entry = first; entry !== null; entry = entry.next) {
      if (!sameHash(entry.hash, hash)) continue;
      entry.value = value;
      return;
    }
    this.#entries.set(key, { hash, value, next: first });
    this.#size += 1;
  }

  delete(hash: Uint8Array): void {
    const key = numberOf(hash);
    let before: Entry<V> | null = null;
    let entry = this.#entries.get(key) ?? null;
    while (entry !== null && !sameHash(entry.hash, hash)) {
      before = entry;
      entry = entry.next;
    }
    if (entry === null) return;
    this.#size -= 1;
    if (before !== null) before.next = entry.next;
    else if (entry.next !== null) this.#entries.set(key, entry.next);
    else this.#entries.delete(key);
  }

  *entries(): Generator<readonly [hash: Uint8Array, value: V]> {
    for (const first of this.#entries.values()) {
      for (let entry: Entry<V> | null = first; entry !== null; entry = entry.next) {
        yield [entry.hash, entry.value];
      }
    }
  }
}
