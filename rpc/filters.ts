import { randomBytes } from "node:crypto";

import { bytesToHex } from "../base/bytes.ts";
import type { LogTerms } from "./logQuery.ts";
import type { RpcLimits } from "./limits.ts";

/** What a filter is about, and how far its client has read. */
export type Filter =
  | {
      readonly type: "logs";
      readonly terms: LogTerms;
      /** First height that it is about, and the last; `null`: no end. */
      readonly from: number;
      readonly to: number | null;
      /** Next height to be told. */
      next: number;
    }
  | { readonly type: "blocks"; next: number }
  | { readonly type: "pending"; next: number };

type Entry = { readonly filter: Filter; readonly weight: number; usedMs: number };

type Added = { readonly name: string } | { readonly full: "filtersMax" | "filterTermsMax" };

/** A new name that nobody can guess: whoever knows a filter or a subscription can end it. */
export function randomName(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) | 0x80; // It is to be a number without leading zeros.
  return bytesToHex(bytes);
}

/**
 * Filters of HTTP clients, who poll. A filter holds a place in the chain and no results: one that
 * is never polled costs what its terms cost; after `filterIdleMs` it is forgotten.
 */
export class Filters {
  readonly #limits: RpcLimits;
  readonly #now: () => number;
  /** In order of last use. */
  readonly #entries = new Map<string, Entry>();
  #weight = 0;

  constructor(limits: RpcLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  get count(): number {
    return this.#entries.size;
  }

  /** The filter's name, or the limit that has no room for it. */
  add(filter: Filter): Added {
    this.#expire();
    const { filtersMax, filterTermsMax } = this.#limits;
    const weight = weightOf(filter);
    if (this.#entries.size >= filtersMax) return { full: "filtersMax" };
    if (this.#weight + weight > filterTermsMax) return { full: "filterTermsMax" };
    const name = randomName();
    this.#entries.set(name, { filter, weight, usedMs: this.#now() });
    this.#weight += weight;
    return { name };
  }

  /** A filter that is still known; it is in use from now on. */
  get(name: string): Filter | null {
    this.#expire();
    const entry = this.#entries.get(name);
    if (entry === undefined) return null;
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    entry.usedMs = this.#now();
    return entry.filter;
  }

  /** Whether there was one. */
  remove(name: string): boolean {
    const entry = this.#entries.get(name);
    if (entry === undefined) return false;
    this.#entries.delete(name);
    this.#weight -= entry.weight;
    return true;
  }

  #expire(): void {
    const oldestMs = this.#now() - this.#limits.filterIdleMs;
    for (const [name, { usedMs }] of this.#entries) {
      if (usedMs >= oldestMs) return; // In order of last use.
      this.remove(name);
    }
  }
}

function weightOf(filter: Filter): number {
  if (filter.type !== "logs") return 1;
  const { addresses, topics } = filter.terms;
  return topics.reduce((sum, place) => sum + place.length, 1 + addresses.length);
}
