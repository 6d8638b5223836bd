import { SecretKey } from "@chainsafe/blst";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bigIntToFixedBytes,
  bytesToBigInt,
  bytesToHex,
  hexToBytes,
  textToBytes,
} from "../base/bytes.ts";
import type { Address, Digest } from "../base/brand.ts";
import {
  aggregate,
  aggregatePublicKeys,
  aggregateSignatures,
  blsPublicKeyOf,
  blsSign,
  blsVerify,
  blsVerifyBatch,
  isBlsSecretKey,
  javascriptBls,
  nativeBlsOrNull,
  parseBlsPublicKey,
  proveBlsPossession,
  proveBlsPossessionStandard,
  verifyAggregate,
  verifyAggregateDiffering,
  verifyBlsPossession,
  verifyBlsPossessionStandard,
} from "./bls.ts";
import type { BlsPublicKey } from "./blsBackend.ts";
import {
  blsSigningPath,
  createBlsSecretKey,
  deriveBlsChild,
  deriveBlsMaster,
  deriveBlsPath,
} from "./blsDerivation.ts";

const order = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n;
const secretKeys = [1, 2, 3, 4].map((n) => deriveBlsMaster(new Uint8Array(32).fill(n)));
const keys = secretKeys.map((secretKey) => keyOf(blsPublicKeyOf(secretKey)));
const message = textToBytes("a block");
const infinity = Uint8Array.of(0xc0, ...new Uint8Array(95));

function keyOf(bytes: Uint8Array): BlsPublicKey {
  const key = parseBlsPublicKey(bytes);
  if (key === null) throw new Error("not a key");
  return key;
}

function at<T>(list: readonly T[], index: number): T {
  const value = list[index];
  if (value === undefined) throw new Error(`nothing at ${index}`);
  return value;
}

describe("aggregates", () => {
  const signatures = secretKeys.map((secretKey) => blsSign(message, secretKey));

  test("of one message verify with exactly the keys that signed", () => {
    const sum = aggregate(signatures);
    expect(verifyAggregate(keys, message, sum)).toBe(true);
    expect(verifyAggregate(keys.slice(1), message, sum)).toBe(false);
    expect(verifyAggregate([...keys, at(keys, 0)], message, sum)).toBe(false);
    expect(verifyAggregate(keys, textToBytes("another"), sum)).toBe(false);
    expect(verifyAggregate([], message, sum)).toBe(false);
  });

  test("of differing messages verify in their order only, repeated messages included", () => {
    const messages = ["a", "b", "a", "c"].map(textToBytes);
    const sum = aggregate(secretKeys.map((key, i) => blsSign(at(messages, i), key)));
    expect(verifyAggregateDiffering(keys, messages, sum)).toBe(true);
    expect(verifyAggregateDiffering(keys, messages.toReversed(), sum)).toBe(false);
    expect(verifyAggregateDiffering(keys, messages.slice(1), sum)).toBe(false);
    expect(verifyAggregateDiffering([], [], infinity)).toBe(false);
  });

  test("a batch fails when one claim fails", () => {
    const claims = keys.map((key, i) => ({ key, message, signature: at(signatures, i) }));
    expect(blsVerifyBatch(claims)).toBe(true);
    const wrong = { ...at(claims, 0), signature: at(signatures, 1) };
    expect(blsVerifyBatch([...claims.slice(1), wrong])).toBe(false);
    expect(blsVerifyBatch([...claims, { ...wrong, signature: infinity }])).toBe(false);
  });

  test("none, bad points and infinity have no sum", () => {
    expect(aggregateSignatures([])).toBeNull();
    expect(aggregatePublicKeys([])).toBeNull();
    expect(aggregateSignatures([infinity])).toBeNull();
    expect(aggregateSignatures([at(signatures, 0), at(signatures, 1).subarray(1)])).toBeNull();
  });

  test("keys that cancel each other prove nothing", () => {
    const secretKey = at(secretKeys, 0);
    const negative = bigIntToFixedBytes(order - bytesToBigInt(secretKey), 32);
    const pair = [at(keys, 0), keyOf(blsPublicKeyOf(negative))];
    expect(aggregatePublicKeys(pair)).toBeNull();
    expect(verifyAggregate(pair, message, infinity)).toBe(false);
    expect(verifyAggregateDiffering(pair, [message, message], infinity)).toBe(false);
    const cancelling = [blsSign(message, secretKey), blsSign(message, negative)];
    expect(aggregateSignatures(cancelling)).toBeNull();
  });
});

