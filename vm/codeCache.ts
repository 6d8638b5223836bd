import type { Digest } from "../base/brand.ts";

/**
 * Contract code by its hash, up to a number of bytes; the oldest goes first, whatever was asked for
 * since: who goes round more codes than fit misses by any rule.
 */
export class CodeCache {
  readonly #bytesMax: number;
  readonly #codes = new Map<Digest, Uint8Array>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes of the codes that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  get(codeHash: Digest): Uint8Array | undefined {
    return this.#codes.get(codeHash);
  }

  /** Keeps a code that is not there. */
  add(codeHash: Digest, code: Uint8Array): void {
    this.#codes.set(codeHash, code);
    this.#bytes += code.length;
    for (const [oldest, { length }] of this.#codes) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#codes.delete(oldest);
      this.#bytes -= length;
    }
  }
}
