import type { Address, Digest } from "../base/brand.ts";
import {
  bytesToDigest,
  bytesToHex,
  hexToBytes,
  hexToBytesOrNull,
  textToAddressOrNull,
  textToBytes,
} from "../base/bytes.ts";
import { assert } from "../base/assert.ts";
import type { Outcome } from "../base/outcome.ts";
import { accept, refuse } from "../base/outcome.ts";
import {
  decodeRlp,
  encodeRlp,
  rlpBigInt,
  rlpNumber,
  rlpText,
  RlpReader,
  type RlpItem,
} from "../base/rlp.ts";

/*
 * One description per value gives its RLP, its JSON and a line for help texts, so that a new module
 * appears in receipts, queries and the command line without a second codec.
 */

/** Plain JSON. Amounts are decimal strings, bytes are `0x` hex. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };

/** How a value of one type is encoded, shown and described. Methods, so that lists of them type. */
export interface Schema<T> {
  /** For people: `address`, `amount`, `list of …`. */
  readonly description: string;
  toItem(value: T): RlpItem;
  /** Reports what is wrong to the reader and then answers with a placeholder. */
  fromItem(item: RlpItem | undefined, reader: RlpReader): T;
  toJson(value: T): Json;
  /** `null` if the JSON is not such a value. */
  fromJson(json: unknown): { readonly value: T } | null;
}

/** The type that a schema describes. */
export type ValueOf<S> = S extends Schema<infer T> ? T : never;

/** The canonical bytes of a value. */
export function encodeWith<T>(schema: Schema<T>, value: T): Uint8Array {
  return encodeRlp(schema.toItem(value));
}

/** The value of bytes from outside; `detail` of the refusal is for people. */
export function decodeWith<T>(schema: Schema<T>, bytes: Uint8Array): Outcome<T, string> {
  const item = decodeRlp(bytes);
  if (!item.ok) return refuse(item.refusal.detail);
  const reader = new RlpReader(schema.description);
  const outcome = reader.outcome(schema.fromItem(item.value, reader));
  return outcome.ok ? accept(outcome.value) : refuse(outcome.refusal.detail);
}

/** The value of bytes that this program wrote into the state itself. */
export function decodeOwn<T>(schema: Schema<T>, bytes: Uint8Array): T {
  const outcome = decodeWith(schema, bytes);
  assert(outcome.ok, `a stored record is unreadable: ${outcome.ok ? "" : outcome.refusal}`);
  return outcome.value;
}

/** A 20-byte address. */
export const addressField: Schema<Address> = {
  description: "address",
  toItem: (value) => hexToBytes(value),
  fromItem: (item, reader) => reader.address(item),
  toJson: (value) => value,
  fromJson: (json) => {
    const value = typeof json === "string" ? textToAddressOrNull(json) : null;
    return value === null ? null : { value };
  },
};

/** A 32-byte digest. */
export const digestField: Schema<Digest> = {
  description: "32-byte hash",
  toItem: (value) => hexToBytes(value),
  fromItem: (item, reader) => reader.digest(item),
  toJson: (value) => value,
  fromJson: (json) => {
    const bytes = typeof json === "string" ? hexToBytesOrNull(json) : null;
    return bytes === null || bytes.length !== 32 ? null : { value: bytesToDigest(bytes) };
  },
};

/** An unsigned integer of at most 256 bits, in the smallest unit. */
export const amountField: Schema<bigint> = {
  description: "amount",
  toItem: (value) => rlpBigInt(value),
  fromItem: (item, reader) => reader.bigInt(item, 256),
  toJson: (value) => value.toString(),
  fromJson: (json) => {
    const text = typeof json === "number" && Number.isSafeInteger(json) ? `${json}` : json;
    if (typeof text !== "string" || !/^(0|[1-9][0-9]{0,77})$/.test(text)) return null;
    const value = BigInt(text);
    return value < 1n << 256n ? { value } : null;
  },
};

/** An unsigned safe integer: heights, counts, milliseconds. */
export const numberField: Schema<number> = {
  description: "number",
  toItem: (value) => rlpNumber(value),
  fromItem: (item, reader) => reader.number(item),
  toJson: (value) => value,
  fromJson: (json) => {
    const value = typeof json === "string" && /^[0-9]{1,16}$/.test(json) ? Number(json) : json;
    return typeof value === "number" && Number.isSafeInteger(value) && value >= 0
      ? { value }
      : null;
  },
};

