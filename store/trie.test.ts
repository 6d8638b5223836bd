import { createMPT } from "@ethereumjs/mpt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesToHexDigits, compareBytes, hexToBytes, textToBytes } from "../base/bytes.ts";
import { encodeRlp, rlpNumber } from "../base/rlp.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { emptyTrieRoot } from "./nodes.ts";
import { rangeTrie, readTrie, updateTrie, type NodeSource } from "./trie.ts";

/** A trie over a map of nodes, for tests. */
export class MapTrie {
  readonly nodes = new Map<string, Uint8Array>();
  root = emptyTrieRoot;
  added: string[] = [];
  removed: string[] = [];
  readonly source: NodeSource = (hash) => {
    const bytes = this.nodes.get(bytesToHexDigits(hash));
    if (bytes === undefined) throw new Error("missing node");
    return bytes;
  };

  update(pairs: readonly (readonly [Uint8Array, Uint8Array | null])[]): void {
    const last = new Map(pairs.map(([key, value]) => [bytesToHexDigits(key), value]));
    const sorted = [...last]
      .map(([digits, value]) => [hexToBytes(digits), value] as const)
      .sort(([a], [b]) => compareBytes(a, b));
    this.added = [];
    this.removed = [];
    const asked: number[] = [];
    this.root = updateTrie(this.source, this.root, {
      keys: sorted.map(([key]) => key),
      value: (index) => {
        asked.push(index);
        return sorted[index]?.[1] ?? null;
      },
      added: (hash, bytes) => {
        this.added.push(bytesToHexDigits(hash));
        this.nodes.set(bytesToHexDigits(hash), bytes);
      },
      removed: (hash) => this.removed.push(bytesToHexDigits(hash)),
    });
    expect(asked).toEqual(sorted.map((_, index) => index));
  }

  get(key: Uint8Array): Uint8Array | null {
    return readTrie(this.source, this.root, key);
  }
}

describe("known roots", () => {
  test("the empty trie", () => {
    expect(keccak256(encodeRlp(new Uint8Array(0)))).toEqual(emptyTrieRoot);
  });

  test("Theta store/trie: three entries, one at a time and at once", () => {
    const pairs = [
      ["doe", "reindeer"],
      ["dog", "puppy"],
      ["dogglesworth", "cat"],
    ].map(([key = "", value = ""]) => [textToBytes(key), textToBytes(value)] as const);
    const expected = "8aad789dff2f538bca5d8ea56e8abe10f4c7ba3a5dea95fea4cd6e7c3a1168d3";
    const together = new MapTrie();
    together.update(pairs);
    expect(bytesToHexDigits(together.root)).toBe(expected);
    const apart = new MapTrie();
    for (const pair of pairs) apart.update([pair]);
    expect(bytesToHexDigits(apart.root)).toBe(expected);
  });

  test("an index is a key: rlp(0) and rlp(1)", () => {
    const trie = new MapTrie();
    trie.update([0, 1].map((index) => [encodeRlp(rlpNumber(index)), textToBytes("x")]));
    expect(trie.get(encodeRlp(rlpNumber(0)))).toEqual(textToBytes("x"));
    expect(trie.get(encodeRlp(rlpNumber(2)))).toBeNull();
  });
});

// Not the empty key, which the oracle cannot hold.
const shortKey = fc.uint8Array({ minLength: 1, maxLength: 3 });
const nibblyKey = fc.array(fc.constantFrom(0x00, 0x01, 0x10, 0x11), { minLength: 1, maxLength: 4 });
const key = fc.oneof(
  shortKey,
  nibblyKey.map((bytes) => Uint8Array.from(bytes)),
  shortKey.map((bytes) => keccak256(bytes)),
);
const value = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 2 }),
  fc.uint8Array({ minLength: 1, maxLength: 70 }),
);
const batch = fc.array(fc.tuple(key, fc.option(value, { freq: 3 })), { maxLength: 12 });

describe("against @ethereumjs/mpt", () => {
  test("equal roots and values under random batches of puts and removals", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { maxLength: 6 }), async (batches) => {
        const ours = new MapTrie();
        const model = new Map<string, Uint8Array>();
        for (const pairs of batches) {
          ours.update(pairs);
          for (const [bytes, word] of pairs) {
            if (word === null) model.delete(bytesToHexDigits(bytes));
            else model.set(bytesToHexDigits(bytes), word);
          }
          // Built anew: the oracle's own removals go wrong where one key is another's prefix.
          const oracle = await createMPT({});
          for (const [digits, word] of model) await oracle.put(hexToBytes(digits), word);
          expect(bytesToHexDigits(ours.root)).toBe(bytesToHexDigits(oracle.root()));
          for (const [bytes] of pairs) {
            expect(ours.get(bytes)).toEqual(model.get(bytesToHexDigits(bytes)) ?? null);
          }
        }
      }),
      { numRuns: 400 },
    );
  });
});

describe("updates", () => {
  test("what came and went is exact: a rebuilt trie has the same nodes", () => {
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 6 }), (batches) => {
        const trie = new MapTrie();
        const counts = new Map<string, number>();
        for (const pairs of batches) {
          trie.update(pairs);
          for (const hash of trie.added) counts.set(hash, (counts.get(hash) ?? 0) + 1);
          for (const hash of trie.removed) counts.set(hash, (counts.get(hash) ?? 0) - 1);
        }
        const rebuilt = new MapTrie();
        rebuilt.update([...rangeTrie(trie.source, trie.root, everything)]);
        expect(rebuilt.root).toEqual(trie.root);
        const expected = new Map<string, number>();
        for (const hash of rebuilt.added) expected.set(hash, (expected.get(hash) ?? 0) + 1);
        expect(new Map([...counts].filter(([, count]) => count !== 0))).toEqual(expected);
      }),
      { numRuns: 400 },
    );
  });

  test("nothing changed is no node at all", () => {
    const trie = new MapTrie();
    trie.update([
      [textToBytes("doe"), textToBytes("reindeer")],
      [textToBytes("dog"), textToBytes("puppy")],
    ]);
    const { root } = trie;
    trie.update([
      [textToBytes("dog"), textToBytes("puppy")],
      [textToBytes("dogma"), null],
      [textToBytes("cat"), null],
    ]);
    expect([trie.root, trie.added, trie.removed]).toEqual([root, [], []]);
  });
});

const everything = { from: new Uint8Array(0), to: null };

test("a range is sorted and half open", () => {
  const bound = fc.uint8Array({ maxLength: 2 });
  fc.assert(
    fc.property(batch, bound, fc.option(bound), (pairs, from, to) => {
      const trie = new MapTrie();
      trie.update(pairs);
      const all = new Map<string, Uint8Array>();
      for (const [bytes, word] of pairs) {
        if (word === null) all.delete(bytesToHexDigits(bytes));
        else all.set(bytesToHexDigits(bytes), word);
      }
      const expected = [...all]
        .map(([digits, word]) => [hexToBytes(digits), word] as const)
        .filter(([bytes]) => compareBytes(bytes, from) >= 0)
        .filter(([bytes]) => to === null || compareBytes(bytes, to) < 0)
        .sort(([a], [b]) => compareBytes(a, b));
      expect([...rangeTrie(trie.source, trie.root, { from, to })]).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});
