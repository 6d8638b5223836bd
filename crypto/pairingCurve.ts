import { assert } from "../base/assert.ts";

/*
 * Curves with a pairing by mcl in WebAssembly, for points that strangers give: sums, sums of
 * products, pairings and maps. It is compiled when it is first needed, once a thread and curve.
 * Numbers are big-endian with leading zeros; a point is its coordinates, all zeros for infinity.
 * A point that is none, or outside the subgroup where that counts, makes the answer `null`.
 */

/** How a curve's points are written. */
type Form = {
  /** mcl's number of the curve. */
  readonly curve: number;
  /** Bytes of a number below the modulus. */
  readonly fieldBytes: number;
  /** Bytes in which it is written. */
  readonly widthBytes: number;
  /** Of a coordinate of G2, whether the factor of i comes first. */
  readonly isImaginaryFirst: boolean;
  /** Whether every point of G1's curve is in G1. */
  readonly isG1Whole: boolean;
};

/** Which of a pairing's two groups. */
export type Group = "G1" | "G2";

type Call = (...values: readonly number[]) => number;

/** Bytes of mcl's own forms, which are those of its widest curve: 384 bits, scalars of 256. */
const fpBytes = 48;
const frBytes = 32;
const gtBytes = 12 * fpBytes;

/** Parts of a point: x, y and z, each of so many numbers. */
const numbersOf = { G1: 1, G2: 2 } as const;

/** What mcl's C interface must have been compiled for: words of a scalar and of a number. */
const compiledFor = 10 * (frBytes / 8) + fpBytes / 8;

/** mcl's mode of mapping numbers to points that is RFC 9380's. */
const standardMap = 5;

const scalarBytes = 32;

/** Products in one sum and pairs in one product: more are done in parts, so memory is bounded. */
const termsMax = 128;
const pairsMax = 16;

/** Where things lie in mcl's memory, all of it got once. */
type Places = {
  readonly bytes: number;
  readonly scalars: number;
  readonly first: number;
  readonly second: number;
  readonly sum: number;
  readonly part: number;
  readonly product: number;
  readonly factor: number;
};

/** What mcl does with points of a group. */
type PointCalls = Readonly<
  Record<"add" | "mul" | "mulVec" | "isZero" | "isValid" | "isValidOrder" | "normalize", Call>
>;

/** One curve in one instance of mcl. */
export class PairingCurve {
  readonly #form: Form;
  readonly #module: object;
  readonly #calls = new Map<string, Call>();
  /** Found once: a sum takes few microseconds, of which looking for its parts was a fourth. */
  readonly #points: Readonly<Record<Group, PointCalls>>;
  readonly #readNumber: Call;
  readonly #writeNumber: Call;
  readonly #setSmall: Call;
  readonly #at: Places;
  #heap: Uint8Array = new Uint8Array(0);

  private constructor(form: Form, module: object) {
    this.#form = form;
    this.#module = module;
    assert(this.#call("mclBn_init", form.curve, compiledFor) === 0, "mcl does not know the curve");
    // To be on the curve and in the subgroup are asked for one by one.
    this.#call("mclBn_verifyOrderG1", 0);
    this.#call("mclBn_verifyOrderG2", 0);
    this.#call("mclBn_setMapToMode", standardMap);
    this.#points = { G1: this.#pointCalls("G1"), G2: this.#pointCalls("G2") };
    this.#readNumber = this.#find("mclBnFp_deserialize");
    this.#writeNumber = this.#find("mclBnFp_serialize");
    this.#setSmall = this.#find("mclBnFp_setInt32");
    const allot = (size: number): number => this.#call("malloc", size);
    const pointBytes = 6 * fpBytes;
    this.#at = {
      bytes: allot(fpBytes),
      scalars: allot(termsMax * frBytes),
      first: allot(termsMax * pointBytes),
      second: allot(pairsMax * pointBytes),
      sum: allot(pointBytes),
      part: allot(pointBytes),
      product: allot(gtBytes),
      factor: allot(gtBytes),
    };
  }

  static async load(form: Form): Promise<PairingCurve> {
    const { default: create } = await import("mcl-wasm/dist/mcl_c.js");
    const module: unknown = await create({ cryptoGetRandomValues: noDice });
    assert(typeof module === "object" && module !== null, "mcl is no module");
    return new PairingCurve(form, module);
  }

