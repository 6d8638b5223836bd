import type { Address, Digest } from "../base/brand.ts";
import type { Account } from "./account.ts";
import type { RootStep } from "./uncommitted.ts";

/** Default of the accounts kept: about 20 MB. */
export const accountCacheMax = 65_536;

/** What one uncommitted block changed. */
type Layer = { readonly parent: Digest; readonly accounts: ReadonlyMap<Address, Account | null> };

/**
 * Accounts as values, of the newest committed state and of the uncommitted ones on it: nearly all
 * reads are of accounts that a recent block touched, and a look here costs a twentieth of a walk
 * through the trie. What it does not know, and any older state, is read from the trie.
 */
export class AccountCache {
  readonly #accountsMax: number;
  /**
   * Of the state `#base`; `null`: no such account. Two generations, as dropping one whole is cheap
   * and removing a map's oldest entry is not: it walks over the gaps that earlier removals left.
   */
  #young = new Map<Address, Account | null>();
  #old = new Map<Address, Account | null>();
  /** By the root that they lead to. */
  readonly #layers = new Map<Digest, Layer>();
  #base: Digest;

  /** `base` is the newest committed root. */
  constructor(base: Digest, accountsMax: number) {
    this.#base = base;
    this.#accountsMax = accountsMax;
  }

  /** Accounts kept, those of uncommitted blocks aside. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** An account at a root; `load` reads it from the trie of that root. */
  read(root: Digest, address: Address, load: (address: Address) => Account | null): Account | null {
    let at = root;
    // A root may come back later in a chain, so the number of steps is bounded too.
    for (let steps = this.#layers.size; at !== this.#base; steps -= 1) {
      const layer = this.#layers.get(at);
      if (layer === undefined || steps === 0) return load(address);
      const changed = layer.accounts.get(address);
      if (changed !== undefined) return changed;
      at = layer.parent;
    }
    const known = this.#young.get(address);
    if (known !== undefined) return known;
    const older = this.#old.get(address);
    if (older !== undefined) {
      this.#keep(address, older);
      return older;
    }
    const account = load(address); // Unchanged since the base, so it is the base's as well.
    this.#keep(address, account);
    return account;
  }

  /** A block was applied; `accounts` are all that it changed, as they stand in its trie. */
  add({ parent, root }: RootStep, accounts: ReadonlyMap<Address, Account | null>): void {
    if (accounts.size > this.#accountsMax || root === this.#base) return;
    if (!this.#layers.has(root)) this.#layers.set(root, { parent, accounts });
  }

  /** No uncommitted block leads to this root any more. */
  discard(root: Digest): void {
    this.#layers.delete(root);
  }

  /** A root is the newest committed one now. */
  commit({ parent, root }: RootStep): void {
    if (root === this.#base) return;
    const layer = this.#layers.get(root);
    this.#layers.delete(root);
    if (layer === undefined || layer.parent !== parent || parent !== this.#base) {
      this.#young.clear();
      this.#old.clear();
    } else for (const [address, account] of layer.accounts) this.#keep(address, account);
    this.#base = root;
  }

  /** What is young hides what is old. */
  #keep(address: Address, account: Account | null): void {
    if (this.#young.size >= this.#accountsMax / 2) {
      this.#old = this.#young;
      this.#young = new Map<Address, Account | null>();
    }
    this.#young.set(address, account);
  }
}
