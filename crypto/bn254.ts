import { bn254 } from "@noble/curves/bn254.js";
import { bigIntToFixedBytes, bytesToBigInt, concatBytes } from "../base/bytes.ts";

/*
 * Sums and multiples of points of alt_bn128's first group in the encoding of EIP-196: 32 bytes a
 * coordinate, all zeros for infinity. The group is the whole curve, so to be on it is enough.
 */

const { Point } = bn254.G1;
const { Fp, Fn } = Point;

type Affine = { readonly x: bigint; readonly y: bigint };

/** `null` for what is not on the curve. */
function readPoint(bytes: Uint8Array): Affine | null {
  const x = bytesToBigInt(bytes.subarray(0, 32));
  const y = bytesToBigInt(bytes.subarray(32, 64));
  if (x >= Fp.ORDER || y >= Fp.ORDER) return null;
  if (isInfinity({ x, y })) return { x, y };
  return (y * y - x * x * x - 3n) % Fp.ORDER === 0n ? { x, y } : null;
}

function isInfinity({ x, y }: Affine): boolean {
  return x === 0n && y === 0n;
}

function encode({ x, y }: Affine): Uint8Array {
  return concatBytes(bigIntToFixedBytes(x, 32), bigIntToFixedBytes(y, 32));
}

function add(a: Affine, b: Affine): Affine {
  if (isInfinity(a)) return b;
  if (isInfinity(b)) return a;
  const isDouble = a.x === b.x;
  if (isDouble && (a.y !== b.y || a.y === 0n)) return { x: 0n, y: 0n };
  const rise = isDouble ? 3n * a.x * a.x : b.y - a.y;
  const run = isDouble ? 2n * a.y : b.x - a.x;
  const slope = Fp.mul(Fp.create(rise), Fp.inv(Fp.create(run)));
  const x = Fp.create(slope * slope - a.x - b.x);
  return { x, y: Fp.create(slope * (a.x - x) - a.y) };
}

/** The sum of two points, 64 bytes each; `null` if one of them is none. */
export function addBn254Points(first: Uint8Array, second: Uint8Array): Uint8Array | null {
  const a = readPoint(first);
  const b = readPoint(second);
  return a === null || b === null ? null : encode(add(a, b));
}

/** A point so many times, a number of 32 bytes; `null` if it is none. */
export function multiplyBn254Point(point: Uint8Array, times: Uint8Array): Uint8Array | null {
  const a = readPoint(point);
  if (a === null) return null;
  const scalar = Fn.create(bytesToBigInt(times));
  if (scalar === 0n || isInfinity(a)) return new Uint8Array(64);
  // Nothing here is secret, so the time may tell.
  return encode(Point.fromAffine(a).multiplyUnsafe(scalar).toAffine());
}
