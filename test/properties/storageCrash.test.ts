import { describe, expect, test } from "vitest";
import type { Digest } from "../../base/brand.ts";
import { bytesToAddress, bytesToTextOrNull, textToBytes } from "../../base/bytes.ts";
import { emptyKeccak, keccak256, keccakDigest } from "../../crypto/keccak.ts";
import { emptyRoot } from "../../store/account.ts";
import { blockWrites, BlockStore, commitBlockWrites } from "../../store/blocks.ts";
import type { KeyValue, KeyValueWrite } from "../../store/keyValue.ts";
import { MemoryKeyValue } from "../../store/memory.ts";
import { recount } from "../../store/recount.ts";
import { createSafetyFile, openSafetyFile } from "../../store/safetyFile.ts";
import type { StateChanges } from "../../store/stateChange.ts";
import { openStateTree } from "../../store/stateTree.ts";
import { Crash, CrashDisk, type Files } from "../fakes/crashDisk.ts";

/*
 * Every point at which the machine can stop is tried, and from each every disk that the stop may
 * leave. Nothing is drawn at random: the runs are short enough to enumerate.
 */

const path = "safety";
const recordsWritten = 12;
/** So small that the run replaces its file several times. */
const sizeBytesMax = 4_096;

/**
 * Makes a file and appends records; answers the number of the last acknowledged one, -1 for none.
 */
async function writeRecords(disk: CrashDisk): Promise<number> {
  let acknowledged = -1;
  try {
    await createSafetyFile(disk, path, textToBytes("0"));
    acknowledged = 0;
    const file = await openSafetyFile(disk, path, { sizeBytesMax });
    if (file === null) throw new Error("no file");
    for (let n = 1; n < recordsWritten; n += 1) {
      await file.append(new Uint8Array([...textToBytes(`${n} `), ...new Uint8Array(n * 97)]));
      acknowledged = n;
    }
  } catch (error) {
    if (!isCrash(error)) throw error;
  }
  return acknowledged;
}

function isCrash(error: unknown): boolean {
  return error instanceof Crash || (error instanceof Error && error.cause instanceof Crash);
}

/** The number of the newest record after a restart; -1 for no file. */
async function readNewest(files: Files): Promise<number> {
  const file = await openSafetyFile(new CrashDisk(files), path);
  const text = bytesToTextOrNull(file?.newest ?? textToBytes("-1"));
  return Number(text?.replaceAll("\0", ""));
}

describe("safety file", () => {
  test("D1, D2: a stop at any operation loses no acknowledged record", async () => {
    const whole = new CrashDisk(new Map());
    expect(await writeRecords(whole)).toBe(recordsWritten - 1);
    let disks = 0;
    for (let fuse = 0; fuse <= whole.operations; fuse += 1) {
      const disk = new CrashDisk(new Map(), fuse);
      const acknowledged = await writeRecords(disk);
      for (const files of disk.survivors()) {
        const found = await readNewest(files);
        expect(found, `stop at ${fuse}`).toBeGreaterThanOrEqual(acknowledged);
        expect(found).toBeLessThanOrEqual(acknowledged + 1);
        disks += 1;
      }
    }
    console.log(`safety file: ${whole.operations} operations, ${disks} disks`);
  });

  test("D2: what follows a torn record is read after the next stop", async () => {
    const disk = new CrashDisk(new Map(), 13);
    await writeRecords(disk);
    for (const files of disk.survivors()) {
      const second = new CrashDisk(files);
      const file = await openSafetyFile(second, path);
      if (file === null) continue;
      await file.append(textToBytes("99"));
      for (const later of second.survivors()) expect(await readNewest(later)).toBe(99);
    }
  });

  test("D3: a failed sync is final, though the next one would succeed", async () => {
    const disk = new CrashDisk(new Map());
    await createSafetyFile(disk, path, textToBytes("0"));
    const file = await openSafetyFile(disk, path);
    disk.syncsUntilFailure = 2;
    await file?.append(textToBytes("1"));
    await expect(file?.append(textToBytes("2"))).rejects.toThrow(/input\/output/);
    const before = disk.operations;
    await expect(file?.append(textToBytes("3"))).rejects.toThrow(/input\/output/);
    expect(disk.operations).toBe(before);
    for (const files of disk.survivors()) expect(await readNewest(files)).toBe(1);
  });

  test("D4: a full disk is final, and a restart with room goes on", async () => {
    for (let bytesFree = 0; bytesFree < 1_024; bytesFree += 64) {
      const disk = new CrashDisk(new Map());
      await createSafetyFile(disk, path, textToBytes("0"));
      const file = await openSafetyFile(disk, path);
      disk.bytesFree = bytesFree;
      const record = new Uint8Array(900).fill(0x31);
      await expect(file?.append(record)).rejects.toThrow(/disk is full/);
      disk.bytesFree = Number.POSITIVE_INFINITY;
      await expect(file?.append(record)).rejects.toThrow(/disk is full/);
      for (const files of disk.survivors()) {
        const again = await openSafetyFile(new CrashDisk(files), path);
        expect(again?.newest).toEqual(textToBytes("0"));
        await again?.append(textToBytes("1"));
        expect(again?.newest).toEqual(textToBytes("1"));
      }
    }
  });
});

