import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Address, Digest } from "../base/brand.ts";
import { bigIntToDigest, bigIntToFixedBytes, bytesToAddress } from "../base/bytes.ts";
import type { KeyValue } from "../store/keyValue.ts";
import { openLevel } from "../store/level.ts";
import { LogIndex, logIndexWrites, logTermsOf } from "../store/logIndex.ts";

/*
 * How long a question for a rare topic takes over 1,000,000 logs, in chains of different lengths:
 * the time is to follow the answer's size, not the chain's.
 */

const logCount = 1_000_000;
const rareCount = 10;
const rounds = 50;

function topicOf(number: number): Digest {
  return bigIntToDigest(BigInt(number));
}

const token: Address = bytesToAddress(bigIntToFixedBytes(1n, 20));
const transfer = topicOf(1);
const rare = topicOf(2);

async function fill(keyValue: KeyValue, blocks: number): Promise<void> {
  const perBlock = logCount / blocks;
  const rareEvery = Math.floor(blocks / rareCount);
  for (let height = 0; height < blocks; height += 1) {
    const receipts = Array.from({ length: perBlock }, (_, i) => {
      const third = i === 0 && height % rareEvery === 0 ? rare : topicOf(1_000 + (i % 5_000));
      return [{ address: token, topics: [transfer, third] }];
    });
    await keyValue.write(logIndexWrites(height, receipts), { sync: false });
  }
}

async function measure(blocks: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "ledger-logs-"));
  const keyValue = await openLevel(folder);
  try {
    const filledMs = performance.now();
    await fill(keyValue, blocks);
    const fillMs = performance.now() - filledMs;
    const index = new LogIndex(keyValue);
    const terms = logTermsOf({ addresses: [token], topics: [[transfer], [rare]] });
    const times: number[] = [];
    let found = 0;
    for (let round = 0; round < rounds; round += 1) {
      const startedMs = performance.now();
      found = 0;
      for await (const _ of index.places(terms, { from: 0, to: blocks - 1 })) found += 1;
      times.push(performance.now() - startedMs);
    }
    const median = times.toSorted((a, b) => a - b)[rounds >> 1] ?? 0;
    const perLogUs = (fillMs * 1_000) / logCount;
    const answered = `${found} places of a rare topic in ${median.toFixed(2)} ms (median)`;
    console.log(`${blocks} blocks: ${answered}, indexed at ${perLogUs.toFixed(1)} µs a log`);
  } finally {
    await keyValue.close();
    rmSync(folder, { recursive: true });
  }
}

/** Runs it with chains of 1,000 and 10,000 blocks. */
export async function run(): Promise<void> {
  for (const blocks of [1_000, 10_000]) await measure(blocks);
}
