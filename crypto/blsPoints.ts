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

type Add = (a: Uint8Array, b: Uint8Array) => Uint8Array;

type Native = { readonly addG1Natively: Add; readonly addG2Natively: Add };

async function loadNative(): Promise<Native | null> {
  if (!("process" in globalThis)) return null; // A browser.
  try {
    return await import("./blsPoints.node.ts");
  } catch {
    return null; // No prebuilt binding for this platform: `blsBackend` says so at start.
  }
}

const native = await loadNative();

/** Bytes of a coordinate that are not always zero. */
const fieldBytes = 48;

/** Order of the coordinates in blst's form: of G2's, the second part comes first. */
const g1Order = [0, 1] as const;
const g2Order = [1, 0, 3, 2] as const;

/** blst's form, or `null` for what has another meaning in it: infinity, and numbers too large. */
function toNative(bytes: Uint8Array, order: readonly number[]): Uint8Array | null {
  const out = new Uint8Array(order.length * fieldBytes);
  for (const [place, index] of order.entries()) {
    const start = index * coordinateBytes;
    const end = start + coordinateBytes;
    out.set(bytes.subarray(end - fieldBytes, end), place * fieldBytes);
    if (bytes.subarray(start, end - fieldBytes).some((byte) => byte !== 0)) return null;
  }
  const flags = (out[0] ?? 0) & 0xe0;
  return flags !== 0 || out.every((byte) => byte === 0) ? null : out;
}

/** `null` for infinity. */
function fromNative(bytes: Uint8Array, order: readonly number[]): Uint8Array | null {
  if (((bytes[0] ?? 0) & 0x40) !== 0) return null;
  const out = new Uint8Array(order.length * coordinateBytes);
  for (const [place, index] of order.entries()) {
    const part = bytes.subarray(place * fieldBytes, (place + 1) * fieldBytes);
    out.set(part, (index + 1) * coordinateBytes - fieldBytes);
  }
  return out;
}

/** The sum where blst can tell it; what it refuses or has no bytes for is for the others. */
function addNatively(
  add: Add,
  order: readonly number[],
  summands: readonly [Uint8Array, Uint8Array],
): Uint8Array | null {
  const a = toNative(summands[0], order);
  const b = toNative(summands[1], order);
  if (a === null || b === null) return null;
  try {
    return fromNative(add(a, b), order);
  } catch {
    return null;
  }
}

/** The sum of two points of G1, 128 bytes each; `null` if one of them is none. */
export function addG1Points(a: Uint8Array, b: Uint8Array): Uint8Array | null {
  const sum = native === null ? null : addNatively(native.addG1Natively, g1Order, [a, b]);
  if (sum !== null) return sum;
  const first = readG1(a);
  const second = readG1(b);
  if (first === null || second === null) return null;
  const { x, y } = first.add(second).toAffine();
  return encode(x, y);
}

/** The sum of two points of G2, 256 bytes each; `null` if one of them is none. */
export function addG2Points(a: Uint8Array, b: Uint8Array): Uint8Array | null {
  const sum = native === null ? null : addNatively(native.addG2Natively, g2Order, [a, b]);
  if (sum !== null) return sum;
  const first = readG2(a);
  const second = readG2(b);
  if (first === null || second === null) return null;
  const { x, y } = first.add(second).toAffine();
  return encode(x.c0, x.c1, y.c0, y.c1);
}
