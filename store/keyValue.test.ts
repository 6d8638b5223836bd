import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { bytesToDigest, hexToBytes, textToBytes } from "../base/bytes.ts";
import { InUseError } from "./failures.ts";
import { checkFormat } from "./format.ts";
import { describeKeyValue } from "./keyValue.compliance.ts";
import { openLevel } from "./level.ts";
import { MemoryKeyValue } from "./memory.ts";

describeKeyValue("MemoryKeyValue", {
  open: () => Promise.resolve(new MemoryKeyValue()),
  remove: () => Promise.resolve(),
});

const folders: string[] = [];

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "ledger-level-"));
  folders.push(folder);
  return folder;
}

async function removeFolders(): Promise<void> {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
}

describeKeyValue("LevelKeyValue", {
  open: async () => openLevel(await makeFolder()),
  remove: removeFolders,
});

describe("data folder", () => {
  const chain = bytesToDigest(new Uint8Array(32).fill(1));
  const otherChain = bytesToDigest(new Uint8Array(32).fill(2));

  test("D8: a second opener of one folder is refused, the first keeps working", async () => {
    const folder = await makeFolder();
    const first = await openLevel(folder);
    await expect(openLevel(folder)).rejects.toThrow(InUseError);
    await first.write([{ type: "put", key: hexToBytes("01"), value: hexToBytes("02") }], {
      sync: true,
    });
    await first.close();
    const second = await openLevel(folder);
    expect(second.get(hexToBytes("01"))).toEqual(hexToBytes("02"));
    await second.close();
    await removeFolders();
  });

  test("D13: an empty store is claimed, its chain opens again, another not", async () => {
    const store = new MemoryKeyValue();
    await checkFormat(store, chain);
    await checkFormat(store, chain);
    await expect(checkFormat(store, otherChain)).rejects.toThrow(/another chain/);
  });

  test("D13: a newer, an older and a foreign format are refused and not written to", async () => {
    for (const text of ["ledger 5", "ledger 2", "elsewhere 1", ""]) {
      const store = new MemoryKeyValue();
      const key = Uint8Array.of(0, 1);
      await store.write([{ type: "put", key, value: textToBytes(text) }]);
      await expect(checkFormat(store, chain)).rejects.toThrow(/has format/);
      expect(store.get(key)).toEqual(textToBytes(text));
    }
    const foreign = new MemoryKeyValue();
    await foreign.write([{ type: "put", key: textToBytes("theta"), value: textToBytes("x") }]);
    await expect(checkFormat(foreign, chain)).rejects.toThrow(/another program/);
  });

  test("D14: a folder that cannot be made is a clear failure", async () => {
    await expect(openLevel("/dev/null/data")).rejects.toThrow(/data/);
  });
});