  /** Bytes of a point. */
  pointBytes(group: Group): number {
    return 2 * numbersOf[group] * this.#form.widthBytes;
  }

  /** The sum of two points of the curve, which may be outside the subgroup. */
  sum(group: Group, points: Uint8Array): Uint8Array | null {
    const { first, second, sum } = this.#at;
    const half = this.pointBytes(group);
    assert(points.length === 2 * half, "two points");
    if (!this.#readPoint(group, points.subarray(0, half), first)) return null;
    if (!this.#readPoint(group, points.subarray(half), second)) return null;
    this.#points[group].add(sum, first, second);
    return this.#writePoint(group, sum);
  }

  /** The sum of products of points, each followed by its factor, any 32 bytes. */
  sumOfProducts(group: Group, terms: Uint8Array): Uint8Array | null {
    const { first, scalars, sum, part } = this.#at;
    const pointBytes = this.pointBytes(group);
    const size = pointBytes + scalarBytes;
    assert(terms.length % size === 0, "whole terms");
    this.#bytes().fill(0, sum, sum + 3 * numbersOf[group] * fpBytes);
    for (let at = 0; at < terms.length; at += termsMax * size) {
      const some = terms.subarray(at, at + termsMax * size);
      const count = some.length / size;
      for (let index = 0; index < count; index += 1) {
        const term = some.subarray(index * size, (index + 1) * size);
        const to = first + index * 3 * numbersOf[group] * fpBytes;
        if (!this.#readMember(group, term.subarray(0, pointBytes), to)) return null;
        this.#put(term.subarray(pointBytes), this.#at.bytes);
        const scalar = scalars + index * frBytes;
        this.#call("mclBnFr_setBigEndianMod", scalar, this.#at.bytes, scalarBytes);
      }
      const { add, mul, mulVec } = this.#points[group];
      if (count === 1) mul(part, first, scalars);
      else mulVec(part, first, scalars, count);
      add(sum, sum, part);
    }
    return this.#writePoint(group, sum);
  }

  /** Whether the product of the pairings of so many pairs is one, as that of none is. */
  isProductOne(pairs: Uint8Array): boolean | null {
    const { first, second, product, factor } = this.#at;
    const half = this.pointBytes("G1");
    const size = half + this.pointBytes("G2");
    assert(pairs.length % size === 0, "whole pairs");
    this.#call("mclBnGT_setInt32", product, 1);
    for (let at = 0; at < pairs.length; at += pairsMax * size) {
      const some = pairs.subarray(at, at + pairsMax * size);
      let count = 0;
      for (let from = 0; from < some.length; from += size) {
        const a = first + count * 3 * fpBytes;
        const b = second + count * 6 * fpBytes;
        if (!this.#readMember("G1", some.subarray(from, from + half), a)) return null;
        if (!this.#readMember("G2", some.subarray(from + half, from + size), b)) return null;
        // A pair with infinity adds a factor of one.
        const isOne = this.#points.G1.isZero(a) === 1 || this.#points.G2.isZero(b) === 1;
        if (!isOne) count += 1;
      }
      if (count === 0) continue;
      this.#call("mclBn_millerLoopVec", factor, first, second, count);
      this.#call("mclBnGT_mul", product, product, factor);
    }
    this.#call("mclBn_finalExp", product, product);
    return this.#call("mclBnGT_isOne", product) === 1;
  }

  /** The point of the subgroup to which a number is mapped, of G2 a pair of them [RFC 9380]. */
  mapped(group: Group, numbers: Uint8Array): Uint8Array | null {
    const { first, sum } = this.#at;
    if (!this.#readNumbers(numbers, numbersOf[group], first)) return null;
    this.#call(group === "G1" ? "mclBnFp_mapToG1" : "mclBnFp2_mapToG2", sum, first);
    return this.#writePoint(group, sum);
  }

  /** A point of the subgroup. */
  #readMember(group: Group, bytes: Uint8Array, to: number): boolean {
    if (!this.#readPoint(group, bytes, to)) return false;
    if (group === "G1" && this.#form.isG1Whole) return true;
    return this.#points[group].isValidOrder(to) === 1;
  }

  /** A point of the curve. */
  #readPoint(group: Group, bytes: Uint8Array, to: number): boolean {
    const numbers = 2 * numbersOf[group];
    const z = to + numbers * fpBytes;
    this.#bytes().fill(0, to, z + (numbers / 2) * fpBytes);
    if (isZero(bytes)) return true;
    if (!this.#readNumbers(bytes, numbers, to)) return false;
    this.#setSmall(z, 1);
    return this.#points[group].isValid(to) === 1;
  }

  #readNumbers(bytes: Uint8Array, count: number, to: number): boolean {
    const { fieldBytes, widthBytes } = this.#form;
    const heap = this.#bytes();
    const { bytes: from } = this.#at;
    for (let index = 0; index < count; index += 1) {
      // What is wider than a number is refused where calls are read, as lengths are.
      const last = (index + 1) * widthBytes - 1;
      for (let i = 0; i < fieldBytes; i += 1) heap[from + i] = bytes[last - i] ?? 0;
      const place = to + this.#place(index, count) * fpBytes;
      // It takes nothing at or above the modulus.
      if (this.#readNumber(place, from, fieldBytes) !== fieldBytes) return false;
    }
    return true;
  }

  #writePoint(group: Group, point: number): Uint8Array {
    const { fieldBytes, widthBytes } = this.#form;
    const out = new Uint8Array(this.pointBytes(group));
    const { isZero: isInfinity, normalize } = this.#points[group];
    if (isInfinity(point) === 1) return out;
    normalize(point, point);
    const count = 2 * numbersOf[group];
    const { bytes: to } = this.#at;
    for (let index = 0; index < count; index += 1) {
      const from = point + this.#place(index, count) * fpBytes;
      const size = this.#writeNumber(to, fpBytes, from);
      assert(size === fieldBytes, "a number of another size");
      const heap = this.#bytes();
      const last = (index + 1) * widthBytes - 1;
      for (let i = 0; i < size; i += 1) out[last - i] = heap[to + i] ?? 0;
    }
    return out;
  }

  /** Where mcl has the number that is written at this index. */
  #place(index: number, count: number): number {
    return count > 2 && this.#form.isImaginaryFirst ? index ^ 1 : index;
  }

  #put(bytes: Uint8Array, to: number): void {
    this.#bytes().set(bytes, to);
  }

  /** mcl's memory, which is another once it grew. */
  #bytes(): Uint8Array {
    if (this.#heap.length === 0) {
      const memory: unknown = Reflect.get(this.#module, "HEAP8");
      assert(memory instanceof Int8Array, "mcl without memory");
      this.#heap = new Uint8Array(memory.buffer);
    }
    return this.#heap;
  }

  #pointCalls(group: Group): PointCalls {
    const find = (name: string): Call => this.#find(`mclBn${group}_${name}`);
    return {
      add: find("add"),
      mul: find("mul"),
      mulVec: find("mulVec"),
      isZero: find("isZero"),
      isValid: find("isValid"),
      isValidOrder: find("isValidOrder"),
      normalize: find("normalize"),
    };
  }

  #find(name: string): Call {
    const found: unknown = Reflect.get(this.#module, `_${name}`);
    assert(typeof found === "function", `mcl without ${name}`);
    return found as Call; // Of numbers all, by its C interface.
  }

  #call(name: string, ...values: readonly number[]): number {
    let call = this.#calls.get(name);
    if (call === undefined) {
      call = this.#find(name);
      this.#calls.set(name, call);
    }
    return call(...values);
  }
}

function isZero(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte !== 0) return false;
  return true;
}

function noDice(): void {
  assert(false, "nothing here is random");
}

/** A curve that is compiled when it is first asked for. */
export class LazyCurve {
  readonly #form: Form;
  #loaded: PairingCurve | null = null;
  #loading: Promise<PairingCurve> | null = null;

  constructor(form: Form) {
    this.#form = form;
  }

  /** `null` until it has been loaded. */
  get loaded(): PairingCurve | null {
    return this.#loaded;
  }

  async load(): Promise<PairingCurve> {
    this.#loading ??= PairingCurve.load(this.#form);
    this.#loaded = await this.#loading;
    return this.#loaded;
  }
}

/** alt_bn128, written as EIP-196 and EIP-197 do. */
export const bn254Curve = new LazyCurve({
  curve: 4,
  fieldBytes: 32,
  widthBytes: 32,
  isImaginaryFirst: true,
  isG1Whole: true,
});

/** BLS12-381, written as EIP-2537 does. */
export const bls12381Curve = new LazyCurve({
  curve: 5,
  fieldBytes: 48,
  widthBytes: 64,
  isImaginaryFirst: false,
  isG1Whole: false,
});
