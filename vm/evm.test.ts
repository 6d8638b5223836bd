import { expect, test } from "vitest";
import type { Address, Digest } from "../base/brand.ts";
import {
  bigIntToFixedBytes,
  bytesToAddress,
  bytesToBigInt,
  bytesToDigest,
  bytesToHex,
  emptyBytes,
  hexToBytes,
} from "../base/bytes.ts";
import { accept, refuse } from "../base/outcome.ts";
import { keccak256, keccakDigest } from "../crypto/keccak.ts";
import { addressOf, signDigest } from "../crypto/secp256k1.ts";
import {
  caller,
  contract,
  emptyAccount,
  evmScene,
  Journal,
  journalWith,
} from "../test/fakes/evmJournal.ts";
import { MemoryState } from "../test/fakes/memoryState.ts";
import { createEvm, type Evm, type EvmResult, type EvmScene, type EvmTransaction } from "./evm.ts";
import type { ForkName } from "./forks.ts";
import type { PrecompileFrame, PrecompileHost } from "./precompiles.ts";

const special = bytesToAddress(bigIntToFixedBytes(0xee00n, 20));

const noPrecompiles: PrecompileHost = () => refuse("none");

function slot(index: bigint): Digest {
  return bytesToDigest(bigIntToFixedBytes(index, 32));
}

function journalOf(code: string): Journal {
  return journalWith({ contract, code: hexToBytes(code), caller, balance: 10n ** 18n });
}

function sceneOf(state: Journal, precompiles = noPrecompiles): EvmScene {
  return { ...evmScene(state, { hashOf: (number) => slot(BigInt(number)) }), precompiles };
}

function evmOf(fork: ForkName = "osaka"): Promise<Evm> {
  const gas = (): bigint => 100n;
  return createEvm({ fork, chainId: 1, precompiles: [{ address: special, gas }], traced: false });
}

const transaction: EvmTransaction = {
  caller,
  to: contract,
  value: 0n,
  data: emptyBytes,
  gasLimit: 200_000n,
  gasPrice: 7n,
  accessList: [],
  authorizations: [],
};

async function run(
  code: string,
  parts: Partial<EvmTransaction> = {},
  fork?: ForkName,
): Promise<EvmResult> {
  const evm = await evmOf(fork);
  return evm.run(sceneOf(journalOf(code)), { ...transaction, ...parts });
}

const returnTop = "60005260206000f3";

test("an EVM forgets a transaction: cold again, no transient words, no old originals", async () => {
  const evm = await evmOf();
  // SSTORE 0 <- SLOAD 0 + 1, after adding what TLOAD 0 holds; then TSTORE 0 <- 1.
  const journal = journalOf("5f545f5c016001015f5560015f5d");
  const gas: bigint[] = [];
  for (let i = 0; i < 3; i += 1) {
    const result = await evm.run(sceneOf(journal), transaction);
    expect(result.ok).toBe(true);
    gas.push(result.gasUsed);
  }
  // 20,000 for the first word; 2,900 for each change after it, because every transaction is new.
  expect(gas.map((used) => used - (gas[1] ?? 0n))).toEqual([17_100n, 0n, 0n]);
  expect(journal.storage(contract, slot(0n))).toEqual(Uint8Array.of(3));
});

test("refunds are bounded: a fifth since London, a half before", async () => {
  // Clears the word that it set itself.
  const code = "60015f555f5f55";
  const old = await run(code.replaceAll("5f", "6000"), {}, "istanbul");
  const young = await run(code, {}, "osaka");
  expect(old.gasUsed).toBe(21_000n + 3n * 4n + 20_000n + 800n - 19_200n);
  const spent = 21_000n + 3n + 2n + 2n + 2n + 22_100n + 100n;
  expect(young.gasUsed).toBe(spent - spent / 5n);
});

