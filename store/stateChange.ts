import { assert } from "../base/assert.ts";
import type { Address, Digest } from "../base/brand.ts";
import { bytesToDigest, compareBytes, equalBytes, hexToBytes } from "../base/bytes.ts";
import { moduleAddress } from "../base/moduleAddress.ts";
import { encodeRlp } from "../base/rlp.ts";
import { keccak256 } from "../crypto/keccak.ts";
import {
  codeHashBytes,
  decodeAccount,
  emptyCodeHash,
  encodeAccount,
  recordToAccount,
  type Account,
  type AccountRecord,
} from "./account.ts";
import { startWalk, walk } from "./difference.ts";
import { DigestMap } from "./digestMap.ts";
import type { NodeKind } from "./keys.ts";
import { emptyTrieRoot } from "./nodes.ts";
import { updateTrie } from "./trie.ts";
import type { ReplacedNode } from "./replacedNodes.ts";
import type { AddedNode } from "./uncommitted.ts";

/*
 * One block's changes applied to a state: the account trie, and under its accounts the storage of
 * contracts and the sub-tries of modules. A module's sub-trie is the storage of its reserved
 * account (base/moduleAddress.ts), which is there exactly while the sub-trie is not empty or the
 * account holds something of its own.
 */

/** What one block changed; `null` removes (the same as `ledger/state.ts` declares). */
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

/** Reads nodes of any kind, of stored states and of uncommitted ones. */
export type NodeLoader = (kind: NodeKind, hash: Uint8Array) => Uint8Array;

type Pair = { readonly key: Uint8Array; readonly value: Uint8Array | null };

type Touched = { readonly key: Uint8Array; readonly address: Address; readonly module: boolean };

/** What changes make of a state. */
export type ChangedState = {
  readonly root: Uint8Array;
  /** The stays that begin with it. */
  readonly added: readonly AddedNode[];
  /** The stays that end with it; `null` if finding them takes a walk. */
  readonly replaced: readonly ReplacedNode[] | null;
  /** Every account that was touched, as it stands in the trie now; `null` if it is not there. */
  readonly accounts: ReadonlyMap<Address, Account | null>;
};

/** Applies changes to the state of a root. */
export function applyChanges(
  load: NodeLoader,
  parent: Uint8Array,
  changes: StateChanges,
): ChangedState {
  const change = new StateChange(load, changes);
  const root = change.apply(parent);
  const { added, replaced, accounts } = change;
  return { root, added, replaced, accounts };
}

class StateChange {
  readonly #load: NodeLoader;
  readonly #changes: StateChanges;
  readonly #modulePairs = new Map<Address, readonly Pair[]>();
  readonly added: AddedNode[] = [];
  replaced: ReplacedNode[] | null = [];
  readonly accounts = new Map<Address, Account | null>();

  constructor(load: NodeLoader, changes: StateChanges) {
    this.#load = load;
    this.#changes = changes;
    for (const [name, values] of changes.modules) {
      if (values.size === 0) continue;
      const pairs = [...values].map(([digits, value]) => ({ key: hexToBytes(digits), value }));
      this.#modulePairs.set(moduleAddress(name), sortPairs(pairs));
    }
  }