type Batch = { readonly writes: readonly KeyValueWrite[]; readonly isSynced: boolean };

/** Notes every batch, to replay any prefix that an engine may have after a stop. */
function recording(store: MemoryKeyValue, batches: Batch[]): KeyValue {
  return {
    get: (key) => store.get(key),
    range: (range) => store.range(range),
    snapshot: () => store.snapshot(),
    close: () => store.close(),
    write: (writes, { sync }) => {
      batches.push({ writes, isSynced: sync });
      return store.write(writes);
    },
  };
}

const addresses = Array.from({ length: 30 }, (_, i) =>
  bytesToAddress(keccak256(Uint8Array.of(i)).slice(0, 20)),
);

function blockChanges(height: number, salt: number): StateChanges {
  const picked = addresses.filter((_, i) => (i * 7 + height * salt) % 5 === 0);
  const balance = BigInt(height * 3 + salt);
  return {
    accounts: new Map(
      picked.map((address, i) => [
        address,
        i % 4 === 3 ? null : { nonce: 0n, balance, storageRoot: emptyRoot, codeHash: emptyKeccak },
      ]),
    ),
    storage: new Map(),
    storageCleared: new Set(),
    code: new Map(),
    modules: new Map([["bank", new Map([[`01${salt}${height % 10}`, Uint8Array.of(height)]])]]),
  };
}

const retention = { type: "recent", heights: 5, every: 20 } as const;

describe("state and blocks", () => {
  test("D1, D9: a stop between any two batches of 50 blocks leaves a whole store", async () => {
    const batches: Batch[] = [];
    const roots: Digest[] = [];
    const store = recording(new MemoryKeyValue(), batches);
    const tree = await openStateTree(store, { retention });
    for (let height = 0; height < 50; height += 1) {
      const parent = tree.newest?.root ?? emptyRoot;
      const hash = keccakDigest(textToBytes(`block ${height}`));
      const loser = keccakDigest(textToBytes(`loser ${height}`));
      const block = { header: textToBytes(`${height}`), body: new Uint8Array(9) };
      const fork = tree.apply(parent, blockChanges(height, 2));
      const root = tree.apply(parent, blockChanges(height, 1));
      await store.write(blockWrites({ height, hash: loser }, block), { sync: true });
      await store.write(blockWrites({ height, hash }, block), { sync: true });
      const committed = {
        height,
        hash,
        receipts: textToBytes(`receipts ${height}`),
        transactions: [keccakDigest(textToBytes(`tx ${height}`))],
        proof: textToBytes(`proof ${height}`),
      };
      const writes = [...tree.commitWrites(height, root), ...commitBlockWrites(committed)];
      await store.write(writes, { sync: true });
      tree.committed();
      tree.discard({ parent, root: fork });
      roots.push(root);
      await store.write(await new BlockStore(store).orphanWrites(10), { sync: false });
    }
    const replayed = new MemoryKeyValue();
    for (const { writes } of batches) {
      await replayed.write(writes);
      await checkStore(replayed, roots);
    }
    console.log(`state and blocks: ${batches.length} batches`);
  });
});

/** Everything that a restarted node relies on. */
async function checkStore(store: MemoryKeyValue, roots: readonly Digest[]): Promise<void> {
  expect((await recount(store)).problems).toEqual([]);
  const tree = await openStateTree(store, { retention });
  const newest = new BlockStore(store).newest();
  expect(tree.newest?.height ?? null).toBe(newest?.height ?? null);
  if (newest === null) return;
  expect(tree.newest?.root).toBe(roots[newest.height]);
  const blocks = new BlockStore(store);
  for (let height = 0; height <= newest.height; height += 1) {
    const hash = blocks.hashAt(height);
    expect(hash === null ? null : blocks.block(hash)).not.toBeNull();
    const transaction = keccakDigest(textToBytes(`tx ${height}`));
    expect(blocks.transaction(transaction)).toEqual({ height, index: 0 });
  }
  for (const { root } of tree.retained) {
    for (const address of addresses) tree.reader(root).account(address);
  }
}
