import type { Address } from "../../base/brand.ts";

/**
 * One stream to a receiver at a time, first come, first served. With the receiver all that a payer
 * pays is one balance, so two at once would each be served for what the other has paid, and both
 * would wait.
 */
export class Turns {
  /** When the newest to ask is over. */
  readonly #ends = new Map<Address, Promise<void>>();

  /** Does the work when those who asked before are done. */
  async take<T>(receiver: Address, work: () => Promise<T>): Promise<T> {
    const before = this.#ends.get(receiver);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ends.set(receiver, promise);
    try {
      await before;
      return await work();
    } finally {
      resolve();
      if (this.#ends.get(receiver) === promise) this.#ends.delete(receiver);
    }
  }
}
