import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesToHexDigits } from "../base/bytes.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { Presence } from "./presence.ts";

const hash = fc.oneof(
  fc.nat(40).map((seed) => keccak256(Uint8Array.of(seed))),
  // The same place in a small table, so that runs are long and gaps are closed inside them.
  fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 5 })).map(([high, low]) => {
    const bytes = new Uint8Array(32);
    bytes[3] = high;
    bytes[7] = low;
    return bytes;
  }),
);

test("a complete table says no of exactly what is not there", () => {
  const deed = fc.tuple(hash, fc.nat(3), fc.boolean());
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 200 }), (deeds) => {
      const presence = new Presence({ isComplete: true });
      const model = new Set<string>();
      for (const [bytes, kind, isAdded] of deeds) {
        const key = `${kind} ${bytesToHexDigits(bytes)}`;
        expect(presence.mayHold(kind, bytes)).toBe(model.has(key));
        if (isAdded && !model.has(key)) {
          presence.add(kind, bytes);
          model.add(key);
        } else if (!isAdded && model.delete(key)) presence.remove(kind, bytes);
        expect(presence.count).toBe(model.size);
      }
      for (const [bytes, kind] of deeds) {
        expect(presence.mayHold(kind, bytes)).toBe(model.has(`${kind} ${bytesToHexDigits(bytes)}`));
      }
    }),
  );
});

test("it grows, and shrinks to nothing", () => {
  const presence = new Presence({ isComplete: true });
  const hashes = Array.from({ length: 5_000 }, (_, i) => keccak256(Uint8Array.of(i >> 8, i & 255)));
  for (const bytes of hashes) presence.add(0, bytes);
  expect(hashes.every((bytes) => presence.mayHold(0, bytes))).toBe(true);
  expect(hashes.some((bytes) => presence.mayHold(1, bytes))).toBe(false);
  for (const bytes of hashes) presence.remove(0, bytes);
  expect(presence.count).toBe(0);
  expect(hashes.some((bytes) => presence.mayHold(0, bytes))).toBe(false);
});

test("while a store is read through, and beyond the limit, the answer is perhaps", () => {
  const [first, second, third] = [1, 2, 3].map((byte) => keccak256(Uint8Array.of(byte)));
  if (first === undefined || second === undefined || third === undefined) throw new Error("three");
  const unread = new Presence({ isComplete: false });
  unread.add(0, first);
  unread.remove(0, first);
  expect(unread.mayHold(0, second)).toBe(true);
  unread.complete();
  expect([unread.mayHold(0, first), unread.mayHold(0, second)]).toEqual([true, false]);
  const small = new Presence({ isComplete: true, keysMax: 2 });
  for (const bytes of [first, second]) small.add(0, bytes);
  expect(small.mayHold(0, third)).toBe(false);
  small.add(0, third);
  small.remove(0, first);
  expect(small.mayHold(0, first)).toBe(true);
});
