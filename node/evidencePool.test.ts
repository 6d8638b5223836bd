import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import type { Address } from "../base/brand.ts";
import { bytesToAddress, zeroAddress } from "../base/bytes.ts";
import { accept, refuse } from "../base/outcome.ts";
import { evidenceSlot } from "../consensus/evidence.ts";
import type { Evidence } from "../consensus/types.ts";
import { blockEvidenceMax } from "../ledger/block.ts";
import { encodeReport, evidenceHash } from "../ledger/blockEvidence.ts";
import { createFakeCommittee } from "../test/fakes/committee.ts";
import { Crash, CrashDisk } from "../test/fakes/crashDisk.ts";
import { stubDigest } from "../test/sim/stubs.ts";
import { EvidenceFile, evidenceFileName } from "./evidenceFile.ts";
import { EvidencePool, evidencePoolMax, type EvidenceRecords, type Judge } from "./evidencePool.ts";

const committee = createFakeCommittee([1n, 1n]);

function doubleVote(signer: number, epoch: number, view = 2): Evidence {
  const [first, second] = ["one", "two"].map((name) =>
    committee.vote(signer, { epoch, view, block: stubDigest(name), parentView: 1 }),
  );
  if (first === undefined || second === undefined) throw new Error("two votes");
  return { type: "doubleVote", first, second };
}

function holder(signer: number): Address {
  return bytesToAddress(new Uint8Array(20).fill(signer + 1));
}

const noRecords: EvidenceRecords = { read: () => [], write: () => {} };
const logged: string[] = [];
const note = (message: string): void => void logged.push(message);
const log = { warn: note, info: note };

/** Believes everything, but of epochs that are settled. */
function createPool(
  records = noRecords,
  settled = new Set<number>(),
): {
  readonly pool: EvidencePool;
  readonly settled: Set<number>;
  readonly added: Uint8Array[];
} {
  const added: Uint8Array[] = [];
  const judge: Judge = ({ evidence, reporter }) => {
    const { epoch, view } = evidenceSlot(evidence);
    if (settled.has(epoch)) {
      return refuse({ code: "evidenceKnown", got: `epoch ${epoch}`, expected: "a new offence" });
    }
    const signer = evidence.type === "doubleVote" ? evidence.first.signer : 0;
    const hash = evidenceHash(evidence);
    return accept([{ offender: holder(signer), epoch, view, reporter, evidence: hash }]);
  };
  const pool = EvidencePool.open(judge, records, log);
  pool.watch((encoded) => added.push(encoded));
  return { pool, settled, added };
}

test("one piece of an offender in an epoch waits, and is told to peers once", () => {
  const { pool, added } = createPool();
  const first = pool.add(doubleVote(0, 1), holder(5));
  expect(pool.add(doubleVote(0, 1), zeroAddress)).toEqual(first);
  const again = pool.add(doubleVote(0, 1, 3), zeroAddress);
  expect(again.ok ? null : again.refusal.code).toBe("evidenceKnown");
  expect(pool.add(doubleVote(1, 1), zeroAddress).ok).toBe(true);
  expect(pool.add(doubleVote(0, 2), zeroAddress).ok).toBe(true);
  expect(pool.pending().map(({ epoch, accused }) => [epoch, ...accused])).toEqual([
    [1, holder(0)],
    [1, holder(1)],
    [2, holder(0)],
  ]);
  expect(pool.forBlock()).toEqual(added);
});

test("what peers send is read strictly", () => {
  const { pool, added } = createPool();
  const report = { evidence: doubleVote(0, 1), reporter: holder(5) };
  const hash = evidenceHash(report.evidence);
  const encoded = encodeReport(report);
  expect(pool.addEncoded(encoded)).toEqual(accept({ hash, isNew: true }));
  expect(pool.addEncoded(encoded)).toEqual(accept({ hash, isNew: false }));
  expect(added).toEqual([]); // Who sent it has told the others.
  const wrong = pool.addEncoded(encodeReport(report).subarray(1));
  expect(wrong.ok ? null : wrong.refusal.code).toBe("evidenceMalformed");
});

test("a block that holds evidence, or a new epoch, drops what is settled", () => {
  const { pool, settled } = createPool();
  pool.add(doubleVote(0, 1), zeroAddress);
  pool.add(doubleVote(0, 2), zeroAddress);
  settled.add(1);
  pool.onCommitted({ epoch: 0, holdsEvidence: false });
  expect(pool.size).toBe(2);
  pool.onCommitted({ epoch: 0, holdsEvidence: true });
  expect(pool.size).toBe(1);
  settled.add(2);
  pool.onCommitted({ epoch: 3, holdsEvidence: false });
  expect(pool.size).toBe(0);
});