/** 0 or 1. */
export const flagField: Schema<boolean> = {
  description: "true or false",
  toItem: (value) => rlpNumber(value ? 1 : 0),
  fromItem: (item, reader) => {
    const value = reader.number(item);
    reader.check(value <= 1, `a flag is 0 or 1, not ${value}`);
    return value === 1;
  },
  toJson: (value) => value,
  fromJson: (json) => (typeof json === "boolean" ? { value: json } : null),
};

/** Exactly `size` bytes. */
export function bytesField(size: number): Schema<Uint8Array> {
  return {
    description: `${size} bytes`,
    toItem: (value) => value,
    // Copied: what is decoded must not change with the buffer it came in.
    fromItem: (item, reader) => reader.fixed(item, size).slice(),
    toJson: (value) => bytesToHex(value),
    fromJson: (json) => {
      const value = typeof json === "string" ? hexToBytesOrNull(json) : null;
      return value === null || value.length !== size ? null : { value };
    },
  };
}

/** Exactly `size` bytes, or none. */
export function optionalBytesField(size: number): Schema<Uint8Array> {
  return { ...bytesOfSizesField([0, size]), description: `${size} bytes or none` };
}

/** As many bytes as one of `sizes`. */
export function bytesOfSizesField(sizes: readonly number[]): Schema<Uint8Array> {
  const description = `${sizes.join(" or ")} bytes`;
  const sizeMax = Math.max(...sizes);
  return {
    description,
    toItem: (value) => value,
    fromItem: (item, reader) => {
      const value = reader.bytes(item, sizeMax);
      reader.check(sizes.includes(value.length), `${description} expected, got ${value.length}`);
      return value.slice();
    },
    toJson: (value) => bytesToHex(value),
    fromJson: (json) => {
      const value = typeof json === "string" ? hexToBytesOrNull(json) : null;
      return value === null || !sizes.includes(value.length) ? null : { value };
    },
  };
}

/** At most `sizeMax` bytes of UTF-8. */
export function textField(sizeMax: number): Schema<string> {
  return {
    description: `text of at most ${sizeMax} bytes`,
    toItem: (value) => rlpText(value),
    fromItem: (item, reader) => reader.text(item, sizeMax),
    toJson: (value) => value,
    fromJson: (json) =>
      typeof json === "string" && textToBytes(json).length <= sizeMax ? { value: json } : null,
  };
}

/** At most `countMax` values. */
export function listField<T>(part: Schema<T>, countMax: number): Schema<readonly T[]> {
  return {
    description: `list of ${part.description}`,
    toItem: (value) => value.map((entry) => part.toItem(entry)),
    fromItem: (item, reader) =>
      reader.array(item, countMax, (entry) => part.fromItem(entry, reader)),
    toJson: (value) => value.map((entry) => part.toJson(entry)),
    fromJson: (json) => {
      if (!Array.isArray(json) || json.length > countMax) return null;
      const values: T[] = [];
      for (const entry of json) {
        const read = part.fromJson(entry);
        if (read === null) return null;
        values.push(read.value);
      }
      return { value: values };
    },
  };
}

type Fields = Readonly<Record<string, Schema<unknown>>>;
type RecordOf<F extends Fields> = { readonly [K in keyof F]: ValueOf<F[K]> };

/** Named fields: in RLP a list in the order given, in JSON an object without other keys. */
export function recordField<F extends Fields>(fields: F): Schema<RecordOf<F>> {
  const entries = Object.entries(fields);
  return {
    description: `{${entries.map(([name, field]) => `${name}: ${field.description}`).join(", ")}}`,
    toItem: (value) => entries.map(([name, field]) => field.toItem(value[name])),
    fromItem: (item, reader) => {
      const parts = reader.list(item, entries.length);
      const record: Record<string, unknown> = {};
      entries.forEach(([name, field], i) => (record[name] = field.fromItem(parts[i], reader)));
      return record as RecordOf<F>; // Each field was read by its own schema on the line above.
    },
    toJson: (value) =>
      Object.fromEntries(entries.map(([name, field]) => [name, field.toJson(value[name])])),
    fromJson: (json) => {
      if (typeof json !== "object" || json === null || Array.isArray(json)) return null;
      const given = new Map<string, unknown>(Object.entries(json));
      if (given.size !== entries.length) return null;
      const record: Record<string, unknown> = {};
      for (const [name, field] of entries) {
        const read = given.has(name) ? field.fromJson(given.get(name)) : null;
        if (read === null) return null;
        record[name] = read.value;
      }
      return { value: record as RecordOf<F> }; // Each field was read by its own schema above.
    },
  };
}
