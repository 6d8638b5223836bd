import { copyFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesToDigest, zeroDigest } from "../../base/bytes.ts";
import { Crash, CrashDisk, type Files } from "../../test/fakes/crashDisk.ts";
import { nodePayDisk } from "./disk.node.ts";
import { PayStateError } from "./errors.ts";
import { journalVersion, openJournal, readJournal } from "./journal.node.ts";

/*
 * Goal: whatever a power cut leaves, each record that was acknowledged is there, in order, and what
 * was not acknowledged is either there or gone, never half. Method: a disk that stops at every
 * single operation, and every disk that a restart may then find.
 */

const path = "journal";
const chain = zeroDigest;

function record(number: number, size = 3): Uint8Array {
  return new Uint8Array(size).fill(number);
}

function numbersOf(records: readonly Uint8Array[]): readonly number[] {
  return records.map((bytes) => bytes[0] ?? 0);
}

/** Appends 1 … count, with `write` for those that `isLoose` names; the numbers acknowledged. */
async function fill(
  disk: CrashDisk,
  count: number,
  options: { readonly isLoose: (number: number) => boolean; readonly sizeBytesMax?: number },
): Promise<number[]> {
  const acknowledged: number[] = [];
  const all: Uint8Array[] = [];
  const { sizeBytesMax = 1 << 20 } = options;
  const { journal } = await openJournal(disk, path, { chain, live: () => all, sizeBytesMax });
  for (let number = 1; number <= count; number += 1) {
    all.push(record(number));
    if (options.isLoose(number)) await journal.write(record(number));
    else {
      await journal.append(record(number));
      acknowledged.push(number);
    }
  }
  await journal.close();
  return acknowledged;
}

async function readBack(files: Files): Promise<readonly number[]> {
  const { records } = await openJournal(new CrashDisk(files), path, { chain, live: () => [] });
  return numbersOf(records);
}

/** Runs with a fuse at every operation; calls back with each disk that may be found afterwards. */
async function crashEverywhere(
  work: (disk: CrashDisk, acknowledged: number[]) => Promise<void>,
  check: (found: readonly number[], acknowledged: readonly number[]) => void,
): Promise<number> {
  let checked = 0;
  for (let fuse = 0; ; fuse += 1) {
    const disk = new CrashDisk(new Map(), fuse);
    const acknowledged: number[] = [];
    let isWhole = false;
    try {
      await work(disk, acknowledged);
      isWhole = true;
    } catch (error) {
      const isCrash = error instanceof Crash || error instanceof PayStateError;
      if (!isCrash) throw error;
    }
    for (const files of disk.survivors()) {
      check(await readBack(files), acknowledged);
      checked += 1;
    }
    if (isWhole) return checked;
  }
}

test("every acknowledged record survives a crash at any write, torn in any way", async () => {
  const checked = await crashEverywhere(
    async (disk, acknowledged) => {
      const { journal } = await openJournal(disk, path, { chain, live: () => [] });
      for (let number = 1; number <= 5; number += 1) {
        await journal.append(record(number, 600));
        acknowledged.push(number);
      }
    },
    (found, acknowledged) => {
      expect(found.slice(0, acknowledged.length)).toEqual(acknowledged);
      expect(found.length).toBeLessThanOrEqual(acknowledged.length + 1);
    },
  );
  expect(checked).toBeGreaterThan(50);
});

test("records without a sync may go, those before a later sync may not", async () => {
  await crashEverywhere(
    async (disk, acknowledged) => {
      const { journal } = await openJournal(disk, path, { chain, live: () => [] });
      for (let number = 1; number <= 6; number += 1) {
        if (number % 3 !== 0) await journal.write(record(number));
        else {
          await journal.append(record(number));
          acknowledged.push(number);
        }
      }
    },
    (found, acknowledged) => {
      const least = acknowledged.at(-1) ?? 0;
      expect(found).toEqual(Array.from({ length: found.length }, (_, i) => i + 1));
      expect(found.length).toBeGreaterThanOrEqual(least);
    },
  );
});

test("a crash while the file is replaced leaves the old one or the new one", async () => {
  await crashEverywhere(
    async (disk, acknowledged) => {
      const all: Uint8Array[] = [];
      const options = { chain, live: () => all.slice(-2), sizeBytesMax: 3_000 };
      const { journal } = await openJournal(disk, path, options);
      for (let number = 1; number <= 8; number += 1) {
        all.push(record(number));
        await journal.append(record(number));
        acknowledged.push(number);
      }
    },
    (found, acknowledged) => {
      // The last of what was acknowledged, or nothing if nothing was.
      expect(acknowledged.slice(-1).filter((number) => !found.includes(number))).toEqual([]);
    },
  );
});

test("what is appended in one turn shares one sync", async () => {
  const disk = new CrashDisk(new Map());
  const { journal } = await openJournal(disk, path, { chain, live: () => [] });
  const before = disk.operations;
  await Promise.all(Array.from({ length: 100 }, (_, i) => journal.append(record(i))));
  expect(disk.operations - before).toBe(2);
});

