import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeRlp, encodeRlp, readBigInt, readFixed, readList, rlpBigInt } from "../base/rlp.ts";
import { decodeAccountOrNull, encodeAccount, type AccountRecord } from "./account.ts";

/** The account of a general decoding. */
function decodeGenerally(bytes: Uint8Array): AccountRecord | null {
  const outcome = decodeRlp(bytes);
  const fields = outcome.ok ? readList(outcome.value, 4) : null;
  const nonce = readBigInt(fields?.[0], 64);
  const balance = readBigInt(fields?.[1], 256);
  const storageRoot = readFixed(fields?.[2], 32);
  const codeHash = readFixed(fields?.[3], 32);
  if (nonce === null || balance === null || storageRoot === null || codeHash === null) return null;
  return { nonce, balance, storageRoot, codeHash };
}

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const integer = (bits: number): fc.Arbitrary<bigint> =>
  fc
    .tuple(fc.integer({ min: 0, max: bits }), fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }))
    .map(([size, value]) => BigInt.asUintN(size, value));
const account = fc.record({
  nonce: integer(64),
  balance: integer(256),
  storageRoot: hash,
  codeHash: hash,
});

test("an account is encoded and decoded as the general codec does it", () => {
  fc.assert(
    fc.property(account, (record) => {
      const { nonce, balance, storageRoot, codeHash } = record;
      const bytes = encodeAccount(record);
      expect(bytes).toEqual(
        encodeRlp([rlpBigInt(nonce), rlpBigInt(balance), storageRoot, codeHash]),
      );
      expect(decodeAccountOrNull(bytes)).toEqual(record);
    }),
  );
});

test("what is not an account's one encoding is refused, as by the general decoder", () => {
  const change = fc.tuple(fc.nat({ max: 120 }), fc.integer({ min: 0, max: 255 }));
  const list = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 3, maxLength: 5 });
  const bytes = fc.oneof(
    fc.tuple(account, change, fc.nat({ max: 3 })).map(([record, [at, byte], more]) => {
      const mutated = new Uint8Array([...encodeAccount(record), ...new Uint8Array(more)]);
      if (at < mutated.length) mutated[at] = byte;
      return mutated;
    }),
    list.map((items) => encodeRlp(items)),
    fc.uint8Array({ maxLength: 120 }),
  );
  fc.assert(
    fc.property(bytes, (some) => {
      expect(decodeAccountOrNull(some)).toEqual(decodeGenerally(some));
    }),
    { numRuns: 2_000 },
  );
});
