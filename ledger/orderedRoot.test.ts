import { createMPT } from "@ethereumjs/mpt";
import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesToHex } from "../base/bytes.ts";
import { encodeRlp, rlpNumber } from "../base/rlp.ts";
import { emptyRoot, orderedRoot } from "./orderedRoot.ts";

async function trieRoot(items: readonly Uint8Array[]): Promise<string> {
  const trie = await createMPT();
  for (const [i, item] of items.entries()) await trie.put(encodeRlp(rlpNumber(i)), item);
  return bytesToHex(trie.root());
}

/** Items of which the shortest nodes are embedded in their parents and the longest are hashed. */
function items(count: number, size: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => new Uint8Array(size).fill(1 + (i % 255)));
}

test("the root of nothing", async () => {
  expect(orderedRoot([])).toBe(emptyRoot);
  expect(await trieRoot([])).toBe(emptyRoot);
});

test.each([1, 2, 3, 16, 17, 127, 128, 129, 130, 255, 256, 257, 300, 1_000])(
  "%i items give the root of a trie, whatever their size",
  async (count) => {
    for (const size of [1, 2, 30, 31, 32, 60, 150]) {
      const list = items(count, size);
      expect(orderedRoot(list), `size ${size}`).toBe(await trieRoot(list));
    }
  },
);

test("random items give the root of a trie", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 80 }), { maxLength: 200 }),
      async (list) => {
        expect(orderedRoot(list)).toBe(await trieRoot(list));
      },
    ),
    { numRuns: 100 },
  );
});

test("order and every byte count", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.uint8Array({ minLength: 1, maxLength: 40 }), {
        minLength: 2,
        maxLength: 20,
        selector: bytesToHex,
      }),
      (list) => {
        expect(orderedRoot(list.toReversed())).not.toBe(orderedRoot(list));
      },
    ),
    { numRuns: 100 },
  );
});