  apply(parent: Uint8Array): Uint8Array {
    const touched = this.#touched();
    return updateTrie((hash) => this.#load("account", hash), parent, {
      keys: touched.map(({ key }) => key),
      value: (index, old) => {
        const item = touched[index];
        assert(item !== undefined, "every touched account has its key");
        const record = this.#account(item, old);
        this.accounts.set(item.address, record === null ? null : recordToAccount(record));
        return record === null ? null : encodeAccount(record);
      },
      added: (hash, bytes) => this.added.push({ kind: "account", hash, bytes }),
      removed: (hash) => this.replaced?.push({ kind: "account", hash }),
    });
  }

  /** Every account that may change, in the order of the account trie. */
  #touched(): Touched[] {
    const addresses = new Set<Address>([
      ...this.#changes.accounts.keys(),
      ...this.#changes.storage.keys(),
      ...this.#changes.storageCleared,
      ...this.#modulePairs.keys(),
    ]);
    return [...addresses]
      .map((address) => {
        const bytes = hexToBytes(address);
        return { key: keccak256(bytes), address, module: isModuleAddress(bytes) };
      })
      .sort((a, b) => compareBytes(a.key, b.key));
  }

  /** The new value of one account. */
  #account({ address, module }: Touched, old: Uint8Array | null): AccountRecord | null {
    const before = old === null ? null : decodeAccount(old);
    const written = this.#changes.accounts.get(address);
    const oldRoot = before?.storageRoot ?? emptyTrieRoot;
    if (written === null && !module) {
      this.#dropStorage(oldRoot);
      this.#endCode(before, emptyCodeHash);
      return null;
    }
    const storageRoot = module
      ? this.#subTrie(oldRoot, this.#modulePairs.get(address) ?? [])
      : this.#storage(address, oldRoot);
    const fields = fieldsOf(written, before);
    const isEmpty = equalBytes(storageRoot, emptyTrieRoot);
    if (isEmpty && (module ? isUnused(fields) : fields === null)) {
      this.#endCode(before, emptyCodeHash);
      return null;
    }
    assert(module || fields !== null, `storage without an account: ${address}`);
    const record = { ...(fields ?? newModuleAccount), storageRoot };
    this.#beginCode(record.codeHash, before);
    this.#endCode(before, record.codeHash);
    return record;
  }

  #subTrie(root: Uint8Array, pairs: readonly Pair[]): Uint8Array {
    return this.#updateStorage(root, pairs, (hash, bytes) => {
      this.added.push({ kind: "storage", hash, bytes });
    });
  }

  #storage(address: Address, root: Uint8Array): Uint8Array {
    const pairs = [...(this.#changes.storage.get(address) ?? [])].map(([slot, word]) => ({
      key: keccak256(hexToBytes(slot)),
      value: word === null || word.length === 0 ? null : encodeRlp(word),
    }));
    sortPairs(pairs);
    if (this.#changes.storageCleared.has(address)) return this.#replaceStorage(root, pairs);
    return this.#subTrie(root, pairs);
  }

  /** A trie built anew in the place of another: what both have there has stayed. */
  #replaceStorage(oldRoot: Uint8Array, pairs: readonly Pair[]): Uint8Array {
    this.#dropStorage(oldRoot);
    const fresh = new DigestMap<Uint8Array>();
    const root = this.#updateStorage(emptyTrieRoot, pairs, (hash, bytes) => {
      fresh.set(hash, bytes);
    });
    const items = startWalk("storage", { before: null, middle: root, after: oldRoot });
    const port = {
      load: (kind: NodeKind, hash: Uint8Array) => fresh.get(hash) ?? this.#load(kind, hash),
      ended: (kind: NodeKind, hash: Uint8Array) => {
        this.added.push({ kind, hash, bytes: fresh.get(hash) ?? null });
      },
    };
    walk(items, port, Number.POSITIVE_INFINITY);
    return root;
  }

  #updateStorage(
    root: Uint8Array,
    pairs: readonly Pair[],
    added: (hash: Uint8Array, bytes: Uint8Array) => void,
  ): Uint8Array {
    if (pairs.length === 0) return root;
    return updateTrie((hash) => this.#load("storage", hash), root, {
      keys: pairs.map(({ key }) => key),
      value: (index) => pairs[index]?.value ?? null,
      added,
      removed: (hash) => this.replaced?.push({ kind: "storage", hash }),
    });
  }

  #beginCode(codeHash: Uint8Array, before: AccountRecord | null): void {
    if (equalBytes(codeHash, emptyCodeHash)) return;
    if (before !== null && equalBytes(codeHash, before.codeHash)) return;
    const bytes = this.#changes.code.get(bytesToDigest(codeHash)) ?? null;
    this.added.push({ kind: "code", hash: codeHash, bytes });
  }

  #endCode(before: AccountRecord | null, codeHash: Uint8Array): void {
    if (before === null || equalBytes(before.codeHash, emptyCodeHash)) return;
    if (equalBytes(before.codeHash, codeHash)) return;
    this.replaced?.push({ kind: "code", hash: before.codeHash });
  }

  /** A trie of any size goes at once: listing it would take as long as walking it later. */
  #dropStorage(root: Uint8Array): void {
    if (!equalBytes(root, emptyTrieRoot)) this.replaced = null;
  }
}

const newModuleAccount = { nonce: 1n, balance: 0n, codeHash: emptyCodeHash };

type Fields = Omit<AccountRecord, "storageRoot">;

/** What an account is to hold beside its storage; `null` if it was removed or never was. */
function fieldsOf(
  written: Account | null | undefined,
  before: AccountRecord | null,
): Fields | null {
  if (written === undefined) return before;
  if (written === null) return null;
  return {
    nonce: written.nonce,
    balance: written.balance,
    codeHash: codeHashBytes(written),
  };
}

/** Whether a module's account holds nothing that would keep it without a sub-trie. */
function isUnused(fields: Fields | null): boolean {
  if (fields === null) return true;
  const { nonce, balance, codeHash } = fields;
  return nonce <= 1n && balance === 0n && equalBytes(codeHash, emptyCodeHash);
}

const modulePrefix = hexToBytes(moduleAddress("x")).subarray(0, 7);

function isModuleAddress(address: Uint8Array): boolean {
  return equalBytes(address.subarray(0, modulePrefix.length), modulePrefix);
}

function sortPairs(pairs: Pair[]): Pair[] {
  return pairs.sort((a, b) => compareBytes(a.key, b.key));
}
