import type { SimBlock } from "./fakeLedger.ts";

const mark = "order:";

/** Names of the orders in a block. */
export function ordersIn({ payload }: Pick<SimBlock, "payload">): readonly string[] {
  const words = payload.split(" ").filter((word) => word.startsWith(mark));
  return words.map((word) => word.slice(mark.length));
}

/** What clients want done and no committed block has: the pool of one node, by name. */
export class Orders {
  readonly #waiting = new Set<string>();

  add(name: string): void {
    this.#waiting.add(name);
  }

  /** Contents of a block after these uncommitted ones: whatever waits and is in none of them. */
  select(uncommitted: readonly SimBlock[]): string {
    const taken = new Set(uncommitted.flatMap((block) => ordersIn(block)));
    return [...this.#waiting]
      .filter((name) => !taken.has(name))
      .map((name) => ` ${mark}${name}`)
      .join("");
  }

  onCommitted(blocks: readonly SimBlock[]): void {
    for (const block of blocks) for (const name of ordersIn(block)) this.#waiting.delete(name);
  }
}
