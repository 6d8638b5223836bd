import { hexToBytesOrNull, textToAddressOrNull, textToDigestOrNull } from "../base/bytes.ts";
import type { Address, Digest } from "../base/brand.ts";
import type { Outcome } from "../base/outcome.ts";
import { accept, refuse } from "../base/outcome.ts";
import type { JsonValue } from "./json.ts";
import { isJsonObject, memberOf, shortened } from "./json.ts";
import { readQuantity, readSafeNumber, readThetaNumber } from "./numbers.ts";

// Readers of parameters. A reader is a function and the JSON schema of what it takes, so that
// /openrpc.json is generated from what really runs, and a call pays for no schema interpreter.

/** Reads one parameter; the refusal is the end of a sentence that begins with its name. */
export type Parameter<T> = {
  readonly schema: { readonly [key: string]: JsonValue };
  /** Whether it may be left out; the reader then gets `undefined`. */
  readonly optional: boolean;
  readonly read: (value: unknown) => Outcome<T, string>;
};

/** Parameters by name, in positional order. */
export type ParameterTable = Readonly<Record<string, Parameter<unknown>>>;

/** What a method's function gets. */
export type ParameterValues<P extends ParameterTable> = {
  readonly [K in keyof P]: P[K] extends Parameter<infer T> ? T : never;
};

/** `array`: members by position. `object`: Theta's way, one object, alone or in an array. */
export type ParameterStyle = "array" | "object";

function required<T>(
  schema: Parameter<T>["schema"],
  read: (value: unknown) => Outcome<T, string>,
): Parameter<T> {
  return { schema, optional: false, read };
}

/** The same parameter, and `fallback` where it is left out or `null`. */
export function optional<T, F>(parameter: Parameter<T>, fallback: F): Parameter<T | F> {
  return {
    schema: parameter.schema,
    optional: true,
    read: (value) =>
      value === undefined || value === null ? accept(fallback) : parameter.read(value),
  };
}

/** An address in any letter case; `0x` may be missing, as Theta's tools leave it out. */
export const thetaAddress: Parameter<Address> = required(
  { type: "string", description: "20 bytes of hex" },
  (value) => {
    const address = typeof value === "string" ? textToAddressOrNull(value) : null;
    return address === null ? refuse("wants an address of 40 hex digits") : accept(address);
  },
);

const prefixedAddress = /^0x[0-9a-fA-F]{40}$/;
const prefixedDigest = /^0x[0-9a-fA-F]{64}$/;
const prefixedData = /^0x(?:[0-9a-fA-F]{2})*$/;

/** An address as Ethereum writes it: `0x` and 40 digits. */
export const ethereumAddress: Parameter<Address> = required(
  { type: "string", pattern: "^0x[0-9a-fA-F]{40}$" },
  (value) => {
    const address =
      typeof value === "string" && prefixedAddress.test(value) ? textToAddressOrNull(value) : null;
    return address === null ? refuse("wants 0x and 40 hex digits") : accept(address);
  },
);

/** A hash; `0x` may be missing. */
export const thetaDigest: Parameter<Digest> = required(
  { type: "string", description: "32 bytes of hex" },
  (value) => {
    const digest = typeof value === "string" ? textToDigestOrNull(value) : null;
    return digest === null ? refuse("wants a hash of 64 hex digits") : accept(digest);
  },
);

/** A hash as Ethereum writes it: `0x` and 64 digits. */
export const ethereumDigest: Parameter<Digest> = required(
  { type: "string", pattern: "^0x[0-9a-fA-F]{64}$" },
  (value) => {
    const digest =
      typeof value === "string" && prefixedDigest.test(value) ? textToDigestOrNull(value) : null;
    return digest === null ? refuse("wants 0x and 64 hex digits") : accept(digest);
  },
);

/** Bytes as hex; `0x` may be missing (theta-js leaves it out). */
export const hexBytes: Parameter<Uint8Array> = required(
  { type: "string", description: "bytes of hex" },
  (value) => {
    const bytes = typeof value === "string" ? hexToBytesOrNull(value) : null;
    return bytes === null ? refuse("wants an even number of hex digits") : accept(bytes);
  },
);

/** A list of at most 64 byte strings, in hex. */
export const hexBytesList: Parameter<readonly Uint8Array[]> = required(
  { type: "array", maxItems: 64, items: { type: "string" }, description: "lists of hex digits" },
  (value) => {
    if (!Array.isArray(value) || value.length > 64) return refuse("wants a list of at most 64");
    const list: Uint8Array[] = [];
    for (const item of value as readonly unknown[]) {
      const bytes = typeof item === "string" ? hexToBytesOrNull(item) : null;
      if (bytes === null) return refuse("wants an even number of hex digits in each item");
      list.push(bytes);
    }
    return accept(list);
  },
);

/** Bytes as Ethereum writes them. */
export const ethereumData: Parameter<Uint8Array> = required(
  { type: "string", pattern: "^0x([0-9a-fA-F]{2})*$" },
  (value) => {
    const bytes =
      typeof value === "string" && prefixedData.test(value) ? hexToBytesOrNull(value) : null;
    return bytes === null ? refuse("wants 0x and an even number of hex digits") : accept(bytes);
  },
);

