import type { Common } from "@ethereumjs/common";
import {
  EVMError,
  type EVMBLSInterface,
  type EVMBN254Interface,
  type PrecompileFunc,
} from "@ethereumjs/evm";
import { assert } from "../base/assert.ts";
import { bigIntToFixedBytes, emptyBytes } from "../base/bytes.ts";
import {
  bls12381Curve,
  bn254Curve,
  type Group,
  type LazyCurve,
  type PairingCurve,
} from "../crypto/pairingCurve.ts";

/*
 * The curves of Ethereum's precompiles, for the library, which looks after lengths and gas. Its own
 * are in JavaScript: a block full of them would take ten to twenty seconds.
 */

/** Of sums, products and pairings on a curve, by the precompile's address. */
const curveOf: ReadonlyMap<number, LazyCurve> = new Map([
  ...[0x6, 0x7, 0x8].map((address) => [address, bn254Curve] as const),
  ...[0xb, 0xc, 0xd, 0xe, 0xf, 0x10, 0x11].map((address) => [address, bls12381Curve] as const),
]);

/** What the precompiles made below wait for. */
const awaited = new WeakMap<PrecompileFunc, LazyCurve>();

/** Whether a precompile, wherever it is, answers at once: those on curves do after the first call. */
export function isReady(run: PrecompileFunc): boolean {
  return awaited.get(run)?.loaded !== null;
}

/** The precompiles that need a curve, which is loaded by the first call of one in this thread. */
export function onCurves(
  common: Common,
  libraryAt: (address: number) => PrecompileFunc | undefined,
): readonly (readonly [address: number, run: PrecompileFunc])[] {
  return [...curveOf].flatMap(([address, curve]) => {
    const library = libraryAt(address);
    if (library === undefined) return [];
    const sum = sums.get(address);
    const run = sum === undefined ? library : summing(common, sum);
    const whenLoaded: PrecompileFunc = (call) =>
      curve.loaded === null ? curve.load().then(() => run(call)) : run(call);
    awaited.set(whenLoaded, curve);
    return [[address, whenLoaded] as const];
  });
}

/** A sum in BLS12-381 without the library around it, which awaits: that costs far more than the sum. */
type Sum = { readonly group: Group; readonly gas: string };

const sums: ReadonlyMap<number, Sum> = new Map([
  [0xb, { group: "G1", gas: "bls12381G1AddGas" }],
  [0xd, { group: "G2", gas: "bls12381G2AddGas" }],
]);

function summing(common: Common, { group, gas: name }: Sum): PrecompileFunc {
  const gas = common.param(name);
  return ({ data, gasLimit }) => {
    const isPaid = gas <= gasLimit;
    const curve = loaded(bls12381Curve);
    const sum =
      isPaid && isPairOfPoints(data, curve.pointBytes(group)) ? curve.sum(group, data) : null;
    if (sum !== null) return { executionGasUsed: gas, returnValue: sum };
    const { OUT_OF_GAS, BLS_12_381_POINT_NOT_ON_CURVE } = EVMError.errorMessages;
    const error = new EVMError(isPaid ? BLS_12_381_POINT_NOT_ON_CURVE : OUT_OF_GAS);
    return { executionGasUsed: gasLimit, returnValue: emptyBytes, exceptionError: error };
  };
}

/** Whether it has the length of two points, and zeros where a coordinate needs no bytes [EIP-2537]. */
function isPairOfPoints(data: Uint8Array, pointBytes: number): boolean {
  if (data.length !== 2 * pointBytes) return false;
  return data.every((byte, index) => byte === 0 || index % 64 >= 16);
}

/** alt_bn128 [EIP-196, EIP-197]. */
export const bn254: EVMBN254Interface = {
  add: (input) => pointOf(loaded(bn254Curve).sum("G1", input)),
  mul: (input) => pointOf(loaded(bn254Curve).sumOfProducts("G1", input.subarray(0, 96))),
  pairing: (input) => verdictOf(loaded(bn254Curve).isProductOne(input)),
};

/** BLS12-381 [EIP-2537]. */
export const bls12381: EVMBLSInterface = {
  addG1: (input) => pointOf(loaded(bls12381Curve).sum("G1", input)),
  addG2: (input) => pointOf(loaded(bls12381Curve).sum("G2", input)),
  msmG1: (input) => pointOf(loaded(bls12381Curve).sumOfProducts("G1", input)),
  msmG2: (input) => pointOf(loaded(bls12381Curve).sumOfProducts("G2", input)),
  mapFPtoG1: (input) => pointOf(loaded(bls12381Curve).mapped("G1", input)),
  mapFP2toG2: (input) => pointOf(loaded(bls12381Curve).mapped("G2", input)),
  pairingCheck: (input) => verdictOf(loaded(bls12381Curve).isProductOne(input)),
};

function loaded(curve: LazyCurve): PairingCurve {
  assert(curve.loaded !== null, "a precompile before its curve");
  return curve.loaded;
}

/** The library catches it, and takes all gas. */
const noPoint = "not a point";

function pointOf(point: Uint8Array | null): Uint8Array {
  if (point === null) throw new RangeError(noPoint);
  return point;
}

function verdictOf(isOne: boolean | null): Uint8Array {
  if (isOne === null) throw new RangeError(noPoint);
  return bigIntToFixedBytes(isOne ? 1n : 0n, 32);
}
