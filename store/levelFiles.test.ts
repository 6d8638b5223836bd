import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { textToBytes } from "../base/bytes.ts";
import { crc32c, maskedCrc32c } from "./crc32c.ts";
import { CorruptionError } from "./failures.ts";
import { openLevel } from "./level.ts";
import { logDamage, tableDamage, tableProblems } from "./levelFiles.ts";

test("crc32c has its published value", () => {
  expect(crc32c(textToBytes("123456789"))).toBe(0xe3069283);
  expect(crc32c(textToBytes("6789"), crc32c(textToBytes("12345")))).toBe(0xe3069283);
  expect(maskedCrc32c(0)).toBe(0xa282ead8);
});

const batches = 12;

describe("files of a store", () => {
  let folder = "";
  /** Bytes of the log where each synced batch ended. */
  let ends: number[] = [];
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "ledger-level-"));
    ends = [];
    const store = await openLevel(folder);
    for (let n = 0; n < batches; n += 1) {
      const value = new Uint8Array(n * 500).fill(n + 1);
      const writes = [0, 1].map((i) => ({ type: "put", key: key(n, i), value }) as const);
      await store.write(writes, { sync: true });
      ends.push(read(".log").length);
    }
    await store.close();
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  function pathOf(ending: string): string {
    const names = readdirSync(folder).filter((name) => name.endsWith(ending));
    expect(names.length).toBe(1);
    return join(folder, names[0] ?? "");
  }

  function read(ending: string): Uint8Array<ArrayBuffer> {
    return new Uint8Array(readFileSync(pathOf(ending)));
  }

  /** Opens the store and closes it, which turns its log into a table. */
  async function reopen(): Promise<void> {
    const store = await openLevel(folder);
    expect(store.get(key(batches - 1, 1))?.length).toBe((batches - 1) * 500);
    await store.close();
  }

  test("D5: any flipped bit of the log but in its last length is damage", () => {
    const file = read(".log");
    expect(logDamage(file)).toBeNull();
    const last = ends.at(-2) ?? 0;
    const missed: number[] = [];
    for (let at = 0; at < file.length; at += 41) {
      const damaged = file.slice();
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      const isLastHead = at >= last && at < last + 7;
      // What fills up a block's end means nothing.
      const isFilling = 32_768 - (at % 32_768) < 7;
      if (!isLastHead && !isFilling && logDamage(damaged) === null) missed.push(at);
    }
    expect(missed).toEqual([]);
  });

  test("D2: a log that ends anywhere, or in lost sectors, is none", () => {
    const file = read(".log");
    const last = ends.at(-2) ?? 0;
    for (let end = 0; end <= file.length; end += 97) {
      expect(logDamage(file.subarray(0, end)), `cut at ${end}`).toBeNull();
    }
    for (let at = Math.ceil(last / 512) * 512; at + 512 < file.length; at += 512) {
      const torn = file.slice();
      torn.fill(0, at, at + 512);
      expect(logDamage(torn), `lost ${at}`).toBeNull();
    }
  });

  test("D5: a zeroed sector before the last write is damage", () => {
    const file = read(".log");
    const last = ends.at(-2) ?? 0;
    for (let at = 0; at + 512 < last; at += 512) {
      const damaged = file.slice();
      damaged.fill(0, at, at + 512);
      expect(logDamage(damaged), `zeroed ${at}`).not.toBeNull();
    }
  });

  test("D5: a store with a damaged log is not opened, and not changed", async () => {
    const file = read(".log");
    const damaged = file.slice();
    damaged[1_000] = (damaged[1_000] ?? 0) ^ 1;
    writeFileSync(pathOf(".log"), damaged);
    await expect(openLevel(folder)).rejects.toThrow(CorruptionError);
    expect(read(".log")).toEqual(damaged);
    writeFileSync(pathOf(".log"), file);
    await reopen();
  });

  test("D5: any flipped bit of a table is damage", async () => {
    await reopen();
    const file = read(".ldb");
    expect(tableDamage(file)).toBeNull();
    expect(tableProblems(folder)).toEqual([]);
    const missed: number[] = [];
    for (let at = 0; at < file.length; at += 37) {
      const damaged = file.slice();
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      const isPadding = at >= file.length - 48 && at < file.length - 8;
      if (tableDamage(damaged) === null && !isPadding) missed.push(at);
    }
    expect(missed).toEqual([]);
    for (let end = 0; end < file.length; end += 1_001) {
      expect(tableDamage(file.subarray(0, end)), `cut at ${end}`).not.toBeNull();
    }
  });
});

function key(n: number, i: number): Uint8Array {
  return Uint8Array.of(1, n, i);
}
