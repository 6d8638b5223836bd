import { bls12_381 } from "@noble/curves/bls12-381.js";
import { bigIntToFixedBytes, bytesToBigInt, concatBytes } from "../base/bytes.ts";

/*
 * Sums of BLS12-381 points in the encoding of EIP-2537: each coordinate in 64 bytes, all zeros for
 * infinity. A summand must be on the curve but need not be in the subgroup, whose check costs
 * thirty times what the sum does.
 */

const { G1, G2 } = bls12_381;
const { Fp, Fp2 } = bls12_381.fields;

/** Bytes of a coordinate, of which the first 16 are zero. */
const coordinateBytes = 64;

function coordinate(bytes: Uint8Array, index: number): bigint | null {
  const at = index * coordinateBytes;
  const value = bytesToBigInt(bytes.subarray(at, at + coordinateBytes));
  return value < Fp.ORDER ? value : null;
}

function encode(...coordinates: readonly bigint[]): Uint8Array {
  return concatBytes(...coordinates.map((value) => bigIntToFixedBytes(value, coordinateBytes)));
}

type G1Point = InstanceType<typeof G1.Point>;
type G2Point = InstanceType<typeof G2.Point>;

function readG1(bytes: Uint8Array): G1Point | null {
  const x = coordinate(bytes, 0);
  const y = coordinate(bytes, 1);
  if (x === null || y === null) return null;
  if (x === 0n && y === 0n) return G1.Point.ZERO;
  const { b } = G1.Point.CURVE();
  const onCurve = Fp.eql(Fp.sqr(y), Fp.add(Fp.mul(Fp.sqr(x), x), b));
  return onCurve ? G1.Point.fromAffine({ x, y }) : null;
}

function readG2(bytes: Uint8Array): G2Point | null {
  const [x0, x1, y0, y1] = [0, 1, 2, 3].map((index) => coordinate(bytes, index));
  if (typeof x0 !== "bigint" || typeof x1 !== "bigint") return null;
  if (typeof y0 !== "bigint" || typeof y1 !== "bigint") return null;
  const x = Fp2.create({ c0: x0, c1: x1 });
  const y = Fp2.create({ c0: y0, c1: y1 });
  if (Fp2.is0(x) && Fp2.is0(y)) return G2.Point.ZERO;
  const { b } = G2.Point.CURVE();
  const onCurve = Fp2.eql(Fp2.sqr(y), Fp2.add(Fp2.mul(Fp2.sqr(x), x), b));
  return onCurve ? G2.Point.fromAffine({ x, y }) : null;
}

/** The sum of two points of G1, 128 bytes each; `null` if one of them is none. */
export function addG1Points(a: Uint8Array, b: Uint8Array): Uint8Array | null {
  const first = readG1(a);
  const second = readG1(b);
  if (first === null || second === null) return null;
  const { x, y } = first.add(second).toAffine();
  return encode(x, y);
}

/** The sum of two points of G2, 256 bytes each; `null` if one of them is none. */
export function addG2Points(a: Uint8Array, b: Uint8Array): Uint8Array | null {
  const first = readG2(a);
  const second = readG2(b);
  if (first === null || second === null) return null;
  const { x, y } = first.add(second).toAffine();
  return encode(x.c0, x.c1, y.c0, y.c1);
}
