import type { Address, Digest } from "../../base/brand.ts";
import { assert } from "../../base/assert.ts";
import { bytesToHexDigits, bytesToHex, hexToBytes, textToBytes } from "../../base/bytes.ts";
import { keccakDigest } from "../../crypto/keccak.ts";
import type { CountableState } from "../../ledger/module.ts";
import type { Account, StateChanges, StateTree } from "../../ledger/state.ts";

/**
 * A state in maps: what the executor needs of the real tree, without hashing. Its root is a hash of
 * all its pairs in order, so equal roots mean equal states.
 */
export class MemoryState implements CountableState {
  readonly #accounts: ReadonlyMap<Address, Account>;
  readonly #storage: ReadonlyMap<Address, ReadonlyMap<Digest, Uint8Array>>;
  readonly #code: ReadonlyMap<Digest, Uint8Array>;
  readonly #modules: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>;
  #root: Digest | null = null;
  readonly #sortedKeys = new Map<string, readonly string[]>();

  private constructor(parts: {
    readonly accounts: ReadonlyMap<Address, Account>;
    readonly storage: ReadonlyMap<Address, ReadonlyMap<Digest, Uint8Array>>;
    readonly code: ReadonlyMap<Digest, Uint8Array>;
    readonly modules: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>;
  }) {
    this.#accounts = parts.accounts;
    this.#storage = parts.storage;
    this.#code = parts.code;
    this.#modules = parts.modules;
  }

  static empty(): MemoryState {
    return new MemoryState({
      accounts: new Map(),
      storage: new Map(),
      code: new Map(),
      modules: new Map(),
    });
  }

  /** The state after the changes; this one stays as it is. */
  apply(changes: StateChanges): MemoryState {
    const accounts = withChanges(this.#accounts, changes.accounts);
    const storage = new Map(this.#storage);
    for (const address of changes.storageCleared) storage.delete(address);
    for (const [address, words] of changes.storage) {
      storage.set(address, withChanges(storage.get(address) ?? new Map(), words));
    }
    const modules = new Map(this.#modules);
    for (const [name, values] of changes.modules) {
      modules.set(name, withChanges(modules.get(name) ?? new Map(), values));
    }
    const code = withChanges(this.#code, changes.code);
    return new MemoryState({ accounts, storage, code, modules });
  }

  get root(): Digest {
    this.#root ??= keccakDigest(textToBytes(JSON.stringify(this.dump())));
    return this.#root;
  }

  /** Everything in it, sorted: for comparisons that should show what differs. */
  dump(): unknown {
    const text = (bytes: Uint8Array): string => bytesToHex(bytes);
    return {
      accounts: sorted(this.#accounts, ({ nonce, balance, codeHash }) => {
        return [nonce.toString(), balance.toString(), codeHash];
      }),
      storage: sorted(this.#storage, (words) => sorted(words, text)),
      code: sorted(this.#code, text),
      modules: sorted(this.#modules, (values) => sorted(values, text)),
    };
  }

  account(address: Address): Account | null {
    const account = this.#accounts.get(address) ?? null;
    const words = this.#storage.get(address);
    if (account === null || words === undefined || words.size === 0) return account;
    // No trie's root, but never the empty one: that is all that is asked of it.
    const storageRoot = keccakDigest(textToBytes(JSON.stringify(sorted(words, bytesToHex))));
    return { ...account, storageRoot };
  }

  *accountValues(): Iterable<Account> {
    yield* this.#accounts.values();
  }

  storage(address: Address, slot: Digest): Uint8Array | null {
    return this.#storage.get(address)?.get(slot) ?? null;
  }

  code(codeHash: Digest): Uint8Array | null {
    return this.#code.get(codeHash) ?? null;
  }

  moduleValue(module: string, key: Uint8Array): Uint8Array | null {
    return this.#modules.get(module)?.get(bytesToHexDigits(key)) ?? null;
  }

  *moduleRange(
    module: string,
    range: { readonly from: Uint8Array; readonly to: Uint8Array; readonly limit?: number },
  ): Iterable<readonly [Uint8Array, Uint8Array]> {
    const from = bytesToHexDigits(range.from);
    const to = bytesToHexDigits(range.to);
    let left = range.limit ?? Number.POSITIVE_INFINITY;
    for (const key of this.#keysOf(module)) {
      if (key < from || key >= to) continue;
      if (left === 0) return;
      left -= 1;
      const value = this.#modules.get(module)?.get(key);
      assert(value !== undefined, "a key without value");
      yield [hexToBytes(key), value];
    }
  }

  #keysOf(module: string): readonly string[] {
    const known = this.#sortedKeys.get(module);
    if (known !== undefined) return known;
    const keys = [...(this.#modules.get(module)?.keys() ?? [])].sort((a, b) => (a < b ? -1 : 1));
    this.#sortedKeys.set(module, keys);
    return keys;
  }
}

/** Every state that was ever applied, by root. */
export class MemoryStateTree implements StateTree {
  readonly #states = new Map<Digest, MemoryState>();
  readonly emptyRoot: Digest;

  constructor() {
    const empty = MemoryState.empty();
    this.emptyRoot = empty.root;
    this.#states.set(empty.root, empty);
  }

  reader(root: Digest): MemoryState {
    const state = this.#states.get(root);
    assert(state !== undefined, `no state has the root ${root}`);
    return state;
  }

  apply(parent: Digest, changes: StateChanges): Digest {
    const next = this.reader(parent).apply(changes);
    this.#states.set(next.root, next);
    return next.root;
  }
}

function withChanges<K, V>(
  before: ReadonlyMap<K, V>,
  changes: ReadonlyMap<K, V | null>,
): ReadonlyMap<K, V> {
  const after = new Map(before);
  for (const [key, value] of changes) {
    if (value === null) after.delete(key);
    else after.set(key, value);
  }
  return after;
}

function sorted<V>(
  map: ReadonlyMap<string, V>,
  show: (value: V) => unknown,
): readonly (readonly [string, unknown])[] {
  return [...map]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => [key, show(value)] as const);
}
