import { assert } from "../base/assert.ts";
import { concatBytes, equalBytes } from "../base/bytes.ts";
import { CorruptionError } from "./failures.ts";
import { keyToNibbles, nibblesToKey } from "./hexPrefix.ts";
import {
  branchChild,
  decodeNode,
  emptyTrieRoot,
  finish,
  finishRoot,
  isHash,
  trieValueBytesMax,
  type BranchNode,
  type ExtensionNode,
  type LeafNode,
  type NodeAdded,
  type TrieChild,
  type TrieNode,
} from "./nodes.ts";

/*
 * A synchronous Merkle-Patricia trie. Nothing is kept between calls: nodes come from a source
 * that caches, an update takes all changes of a block at once in key order, and each node that
 * changed is encoded and hashed once, after all below it. That is what makes it an order of
 * magnitude cheaper than rewriting a path per key.
 *
 * An update answers exactly which nodes came and went, place by place: reference counts are built
 * on it (references.ts). A node that keeps its place and content is in neither list.
 */

/** Where nodes come from, by hash. Throws if one is missing. */
export type NodeSource = (hash: Uint8Array) => Uint8Array;

/** Changes to a trie. */
export type TrieUpdate = {
  /** Ascending, none twice. */
  readonly keys: readonly Uint8Array[];
  /**
   * The new value of `keys[index]`, called once for each; `null` removes. An empty value is none.
   */
  readonly value: (index: number, old: Uint8Array | null) => Uint8Array | null;
  readonly added: NodeAdded;
  /** Told of each stored node that has lost its place. */
  readonly removed?: (hash: Uint8Array) => void;
};

type Entry = { readonly path: Uint8Array; readonly value: Uint8Array };

/** Loads and decodes a node; a stored node that does not decode is damage, not a refusal. */
export function loadNode(source: NodeSource, child: TrieChild): TrieNode {
  if (!(child instanceof Uint8Array)) return child;
  const node = decodeNode(isHash(child) ? source(child) : child);
  if (node === null) throw new CorruptionError("trie node", "A stored trie node is malformed.");
  return node;
}

/** The value of a key, or `null`. */
export function readTrie(source: NodeSource, root: Uint8Array, key: Uint8Array): Uint8Array | null {
  if (equalBytes(root, emptyTrieRoot)) return null;
  const nibbles = keyToNibbles(key);
  let child: TrieChild = root;
  let depth = 0;
  for (;;) {
    const node = loadNode(source, child);
    if (node.type === "branch") {
      if (depth === nibbles.length) return node.value;
      const next: TrieChild | null = branchChild(node, nibbles[depth] ?? 0);
      if (next === null) return null;
      child = next;
      depth += 1;
    } else {
      if (!startsWith(nibbles, depth, node.path)) return null;
      depth += node.path.length;
      if (node.type === "leaf") return depth === nibbles.length ? node.value : null;
      child = node.child;
    }
  }
}

/** The root after all changes. Equal changes give equal roots, whatever their order once was. */
export function updateTrie(source: NodeSource, root: Uint8Array, update: TrieUpdate): Uint8Array {
  const change = new Change(source, update);
  const start = equalBytes(root, emptyTrieRoot) ? null : root;
  const end = change.child(start, 0, 0, update.keys.length);
  return finishRoot(end, update.added);
}

function startsWith(nibbles: Uint8Array, from: number, path: Uint8Array): boolean {
  if (nibbles.length - from < path.length) return false;
  for (let i = 0; i < path.length; i += 1) if (nibbles[from + i] !== path[i]) return false;
  return true;
}

function nibbleAt(key: Uint8Array, depth: number): number {
  const byte = key[depth >> 1] ?? 0;
  return (depth & 1) === 0 ? byte >> 4 : byte & 15;
}

/** How many nibbles of `path` the key has from `depth` on. */
function commonWithKey(path: Uint8Array, key: Uint8Array, depth: number): number {
  const count = Math.min(path.length, key.length * 2 - depth);
  let i = 0;
  while (i < count && path[i] === nibbleAt(key, depth + i)) i += 1;
  return i;
}

/** Puts nibbles in front of a node, merging paths; a branch gets an extension. */
function prefixNode(prefix: Uint8Array, node: TrieNode): TrieNode {
  if (prefix.length === 0) return node;
  if (node.type === "branch") return { type: "extension", path: prefix, child: node };
  return { ...node, path: concatBytes(prefix, node.path) };
}

