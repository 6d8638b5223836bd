import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { textToBytes } from "../base/bytes.ts";
import { TransactionJournal } from "./transactionJournal.ts";

function unexpected(error: Error): never {
  throw error;
}

describe("transaction journal", () => {
  let folder = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "ledger-journal-"));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  it("gives back what was appended, in order, after it is opened again", async () => {
    const path = join(folder, "journal");
    const first = await TransactionJournal.open(path, unexpected);
    expect(first.payloads).toEqual([]);
    await Promise.all(["a", "bb", "ccc"].map((text) => first.journal.append(textToBytes(text))));
    await first.journal.close();
    const second = await TransactionJournal.open(path, unexpected);
    expect(second.payloads).toEqual(["a", "bb", "ccc"].map(textToBytes));
    await second.journal.close();
  });

  it("drops a record that a crash cut off, and appends behind the last whole one", async () => {
    const path = join(folder, "journal");
    const first = await TransactionJournal.open(path, unexpected);
    await first.journal.append(textToBytes("whole"));
    await first.journal.close();
    await appendFile(path, new Uint8Array([0, 0, 0, 9, 1, 2]));
    const second = await TransactionJournal.open(path, unexpected);
    expect(second.payloads).toEqual([textToBytes("whole")]);
    expect(second.droppedBytes).toBe(6);
    await second.journal.append(textToBytes("next"));
    await second.journal.close();
    const third = await TransactionJournal.open(path, unexpected);
    expect(third.payloads).toEqual(["whole", "next"].map(textToBytes));
    await third.journal.close();
  });

  it("keeps appends that arrive while it is compacted", async () => {
    const path = join(folder, "journal");
    const { journal } = await TransactionJournal.open(path, unexpected);
    await journal.append(textToBytes("old"));
    const compacted = journal.compact(() => [textToBytes("kept")]);
    const appended = journal.append(textToBytes("late"));
    await Promise.all([compacted, appended]);
    await journal.close();
    const again = await TransactionJournal.open(path, unexpected);
    expect(again.payloads).toEqual(["kept", "late"].map(textToBytes));
    await again.journal.close();
  });

  it("D4 takes nothing more after a write failed, for it would not be found again", async () => {
    const failures: Error[] = [];
    const path = join(folder, "journal");
    const { journal } = await TransactionJournal.open(path, (error) => failures.push(error));
    // Without its file every write fails.
    await journal.close();
    await expect(journal.append(textToBytes("a"))).rejects.toThrow("The disk operation failed");
    await expect(journal.append(textToBytes("b"))).rejects.toThrow("The disk operation failed");
    expect(failures.length).toBe(1);
  });
});
