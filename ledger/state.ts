import type { Address, Digest } from "../base/brand.ts";

/**
 * An account as Ethereum stores it: `[nonce, balance, storageRoot, codeHash]`, so that standard
 * proofs verify. A Theta sequence is nonce + 1.
 */
export type Account = {
  readonly nonce: bigint;
  /** TFuelWei. */
  readonly balance: bigint;
  readonly storageRoot: Digest;
  readonly codeHash: Digest;
};

/** Committed or overlaid state at one root. Synchronous and without side effects. */
export interface StateReader {
  readonly root: Digest;
  account(address: Address): Account | null;
  /** A contract's storage word without leading zeros; `null` if the slot is zero. */
  storage(address: Address, slot: Digest): Uint8Array | null;
  /** Contract code by hash; `null` for the empty code. */
  code(codeHash: Digest): Uint8Array | null;
  /** A module's value by its exact key. */
  moduleValue(module: string, key: Uint8Array): Uint8Array | null;
  /** A module's pairs with `from <= key < to`, in byte order. */
  moduleRange(
    module: string,
    range: { readonly from: Uint8Array; readonly to: Uint8Array; readonly limit?: number },
  ): Iterable<readonly [key: Uint8Array, value: Uint8Array]>;
}

/** What one block changed; `null` removes. Order carries no meaning: the tree sorts. */
export type StateChanges = {
  /** `storageRoot` of a value here is ignored: the tree computes it from `storage`. */
  readonly accounts: ReadonlyMap<Address, Account | null>;
  readonly storage: ReadonlyMap<Address, ReadonlyMap<Digest, Uint8Array | null>>;
  /** Contracts whose whole storage is dropped before `storage` is applied. */
  readonly storageCleared: ReadonlySet<Address>;
  /** New contract code by hash. */
  readonly code: ReadonlyMap<Digest, Uint8Array>;
  /** Per module: key in lowercase hex digits without prefix, and the new value. */
  readonly modules: ReadonlyMap<string, ReadonlyMap<string, Uint8Array | null>>;
};

/** State at any retained or uncommitted root; the implementation is `store/stateTree.ts`. */
export interface StateTree {
  reader(root: Digest): StateReader;
  /**
   * The root after `changes` on `parent`. New nodes stay in memory until that root is committed.
   */
  apply(parent: Digest, changes: StateChanges): Digest;
}