/** The trie of sorted entries whose first `depth` nibbles are equal. */
function buildNode(entries: readonly Entry[], low: number, high: number, depth: number): TrieNode {
  const first = entries[low];
  const last = entries[high - 1];
  assert(first !== undefined && last !== undefined, "a subtree has entries");
  if (high - low === 1) {
    return { type: "leaf", path: first.path.subarray(depth), value: first.value };
  }
  let end = depth;
  while (end < first.path.length && first.path[end] === last.path[end]) end += 1;
  const changed: (TrieChild | null)[] = Array.from({ length: 16 }, () => null);
  let at = low;
  // A key that ends here is a prefix of the others, so it sorts first.
  const value = first.path.length === end ? first.value : null;
  if (value !== null) at += 1;
  while (at < high) {
    const nibble = entries[at]?.path[end] ?? 0;
    let next = at + 1;
    while (next < high && entries[next]?.path[end] === nibble) next += 1;
    changed[nibble] = buildNode(entries, at, next, end + 1);
    at = next;
  }
  return prefixNode(first.path.subarray(depth, end), {
    type: "branch",
    source: null,
    changed,
    value,
  });
}

/** One update in progress. Its methods answer the very node they were given if nothing changed. */
class Change {
  readonly #source: NodeSource;
  readonly #update: TrieUpdate;

  constructor(source: NodeSource, update: TrieUpdate) {
    this.#source = source;
    this.#update = update;
  }

  /** Applies the changes `low` to `high` to the child at `depth`. */
  child(child: TrieChild | null, depth: number, low: number, high: number): TrieChild | null {
    if (low === high) return child;
    if (child === null) return this.#build(null, depth, low, high);
    const node = loadNode(this.#source, child);
    const changed = this.#node(node, depth, low, high);
    if (changed === node) return child;
    if (isHash(child)) this.#update.removed?.(child);
    return changed;
  }

  #node(node: TrieNode, depth: number, low: number, high: number): TrieNode | null {
    if (node.type === "branch") return this.#branch(node, depth, low, high);
    if (node.type === "extension") return this.#extension(node, depth, low, high);
    return this.#build(node, depth, low, high);
  }

