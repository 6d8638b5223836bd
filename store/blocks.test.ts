import { describe, expect, test } from "vitest";
import type { Address } from "../base/brand.ts";
import { bytesToAddress, bytesToHexDigits, textToBytes } from "../base/bytes.ts";
import { keccakDigest } from "../crypto/keccak.ts";
import {
  blockWrites,
  BlockStore,
  commitBlockWrites,
  forgetBlockWrites,
  recordWrite,
  type CommittedBlock,
  type HistoryLine,
} from "./blocks.ts";
import { CorruptionError } from "./failures.ts";
import { MemoryKeyValue } from "./memory.ts";

const alice = bytesToAddress(new Uint8Array(20).fill(0xff));
const bob = bytesToAddress(new Uint8Array(20).fill(0xfe));

function digestOf(text: string): ReturnType<typeof keccakDigest> {
  return keccakDigest(textToBytes(text));
}

function stored(text: string): { header: Uint8Array; body: Uint8Array } {
  return { header: textToBytes(`header ${text}`), body: textToBytes(`body ${text}`) };
}

function committed(height: number, transactions: number): CommittedBlock {
  return {
    height,
    hash: digestOf(`block ${height}`),
    receipts: textToBytes(`receipts ${height}`),
    transactions: Array.from({ length: transactions }, (_, i) => digestOf(`${height}/${i}`)),
    proof: textToBytes(`proof ${height}`),
    history: new Map<Address, number[]>([
      [alice, Array.from({ length: transactions }, (_, i) => i)],
      [bob, transactions > 0 ? [0] : []],
    ]),
  };
}

async function makeChain(): Promise<{ store: MemoryKeyValue; blocks: BlockStore }> {
  const store = new MemoryKeyValue();
  for (let height = 0; height < 4; height += 1) {
    const block = committed(height, height);
    await store.write([
      ...blockWrites({ height, hash: block.hash }, stored(`${height}`)),
      ...blockWrites({ height, hash: digestOf(`fork ${height}`) }, stored(`fork ${height}`)),
    ]);
    await store.write(commitBlockWrites(block));
  }
  return { store, blocks: new BlockStore(store) };
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

describe("BlockStore", () => {
  test("blocks, receipts, proofs and transactions are found by hash and height", async () => {
    const { blocks } = await makeChain();
    const hash = digestOf("block 3");
    expect(blocks.newest()).toEqual({ height: 3, hash, proof: textToBytes("proof 3") });
    expect(blocks.hashAt(3)).toBe(hash);
    expect(blocks.hashAt(4)).toBeNull();
    expect(blocks.block(hash)).toEqual(stored("3"));
    expect(blocks.header(digestOf("nothing"))).toBeNull();
    expect(blocks.receipts(hash)).toEqual(textToBytes("receipts 3"));
    expect(blocks.transaction(digestOf("3/2"))).toEqual({ height: 3, index: 2 });
    expect(blocks.transaction(digestOf("3/3"))).toBeNull();
    const heights = await collect(blocks.heights(1, 3));
    expect(heights.map(({ height }) => height)).toEqual([1, 2]);
    expect(new BlockStore(new MemoryKeyValue()).newest()).toBeNull();
  });

  test("an account's history is newest first, and goes on where it stopped", async () => {
    const { blocks } = await makeChain();
    const place = ({ height, index }: HistoryLine): string => `${height}/${index}`;
    const page = await collect(blocks.history(alice, { limit: 4 }));
    expect(page.map(place)).toEqual(["3/2", "3/1", "3/0", "2/1"]);
    expect(page[0]?.transaction).toBe(digestOf("3/2"));
    const rest = await collect(
      blocks.history(alice, { limit: 9, before: { height: 2, index: 1 } }),
    );
    expect(rest.map(place)).toEqual(["2/0", "1/0"]);
    expect((await collect(blocks.history(bob, { limit: 9 }))).map(place)).toEqual([
      "3/0",
      "2/0",
      "1/0",
    ]);
  });

  test("losers of committed heights are cleaned up, later blocks stay", async () => {
    const { store, blocks } = await makeChain();
    const late = digestOf("late");
    await store.write(blockWrites({ height: 4, hash: late }, stored("late")));
    await store.write(blockWrites({ height: 2, hash: digestOf("block 2") }, stored("2")));
    expect(await collect(blocks.uncommitted())).toHaveLength(6);
    await store.write(await blocks.orphanWrites(3));
    await store.write(await blocks.orphanWrites(10));
    expect(await collect(blocks.uncommitted())).toEqual([{ height: 4, hash: late }]);
    expect(blocks.block(digestOf("fork 2"))).toBeNull();
    expect(blocks.block(digestOf("block 2"))).toEqual(stored("2"));
    await store.write(forgetBlockWrites(4, late));
    expect(blocks.block(late)).toBeNull();
  });

  test("records are kept by name", async () => {
    const { store, blocks } = await makeChain();
    await store.write([recordWrite("epoch 1", textToBytes("one"))]);
    expect(blocks.record("epoch 1")).toEqual(textToBytes("one"));
    expect(blocks.record("epoch")).toBeNull();
  });

  test("D5: a flipped, zeroed or misdirected value is detected, its key named", async () => {
    const { store } = await makeChain();
    const range = { from: Uint8Array.of(0x40), to: Uint8Array.of(0x50) };
    const pairs = await collect(store.range(range));
    expect(pairs.length).toBeGreaterThan(20);
    const reading = async (): Promise<void> => {
      const blocks = new BlockStore(store);
      blocks.newest();
      for await (const { hash } of blocks.heights(0, 9)) blocks.receipts(hash);
      for (let height = 0; height < 4; height += 1) {
        blocks.block(digestOf(`block ${height}`));
        blocks.block(digestOf(`fork ${height}`));
        for (let i = 0; i < height; i += 1) blocks.transaction(digestOf(`${height}/${i}`));
      }
      await collect(blocks.history(alice, { limit: 99 }));
      await collect(blocks.history(bob, { limit: 99 }));
      await collect(blocks.uncommitted());
    };
    await reading();
    for (const [index, [key, value]] of pairs.entries()) {
      const other = pairs[(index + 1) % pairs.length]?.[1] ?? value;
      const flipped = value.with(value.length - 1, (value.at(-1) ?? 0) ^ 1);
      for (const damaged of [flipped, new Uint8Array(value.length), other, value.slice(0, 3)]) {
        await store.write([{ type: "put", key, value: damaged }]);
        await expect(reading()).rejects.toThrow(CorruptionError);
        await expect(reading()).rejects.toThrow(bytesToHexDigits(key));
      }
      await store.write([{ type: "put", key, value }]);
    }
  });
});
