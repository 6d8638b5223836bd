import type { Digest } from "../base/brand.ts";
import { bytesToDigest, hexToBytes } from "../base/bytes.ts";
import { AccountCache } from "./accountCache.ts";
import { PrunedError } from "./failures.ts";
import type { KeyValueReader } from "./keyValue.ts";
import { NodeCache } from "./nodeCache.ts";
import { applyChanges, type NodeLoader, type StateChanges } from "./stateChange.ts";
import { createStateReader, type StateReader } from "./stateReader.ts";
import { readNode } from "./stateTree.ts";

/*
 * Committed states for a thread that commits nothing: nodes are found by their hash, so it needs
 * only a root. A node that is not there was pruned, as whoever commits would have found it missing.
 */

/** Bytes of nodes that a view keeps. */
export const viewCacheBytes = 32 * 1024 * 1024;

/** Accounts that a view keeps as values. */
const viewAccountsMax = 4_096;

/** Committed states, by root. */
export type StateView = {
  /** Opens a state; the reader of the last root is kept. */
  readonly reader: (root: Digest) => StateReader;
  /** The root that changes would give a state; nothing of it is kept. */
  readonly rootAfter: (root: Digest, changes: StateChanges) => Digest;
};

/** Opens the states of a store. */
export function createStateView(keyValue: KeyValueReader): StateView {
  const cache = new NodeCache(viewCacheBytes);
  let last: StateReader | null = null;
  const loaderOf =
    (root: Digest): NodeLoader =>
    (kind, hash) => {
      const held = cache.get(hash);
      if (held !== null) return held;
      const bytes = readNode(keyValue, kind, hash);
      if (bytes === null) throw new PrunedError(root);
      cache.set(hash, bytes);
      return bytes;
    };
  return {
    reader: (root) => {
      if (last?.root === root) return last;
      const accounts = new AccountCache(root, viewAccountsMax);
      last = createStateReader(loaderOf(root), root, accounts);
      return last;
    },
    rootAfter: (root, changes) =>
      bytesToDigest(applyChanges(loaderOf(root), hexToBytes(root), changes).root),
  };
}