  #key(index: number): Uint8Array {
    const key = this.#update.keys[index];
    assert(key !== undefined, "an update has a key for each index");
    return key;
  }

  #value(index: number, old: Uint8Array | null): Uint8Array | null {
    const value = this.#update.value(index, old);
    if (value === null || value.length === 0) return null;
    assert(value.length <= trieValueBytesMax, `a trie value has ${value.length} bytes`);
    return value;
  }

  /** What a leaf (or nothing) becomes. */
  #build(leaf: LeafNode | null, depth: number, low: number, high: number): TrieNode | null {
    const entries: Entry[] = [];
    let rest = leaf;
    let changed = false;
    for (let i = low; i < high; i += 1) {
      const key = this.#key(i);
      const path = keyToNibbles(key).subarray(depth);
      if (rest !== null) {
        const order = comparePaths(rest.path, path);
        if (order < 0) entries.push(rest);
        if (order <= 0) rest = null;
        if (order === 0 && leaf !== null) {
          const value = this.#value(i, leaf.value);
          if (value !== null && equalBytes(value, leaf.value)) entries.push(leaf);
          else {
            changed = true;
            if (value !== null) entries.push({ path, value });
          }
          continue;
        }
      }
      const value = this.#value(i, null);
      if (value === null) continue;
      changed = true;
      entries.push({ path, value });
    }
    if (rest !== null) entries.push(rest);
    if (!changed) return leaf;
    return entries.length === 0 ? null : buildNode(entries, 0, entries.length, 0);
  }

  #branch(node: BranchNode, depth: number, low: number, high: number): TrieNode | null {
    let children: (TrieChild | null | undefined)[] | null = null;
    let isSmaller = false;
    let value = node.value;
    let at = low;
    if (this.#key(low).length * 2 === depth) {
      value = this.#value(low, node.value);
      if (value !== null && node.value !== null && equalBytes(value, node.value)) {
        value = node.value;
      }
      at += 1;
    }
    while (at < high) {
      const nibble = nibbleAt(this.#key(at), depth);
      let next = at + 1;
      while (next < high && nibbleAt(this.#key(next), depth) === nibble) next += 1;
      const old = branchChild(node, nibble);
      const changed = this.child(old, depth + 1, at, next);
      if (changed !== old) {
        children ??= [...node.changed];
        children[nibble] = changed;
        if (changed === null) isSmaller = true;
      }
      at = next;
    }
    if (children === null && value === node.value) return node;
    if (value === null && node.value !== null) isSmaller = true;
    const branch: BranchNode = { ...node, changed: children ?? node.changed, value };
    // One that had two and lost none has two; a fork just made may have one.
    const result = isSmaller || node.source === null ? this.#collapse(branch) : branch;
    if (result === branch && children !== null) this.#finishChildren(children);
    return result;
  }

  /**
   * What hangs below a branch that stays is as it will be, so it is encoded now: kept until the
   * end, a block's nodes would outlive the young generation of the garbage collector.
   */
  #finishChildren(children: (TrieChild | null | undefined)[]): void {
    for (let i = 0; i < children.length; i += 1) {
      const child = children[i];
      if (child === undefined || child === null || child instanceof Uint8Array) continue;
      children[i] = finish(child, this.#update.added);
    }
  }

  /** A branch needs two of: children, value. With one it becomes something else. */
  #collapse(branch: BranchNode): TrieNode | null {
    const { value } = branch;
    let only = -1;
    let count = value === null ? 0 : 1;
    for (let i = 0; i < 16; i += 1) {
      if (branchChild(branch, i) === null) continue;
      only = i;
      count += 1;
    }
    if (count >= 2) return branch;
    if (value !== null) return { type: "leaf", path: new Uint8Array(0), value };
    const child = only < 0 ? null : branchChild(branch, only);
    if (child === null) return null;
    const prefix = Uint8Array.of(only);
    const node = loadNode(this.#source, child);
    if (node.type === "branch") return { type: "extension", path: prefix, child };
    if (isHash(child)) this.#update.removed?.(child);
    return prefixNode(prefix, node);
  }

  #extension(node: ExtensionNode, depth: number, low: number, high: number): TrieNode | null {
    const path = node.path;
    const common = Math.min(
      commonWithKey(path, this.#key(low), depth),
      commonWithKey(path, this.#key(high - 1), depth),
    );
    if (common === path.length) {
      const child = this.child(node.child, depth + common, low, high);
      if (child === node.child) return node;
      return child === null ? null : prefixNode(path, loadNode(this.#source, child));
    }
    // Some keys leave the path: fork there, then go on as in any branch.
    const changed: (TrieChild | null)[] = Array.from({ length: 16 }, () => null);
    const rest = path.subarray(common + 1);
    const nibble = path[common] ?? 0;
    changed[nibble] =
      rest.length === 0 ? node.child : { type: "extension", path: rest, child: node.child };
    const fork: BranchNode = { type: "branch", source: null, changed, value: null };
    const forked = this.#branch(fork, depth + common, low, high);
    if (forked === fork) return node;
    return forked === null ? null : prefixNode(path.subarray(0, common), forked);
  }
}

function comparePaths(a: Uint8Array, b: Uint8Array): number {
  const size = Math.min(a.length, b.length);
  for (let i = 0; i < size; i += 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Keys from `from` (inclusive) to `to` (exclusive), `null` to the end, in byte order. */
export function* rangeTrie(
  source: NodeSource,
  root: Uint8Array,
  bounds: { readonly from: Uint8Array; readonly to: Uint8Array | null },
): Generator<readonly [key: Uint8Array, value: Uint8Array]> {
  if (equalBytes(root, emptyTrieRoot)) return;
  const from = keyToNibbles(bounds.from);
  const to = bounds.to === null ? null : keyToNibbles(bounds.to);
  const stack: { readonly child: TrieChild; readonly path: Uint8Array }[] = [
    { child: root, path: new Uint8Array(0) },
  ];
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const { path } = top;
    // All keys below are beyond the end, and so are all that are left on the stack.
    if (to !== null && comparePaths(path, to) >= 0) return;
    if (comparePaths(path, from.subarray(0, path.length)) < 0) continue;
    const node = loadNode(source, top.child);
    if (node.type === "extension") {
      stack.push({ child: node.child, path: concatBytes(path, node.path) });
      continue;
    }
    if (node.type === "branch") {
      for (let i = 15; i >= 0; i -= 1) {
        const child = branchChild(node, i);
        if (child !== null) stack.push({ child, path: concatBytes(path, Uint8Array.of(i)) });
      }
    }
    if (node.value === null) continue;
    const key = node.type === "leaf" ? concatBytes(path, node.path) : path;
    if (comparePaths(key, from) < 0) continue;
    if (to !== null && comparePaths(key, to) >= 0) return;
    yield [nibblesToKey(key), node.value];
  }
}
