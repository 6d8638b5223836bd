import fc from "fast-check";
import { expect, test } from "vitest";

import type { Address, Digest } from "../base/brand.ts";
import { bigIntToFixedBytes, bytesToAddress, bytesToDigest } from "../base/bytes.ts";
import {
  LogIndex,
  logIndexWrites,
  logTermsOf,
  type IndexedLog,
  type LogPlace,
} from "./logIndex.ts";
import { MemoryKeyValue } from "./memory.ts";

function addressOf(number: number): Address {
  return bytesToAddress(bigIntToFixedBytes(BigInt(number), 20));
}

function topicOf(number: number): Digest {
  return bytesToDigest(bigIntToFixedBytes(BigInt(number), 32));
}

async function indexOf(blocks: readonly (readonly (readonly IndexedLog[])[])[]): Promise<LogIndex> {
  const keyValue = new MemoryKeyValue();
  for (const [height, receipts] of blocks.entries()) {
    await keyValue.write(logIndexWrites(height, receipts));
  }
  return new LogIndex(keyValue);
}

async function all(places: AsyncIterable<LogPlace>): Promise<LogPlace[]> {
  const found: LogPlace[] = [];
  for await (const place of places) found.push(place);
  return found;
}

const log = fc.record({
  address: fc.nat(3).map(addressOf),
  topics: fc.array(fc.nat(3).map(topicOf), { maxLength: 4 }),
});
const chain = fc.array(fc.array(fc.array(log, { maxLength: 3 }), { maxLength: 4 }), {
  maxLength: 12,
});
const filter = fc.record({
  addresses: fc.uniqueArray(fc.nat(4).map(addressOf), { maxLength: 2 }),
  topics: fc.array(fc.uniqueArray(fc.nat(4).map(topicOf), { maxLength: 2 }), { maxLength: 4 }),
});

test("the index finds every log that a scan finds, in order, each receipt once", async () => {
  await fc.assert(
    fc.asyncProperty(chain, filter, fc.nat(12), fc.nat(12), async (blocks, wanted, a, b) => {
      const index = await indexOf(blocks);
      const span = { from: Math.min(a, b), to: Math.max(a, b) };
      const fits = ({ address, topics }: IndexedLog): boolean =>
        (wanted.addresses.length === 0 || wanted.addresses.includes(address)) &&
        wanted.topics.every((accepted, i) => {
          const topic = topics[i];
          return accepted.length === 0 || (topic !== undefined && accepted.includes(topic));
        });
      const found = await all(index.places(logTermsOf(wanted), span));
      const scanned = blocks.flatMap((receipts, height) => {
        let logFirst = 0;
        return receipts.flatMap((logs, receipt) => {
          const place = { height, receipt, logFirst };
          logFirst += logs.length;
          return logs.some(fits) && height >= span.from && height <= span.to ? [place] : [];
        });
      });
      const keys = found.map(({ height, receipt }) => height * 100 + receipt);
      expect(keys).toEqual([...new Set(keys)].toSorted((x, y) => x - y));
      for (const place of scanned) expect(found).toContainEqual(place);
    }),
    { numRuns: 300 },
  );
});

test("a rare term is followed, whatever common ones stand beside it", async () => {
  const common = addressOf(1);
  const rare = topicOf(7);
  const blocks = Array.from({ length: 2_000 }, (_, height) => [
    [{ address: common, topics: [topicOf(1), ...(height === 1_500 ? [rare] : [])] }],
  ]);
  const index = await indexOf(blocks);
  const wanted = logTermsOf({ addresses: [common], topics: [[topicOf(1)], [rare]] });
  const found = await all(index.places(wanted, { from: 0, to: 1_999 }));
  expect(found).toEqual([{ height: 1_500, receipt: 0, logFirst: 0 }]);
  const many = await all(
    index.places(logTermsOf({ addresses: [common], topics: [] }), { from: 3, to: 1_902 }),
  );
  expect(many).toHaveLength(1_900);
});

test("a recount tells of entries that are missing or wrong", async () => {
  const receipts = [[{ address: addressOf(1), topics: [topicOf(1)] }]];
  const index = await indexOf([receipts]);
  expect(index.faults(0, receipts)).toEqual({ entries: 3, wrong: 0 });
  expect(await index.count()).toBe(3);
  expect(index.faults(0, [[{ address: addressOf(2), topics: [topicOf(1)] }]]).wrong).toBe(1);
  expect(index.faults(1, receipts).wrong).toBe(3);
});
