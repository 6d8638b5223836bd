import { createCustomCommon, Mainnet } from "@ethereumjs/common";
import { createEVM, EVM, getActivePrecompiles, type ExecResult } from "@ethereumjs/evm";
import { bls12_381 } from "@noble/curves/bls12-381.js";
import { bn254 as nobleBn254 } from "@noble/curves/bn254.js";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  bigIntToFixedBytes,
  bytesToAddress,
  bytesToHex,
  concatBytes,
  emptyBytes,
  hexToBytes,
  zeroAddress,
} from "../base/bytes.ts";
import { caller, evmScene, journalWith } from "../test/fakes/evmJournal.ts";
import { createEvm } from "./evm.ts";
import { fastPrecompiles } from "./fastPrecompiles.ts";
import { bls12381, bn254, isReady } from "./pairingCurves.ts";

/*
 * Whatever the input: gas and output are those of the library with its own curves, which are
 * noble's. For what is no point the library has several words, we have one.
 */

const common = createCustomCommon({ chainId: 1 }, Mainnet, { hardfork: "osaka" });
const library = await createEVM({ common });
const { stateManager, blockchain } = library;
const own = new EVM({ common, stateManager, blockchain, bls: bls12381, bn254 });
const slow = getActivePrecompiles(common);
const fast = getActivePrecompiles(common, fastPrecompiles(common));

async function run(evm: typeof own, address: number, data: Uint8Array): Promise<ExecResult> {
  const found = (evm === own ? fast : slow).get(address.toString(16).padStart(40, "0"));
  if (found === undefined) throw new Error("no such precompile");
  return found({ data, gasLimit: 10_000_000n, common, _EVM: evm });
}

/** Whether the input was taken. */
async function same(address: number, data: Uint8Array): Promise<boolean> {
  const ours = await run(own, address, data);
  const expected = await run(library, address, data);
  const input = `${address} ${bytesToHex(data)}`;
  expect(bytesToHex(ours.returnValue), input).toBe(bytesToHex(expected.returnValue));
  expect(ours.executionGasUsed, input).toBe(expected.executionGasUsed);
  expect(ours.exceptionError === undefined, input).toBe(expected.exceptionError === undefined);
  return ours.exceptionError === undefined;
}

type Curve = typeof bls12_381 | typeof nobleBn254;
type Pair = { readonly c0: bigint; readonly c1: bigint };

/** How a curve's points are written, and those of its points that matter. */
function samples(curve: Curve, width: number) {
  const { Fp, Fp2, Fr } = curve.fields;
  const number = (value: bigint): Uint8Array => bigIntToFixedBytes(value, width);
  const pair = ({ c0, c1 }: Pair): Uint8Array =>
    width === 32 ? concatBytes(number(c1), number(c0)) : concatBytes(number(c0), number(c1));
  const g1 = (times: bigint): Uint8Array => {
    if (times === 0n) return new Uint8Array(2 * width);
    const { x, y } = curve.G1.Point.BASE.multiply(times).toAffine();
    return concatBytes(number(x), number(y));
  };
  const g2 = (times: bigint): Uint8Array => {
    if (times === 0n) return new Uint8Array(4 * width);
    const { x, y } = curve.G2.Point.BASE.multiply(times).toAffine();
    return concatBytes(pair(x), pair(y));
  };
  /** A point of the curve with small x: outside the subgroup, where the curve has more. */
  const outside1 = (from: bigint): Uint8Array => {
    for (let x = from; ; x += 1n) {
      const right = Fp.add(Fp.pow(x, 3n), curve.G1.Point.CURVE().b);
      const y = Fp.pow(right, (Fp.ORDER + 1n) / 4n);
      if (Fp.eql(Fp.sqr(y), right)) return concatBytes(number(x), number(y));
    }
  };
  const outside2 = (from: bigint): Uint8Array => {
    for (let c1 = from; ; c1 += 1n) {
      const x = Fp2.create({ c0: 7n, c1 });
      const right = Fp2.add(Fp2.mul(Fp2.sqr(x), x), curve.G2.Point.CURVE().b);
      try {
        return concatBytes(pair(x), pair(Fp2.sqrt(right)));
      } catch {
        continue; // No square.
      }
    }
  };
  return { Fp, Fr, number, pair, g1, g2, outside1, outside2 };
}

