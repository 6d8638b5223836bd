import { RLP } from "@ethereumjs/rlp";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesToHex, concatBytes, equalBytes } from "./bytes.ts";
import {
  decodeRlp,
  decodeRlpSequence,
  encodeRlp,
  readBigInt,
  readList,
  readNumber,
  readText,
  rlpBigInt,
  rlpDepthMax,
  rlpNumber,
  RlpReader,
  rlpText,
  type RlpItem,
} from "./rlp.ts";
import { encodeStatement, type Statement } from "./statement.ts";
import type { Digest } from "./brand.ts";

const itemArbitrary: fc.Arbitrary<RlpItem> = fc.letrec<{ item: RlpItem; bytes: Uint8Array }>(
  (tie) => ({
    bytes: fc.uint8Array({ maxLength: 300 }),
    item: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      tie("bytes"),
      fc.array(tie("item"), { maxLength: 6 }),
    ),
  }),
).item;

const runs = Number(process.env["LEDGER_FUZZ_RUNS"] ?? 500);

describe("properties", () => {
  test("what is encoded decodes to itself, as the common library encodes it", () => {
    fc.assert(
      fc.property(itemArbitrary, (item) => {
        const raw = encodeRlp(item);
        expect(bytesToHex(raw)).toBe(bytesToHex(RLP.encode(item as Uint8Array)));
        const outcome = decodeRlp(raw);
        expect(outcome.ok && equalBytes(encodeRlp(outcome.value), raw)).toBe(true);
      }),
      { numRuns: runs },
    );
  });

  test("mutated bytes are refused or are the canonical encoding of something", () => {
    const mutated = fc
      .tuple(itemArbitrary, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), fc.nat(3))
      .map(([item, changes, cut]) => {
        const raw = encodeRlp(item).slice();
        for (const [at, byte] of changes) raw[at % raw.length] = byte;
        return raw.subarray(0, raw.length - Math.min(cut, raw.length));
      });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 80 })), (raw) => {
        const outcome = decodeRlp(raw);
        expect(!outcome.ok || equalBytes(encodeRlp(outcome.value), raw)).toBe(true);
        const sequence = decodeRlpSequence(raw);
        if (!sequence.ok) return;
        expect(equalBytes(concatBytes(...sequence.value.map(encodeRlp)), raw)).toBe(true);
      }),
      { numRuns: runs },
    );
  });

  test("integers survive", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), (value) => {
        expect(readBigInt(rlpBigInt(value), 256)).toBe(value);
      }),
    );
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        expect(readNumber(rlpNumber(value))).toBe(value);
        expect(readBigInt(rlpNumber(value), 64)).toBe(BigInt(value));
      }),
    );
  });

  test("two statements that differ anywhere have different bytes", () => {
    const text = fc.string({ maxLength: 3 });
    const statement: fc.Arbitrary<Statement> = fc.record({
      domain: text,
      genesis: fc.constantFrom(`0x${"00".repeat(32)}` as Digest, `0x${"11".repeat(32)}` as Digest),
      scope: text,
      slot: fc.record({ epoch: fc.nat(3), view: fc.nat(3) }),
      value: itemArbitrary,
    });
    fc.assert(
      fc.property(statement, statement, (a, b) => {
        const same = equalBytes(encodeStatement(a), encodeStatement(b));
        const print = (s: Statement): string =>
          JSON.stringify([s.domain, s.genesis, s.scope, s.slot.epoch, s.slot.view]) +
          bytesToHex(encodeRlp(s.value));
        expect(same).toBe(print(a) === print(b));
      }),
      { numRuns: runs },
    );
  });
});

test("an integer with a leading zero, or too wide, is no integer", () => {
  expect(readNumber(new Uint8Array([0]))).toBeNull();
  expect(readNumber(new Uint8Array([0, 1]))).toBeNull();
  expect(readNumber(new Uint8Array(7).fill(255))).toBeNull();
  expect(readNumber(rlpBigInt(2n ** 53n))).toBeNull();
  expect(readBigInt(new Uint8Array([0, 1]), 64)).toBeNull();
  expect(readBigInt(rlpBigInt(2n ** 64n), 64)).toBeNull();
  expect(readNumber([])).toBeNull();
  expect(readText(new Uint8Array([0xff]), 10)).toBeNull();
  expect(readList(new Uint8Array(0))).toBeNull();
});

test("a sequence is what it says", () => {
  const raw = concatBytes(encodeRlp(rlpNumber(2)), encodeRlp([rlpText("a")]));
  const outcome = decodeRlpSequence(raw);
  expect(outcome.ok && outcome.value.length).toBe(2);
  expect(decodeRlp(raw).ok).toBe(false);
});

test("lists nest up to the limit and not beyond", () => {
  let item: RlpItem = [];
  for (let depth = 1; depth < rlpDepthMax; depth += 1) item = [item];
  expect(decodeRlp(encodeRlp(item)).ok).toBe(true);
  expect(decodeRlp(encodeRlp([item])).ok).toBe(false);
});

describe("a reader", () => {
  test("reads what was written", () => {
    const reader = new RlpReader("sample");
    const fields = reader.list([rlpNumber(7), rlpBigInt(9n), rlpText("x"), rlpNumber(1)], 4);
    const value = {
      count: reader.number(fields[0]),
      amount: reader.bigInt(fields[1], 256),
      name: reader.text(fields[2], 10),
      flag: reader.flag(fields[3]),
    };
    expect(reader.outcome(value)).toEqual({
      ok: true,
      value: { count: 7, amount: 9n, name: "x", flag: true },
    });
  });

  test("keeps its first refusal and never throws", () => {
    const reader = new RlpReader("sample");
    const fields = reader.list([rlpNumber(7)], 2);
    reader.digest(fields[0]);
    reader.address(fields[5]);
    reader.array(fields[1], 3, (part) => reader.number(part));
    expect(reader.outcome(1)).toEqual({
      ok: false,
      refusal: {
        code: "wrongForm",
        detail: "sample: expected a list of 2 items, got a list of 1 items",
      },
    });
  });
});
