/** A binary heap: `pop` gives the item that comes before all others in the given order. */
export class Heap<T> {
  readonly #items: T[];
  readonly #isBefore: (a: T, b: T) => boolean;

  /** Takes over `items` and orders them. */
  constructor(items: T[], isBefore: (a: T, b: T) => boolean) {
    this.#items = items;
    this.#isBefore = isBefore;
    for (let i = (items.length >> 1) - 1; i >= 0; i -= 1) this.#sink(i);
  }

  get size(): number {
    return this.#items.length;
  }

  push(item: T): void {
    const items = this.#items;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = items[parent];
      if (above === undefined || !this.#isBefore(item, above)) break;
      items[at] = above;
      at = parent;
    }
    items[at] = item;
  }

  /** `undefined` when empty. */
  pop(): T | undefined {
    const items = this.#items;
    const first = items[0];
    const last = items.pop();
    if (last !== undefined && items.length > 0) {
      items[0] = last;
      this.#sink(0);
    }
    return first;
  }

  #sink(start: number): void {
    const items = this.#items;
    const item = items[start];
    if (item === undefined) return;
    let at = start;
    for (;;) {
      let child = 2 * at + 1;
      let below = items[child];
      if (below === undefined) break;
      const other = items[child + 1];
      if (other !== undefined && this.#isBefore(other, below)) {
        child += 1;
        below = other;
      }
      if (!this.#isBefore(below, item)) break;
      items[at] = below;
      at = child;
    }
    items[at] = item;
  }
}