/** A 256-bit storage slot: a quantity or up to 32 bytes of data, as tools send both. */
export const storageSlot: Parameter<bigint> = required(
  { type: "string", pattern: "^0x[0-9a-fA-F]{1,64}$" },
  (value) => {
    if (typeof value !== "string" || !/^0x[0-9a-fA-F]{1,64}$/.test(value))
      return refuse("wants 0x and 1 to 64 hex digits");
    return accept(BigInt(value));
  },
);

/** Number, decimal string or 0x-hex. */
export const thetaNumber: Parameter<bigint> = required(
  { type: ["string", "integer"], description: "decimal string, 0x-hex string or number" },
  readThetaNumber,
);

/** A height or count. */
export const safeNumber: Parameter<number> = required(
  { type: ["string", "integer"], description: "decimal string, 0x-hex string or number" },
  readSafeNumber,
);

/** A quantity of at most 64 bits. */
export const quantity64: Parameter<bigint> = required(
  { type: "string", pattern: "^0x(0|[1-9a-f][0-9a-f]*)$" },
  (value) => readQuantity(value, 64),
);

/** Yes or no. */
export const flag: Parameter<boolean> = required({ type: "boolean" }, (value) =>
  typeof value === "boolean" ? accept(value) : refuse("wants true or false"),
);

/** A text of at most 256 characters: names. */
export const shortText: Parameter<string> = required(
  { type: "string", maxLength: 256 },
  (value) => {
    if (typeof value !== "string") return refuse("wants a string");
    return value.length <= 256 ? accept(value) : refuse("wants at most 256 characters");
  },
);

/** Whatever JSON says: the method looks further. */
export const anything: Parameter<unknown> = { schema: {}, optional: true, read: accept };

/** A block by tag or number (Ethereum). */
export type BlockTag =
  | { readonly type: "height"; readonly height: bigint }
  | { readonly type: "hash"; readonly hash: Digest }
  | {
      readonly type: "tag";
      readonly tag: "latest" | "safe" | "finalized" | "pending" | "earliest";
    };

const tags = ["latest", "safe", "finalized", "pending", "earliest"] as const;

function readBlockTag(value: unknown): Outcome<BlockTag, string> {
  if (isJsonObject(value)) {
    const hash = memberOf(value, "blockHash");
    if (hash !== undefined) {
      const read = ethereumDigest.read(hash);
      return read.ok
        ? accept({ type: "hash", hash: read.value })
        : refuse(`blockHash ${read.refusal}`);
    }
    const read = readQuantity(memberOf(value, "blockNumber"), 64);
    if (read.ok) return accept({ type: "height", height: read.value });
    return refuse(`blockNumber ${read.refusal}`);
  }
  const tag = tags.find((known) => known === value);
  if (tag !== undefined) return accept({ type: "tag", tag });
  const bare = ethereumDigest.read(value); // 64 digits are no height of any chain.
  if (bare.ok) return accept({ type: "hash", hash: bare.value });
  const read = readQuantity(value, 64);
  if (read.ok) return accept({ type: "height", height: read.value });
  return refuse(
    typeof value === "string"
      ? `"${shortened(value, 40)}" is neither a 0x-hex number nor one of ${tags.join(", ")}`
      : `wants a 0x-hex number or one of ${tags.join(", ")}`,
  );
}

/** A block: number, tag, hash or EIP-1898 object. */
export const blockTag: Parameter<BlockTag> = required(
  { description: "0x-hex number, tag, hash, or EIP-1898 object" },
  readBlockTag,
);

function valueAt(params: unknown, names: readonly string[], style: ParameterStyle) {
  const list: readonly unknown[] | null = Array.isArray(params) ? params : null;
  const first = list?.[0];
  const object =
    style === "object" && list !== null && list.length === 1 && isJsonObject(first)
      ? first
      : params;
  if (isJsonObject(object)) return (index: number) => memberOf(object, names[index] ?? "");
  return (index: number) => list?.[index];
}

/** Reads a call's `params` by the table; a refusal names the parameter. */
export function readParameters<P extends ParameterTable>(
  table: P,
  params: unknown,
  style: ParameterStyle,
): Outcome<ParameterValues<P>, string> {
  const names = Object.keys(table);
  if (Array.isArray(params) && params.length > names.length)
    if (style === "array" || params.length > 1)
      return refuse(`takes at most ${names.length} parameters, not ${params.length}`);
  const at = valueAt(params, names, style);
  const values: Record<string, unknown> = {};
  for (const [index, name] of names.entries()) {
    const parameter = table[name];
    if (parameter === undefined) continue;
    const value = at(index);
    if (value === undefined && !parameter.optional) return refuse(`parameter ${name} is missing`);
    const read = parameter.read(value);
    if (!read.ok) return refuse(`parameter ${name} ${read.refusal}`);
    values[name] = read.value;
  }
  return accept(values as ParameterValues<P>);
}
