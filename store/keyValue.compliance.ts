import { afterEach, beforeEach, describe, expect, test } from "vitest";
import fc from "fast-check";
import { bytesToHexDigits, compareBytes, equalBytes, hexToBytes } from "../base/bytes.ts";
import type { KeyRange, KeyValue, KeyValueReader, KeyValueWrite } from "./keyValue.ts";

/** How a suite gets fresh stores of one implementation. */
export type KeyValueMaker = {
  readonly open: () => Promise<KeyValue>;
  /** Called after each test, when the store is closed. */
  readonly remove: () => Promise<void>;
};

const everything: KeyRange = { from: new Uint8Array(0), to: new Uint8Array(40).fill(0xff) };

function put(key: string, value: string): KeyValueWrite {
  return { type: "put", key: hexToBytes(key), value: hexToBytes(value) };
}

function remove(key: string): KeyValueWrite {
  return { type: "delete", key: hexToBytes(key) };
}

async function list(reader: KeyValueReader, range: KeyRange = everything): Promise<string[]> {
  const found: string[] = [];
  for await (const [key, value] of reader.range(range)) {
    found.push(`${bytesToHexDigits(key)}=${bytesToHexDigits(value)}`);
  }
  return found;
}

/** What every `KeyValue` must do; run on the fake and on the real ones alike. */
export function describeKeyValue(name: string, maker: KeyValueMaker): void {
  describe(name, () => {
    let store: KeyValue;
    beforeEach(async () => {
      store = await maker.open();
    });
    afterEach(async () => {
      await store.close();
      await maker.remove();
    });
    describeReading(() => store);
    describeSnapshots(() => store);
    test("agrees with a sorted list under random batches", async () => {
      await checkModel(store);
    });
  });
}

function describeReading(store: () => KeyValue): void {
  test("an absent key is null, an empty value is not", async () => {
    await store().write([put("01", "")], { sync: false });
    expect(store().get(hexToBytes("01"))).toEqual(new Uint8Array(0));
    expect(store().get(hexToBytes("02"))).toBeNull();
    expect(store().get(hexToBytes("0100"))).toBeNull();
  });

  test("a batch is written in order: the last write of a key wins", async () => {
    await store().write([put("01", "aa"), put("01", "bb")], { sync: false });
    await store().write([put("02", "aa"), remove("02"), remove("03")], { sync: true });
    expect(await list(store())).toEqual(["01=bb"]);
  });

  test("keys and values are copied", async () => {
    const key = hexToBytes("01");
    const value = hexToBytes("aa");
    const written = store().write([{ type: "put", key, value }], { sync: false });
    key.fill(0xff);
    value.fill(0xff);
    await written;
    const read = store().get(hexToBytes("01"));
    expect(read).toEqual(hexToBytes("aa"));
    read?.fill(0);
    expect(store().get(hexToBytes("01"))).toEqual(hexToBytes("aa"));
  });

  test("a range is half open, in byte order, reversible and limited", async () => {
    const keys = ["00", "01", "0100", "01ff", "02", "7f", "80", "ff"];
    await store().write(
      keys.map((key) => put(key, key)),
      { sync: false },
    );
    const range = { from: hexToBytes("01"), to: hexToBytes("80") };
    expect(await list(store(), range)).toEqual(
      ["01", "0100", "01ff", "02", "7f"].map((key) => `${key}=${key}`),
    );
    expect(await list(store(), { ...range, limit: 2 })).toEqual(["01=01", "0100=0100"]);
    expect(await list(store(), { ...range, reverse: true, limit: 2 })).toEqual(["7f=7f", "02=02"]);
    expect(await list(store(), { from: range.from, to: range.from })).toEqual([]);
    expect(await list(store(), { ...range, limit: 0 })).toEqual([]);
  });

  test("a large value and a long range come back whole", async () => {
    const large = new Uint8Array(3 * 1024 * 1024).map((_, i) => i % 251);
    const many = Array.from({ length: 2_500 }, (_, i) => i.toString(16).padStart(6, "0"));
    await store().write(
      [{ type: "put", key: hexToBytes("ff"), value: large }, ...many.map((key) => put(key, key))],
      { sync: true },
    );
    const read = store().get(hexToBytes("ff"));
    expect(read !== null && equalBytes(read, large)).toBe(true);
    const range = { from: hexToBytes("00"), to: hexToBytes("ff") };
    expect(await list(store(), range)).toEqual(many.map((key) => `${key}=${key}`));
  });
}

function describeSnapshots(store: () => KeyValue): void {
  test("a snapshot does not see later writes", async () => {
    await store().write([put("01", "aa"), put("02", "bb")], { sync: false });
    const snapshot = store().snapshot();
    await store().write([put("01", "cc"), remove("02"), put("03", "dd")], { sync: false });
    expect(snapshot.get(hexToBytes("01"))).toEqual(hexToBytes("aa"));
    expect(await list(snapshot)).toEqual(["01=aa", "02=bb"]);
    expect(await list(store())).toEqual(["01=cc", "03=dd"]);
    await snapshot.close();
  });

  test("a range that has begun does not see later writes", async () => {
    await store().write([put("01", "aa"), put("02", "bb")], { sync: false });
    const seen: string[] = [];
    for await (const [key] of store().range(everything)) {
      seen.push(bytesToHexDigits(key));
      await store().write([remove("02"), put("03", "cc")], { sync: false });
    }
    expect(seen).toEqual(["01", "02"]);
  });
}

async function checkModel(store: KeyValue): Promise<void> {
  const key = fc.uint8Array({ minLength: 1, maxLength: 3 });
  const write = fc.record({ key, value: fc.option(fc.uint8Array({ maxLength: 5 })) });
  const model = new Map<string, Uint8Array>();
  await fc.assert(
    fc.asyncProperty(fc.array(write, { maxLength: 20 }), async (writes) => {
      for (const { key: bytes, value } of writes) {
        if (value === null) model.delete(bytesToHexDigits(bytes));
        else model.set(bytesToHexDigits(bytes), value);
      }
      await store.write(
        writes.map(({ key: bytes, value }) =>
          value === null ? { type: "delete", key: bytes } : { type: "put", key: bytes, value },
        ),
        { sync: false },
      );
      const sorted = [...model]
        .map(([digits, value]) => [hexToBytes(digits), value] as const)
        .sort(([a], [b]) => compareBytes(a, b))
        .map(([bytes, value]) => `${bytesToHexDigits(bytes)}=${bytesToHexDigits(value)}`);
      expect(await list(store)).toEqual(sorted);
    }),
    { numRuns: 60 },
  );
}
