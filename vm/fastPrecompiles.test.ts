import { createCustomCommon, Mainnet } from "@ethereumjs/common";
import { createEVM, getActivePrecompiles, type ExecResult } from "@ethereumjs/evm";
import { p256 } from "@noble/curves/nist.js";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  bigIntToFixedBytes,
  bytesToBigInt,
  bytesToHex,
  concatBytes,
  emptyBytes,
  hexToBytes,
} from "../base/bytes.ts";
import { fastPrecompiles } from "./fastPrecompiles.ts";

/*
 * Whatever the input: gas, output and the word for a failure are the library's own.
 */

const library = await createEVM({
  common: createCustomCommon({ chainId: 1 }, Mainnet, { hardfork: "osaka" }),
});
const slow = getActivePrecompiles(library.common);
const fast = getActivePrecompiles(library.common, fastPrecompiles(library.common));

async function run(
  precompiles: typeof slow,
  address: number,
  data: Uint8Array,
  gasLimit: bigint,
): Promise<ExecResult> {
  const found = precompiles.get(address.toString(16).padStart(40, "0"));
  if (found === undefined) throw new Error("no such precompile");
  return found({ data, gasLimit, common: library.common, _EVM: library });
}

async function same(address: number, data: Uint8Array, gasLimit = 1_000_000n): Promise<ExecResult> {
  const own = await run(fast, address, data, gasLimit);
  const expected = await run(slow, address, data, gasLimit);
  const input = `${address} ${bytesToHex(data)}`;
  expect(own.executionGasUsed, input).toBe(expected.executionGasUsed);
  expect(bytesToHex(own.returnValue), input).toBe(bytesToHex(expected.returnValue));
  expect(own.exceptionError?.error, input).toBe(expected.exceptionError?.error);
  return own;
}

function word(value: bigint): Uint8Array {
  return bigIntToFixedBytes(value, 32);
}

const bytes = (size: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: size, maxLength: size });

// EIP-152, test vectors 4 to 8: rounds 0, 12, 12 without the last block, 1, and 8 million.
const blakeBody =
  "48c9bdf267e6096a3ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5d182e6ad7f520e511f6c3e2b8c68059b" +
  `6bbd41fbabd9831f79217e1319cde05b${"616263"}${"00".repeat(125)}0300000000000000${"00".repeat(8)}`;

test.each([
  ["00000000", "01", "08c9bcf367e6096a3ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5"],
  ["0000000c", "01", "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"],
  ["0000000c", "00", "75ab69d3190a562c51aef8d88f1c2775876944407270c42c9844252c26d28752"],
  ["00000001", "01", "b63a380cb2897d521994a85234ee2c181b5f844d2c624c002677e9703449d2fb"],
  ["007a1200", "01", "6d2ce9e534d50e18ff866ae92d70cceba79bbcd14c63819fe48752c8aca87a4b"],
])("blake2f of %s rounds, last %s", async (rounds, last, start) => {
  const input = hexToBytes(`${rounds}${blakeBody}${last}`);
  const own = await run(fast, 9, input, 10_000_000n);
  expect(own.executionGasUsed).toBe(BigInt(`0x${rounds}`));
  expect(bytesToHex(own.returnValue.subarray(0, 32))).toBe(`0x${start}`);
});

test("blake2f is the library's on random words, malformed and unpaid too", async () => {
  const inputs = fc.record({
    rounds: fc.integer({ min: 0, max: 40 }),
    body: fc.oneof({ weight: 9, arbitrary: bytes(208) }, bytes(207), bytes(209)),
    last: fc.constantFrom(0, 1, 1, 2),
    gas: fc.constantFrom(20n, 1_000n),
  });
  await fc.assert(
    fc.asyncProperty(inputs, async ({ rounds, body, last, gas }) => {
      const head = bigIntToFixedBytes(BigInt(rounds), 4);
      await same(9, concatBytes(head, body, Uint8Array.of(last)), gas);
    }),
    { numRuns: 300 },
  );
});

const order = p256.Point.Fn.ORDER;

test("P-256 accepts what the library accepts, and nothing else", async () => {
  const inputs = fc.record({
    digest: fc.oneof(bytes(32), fc.constantFrom(word(0n), word(order), word((1n << 256n) - 1n))),
    key: fc.bigInt({ min: 1n, max: order - 1n }),
    flip: fc.nat(159),
  });
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(inputs, async ({ digest, key, flip }) => {
      const secret = word(key);
      const signature = p256.sign(digest, secret, { prehash: false, lowS: false });
      const r = signature.subarray(0, 32);
      const s = bytesToBigInt(signature.subarray(32));
      const publicKey = p256.getPublicKey(secret, false).subarray(1);
      const good = await same(0x100, concatBytes(digest, signature, publicKey));
      if (good.returnValue.length > 0) accepted += 1;
      await same(0x100, concatBytes(digest, r, word(order - s), publicKey));
      const changed = concatBytes(digest, signature, publicKey);
      changed[flip] = (changed[flip] ?? 0) ^ 1;
      await same(0x100, changed);
    }),
    { numRuns: 60 },
  );
  expect(accepted).toBe(60);
});

test("P-256 where the key that is verified with would be infinity or the base", async () => {
  const message = bytesToBigInt(
    hexToBytes("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
  );
  const { Fn } = p256.Point;
  for (const key of [1n, 2n, 12_345n]) {
    const nonce = 99n;
    const r = Fn.create(p256.Point.BASE.multiply(nonce).toAffine().x);
    // z with key + (z - y) / r = 0, and = 2 key, so that the points to add are opposite and equal.
    for (const factor of [-1n, 1n]) {
      const digest = Fn.create(message + factor * key * r);
      const s = Fn.mul(Fn.inv(nonce), Fn.create(digest + r * key));
      const publicKey = p256.getPublicKey(word(key), false).subarray(1);
      const input = concatBytes(word(digest), word(r), word(s === 0n ? 1n : s), publicKey);
      const own = await same(0x100, input);
      expect(own.returnValue.length).toBe(32);
    }
  }
  expect((await same(0x100, emptyBytes)).returnValue.length).toBe(0);
  expect((await same(0x100, new Uint8Array(160))).returnValue.length).toBe(0);
});
