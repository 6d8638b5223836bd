import { verifyMerkleProof } from "@ethereumjs/mpt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesToHexDigits, compareBytes } from "../base/bytes.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { emptyTrieRoot } from "./nodes.ts";
import { createProof, proofNodesMax, verifyProof } from "./proof.ts";
import { updateTrie, type NodeSource } from "./trie.ts";

type Built = { readonly root: Uint8Array; readonly source: NodeSource };

function build(pairs: readonly (readonly [Uint8Array, Uint8Array])[]): Built {
  const sorted = [...new Map(pairs.map((pair) => [bytesToHexDigits(pair[0]), pair])).values()];
  sorted.sort(([a], [b]) => compareBytes(a, b));
  const nodes = new Map<string, Uint8Array>();
  const source: NodeSource = (hash) => nodes.get(bytesToHexDigits(hash)) ?? new Uint8Array(0);
  const root = updateTrie(source, emptyTrieRoot, {
    keys: sorted.map(([key]) => key),
    value: (index) => sorted[index]?.[1] ?? null,
    added: (hash, bytes) => nodes.set(bytesToHexDigits(hash), bytes),
  });
  return { root, source };
}

const key = fc.oneof(
  fc.uint8Array({ minLength: 2, maxLength: 2 }),
  fc.uint8Array({ minLength: 1, maxLength: 2 }).map((bytes) => keccak256(bytes)),
);
const value = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 3 }),
  fc.uint8Array({ minLength: 30, maxLength: 60 }),
);
const pairs = fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 25 });

describe("proofs", () => {
  test("prove what is there and what is not, and another library agrees", async () => {
    await fc.assert(
      fc.asyncProperty(pairs, key, async (list, stranger) => {
        const { root, source } = build(list);
        const model = new Map(list.map(([bytes, word]) => [bytesToHexDigits(bytes), word]));
        for (const wanted of [...list.map(([bytes]) => bytes), stranger]) {
          const proof = createProof(source, root, wanted);
          const expected = model.get(bytesToHexDigits(wanted)) ?? null;
          expect(verifyProof(root, wanted, proof)).toEqual({ ok: true, value: expected });
          const theirs = await verifyMerkleProof(wanted, proof, {});
          expect(theirs).toEqual(expected);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("a changed, missing, added or reordered node is refused", () => {
    fc.assert(
      fc.property(pairs, fc.nat(), fc.nat(), (list, pick, bit) => {
        const { root, source } = build(list);
        const wanted = list[0]?.[0] ?? new Uint8Array(0);
        const proof = createProof(source, root, wanted);
        const index = pick % proof.length;
        const node = proof[index] ?? new Uint8Array(0);
        const at = bit % node.length;
        const flipped = node.with(at, (node[at] ?? 0) ^ 1);
        expect(verifyProof(root, wanted, proof.with(index, flipped)).ok).toBe(false);
        expect(verifyProof(root, wanted, proof.slice(0, -1)).ok).toBe(false);
        expect(verifyProof(root, wanted, [...proof, node]).ok).toBe(false);
        expect(verifyProof(keccak256(root), wanted, proof).ok).toBe(false);
      }),
    );
  });

  test("garbage under a root that is its hash is refused, never thrown", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), key, (garbage, wanted) => {
        const outcome = verifyProof(keccak256(garbage), wanted, [garbage]);
        expect(["ok", "proofMalformed", "proofTooShort", "proofTooLong"]).toContain(
          outcome.ok ? "ok" : outcome.refusal.code,
        );
      }),
      { numRuns: 2_000 },
    );
  });

  test("the empty trie proves absence with nothing, and long proofs are not looked at", () => {
    const wanted = keccak256(new Uint8Array(0));
    expect(verifyProof(emptyTrieRoot, wanted, [])).toEqual({ ok: true, value: null });
    const long = Array.from({ length: proofNodesMax + 1 }, () => new Uint8Array(1));
    expect(verifyProof(wanted, wanted, long)).toMatchObject({ refusal: { code: "proofTooLong" } });
  });
});
