import { NobleBLS } from "@ethereumjs/evm";
import { bls12_381 } from "@noble/curves/bls12-381.js";
import { expect, test } from "vitest";
import { bigIntToFixedBytes, concatBytes } from "../base/bytes.ts";
import { BlsCurve } from "./blsCurve.ts";

const { G1, G2 } = bls12_381;
const { Fp, Fp2 } = bls12_381.fields;

function encode(...coordinates: readonly bigint[]): Uint8Array {
  return concatBytes(...coordinates.map((value) => bigIntToFixedBytes(value, 64)));
}

/** Some points of a curve: with the base, its negation, infinity, and one outside the subgroup. */
function pointsOfG1(): readonly Uint8Array[] {
  const base = G1.Point.BASE;
  const inside = [base, base.negate(), base.double(), base.multiply(12_345n)].map((point) => {
    const { x, y } = point.toAffine();
    return encode(x, y);
  });
  let x = 1n;
  const { b } = G1.Point.CURVE();
  for (;;) {
    const right = Fp.add(Fp.mul(Fp.sqr(x), x), b);
    if (Fp.eql(Fp.sqr(rootOrZero(right)), right)) return [...inside, encode(x, rootOrZero(right))];
    x += 1n;
  }
}

function rootOrZero(value: bigint): bigint {
  try {
    return Fp.sqrt(value);
  } catch {
    return 0n; // No square.
  }
}

function pointsOfG2(): readonly Uint8Array[] {
  const base = G2.Point.BASE;
  return [base, base.negate(), base.double(), base.multiply(12_345n)].map((point) => {
    const { x, y } = point.toAffine();
    return encode(x.c0, x.c1, y.c0, y.c1);
  });
}

test("sums of points are the library's, in and out of the subgroup", () => {
  const own = new BlsCurve();
  const library = new NobleBLS();
  const g1 = [...pointsOfG1(), new Uint8Array(128)];
  const g2 = [...pointsOfG2(), new Uint8Array(256)];
  for (const a of g1) {
    for (const b of g1) {
      const input = concatBytes(a, b);
      expect(own.addG1(input)).toEqual(library.addG1(input));
    }
  }
  for (const a of g2) {
    for (const b of g2) {
      const input = concatBytes(a, b);
      expect(own.addG2(input)).toEqual(library.addG2(input));
    }
  }
});

test("what is not on the curve, or not below the modulus, has no sum", () => {
  const own = new BlsCurve();
  const infinity = new Uint8Array(128);
  const off = [encode(1n, 1n), encode(0n, Fp.ORDER), encode(Fp.ORDER, 0n), encode(0n, 1n)];
  for (const point of off) {
    expect(() => own.addG1(concatBytes(point, infinity))).toThrow("not a point");
  }
  const zero = Fp2.ZERO;
  const off2 = encode(zero.c0, 1n, zero.c0, 1n);
  const input = concatBytes(new Uint8Array(256), off2);
  expect(() => own.addG2(input)).toThrow("not a point");
});
