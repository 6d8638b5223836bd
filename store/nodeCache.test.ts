import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesToHexDigits, equalBytes } from "../base/bytes.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { DigestMap } from "./digestMap.ts";
import { cachedNodeBytesMax, NodeCache } from "./nodeCache.ts";

function nodeOf(number: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size).fill(number & 255);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

test("what was put in comes out, byte for byte, until it is pushed out", () => {
  const cache = new NodeCache(8 * 1024 * 1024);
  let found = 0;
  let wrong = 0;
  for (let n = 0; n < 60_000; n += 1) {
    const bytes = nodeOf(n, 4 + (n % 500));
    cache.set(keccak256(bytes), bytes);
    const old = nodeOf(n >> 1, 4 + ((n >> 1) % 500));
    const held = cache.get(keccak256(old));
    if (held === null) continue;
    found += 1;
    if (!equalBytes(held, old)) wrong += 1;
  }
  expect(found).toBeGreaterThan(10_000);
  expect(wrong).toBe(0);
  expect(cache.usedBytes).toBeLessThan(12 * 1024 * 1024);
});

test("what is used stays", () => {
  const cache = new NodeCache(4 * 1024 * 1024);
  const hot = nodeOf(1, 100);
  cache.set(keccak256(hot), hot);
  for (let round = 0; round < 40; round += 1) {
    for (let n = 2; n < 1_000; n += 1) {
      const bytes = nodeOf(round * 1_000 + n, 300);
      cache.set(keccak256(bytes), bytes);
    }
    expect(cache.get(keccak256(hot))).toEqual(hot);
  }
});

test("a node that is too long is not kept, and a cache of no size keeps none", () => {
  const cache = new NodeCache(4 * 1024 * 1024);
  const long = nodeOf(1, cachedNodeBytesMax + 1);
  const longest = nodeOf(2, cachedNodeBytesMax);
  for (const bytes of [long, longest]) cache.set(keccak256(bytes), bytes);
  expect(cache.get(keccak256(long))).toBeNull();
  expect(cache.get(keccak256(longest))).toEqual(longest);
  const none = new NodeCache(0);
  none.set(keccak256(longest), longest);
  expect(none.get(keccak256(longest))).toBeNull();
});

test("a digest map is a map, also where the leading bits collide", () => {
  const digest = fc.tuple(fc.nat(3), fc.nat(3)).map(([head, tail]) => {
    const hash = new Uint8Array(32);
    hash[0] = head;
    hash[31] = tail;
    return hash;
  });
  const deed = fc.tuple(digest, fc.option(fc.nat(9)));
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 40 }), (deeds) => {
      const map = new DigestMap<number>();
      const model = new Map<string, number>();
      for (const [hash, number] of deeds) {
        if (number === null) map.delete(hash);
        else map.set(hash, number);
        if (number === null) model.delete(bytesToHexDigits(hash));
        else model.set(bytesToHexDigits(hash), number);
        expect(map.get(hash)).toBe(model.get(bytesToHexDigits(hash)));
        expect(map.size).toBe(model.size);
      }
      const entries = [...map.entries()].map(([hash, number]) => [bytesToHexDigits(hash), number]);
      expect(new Map(entries.map(([hash, number]) => [String(hash), Number(number)]))).toEqual(
        model,
      );
    }),
  );
});