test("calldata has a floor since Prague, whatever runs", async () => {
  const data = new Uint8Array(1_000).fill(1);
  expect((await run("00", { data }, "cancun")).gasUsed).toBe(21_000n + 16_000n);
  expect((await run("00", { data }, "prague")).gasUsed).toBe(21_000n + 40_000n);
});

test("the coinbase is warm since Shanghai, and what an access list names", async () => {
  const balanceOfCoinbase = "413100";
  const [paris, shanghai] = await Promise.all([
    run(balanceOfCoinbase, {}, "paris"),
    run(balanceOfCoinbase, {}, "shanghai"),
  ]);
  expect(paris.gasUsed - shanghai.gasUsed).toBe(2_500n);
  const accessList = [{ address: contract, storageKeys: [new Uint8Array(32)] }];
  const listed = await run("5f545000", { accessList });
  const plain = await run("5f545000");
  expect(listed.gasUsed - plain.gasUsed).toBe(2_400n + 1_900n - 2_000n);
});

test("a contract's ecrecover takes a high s, which transactions may not have", async () => {
  const secret = keccak256(Uint8Array.of(9));
  const digest = keccak256(Uint8Array.of(8));
  const signature = signDigest(digest, secret);
  const order = BigInt("0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
  const s = bytesToBigInt(signature.subarray(32, 64));
  const v = 27n + BigInt(signature[64] ?? 0);
  const ask = async (words: readonly Uint8Array[]): Promise<Uint8Array> => {
    const data = new Uint8Array(128);
    words.forEach((word, i) => data.set(word, i * 32));
    const to = bytesToAddress(bigIntToFixedBytes(1n, 20));
    return (await run("00", { to, data })).returnData;
  };
  const r = signature.subarray(0, 32);
  const low = [digest, bigIntToFixedBytes(v, 32), r, bigIntToFixedBytes(s, 32)];
  const high = [digest, bigIntToFixedBytes(55n - v, 32), r, bigIntToFixedBytes(order - s, 32)];
  const expected = `0x${"00".repeat(12)}${addressOf(secret).slice(2)}`;
  expect(bytesToHex(await ask(low))).toBe(expected);
  expect(bytesToHex(await ask(high))).toBe(expected);
  const above = [digest, bigIntToFixedBytes(v, 32), r, bigIntToFixedBytes(order, 32)];
  expect(await ask(above)).toHaveLength(0);
  expect(await ask([digest, bigIntToFixedBytes(29n, 32), r])).toHaveLength(0);
});

test("point evaluation fails and takes its gas: there are no blobs", async () => {
  const to = bytesToAddress(bigIntToFixedBytes(10n, 20));
  const result = await run("00", { to, data: new Uint8Array(192) });
  expect(result).toMatchObject({ ok: false, gasUsed: 200_000n });
});

/** Calls `special` with one byte and returns its success, leaving 60,000 gas to it. */
function calling(opcode: "f1" | "fa"): string {
  const value = opcode === "f1" ? "5f" : "";
  return `5f5f60015f${value}61ee0061ea60${opcode}${returnTop}`;
}

test("a precompile learns who calls and how; its logs stand among the contract's", async () => {
  const frames: PrecompileFrame[] = [];
  const asked: Address[] = [];
  const log = { address: special, topics: [slot(5n)], data: Uint8Array.of(1) };
  const host: PrecompileHost = (address, frame) => {
    asked.push(address);
    frames.push(frame);
    return accept({ output: Uint8Array.of(7), logs: [log] });
  };
  const evm = await evmOf();
  // LOG0, the call, LOG0.
  const journal = journalOf(`5f5fa0${calling("f1").slice(0, -returnTop.length)}505f5fa000`);
  const result = await evm.run(sceneOf(journal, host), transaction);
  expect(result.logs.map(({ address }) => address)).toEqual([contract, special, contract]);
  expect(result.logs[1]).toEqual(log);
  await evm.run(sceneOf(journalOf(calling("fa")), host), transaction);
  expect(asked).toEqual([special, special]);
  expect(frames.map(({ caller: from, type }) => [from, type])).toEqual([
    [contract, "call"],
    [contract, "static"],
  ]);
});

test("a refused precompile reverts with its reason; one without gas runs out of it", async () => {
  const evm = await evmOf();
  const direct = { ...transaction, to: special };
  const refused = await evm.run(sceneOf(journalOf("00")), direct);
  expect(refused).toMatchObject({ ok: false, failure: "revert", gasUsed: 21_100n });
  expect(bytesToHex(refused.returnData)).toContain("08c379a0");
  const poor = await evm.run(sceneOf(journalOf("00")), { ...direct, gasLimit: 21_099n });
  expect(poor).toMatchObject({ ok: false, failure: "out of gas", gasUsed: 21_099n });
});

test("a frame that reverts takes back all that it did, and the one around it goes on", async () => {
  const evm = await evmOf();
  // Called with data: stores 1, logs, reverts. Called without: calls itself so, stores 2.
  const inner = "60015f555f5fa05f5ffd";
  const outer = "5f5f60015f5f305af150600260015500";
  const start = (4 + outer.length / 2).toString(16).padStart(2, "0");
  const code = `3660${start}57${outer}5b${inner}`;
  const journal = journalOf(code);
  const result = await evm.run(sceneOf(journal), transaction);
  expect(result).toMatchObject({ ok: true, logs: [] });
  expect(journal.storage(contract, slot(0n))).toBeNull();
  expect(journal.storage(contract, slot(1n))).toEqual(Uint8Array.of(2));
});

test("self-destruction burns what nobody gets, and the count follows reverts", async () => {
  const evm = await evmOf();
  const journal = journalOf("00");
  const create = { ...transaction, to: null, value: 9n };
  const done = await evm.run(sceneOf(journal), { ...create, data: hexToBytes("30ff") });
  expect(done).toMatchObject({ ok: true, burned: 9n });
  const kept = await evm.run(sceneOf(journal), { ...create, data: hexToBytes("33ff") });
  expect(kept).toMatchObject({ ok: true, burned: 0n });
  const reverted = await evm.run(sceneOf(journal), { ...create, data: hexToBytes("5f5ffd") });
  expect(reverted).toMatchObject({ ok: false, burned: 0n });
});

test("1,024 frames deep and no deeper; the JavaScript stack does not grow with it", async () => {
  // Counts in storage how often it ran, then calls itself with all the gas it may pass on.
  const journal = journalOf("5f546001015f555f5f5f5f5f305af100");
  const evm = await evmOf();
  const result = await evm.run(sceneOf(journal), { ...transaction, gasLimit: 10n ** 15n });
  expect(result.ok).toBe(true);
  expect(bytesToBigInt(journal.storage(contract, slot(0n)) ?? emptyBytes)).toBe(1_025n);
});

test("a transaction may call more code than is kept", async () => {
  const count = 200; // Of the longest: 5 MB.
  const before = journalOf(
    // Calls 0x1000 to 0x10c7 twice over, and answers the sum of their answers.
    "5b60205f5f5f60c86020510661100001" +
      "5afa505f51604051016040526020516001018060205261019011" +
      "5f5760206040f3",
  );
  for (let i = 0; i < count; i += 1) {
    const code = new Uint8Array(24_576);
    code.set([0x60, i, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3]);
    const codeHash = keccakDigest(code);
    before.setCode(codeHash, code);
    const address = bytesToAddress(bigIntToFixedBytes(BigInt(0x1000 + i), 20));
    before.setAccount(address, { ...emptyAccount, nonce: 1n, codeHash });
  }
  const journal = new Journal(MemoryState.empty().apply(before.changes()), 1_000_000);
  const evm = await evmOf();
  const result = await evm.run(sceneOf(journal), { ...transaction, gasLimit: 2_000_000n });
  expect(result).toMatchObject({ ok: true, failure: "" });
  expect(bytesToBigInt(result.returnData)).toBe(BigInt(count * (count - 1)));
});