describe("keys", () => {
  test("infinity, points outside the subgroup and other lengths are no keys", () => {
    const good = blsPublicKeyOf(at(secretKeys, 0));
    expect(parseBlsPublicKey(Uint8Array.of(0xc0, ...new Uint8Array(47)))).toBeNull();
    expect(parseBlsPublicKey(good.subarray(1))).toBeNull();
    expect(parseBlsPublicKey(new Uint8Array([...good, 0]))).toBeNull();
    // The point (x = 4) lies on the curve but not in the subgroup.
    const outside = new Uint8Array(48);
    outside[0] = 0x80;
    outside[47] = 4;
    expect(parseBlsPublicKey(outside)).toBeNull();
    expect(javascriptBls.parsePublicKey(outside)).toBeNull();
  });

  test("a key seen before is the same object", () => {
    const bytes = at(keys, 0).bytes;
    expect(parseBlsPublicKey(bytes.slice())).toBe(parseBlsPublicKey(bytes));
  });

  test("secret keys lie between zero and the order", () => {
    expect(isBlsSecretKey(new Uint8Array(32))).toBe(false);
    expect(isBlsSecretKey(bigIntToFixedBytes(order, 32))).toBe(false);
    expect(isBlsSecretKey(bigIntToFixedBytes(order - 1n, 32))).toBe(true);
    expect(isBlsSecretKey(new Uint8Array(31).fill(1))).toBe(false);
    expect(isBlsSecretKey(createBlsSecretKey())).toBe(true);
  });

  test("a key parsed by one implementation works in the other", () => {
    const foreign = javascriptBls.parsePublicKey(at(keys, 0).bytes);
    if (foreign === null) throw new Error("not a key");
    expect(blsVerify(foreign, message, blsSign(message, at(secretKeys, 0)))).toBe(true);
  });
});

describe("proofs of possession", () => {
  const subject = {
    holder: `0x${"11".repeat(20)}` as Address,
    genesis: `0x${"22".repeat(32)}` as Digest,
  };
  const proof = proveBlsPossession(subject, at(secretKeys, 0));

  test("a bound proof holds for its key, holder and genesis only", () => {
    expect(verifyBlsPossession(subject, at(keys, 0), proof)).toBe(true);
    expect(verifyBlsPossession(subject, at(keys, 1), proof)).toBe(false);
    const otherHolder = { ...subject, holder: `0x${"12".repeat(20)}` as Address };
    const otherGenesis = { ...subject, genesis: `0x${"23".repeat(32)}` as Digest };
    expect(verifyBlsPossession(otherHolder, at(keys, 0), proof)).toBe(false);
    expect(verifyBlsPossession(otherGenesis, at(keys, 0), proof)).toBe(false);
    expect(verifyBlsPossessionStandard(at(keys, 0), proof)).toBe(false);
  });

  test("a standard proof is neither a bound one nor a signature", () => {
    const standard = proveBlsPossessionStandard(at(secretKeys, 0));
    expect(verifyBlsPossessionStandard(at(keys, 0), standard)).toBe(true);
    expect(verifyBlsPossession(subject, at(keys, 0), standard)).toBe(false);
    expect(blsVerify(at(keys, 0), at(keys, 0).bytes, standard)).toBe(false);
  });
});

test("both implementations give the same bytes and verdicts", () => {
  const native = nativeBlsOrNull ?? javascriptBls;
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 32, maxLength: 40 }),
      fc.uint8Array({ maxLength: 60 }),
      (seed, text) => {
        const secretKey = deriveBlsMaster(seed);
        const publicKey = native.publicKey(secretKey);
        const signature = native.sign(text, secretKey);
        expect(javascriptBls.publicKey(secretKey)).toEqual(publicKey);
        expect(javascriptBls.sign(text, secretKey)).toEqual(signature);
        const damaged = signature.slice();
        damaged[20] = (damaged[20] ?? 0) ^ 1;
        for (const given of [signature, damaged]) {
          const claim = { key: keyOf(publicKey), message: text, signature: given };
          expect(javascriptBls.verify(claim)).toBe(native.verify(claim));
        }
      },
    ),
    { numRuns: 5 },
  );
});

describe("derivation", () => {
  test("EIP-2333 test case 0", () => {
    const seed = hexToBytes(
      "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04",
    );
    const master = deriveBlsMaster(seed);
    expect(bytesToBigInt(master)).toBe(
      6083874454709270928345386274498605044986640685124978867557563392430687146096n,
    );
    expect(bytesToBigInt(deriveBlsChild(master, 0))).toBe(
      20397789859736650942317412262472558107875392172444076792671091975210932703118n,
    );
  });

  test("agrees with blst", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 64 }),
        fc.nat(0xffff_ffff),
        (seed, index) => {
          const master = SecretKey.deriveMasterEip2333(seed);
          expect(deriveBlsMaster(seed)).toEqual(new Uint8Array(master.toBytes()));
          expect(deriveBlsChild(deriveBlsMaster(seed), index)).toEqual(
            new Uint8Array(master.deriveChildEip2333(index).toBytes()),
          );
        },
      ),
      { numRuns: 5 },
    );
  });

  test("paths", () => {
    const seed = new Uint8Array(32).fill(9);
    expect(deriveBlsPath(seed, "m")).toEqual(deriveBlsMaster(seed));
    expect(deriveBlsPath(seed, "m/3/4")).toEqual(
      deriveBlsChild(deriveBlsChild(deriveBlsMaster(seed), 3), 4),
    );
    const first = deriveBlsPath(seed, blsSigningPath(0));
    const second = deriveBlsPath(seed, blsSigningPath(1));
    expect(first === null || second === null || bytesToHex(first) === bytesToHex(second)).toBe(
      false,
    );
    for (const path of ["", "m/", "m/-1", "m/1'", "m/4294967296", "n/1", "m//1"]) {
      expect(deriveBlsPath(seed, path), path).toBeNull();
    }
  });
});
