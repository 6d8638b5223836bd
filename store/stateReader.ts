import { assert } from "../base/assert.ts";
import type { Address, Digest } from "../base/brand.ts";
import { bytesToDigest, hexToBytes } from "../base/bytes.ts";
import { moduleAddress } from "../base/moduleAddress.ts";
import { decodeRlp, isRlpList } from "../base/rlp.ts";
import { emptyKeccak, keccak256 } from "../crypto/keccak.ts";
import { decodeAccount, recordToAccount, type Account, type AccountRecord } from "./account.ts";
import type { AccountCache } from "./accountCache.ts";
import { CorruptionError } from "./failures.ts";
import { emptyTrieRoot } from "./nodes.ts";
import type { NodeLoader } from "./stateChange.ts";
import { rangeTrie, readTrie } from "./trie.ts";

/** State at one root, as `ledger/state.ts` declares it. */
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

/** Accounts whose storage roots a reader remembers, so that a slot is one walk and not two. */
const rememberedRootsMax = 1_024;

/** A reader over nodes and accounts; the loader throws if the state is not (or no longer) there. */
export function createStateReader(
  load: NodeLoader,
  root: Digest,
  accounts: AccountCache,
): StateReader {
  const rootBytes = hexToBytes(root);
  const roots = new Map<Address, Uint8Array>();

  function record(address: Address): AccountRecord | null {
    const key = keccak256(hexToBytes(address));
    const value = readTrie((hash) => load("account", hash), rootBytes, key);
    return value === null ? null : decodeAccount(value);
  }

  function account(address: Address): Account | null {
    const found = record(address);
    return found === null ? null : recordToAccount(found);
  }

  function storageRoot(address: Address): Uint8Array {
    const known = roots.get(address);
    if (known !== undefined) return known;
    const found = record(address)?.storageRoot ?? emptyTrieRoot;
    if (roots.size >= rememberedRootsMax) roots.clear();
    roots.set(address, found);
    return found;
  }

  const loadStorage = (hash: Uint8Array): Uint8Array => load("storage", hash);
  return {
    root,
    account: (address) => accounts.read(root, address, account),
    storage(address, slot) {
      const value = readTrie(loadStorage, storageRoot(address), keccak256(hexToBytes(slot)));
      return value === null ? null : decodeWord(value).slice();
    },
    code: (codeHash) =>
      codeHash === emptyKeccak ? null : load("code", hexToBytes(codeHash)).slice(),
    moduleValue(module, key) {
      return readTrie(loadStorage, storageRoot(moduleAddress(module)), key)?.slice() ?? null;
    },
    *moduleRange(module, { from, to, limit }) {
      let left = limit ?? Number.POSITIVE_INFINITY;
      if (left <= 0) return;
      const root = storageRoot(moduleAddress(module));
      for (const [key, value] of rangeTrie(loadStorage, root, { from, to })) {
        yield [key, value.slice()];
        left -= 1;
        if (left <= 0) return;
      }
    },
  };
}

function decodeWord(value: Uint8Array): Uint8Array {
  const outcome = decodeRlp(value, { itemsMax: 1 });
  if (!outcome.ok || isRlpList(outcome.value)) {
    throw new CorruptionError("storage", "A stored word is malformed.");
  }
  return outcome.value;
}

/** The hash of a root given as digest, checked for its size. */
export function rootBytesOf(root: Digest): Uint8Array {
  const bytes = hexToBytes(root);
  assert(bytes.length === 32 && bytesToDigest(bytes) === root, `not a state root: ${root}`);
  return bytes;
}
