import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { textToBytes } from "../base/bytes.ts";
import { CorruptionError, InUseError } from "./failures.ts";
import { nodeFileSystem } from "./fileSystem.ts";
import { createSafetyFile, openSafetyFile, type SafetyFile } from "./safetyFile.ts";

const first = textToBytes("first");

describe("SafetyFile on a real disk", () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "ledger-safety-"));
    path = join(folder, "safety");
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  async function open(sizeBytesMax?: number): Promise<SafetyFile> {
    const options = sizeBytesMax === undefined ? {} : { sizeBytesMax };
    const file = await openSafetyFile(nodeFileSystem, path, options);
    if (file === null) throw new Error("no safety file");
    return file;
  }

  test("a missing file is null, and is not made by opening", async () => {
    expect(await openSafetyFile(nodeFileSystem, path)).toBeNull();
    expect(await openSafetyFile(nodeFileSystem, path)).toBeNull();
  });

  test("the newest record is there after a restart", async () => {
    await createSafetyFile(nodeFileSystem, path, first);
    const file = await open();
    expect(file.newest).toEqual(first);
    await file.append(textToBytes("second"));
    await file.append(new Uint8Array(3_000).fill(7));
    await file.close();
    const again = await open();
    expect(again.newest).toEqual(new Uint8Array(3_000).fill(7));
    await again.close();
    await expect(createSafetyFile(nodeFileSystem, path, first)).rejects.toThrow(/there already/);
  });

  test("D8: a second holder is refused, and gets the file when the first is done", async () => {
    await createSafetyFile(nodeFileSystem, path, first);
    const file = await open();
    await expect(open()).rejects.toThrow(InUseError);
    await file.append(textToBytes("second"));
    await file.close();
    const again = await open();
    expect(again.newest).toEqual(textToBytes("second"));
    await again.close();
  });

  test("a long file is replaced by a short one", async () => {
    await createSafetyFile(nodeFileSystem, path, first);
    const file = await open(4_096);
    for (let n = 0; n < 100; n += 1) {
      await file.append(textToBytes(`record ${n}`));
      expect((await readFile(path)).length).toBeLessThanOrEqual(4_096);
    }
    await file.close();
    const again = await open();
    expect(again.newest).toEqual(textToBytes("record 99"));
    await again.close();
  });

  test("D5: a flipped bit in a synced record is an error, never an older record", async () => {
    await createSafetyFile(nodeFileSystem, path, first);
    const file = await open();
    for (const word of ["second", "third"]) await file.append(textToBytes(word));
    await file.close();
    const whole = new Uint8Array(await readFile(path));
    const records = [512, 1_024, 1_536];
    const offsets = records.flatMap((at) => Array.from({ length: 20 }, (_, i) => at + i));
    for (const at of [0, 7, ...offsets]) {
      await writeFile(path, whole.with(at, (whole[at] ?? 0) ^ 16));
      await expect(open(), `at ${at}`).rejects.toThrow(CorruptionError);
    }
    for (const at of [512, 1_024]) {
      await writeFile(path, whole.slice().fill(0, at, at + 512));
      await expect(open(), `sector at ${at}`).rejects.toThrow(CorruptionError);
    }
  });

  test("D14: a folder that may not be written is one clear sentence", async () => {
    const absent = "/dev/null/safety";
    await expect(createSafetyFile(nodeFileSystem, absent, first)).rejects.toThrow(/safety/);
  });
});
