import type { Digest } from "../base/brand.ts";
import { AccountCache } from "./accountCache.ts";
import { PrunedError } from "./failures.ts";
import type { KeyValueReader } from "./keyValue.ts";
import { NodeCache } from "./nodeCache.ts";
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

/** A function that opens committed states; the reader of the last root is kept. */
export function createStateView(keyValue: KeyValueReader): (root: Digest) => StateReader {
  const cache = new NodeCache(viewCacheBytes);
  let last: StateReader | null = null;
  return (root) => {
    if (last?.root === root) return last;
    const accounts = new AccountCache(root, viewAccountsMax);
    last = createStateReader(
      (kind, hash) => {
        const held = cache.get(hash);
        if (held !== null) return held;
        const bytes = readNode(keyValue, kind, hash);
        if (bytes === null) throw new PrunedError(root);
        cache.set(hash, bytes);
        return bytes;
      },
      root,
      accounts,
    );
    return last;
  };
}
