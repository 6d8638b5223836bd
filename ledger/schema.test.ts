import fc from "fast-check";
import { expect, test } from "vitest";
import { addresses, bytesOf, digests } from "../test/fakes/transactions.ts";
import {
  addressField,
  amountField,
  bytesField,
  decodeWith,
  digestField,
  encodeWith,
  flagField,
  listField,
  numberField,
  recordField,
  textField,
} from "./schema.ts";

const schema = recordField({
  address: addressField,
  digest: digestField,
  amount: amountField,
  height: numberField,
  flag: flagField,
  key: bytesField(4),
  name: textField(40),
  list: listField(numberField, 3),
});

const values = fc.record({
  address: addresses,
  digest: digests,
  amount: fc.bigInt(0n, (1n << 256n) - 1n),
  height: fc.maxSafeNat(),
  flag: fc.boolean(),
  key: bytesOf(4),
  name: fc.string({ unit: "grapheme", maxLength: 6 }).filter((name) => name.length < 10),
  list: fc.array(fc.maxSafeNat(), { maxLength: 3 }),
});

test("a value survives its bytes and its JSON", () => {
  fc.assert(
    fc.property(values, (value) => {
      expect(decodeWith(schema, encodeWith(schema, value))).toEqual({ ok: true, value });
      const json: unknown = JSON.parse(JSON.stringify(schema.toJson(value)));
      expect(schema.fromJson(json)).toEqual({ value });
    }),
  );
});

test("bytes that decode are the bytes that encode", () => {
  fc.assert(
    fc.property(values, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, at, bits) => {
      const bytes = encodeWith(schema, value);
      const index = at % bytes.length;
      bytes[index] = (bytes[index] ?? 0) ^ bits;
      const decoded = decodeWith(schema, bytes);
      expect(decoded.ok ? encodeWith(schema, decoded.value) : bytes).toEqual(bytes);
    }),
    { numRuns: 1_000 },
  );
});

test("row E9: JSON amounts are decimal text or safe whole numbers", () => {
  const wrong = ["1e18", "0x1", "", " 1", "-1", "01", "1.0", -1, 1.5, 2 ** 53, null, {}, []];
  for (const json of wrong) expect(amountField.fromJson(json)).toBeNull();
  expect(amountField.fromJson(`${1n << 256n}`)).toBeNull();
  expect(amountField.fromJson(`${(1n << 256n) - 1n}`)).toEqual({ value: (1n << 256n) - 1n });
  expect(amountField.fromJson(7)).toEqual({ value: 7n });
  for (const json of ["", "-1", "1e3", "99999999999999999", -1, 0.5, 2 ** 53]) {
    expect(numberField.fromJson(json)).toBeNull();
  }
});

test("row E10: a record takes its own keys only", () => {
  const record = recordField({ height: numberField });
  expect(record.fromJson({ height: 1 })).toEqual({ value: { height: 1 } });
  expect(record.fromJson(JSON.parse('{"height": 1, "__proto__": {}}'))).toBeNull();
  expect(record.fromJson(JSON.parse('{"__proto__": {"height": 1}}'))).toBeNull();
  expect(record.fromJson(Object.create({ height: 1 }))).toBeNull();
  expect(recordField({ constructor: numberField }).fromJson({})).toBeNull();
});