const bls = samples(bls12_381, 64);
const bn = samples(nobleBn254, 32);

/** Points in and out of the group, mostly in. */
function pointsOf({ Fp, Fr, number, pair, ...at }: typeof bls) {
  const times = fc.oneof(
    { weight: 4, arbitrary: fc.bigInt({ min: 1n, max: Fr.ORDER - 1n }) },
    fc.constantFrom(0n, 1n, 2n, Fr.ORDER - 1n, Fr.ORDER - 2n),
  );
  const zero = Fp.ZERO;
  const wide = number(Fp.ORDER).map((byte, index) => (index === 0 ? byte | 0x80 : byte));
  const bad1 = fc.constantFrom(
    concatBytes(number(1n), number(1n)),
    concatBytes(number(0n), number(1n)),
    concatBytes(number(Fp.ORDER), number(0n)),
    concatBytes(number(0n), number(Fp.ORDER)),
    concatBytes(number(Fp.ORDER + 1n), number(2n)),
    concatBytes(wide, number(2n)),
    ...[1n, 50n, 900n].map(at.outside1),
  );
  const bad2 = fc.constantFrom(
    concatBytes(pair({ c0: 1n, c1: zero }), pair({ c0: 1n, c1: zero })),
    concatBytes(pair({ c0: Fp.ORDER, c1: zero }), pair({ c0: zero, c1: zero })),
    concatBytes(pair({ c0: zero, c1: zero }), pair({ c0: zero, c1: Fp.ORDER })),
    ...[1n, 50n, 900n].map(at.outside2),
  );
  const good1 = times.map(at.g1);
  const good2 = times.map(at.g2);
  return {
    g1: fc.oneof({ weight: 9, arbitrary: good1 }, bad1),
    g2: fc.oneof({ weight: 9, arbitrary: good2 }, bad2),
  };
}

const blsPoints = pointsOf(bls);
const bnPoints = pointsOf(bn);

const scalars = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 256n) - 1n }),
  fc.constantFrom(0n, 1n, bn.Fr.ORDER, bn.Fr.ORDER + 1n, bls.Fr.ORDER, (1n << 256n) - 1n),
);

function joined(parts: readonly (readonly Uint8Array[])[]): Uint8Array {
  return concatBytes(...parts.flat());
}

/** Some runs of it, in most of which the input is taken. */
async function checkSame(address: number, inputs: fc.Arbitrary<Uint8Array>, numRuns: number) {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(inputs, async (input) => {
      if (await same(address, input)) taken += 1;
    }),
    { numRuns },
  );
  expect(taken).toBeGreaterThan(0);
}

function cutAt(input: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const cut = fc.oneof({ weight: 9, arbitrary: fc.constant(1_000_000) }, fc.nat(300));
  return fc.tuple(input, cut).map(([bytes, at]) => bytes.subarray(0, at));
}

const scalarWords = scalars.map((value) => bigIntToFixedBytes(value, 32));

test.each([
  { name: "bn254 sum", address: 6, input: fc.tuple(bnPoints.g1, bnPoints.g1, bnPoints.g1) },
  { name: "bn254 multiple", address: 7, input: fc.tuple(bnPoints.g1, scalarWords, scalarWords) },
  { name: "BLS sum in G1", address: 0xb, input: fc.tuple(blsPoints.g1, blsPoints.g1) },
  { name: "BLS sum in G2", address: 0xd, input: fc.tuple(blsPoints.g2, blsPoints.g2) },
])("$name", async ({ address, input }) => {
  await checkSame(address, cutAt(fc.tuple(input).map(joined)), 100);
});

test.each([
  { address: 0xc, point: blsPoints.g1 },
  { address: 0xe, point: blsPoints.g2 },
])("BLS sum of products, precompile $address", async ({ address, point }) => {
  const terms = fc.array(fc.tuple(point, scalarWords), { minLength: 1, maxLength: 5 });
  await checkSame(address, cutAt(terms.map(joined)), 40);
});

