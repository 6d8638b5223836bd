import { describe, expect, test } from "vitest";
import type { Address, Digest } from "../base/brand.ts";
import { bytesToAddress, bytesToDigest } from "../base/bytes.ts";
import { emptyAccount } from "../ledger/accounts.ts";
import type { StateChanges } from "../ledger/state.ts";
import { MemoryState } from "../test/fakes/memoryState.ts";
import { Snapshots, snapshotsMax, writeBack } from "./snapshots.ts";

const address = (name: number): Address => bytesToAddress(new Uint8Array(20).fill(name));
const slot = (name: number): Digest => bytesToDigest(new Uint8Array(32).fill(name));

type Word = readonly [of: number, slot: number, word: number | null];

function changesOf(
  accounts: readonly (readonly [name: number, balance: bigint | null])[],
  words: readonly Word[] = [],
): StateChanges {
  const storage = new Map<Address, Map<Digest, Uint8Array | null>>();
  for (const [of, at, word] of words) {
    const own = storage.get(address(of)) ?? new Map<Digest, Uint8Array | null>();
    own.set(slot(at), word === null ? null : Uint8Array.of(word));
    storage.set(address(of), own);
  }
  return {
    accounts: new Map(
      accounts.map(([name, balance]) => [
        address(name),
        balance === null ? null : { ...emptyAccount, balance },
      ]),
    ),
    storage,
    storageCleared: new Set(),
    code: new Map(),
    modules: new Map(),
  };
}

describe("snapshots", () => {
  test("know what changed since each of them", () => {
    const snapshots = new Snapshots();
    snapshots.onCommitted(changesOf([[1, 1n]])); // Before any: nobody can ask for it.
    const first = snapshots.take(10) ?? 0;
    snapshots.onCommitted(changesOf([[2, 1n]], [[2, 5, 1]]));
    const second = snapshots.take(11) ?? 0;
    snapshots.onCommitted(
      changesOf(
        [
          [3, 1n],
          [2, 2n],
        ],
        [[2, 6, 1]],
      ),
    );
    expect([snapshots.heightOf(first), snapshots.heightOf(second)]).toEqual([10, 11]);
    expect(snapshots.touchedSince(second)).toEqual(
      new Map([
        [address(3), new Set()],
        [address(2), new Set([slot(6)])],
      ]),
    );
    expect(snapshots.touchedSince(first).get(address(2))).toEqual(new Set([slot(5), slot(6)]));
    expect(snapshots.touchedSince(first).has(address(1))).toBe(false);
  });

  test("end with those after them, and leave what changed to those before", () => {
    const snapshots = new Snapshots();
    const [first, second, third] = [1, 2, 3].map((height) => {
      const id = snapshots.take(height) ?? 0;
      snapshots.onCommitted(changesOf([[height, 1n]], [[height, height, 1]]));
      return id;
    });
    snapshots.drop(second ?? 0);
    expect(snapshots.heightOf(second ?? 0)).toBeNull();
    expect(snapshots.heightOf(third ?? 0)).toBeNull();
    const touched = snapshots.touchedSince(first ?? 0);
    expect([...touched.keys()].sort()).toEqual([1, 2, 3].map(address));
    expect(touched.get(address(3))).toEqual(new Set([slot(3)]));
    // A number is never used again: an old one must not name a new snapshot.
    expect(snapshots.take(9)).toBeGreaterThan(third ?? 0);
  });

  test("are so many and no more", () => {
    const snapshots = new Snapshots();
    for (let i = 0; i < snapshotsMax; i += 1) expect(snapshots.take(i)).not.toBeNull();
    expect(snapshots.take(0)).toBeNull();
    expect(snapshots.isFull).toBe(false);
  });
});

describe("writing back", () => {
  const before = MemoryState.empty().apply(changesOf([[1, 5n]], [[1, 1, 7]]));

  test("gives an account balance and words that it had, and nothing that is the same", () => {
    const now = before.apply(
      changesOf(
        [[1, 6n]],
        [
          [1, 1, 8],
          [1, 2, 9],
        ],
      ),
    );
    const slots = [slot(1), slot(2), slot(3)];
    expect(writeBack(address(1), slots, { old: before, now })).toEqual({
      address: address(1),
      nonce: [0n],
      balance: [5n],
      code: [],
      cleared: false,
      storage: [
        { slot: slot(1), word: 7n },
        { slot: slot(2), word: 0n },
      ],
    });
    expect(writeBack(address(1), slots, { old: before, now: before })).toBeNull();
  });

  test("clears what an account did not have, and makes away with whom there was not", () => {
    const old = MemoryState.empty();
    const write = writeBack(address(1), [slot(1)], { old, now: before });
    expect(write).toMatchObject({ balance: [0n], cleared: true, storage: [] });
  });
});
