import fc from "fast-check";
import { expect, test } from "vitest";
import {
  bigIntToFixedBytes,
  bytesToAddress,
  bytesToBigInt,
  bytesToHex,
  concatBytes,
  hexToBytes,
} from "../base/bytes.ts";
import type { Address } from "../base/brand.ts";
import { caller, contract, evmScene, journalWith, type Journal } from "../test/fakes/evmJournal.ts";
import { createEvm, type Evm, type PrecompileMoves } from "./evm.ts";
import type { ForkName } from "./forks.ts";

/*
 * Programs run on our interpreter and on the library's own loop, which is there for tracers: gas,
 * result, logs, state and even the word for what went wrong must be the same.
 */

const forks: readonly ForkName[] = ["istanbul", "berlin", "london", "cancun", "osaka"];

type Case = { readonly code: Uint8Array; readonly data: Uint8Array; readonly gas: bigint };

async function outcome(
  evm: Evm,
  { code, data, gas }: Case,
  moves: PrecompileMoves = new Map(),
): Promise<unknown> {
  const state = journalWith({ contract, code, caller, balance: 10n ** 18n });
  const result = await evm.run(
    { ...evmScene(state), moves },
    {
      caller,
      to: contract,
      value: 5n,
      data,
      gasLimit: 30_000n + gas,
      gasPrice: 7n,
      accessList: [],
      authorizations: [],
    },
  );
  return { result, changes: effective(state.changes()) };
}

/** Without removals of what was not there: an account that a call touched and left empty. */
function effective(changes: ReturnType<Journal["changes"]>): unknown {
  const { accounts, storageCleared, ...rest } = changes;
  const isReal = (address: Address): boolean => address === caller || address === contract;
  return {
    accounts: [...accounts].filter(([address, account]) => account !== null || isReal(address)),
    storageCleared: [...storageCleared].filter(isReal),
    ...rest,
  };
}

async function pairOf(fork: ForkName): Promise<readonly [own: Evm, library: Evm]> {
  const config = { fork, chainId: 1, precompiles: [] };
  return [
    await createEvm({ ...config, traced: false }),
    await createEvm({ ...config, traced: true }),
  ];
}

function push(word: bigint): Uint8Array {
  const digits = word.toString(16);
  const bytes = hexToBytes(digits.length % 2 === 0 ? digits : `0${digits}`);
  return concatBytes(Uint8Array.of(0x5f + bytes.length), bytes);
}

const maxWord = (1n << 256n) - 1n;

/** Numbers near what instructions treat apart, places in small memory, addresses that exist. */
const words = fc.oneof(
  { weight: 6, arbitrary: fc.bigInt({ min: 0n, max: 80n }) },
  { weight: 2, arbitrary: fc.bigInt({ min: 0n, max: maxWord }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      255n,
      256n,
      257n,
      maxWord,
      maxWord - 1n,
      1n << 255n,
      (1n << 255n) - 1n,
      1n << 64n,
      1n << 32n,
      9_000n,
      20_000n,
      bytesToBigInt(hexToBytes(contract)),
      bytesToBigInt(hexToBytes(caller)),
    ),
  },
);

const opcodes = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0x01, max: 0x20 }) },
  { weight: 4, arbitrary: fc.integer({ min: 0x30, max: 0x4a }) },
  { weight: 8, arbitrary: fc.integer({ min: 0x50, max: 0x5e }) },
  { weight: 4, arbitrary: fc.integer({ min: 0x80, max: 0xa4 }) },
  { weight: 3, arbitrary: fc.constantFrom(0xf0, 0xf1, 0xf2, 0xf4, 0xf5, 0xfa) },
  { weight: 1, arbitrary: fc.constantFrom(0x00, 0xf3, 0xfd, 0xfe, 0xff, 0x0c, 0xa5, 0xef) },
);

/** Constants and then an instruction that, as a rule, finds enough of them. */
const pieces = fc
  .tuple(fc.array(words, { maxLength: 4 }), opcodes)
  .map(([operands, opcode]) => concatBytes(...operands.map(push), Uint8Array.of(opcode)));

const programs = fc
  .array(pieces, { minLength: 1, maxLength: 40 })
  .map((parts) => concatBytes(...parts));

const cases = fc.record({
  code: fc.oneof(
    { weight: 5, arbitrary: programs },
    fc.uint8Array({ minLength: 1, maxLength: 99 }),
  ),
  data: fc.uint8Array({ maxLength: 70 }),
  gas: fc.oneof(fc.bigInt({ min: 0n, max: 5_000n }), fc.constantFrom(100_000n, 1_000_000n)),
});

test.each(forks)("random programs end alike in both interpreters: %s", async (fork) => {
  const [own, library] = await pairOf(fork);
  await fc.assert(
    fc.asyncProperty(cases, async (item) => {
      expect(await outcome(own, item)).toEqual(await outcome(library, item));
    }),
    { numRuns: 400 },
  );
});