test.each([
  { name: "bn254", address: 8, points: bnPoints, at: bn },
  { name: "BLS", address: 0xf, points: blsPoints, at: bls },
])("$name pairing", async ({ address, points, at }) => {
  const pairs = fc.array(fc.tuple(points.g1, points.g2), { minLength: 1, maxLength: 2 });
  await checkSame(address, cutAt(pairs.map(joined)), 20);
  // e(aP, bQ) e(-abP, Q) = 1, with a pair more in which one is infinity, and not without.
  const { ORDER } = at.Fr;
  const whole = [at.g1(6n), at.g2(35n), at.g1(ORDER - 210n), at.g2(1n)];
  const one = bigIntToFixedBytes(1n, 32);
  const many = Array.from({ length: 9 }, () => [
    at.g1(0n),
    at.g2(5n),
    ...whole,
    at.g1(3n),
    at.g2(0n),
  ]);
  for (const input of [joined([whole]), joined(many)]) {
    expect((await run(own, address, input)).returnValue).toEqual(one);
  }
  expect(await same(address, joined([whole]))).toBe(true);
  await same(address, emptyBytes);
  const wrong = [at.g1(6n), at.g2(35n), at.g1(ORDER - 211n), at.g2(1n)];
  const none = await run(own, address, joined([wrong, ...many]));
  expect(none.returnValue).toEqual(new Uint8Array(32));
  expect(none.exceptionError).toBeUndefined();
});

test("BLS sums of so many products that they are done in parts", async () => {
  for (const [address, point] of [
    [0xc, bls.g1],
    [0xe, bls.g2],
  ] as const) {
    const terms = Array.from({ length: 259 }, (_, index) => {
      return concatBytes(point(BigInt(index % 7)), bigIntToFixedBytes(BigInt(index) << 200n, 32));
    });
    const weights = Array.from({ length: 259 }, (_, index) => BigInt(index % 7) * BigInt(index));
    const total = (weights.reduce((sum, weight) => sum + weight) << 200n) % bls.Fr.ORDER;
    const ours = await run(own, address, concatBytes(...terms));
    expect(bytesToHex(ours.returnValue)).toBe(bytesToHex(point(total)));
  }
});

test("BLS maps, of what is no number too", async () => {
  const { ORDER } = bls.Fp;
  const number = fc.oneof(
    { weight: 9, arbitrary: fc.bigInt({ min: 0n, max: ORDER - 1n }) },
    fc.constantFrom(0n, 1n, ORDER - 1n, ORDER, 1n << 385n),
  );
  const written = number.map(bls.number);
  await checkSame(0x10, cutAt(written), 60);
  await checkSame(0x11, cutAt(fc.tuple(written, written).map((parts) => joined([parts]))), 40);
});

test("EIP-2537's first vectors", async () => {
  // A sum of the base with itself, and the map of zero [EIP-2537, RFC 9380].
  const twice = await run(own, 0xb, concatBytes(bls.g1(1n), bls.g1(1n)));
  expect(bytesToHex(twice.returnValue.subarray(16, 64))).toBe(
    "0x0572cbea904d67468808c8eb50a9450c9721db309128012543902d0ac358a62ae28f75bb8f1c7c42c39a8c5529bf0f4e",
  );
  const bnTwice = await run(own, 6, concatBytes(bn.g1(1n), bn.g1(1n)));
  expect(bnTwice.returnValue.subarray(0, 32)).toEqual(
    hexToBytes("030644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd3"),
  );
});

test("a precompile on a curve waits for it once, then answers at once", async () => {
  const evm = getActivePrecompiles(common, fastPrecompiles(common));
  for (const address of [6, 8, 0xf]) {
    const found = evm.get(address.toString(16).padStart(40, "0"));
    if (found === undefined) throw new Error("no such precompile");
    await found({ data: new Uint8Array(0), gasLimit: 1_000_000n, common, _EVM: own });
    expect(isReady(found)).toBe(true);
  }
});

test("an EVM's curves are ours, which the word for a number above the modulus tells", async () => {
  const to = bytesToAddress(bigIntToFixedBytes(8n, 20));
  const data = concatBytes(bn.g1(1n), new Uint8Array(128).fill(0xff));
  const state = journalWith({ contract: zeroAddress, code: emptyBytes, caller, balance: 1n });
  const evm = await createEvm({ fork: "osaka", chainId: 1, precompiles: [], traced: false });
  const message = { caller, to, value: 0n, data, gasLimit: 1_000_000n, gasPrice: 1n };
  const result = await evm.call(evmScene(state), message);
  expect(result).toMatchObject({ ok: false, failure: "revert", gasUsed: 1_000_000n });
  expect((await run(library, 8, data)).exceptionError?.error).toBe("fp point not in field");
});
