import { describe, expect } from "vitest";
import {
  bytesToHex,
  bytesToHexDigits,
  compareBytes,
  hexToBytes,
  textToBytes,
} from "../../base/bytes.ts";
import { keccak256 } from "../../crypto/keccak.ts";
import { emptyTrieRoot } from "../../store/nodes.ts";
import { readTrie, updateTrie } from "../../store/trie.ts";
import { knownFilesTest, vectorTest } from "../vectors.ts";

/*
 * Official trie tests, and traces of commits. Pruning here is the simplest true one: each commit's
 * nodes are counted place by place, and what the trie says has gone is taken off when its commit
 * leaves the window; what reaches zero is deleted.
 */

type Vector = {
  readonly id: string;
  readonly secure: boolean;
  readonly test: {
    readonly in:
      | Readonly<Record<string, string | null>>
      | readonly (readonly [string, string | null])[];
    readonly root: string;
  };
};

type Trace = {
  readonly id: string;
  readonly secure: boolean;
  readonly commits: readonly {
    readonly ops: readonly (readonly ["put", string, string] | readonly ["del", string])[];
    readonly root: string;
  }[];
};

type Pair = readonly [key: Uint8Array, value: Uint8Array | null];

class CountedTrie {
  readonly #nodes = new Map<string, { readonly bytes: Uint8Array; count: number }>();
  root = emptyTrieRoot;

  /** Applies the pairs and answers the nodes that lost their place. */
  commit(pairs: readonly Pair[]): string[] {
    const last = new Map(pairs.map((pair) => [bytesToHexDigits(pair[0]), pair] as const));
    const sorted = [...last.values()].sort(([a], [b]) => compareBytes(a, b));
    const gone: string[] = [];
    this.root = updateTrie(this.source, this.root, {
      keys: sorted.map(([key]) => key),
      value: (index) => sorted[index]?.[1] ?? null,
      added: (hash, bytes) => {
        const digits = bytesToHexDigits(hash);
        const node = this.#nodes.get(digits);
        if (node === undefined) this.#nodes.set(digits, { bytes, count: 1 });
        else node.count += 1;
      },
      removed: (hash) => gone.push(bytesToHexDigits(hash)),
    });
    return gone;
  }

  release(gone: readonly string[]): void {
    for (const digits of gone) {
      const node = this.#nodes.get(digits);
      if (node === undefined) throw new Error("count below zero");
      node.count -= 1;
      if (node.count === 0) this.#nodes.delete(digits);
    }
  }

  readonly source = (hash: Uint8Array): Uint8Array => {
    const node = this.#nodes.get(bytesToHexDigits(hash));
    if (node === undefined) throw new Error("missing node");
    return node.bytes;
  };
}

function bytesOf(text: string): Uint8Array {
  return text.startsWith("0x") ? hexToBytes(text) : textToBytes(text);
}

function isPairs(
  input: Vector["test"]["in"],
): input is readonly (readonly [string, string | null])[] {
  return Array.isArray(input);
}

describe("trie vectors", () => {
  knownFilesTest("trie", ["vectors.ndjson", "traces.ndjson.gz"]);

  vectorTest<Vector>("trie/vectors.ndjson", (vectors) => {
    for (const { id, secure, test } of vectors) {
      const input = isPairs(test.in) ? test.in : Object.entries(test.in);
      const pairs = input.map(([key, value]): Pair => {
        const bytes = bytesOf(key);
        return [secure ? keccak256(bytes) : bytes, value === null ? null : bytesOf(value)];
      });
      const together = new CountedTrie();
      together.commit(pairs);
      expect(bytesToHex(together.root), id).toBe(test.root);
      const apart = new CountedTrie();
      for (const pair of pairs) apart.release(apart.commit([pair]));
      expect(bytesToHex(apart.root), id).toBe(test.root);
    }
  });

  vectorTest<Trace>("trie/traces.ndjson.gz", (traces) => {
    const keep = 4;
    for (const { id, secure, commits } of traces) {
      const trie = new CountedTrie();
      const model = new Map<string, Uint8Array>();
      const window: { root: Uint8Array; model: Map<string, Uint8Array>; gone: string[] }[] = [];
      for (const { ops, root } of commits) {
        const pairs = ops.map(([, key, value]): Pair => {
          const bytes = secure ? keccak256(hexToBytes(key)) : hexToBytes(key);
          return [bytes, value === undefined ? null : hexToBytes(value)];
        });
        for (const [key, value] of pairs) {
          if (value === null) model.delete(bytesToHexDigits(key));
          else model.set(bytesToHexDigits(key), value);
        }
        const gone = trie.commit(pairs);
        expect(bytesToHex(trie.root), id).toBe(root);
        window.push({ root: trie.root, model: new Map(model), gone });
        if (window.length > keep) window.shift();
        if (window.length === keep) trie.release(window[0]?.gone ?? []);
        // The newest commit's losses are the window's oldest root's: it stays whole until it
        // leaves.
        for (const kept of window.slice(window.length === keep ? 0 : -1)) {
          for (const [digits, value] of kept.model) {
            expect(readTrie(trie.source, kept.root, hexToBytes(digits)), id).toEqual(value);
          }
        }
      }
    }
  });
});