test("the pool is bounded, and so is what goes into a block", () => {
  const { pool } = createPool();
  for (let epoch = 1; epoch <= evidencePoolMax; epoch += 1) {
    expect(pool.add(doubleVote(0, epoch), zeroAddress).ok).toBe(true);
  }
  const more = pool.add(doubleVote(0, evidencePoolMax + 1), zeroAddress);
  expect(more.ok ? null : more.refusal.code).toBe("evidenceFull");
  expect(pool.forBlock().length).toBe(blockEvidenceMax);
});

describe("over restarts", () => {
  const base = mkdtempSync(join(tmpdir(), "ledger-evidence-"));
  let folder = "";
  const file = (): EvidenceFile => new EvidenceFile(folder, log);

  beforeEach(() => {
    folder = mkdtempSync(join(base, "data-"));
    logged.length = 0;
  });
  afterAll(() => {
    rmSync(base, { recursive: true });
  });

  test("K2: what waits is there after a kill at any moment, until a block has settled it", () => {
    const first = createPool(file());
    first.pool.add(doubleVote(0, 1), holder(5));
    first.pool.addEncoded(encodeReport({ evidence: doubleVote(1, 2), reporter: holder(6) }));
    // Nothing is closed: the process is gone.
    const second = createPool(file());
    expect(second.pool.pending()).toEqual(first.pool.pending());
    expect(logged).toEqual(["pending evidence restored"]);
    second.settled.add(1);
    second.pool.onCommitted({ epoch: 0, holdsEvidence: true });
    const third = createPool(file());
    expect(third.pool.pending().map(({ epoch }) => epoch)).toEqual([2]);
  });

  test("D1: a stop at any step of the disk loses no evidence that was taken", () => {
    const path = join(folder, evidenceFileName);
    /** Takes three pieces; gives how many were taken before the machine stopped. */
    const take = (disk: CrashDisk): number => {
      const { pool } = createPool(new EvidenceFile(folder, log, disk.blocking));
      let taken = 0;
      try {
        for (; taken < 3; taken += 1) pool.add(doubleVote(0, taken + 1), holder(5));
      } catch (error) {
        if (!(error instanceof Error && error.cause instanceof Crash)) throw error;
      }
      return taken;
    };
    const whole = new CrashDisk(new Map());
    expect(take(whole)).toBe(3);
    for (let fuse = 0; fuse <= whole.operations; fuse += 1) {
      rmSync(path, { force: true });
      const disk = new CrashDisk(new Map(), fuse);
      const taken = take(disk);
      for (const files of disk.survivors()) {
        const bytes = files.get(path);
        if (bytes === undefined) rmSync(path, { force: true });
        else writeFileSync(path, bytes);
        const found = file().read().length;
        expect(found, `stop at ${fuse}`).toBeGreaterThanOrEqual(taken);
        expect(found).toBeLessThanOrEqual(taken + 1);
      }
    }
    expect(logged).not.toContainEqual(expect.stringContaining("damaged"));
  });

  test("what was settled while the node was away is not taken up", () => {
    createPool(file()).pool.add(doubleVote(0, 1), holder(5));
    expect(createPool(file(), new Set([1])).pool.size).toBe(0);
  });

  test("what waits longer than its epoch is told again, once in each", () => {
    createPool(file()).pool.add(doubleVote(0, 1), holder(5));
    const { pool, added } = createPool(file());
    expect(added).toEqual([]); // Nobody is connected yet.
    for (const epoch of [1, 1, 2]) pool.onCommitted({ epoch, holdsEvidence: false });
    expect(added).toEqual([...pool.forBlock(), ...pool.forBlock()]);
  });

  test.each([
    ["cut short", (bytes: Uint8Array) => bytes.subarray(0, -1)],
    ["with a flipped bit", (bytes: Uint8Array) => bytes.map((byte, i) => (i === 40 ? 0 : byte))],
    ["empty", () => new Uint8Array(0)],
  ])("D5: a file that is %s is dropped, and a new one is written", (_, damage) => {
    createPool(file()).pool.add(doubleVote(0, 1), holder(5));
    const path = join(folder, evidenceFileName);
    writeFileSync(path, damage(new Uint8Array(readFileSync(path))));
    const { pool } = createPool(file());
    expect(pool.size).toBe(0);
    expect(logged).toEqual([expect.stringContaining("damaged")]);
    expect(pool.add(doubleVote(0, 3), holder(5)).ok).toBe(true);
    expect(file().read()).toHaveLength(1);
  });
});