test("any mix of records is read back as it was written", async () => {
  const writes = fc.array(
    fc.record({ bytes: fc.uint8Array({ maxLength: 2_000 }), loose: fc.boolean() }),
  );
  await fc.assert(
    fc.asyncProperty(writes, fc.integer({ min: 600, max: 20_000 }), async (list, sizeBytesMax) => {
      const disk = new CrashDisk(new Map());
      const all: Uint8Array[] = [];
      const { journal } = await openJournal(disk, path, { chain, live: () => all, sizeBytesMax });
      for (const { bytes, loose } of list) {
        all.push(bytes);
        await (loose ? journal.write(bytes) : journal.append(bytes));
      }
      await journal.close();
      const { records } = await openJournal(disk, path, { chain, live: () => [] });
      expect(records.slice(-all.length)).toEqual(all.slice(-records.length));
    }),
    { numRuns: 50 },
  );
});

test("a flipped bit in a synced record is an error, never a shorter file", async () => {
  const disk = new CrashDisk(new Map());
  await fill(disk, 4, { isLoose: () => false });
  const file = (await disk.read(path)) ?? new Uint8Array();
  for (const at of [0, 9, 512 + 3, 512 + 20, 1_024 + 22, 1_536 + 1]) {
    const damaged = file.slice();
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    await expect(readBack(new Map([[path, damaged]]))).rejects.toThrow(/damaged/);
  }
});

test("a journal of another format or chain is refused with what to do", async () => {
  const disk = new CrashDisk(new Map());
  const { journal } = await openJournal(disk, path, { chain, live: () => [] });
  await journal.append(record(1));
  await journal.close();
  const file = (await disk.read(path)) ?? new Uint8Array();
  const hints = new Map([
    [journalVersion - 1, "settle with the version that wrote it, then move the file away"],
    [journalVersion + 1, "start a newer version of the program"],
  ]);
  for (const [version, hint] of hints) {
    const other = file.slice();
    other[7] = version;
    await expect(readBack(new Map([[path, other]]))).rejects.toMatchObject({
      code: "E_PAY_STATE_FORMAT",
      message: `journal has format ${version}; this program reads format ${journalVersion}`,
      hint,
    });
  }
  const elsewhere = bytesToDigest(new Uint8Array(32).fill(7));
  await expect(readJournal(disk, path, elsewhere)).rejects.toMatchObject({
    code: "E_PAY_STATE_CHAIN",
    message: `journal is of the chain with genesis ${chain}; the node's is ${elsewhere}`,
  });
});

test("a failed sync is final", async () => {
  const disk = new CrashDisk(new Map());
  const { journal } = await openJournal(disk, path, { chain, live: () => [] });
  disk.syncsUntilFailure = 1;
  await expect(journal.append(record(1))).rejects.toThrow(PayStateError);
  await expect(journal.append(record(2))).rejects.toThrow(PayStateError);
  await expect(journal.write(record(3))).rejects.toThrow(PayStateError);
});

test("the real disk: a second holder is refused, a dead one's lock is taken over", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ledger-journal-"));
  try {
    const file = join(folder, "payer.log");
    const first = await openJournal(nodePayDisk, file, { chain, live: () => [] });
    await first.journal.append(record(7));
    await expect(openJournal(nodePayDisk, file, { chain, live: () => [] })).rejects.toThrow(
      /in use/,
    );
    await first.journal.close();
    const { writeFileSync } = await import("node:fs");
    writeFileSync(`${file}.lock`, "999999999 1");
    const second = await openJournal(nodePayDisk, file, { chain, live: () => [] });
    expect(numbersOf(second.records)).toEqual([7]);
    await second.journal.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("whoever waits for another process has the journal when that one ends", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ledger-journal-"));
  const file = join(folder, "payer.log");
  const { journal } = await openJournal(nodePayDisk, file, { chain, live: () => [] });
  const second = openJournal(nodePayDisk, file, { chain, live: () => [], lockMsMax: 10_000 });
  await journal.append(Uint8Array.of(7));
  await journal.close();
  const opened = await second;
  expect(opened.records).toEqual([Uint8Array.of(7)]);
  await opened.journal.close();
  rmSync(folder, { recursive: true });
});

test("a killed process leaves zeros after its records, which the next one cuts off", async () => {
  const folder = mkdtempSync(join(tmpdir(), "journal-"));
  const [file, left] = [join(folder, "log"), join(folder, "left")];
  const options = { chain, live: () => [] };
  const { journal } = await openJournal(nodePayDisk, file, options);
  for (let number = 1; number <= 3; number += 1) await journal.append(record(number, 60_000));
  copyFileSync(file, left); // As a kill would leave it: nothing is closed.
  await journal.close();
  expect(statSync(left).size).toBeGreaterThan(statSync(file).size);
  expect(numbersOf(await readJournal(nodePayDisk, left, chain))).toEqual([1, 2, 3]);
  const next = await openJournal(nodePayDisk, left, options);
  expect(numbersOf(next.records)).toEqual([1, 2, 3]);
  await next.journal.append(record(4));
  await next.journal.close();
  expect(numbersOf(await readJournal(nodePayDisk, left, chain))).toEqual([1, 2, 3, 4]);
  rmSync(folder, { recursive: true });
});
