import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { assert } from "../base/assert.ts";
import type { Digest } from "../base/brand.ts";
import { bytesToBigInt, hexToBytes, zeroAddress, zeroDigest } from "../base/bytes.ts";
import { keccakDigest } from "../crypto/keccak.ts";
import { emptyAccount } from "../ledger/accounts.ts";
import type { SimulationRequest } from "../ledger/simulate.ts";
import type { StateChanges } from "../ledger/state.ts";
import { addressOf } from "../test/fakes/ledgerNetwork.ts";
import { messageOf } from "../test/fakes/simulation.ts";
import { emptyRoot } from "../store/account.ts";
import type { KeyValue } from "../store/keyValue.ts";
import { openLevel } from "../store/level.ts";
import { openStateTree } from "../store/stateTree.ts";
import { StateThreads, type StateJob, type StateThreadsOptions } from "./stateThreads.ts";

const folder = mkdtempSync(join(tmpdir(), "state-threads-"));
let keyValue: KeyValue;
let root: Digest;
const threads: StateThreads[] = [];

const contracts = {
  answer: "602a60005260206000f3", // Returns 42.
  loop: "5b600056",
} as const;

beforeAll(async () => {
  keyValue = await openLevel(folder, { shared: "first" });
  const tree = await openStateTree(keyValue, { retention: { type: "archive" } });
  const codes = Object.entries(contracts).map(([name, text]) => [name, hexToBytes(text)] as const);
  const changes: StateChanges = {
    accounts: new Map(
      codes.map(([name, code]) => [
        addressOf(name),
        { ...emptyAccount, nonce: 1n, codeHash: keccakDigest(code) },
      ]),
    ),
    storage: new Map(),
    storageCleared: new Set(),
    code: new Map(codes.map(([, code]) => [keccakDigest(code), code])),
    modules: new Map(),
  };
  root = tree.apply(emptyRoot, changes);
  await keyValue.write(tree.commitWrites(0, root), { sync: true });
  tree.committed();
});

afterAll(async () => {
  await Promise.all(threads.map((pool) => pool.stop()));
  await keyValue.close();
  rmSync(folder, { recursive: true });
});

function start(options: Partial<StateThreadsOptions> = {}): StateThreads {
  const pool = new StateThreads({ folder, ...options });
  threads.push(pool);
  return pool;
}

function jobOf(name: keyof typeof contracts, gasMax = 1_000_000n): StateJob<"simulate"> {
  const request: SimulationRequest = {
    message: messageOf({ caller: zeroAddress, to: addressOf(name) }),
    state: new Map(),
    block: {},
    gasMax,
  };
  const block = {
    height: 1,
    epoch: 0,
    view: 1,
    timestampMs: 1_000,
    parentHash: zeroDigest,
    proposer: zeroAddress,
    gasLimit: 30_000_000n,
    baseFee: 1n,
    randomness: zeroDigest,
  };
  const chain = { name: "testledger", id: 7_660_001, genesisHash: zeroDigest };
  return { name: "simulate", request, root, chain, block };
}

async function answerOf(pool: StateThreads): Promise<bigint> {
  const outcome = await pool.run(jobOf("answer"));
  assert(outcome.ok && outcome.value.ok, "it ran");
  return bytesToBigInt(outcome.value.value.returnData);
}

test("A2: a call that loops is ended by the clock, and others are answered meanwhile", async () => {
  const pool = start({ jobMsMax: 4_000 });
  const bomb = pool.run(jobOf("loop", 10n ** 15n));
  expect(await answerOf(pool)).toBe(42n);
  expect(await bomb).toMatchObject({ refusal: { code: "tooLong" } });
  expect(await Promise.all([answerOf(pool), answerOf(pool), answerOf(pool)])).toEqual([
    42n,
    42n,
    42n,
  ]);
});

test("A2: more calls than may wait are refused with the limit's name", async () => {
  const pool = start({ queuedMax: 2 });
  const outcomes = await Promise.all(Array.from({ length: 4 }, () => pool.run(jobOf("answer"))));
  const refused = outcomes.filter(({ ok }) => !ok);
  expect(refused).toHaveLength(2);
  expect(refused[0]).toMatchObject({
    refusal: { code: "busy", detail: "limit stateJobsQueuedMax is 2" },
  });
});

test("A2: calls that wait are dropped when their clients go away", async () => {
  const pool = start({ threadsMax: 1 });
  const first = pool.run(jobOf("answer"));
  const client = new AbortController();
  const waiting = [1, 2, 3].map(() => pool.run(jobOf("answer"), client.signal));
  const last = pool.run(jobOf("answer"), new AbortController().signal);
  client.abort();
  expect(pool.count).toBe(2);
  for (const dropped of [...waiting, pool.run(jobOf("answer"), client.signal)]) {
    expect(await dropped).toEqual({
      ok: false,
      refusal: { code: "busy", detail: "the client went away" },
    });
  }
  expect(await Promise.all([first, last])).toMatchObject([{ ok: true }, { ok: true }]);
});

test("a state that is not there is told as pruned, and a stopped pool refuses", async () => {
  const pool = start();
  const job = { ...jobOf("answer"), root: keccakDigest(Uint8Array.of(1)) };
  expect(await pool.run(job)).toEqual({ ok: false, refusal: { code: "pruned" } });
  await pool.stop();
  expect(await pool.run(jobOf("answer"))).toMatchObject({ refusal: { code: "busy" } });
});