/** Each instruction on operands of every kind, alone, so that none hides behind another. */
test("each instruction alone does the same in both interpreters", async () => {
  const [own, library] = await pairOf("osaka");
  const samples = [0n, 1n, 2n, 31n, 32n, 255n, 256n, 1n << 255n, maxWord];
  for (let opcode = 0; opcode < 256; opcode += 1) {
    for (const [i, first] of samples.entries()) {
      const second = samples[(i * 4 + opcode) % samples.length] ?? 0n;
      const operands = [7n, 6n, 5n, 4n, 3n, second, first].map(push);
      const tail = hexToBytes("5f5260205ff3"); // Returns the top.
      const item = {
        code: concatBytes(...operands, Uint8Array.of(opcode), tail),
        data: bigIntToFixedBytes(maxWord, 32),
        gas: 200_000n,
      };
      expect([opcode, await outcome(own, item)]).toEqual([opcode, await outcome(library, item)]);
    }
  }
});

/** Calls a precompile with the calldata and returns status, size of the answer, and memory. */
function callProgram(call: {
  readonly opcode: number;
  readonly address: number;
  readonly value: bigint;
  readonly gas: bigint;
  readonly outAt: number;
  readonly outSize: number;
}): Uint8Array {
  const withValue = call.opcode === 0xf1 || call.opcode === 0xf2;
  const operands = [BigInt(call.outSize), BigInt(call.outAt)].map(push);
  return concatBytes(
    hexToBytes("366000600037"), // Calldata to memory.
    ...operands,
    hexToBytes("366000"),
    ...(withValue ? [push(call.value)] : []),
    push(BigInt(call.address)),
    push(call.gas),
    Uint8Array.of(call.opcode),
    hexToBytes("610200523d61022052"), // Status and size behind the rest of memory.
    hexToBytes("596000f3"),
  );
}

test.each(["istanbul", "cancun", "osaka"] as const)(
  "calls of precompiles end alike with a frame and without: %s",
  async (fork) => {
    const [own, library] = await pairOf(fork);
    const calls = fc.record({
      opcode: fc.constantFrom(0xf1, 0xf2, 0xf4, 0xfa),
      address: fc.constantFrom(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 0x100, 0x101),
      value: fc.constantFrom(0n, 0n, 0n, 1n),
      gas: fc.constantFrom(0n, 60n, 100n, 3_000n, 7_000n, 1n << 200n),
      outAt: fc.nat(200),
      outSize: fc.nat(100),
    });
    const inputs = fc.record({
      call: calls,
      data: fc.uint8Array({ maxLength: 230 }),
      gas: fc.constantFrom(300n, 4_000n, 1_000_000n),
    });
    await fc.assert(
      fc.asyncProperty(inputs, async ({ call, data, gas }) => {
        const item = { code: callProgram(call), data, gas };
        expect(await outcome(own, item)).toEqual(await outcome(library, item));
      }),
      { numRuns: 300 },
    );
  },
);

test("a precompile that a message has moved to another's place has its frame", async () => {
  const at = (number: bigint) => bytesToAddress(bigIntToFixedBytes(number, 20));
  const code = callProgram({
    opcode: 0xfa,
    address: 2,
    value: 0n,
    gas: 50_000n,
    outAt: 0,
    outSize: 32,
  });
  const item = { code, data: new Uint8Array(128), gas: 1_000_000n };
  const [own, library] = await pairOf("osaka");
  // The map to G1 answers later than the hash whose place it takes.
  const moves = new Map([[at(0x10n), at(2n)]]);
  expect(await outcome(own, item, moves)).toEqual(await outcome(library, item, moves));
});

test("more gas than a number holds is all there", async () => {
  const [own, library] = await pairOf("osaka");
  const item = {
    code: hexToBytes("5a5f525a60205260405ff3"),
    data: new Uint8Array(0),
    gas: 1n << 60n,
  };
  expect(await outcome(own, item)).toEqual(await outcome(library, item));
});

test.each([
  ["a full stack", `${"5f".repeat(1_024)}58`],
  ["a full stack and a duplicate", `${"5f".repeat(1_024)}80`],
  ["a full stack and an instruction of the library", `${"5f".repeat(1_024)}44`],
  ["a full stack that goes on", `${"5f".repeat(1_024)}500100`],
  ["a swap too deep", "5f5f91"],
  ["a jump into a constant", "600456605b00"],
  ["a jump beyond the code", "61ffff56"],
  ["a jump over a constant", "600556605b5b00"],
  ["a constant cut short", "60016000555f62ff"],
  [
    "memory at the end of numbers",
    "5f7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff52",
  ],
  ["nothing copied from nowhere", `5f${"7f"}${"ff".repeat(32)}8037`],
  ["memory that a call pays for and never writes", "612000612000525f5f5f5f5f5f5f5f612040515f52"],
  ["writing and reading back what a call changed", "6001805500"],
])("%s ends alike in both interpreters", async (_, code) => {
  const [own, library] = await pairOf("osaka");
  const item = { code: hexToBytes(code), data: new Uint8Array(0), gas: 1_000_000n };
  expect(await outcome(own, item), bytesToHex(item.code)).toEqual(await outcome(library, item));
});
