import { assert } from "../base/assert.ts";
import { accept, refuse } from "../base/outcome.ts";
import type { Outcome } from "../base/outcome.ts";
import type { Codec } from "./codec.ts";
import { frameBodyBytesMax, frameOverheadMax } from "./limits.ts";
import { wire } from "./proto/wire.js";

/*
 * The envelopes of proto/wire.proto, read strictly. Protobuf lets one message be written in many
 * ways, and its decoders skip or merge what they do not expect; here exactly one way is accepted,
 * so that decoding and encoding again gives the same bytes: fields in ascending order, each once
 * unless repeated, minimal varints, defaults left out, nothing unknown. The walk below allocates
 * nothing and knows each field's limit, so a hostile message is refused before the generated code
 * sees it.
 */

/** Why bytes are not the envelope that was expected. */
export type EnvelopeRefusalCode =
  | "envelopeTooLong"
  | "envelopeTruncated"
  | "varintTooLong"
  | "varintNotMinimal"
  | "fieldUnknown"
  | "fieldRepeated"
  | "fieldOrder"
  | "wireType"
  | "defaultWritten"
  | "fieldTooLong"
  | "valueTooLarge"
  | "itemsTooMany";

/** `got` and `limit` are what disagreed; `field` is its number, 0 for the whole message. */
export type EnvelopeRefusal = {
  readonly code: EnvelopeRefusalCode;
  readonly field: number;
  readonly got: number;
  readonly limit: number;
};

/** One field: its type and the most it may hold (a value, bytes; for a list, of each item). */
export type FieldRule = {
  readonly name: string;
  readonly type: "uint32" | "bytes" | "list";
  readonly max: number;
  /** Items of a list. */
  readonly itemsMax?: number;
};

/** The fields of one message by number. */
export type MessageRule = ReadonlyMap<number, FieldRule>;

const uint32Max = 0xffff_ffff;

/** Items of one list: as many as fit a frame when each holds a digest. */
export const listItemsMax = 65_536;

const uint32 = (name: string, max = uint32Max): FieldRule => ({ name, type: "uint32", max });
const bytes = (name: string, max = frameBodyBytesMax): FieldRule => ({ name, type: "bytes", max });

/** The rules of proto/wire.proto; a test holds the two together. */
export const messageRules = {
  Frame: new Map([
    [1, uint32("kind", 4)],
    [2, uint32("id")],
    [3, uint32("code", 255)],
    [4, bytes("body")],
  ]),
  Hello: new Map([
    [1, uint32("version")],
    [2, bytes("genesis", 64)],
    [3, bytes("runtime", 64)],
    [4, bytes("status", 2_048)],
  ]),
  Envelope: new Map([
    [1, uint32("kind")],
    [2, bytes("body")],
  ]),
  ByteList: new Map([
    [1, { name: "items", type: "list", max: frameBodyBytesMax, itemsMax: listItemsMax }],
  ]),
  Range: new Map([
    [1, bytes("from", 8)],
    [2, uint32("count")],
    [3, uint32("bytesMax")],
  ]),
} as const satisfies Readonly<Record<string, MessageRule>>;

type Refused = { readonly ok: false; readonly refusal: EnvelopeRefusal };

function refused(
  code: EnvelopeRefusalCode,
  field: number,
  { got, limit }: { readonly got: number; readonly limit: number },
): Refused {
  return refuse({ code, field, got, limit });
}

/** Where a varint ends and what it says, below 2^32. */
type Varint = { readonly value: number; readonly end: number };

/** Bytes of a varint below 2^32. */
const varintBytesMax = 5;

function readVarint(from: Uint8Array, at: number, field: number): Outcome<Varint, EnvelopeRefusal> {
  let value = 0;
  let scale = 1;
  for (let size = 1; ; size += 1) {
    const byte = from[at + size - 1];
    if (byte === undefined)
      return refused("envelopeTruncated", field, { got: from.length, limit: at + size });
    if (size > varintBytesMax)
      return refused("varintTooLong", field, { got: size, limit: varintBytesMax });
    value += (byte & 0x7f) * scale;
    scale *= 128;
    if (byte >= 0x80) continue;
    if (byte === 0 && size > 1)
      return refused("varintNotMinimal", field, { got: size, limit: size - 1 });
    if (value > uint32Max) return refused("varintTooLong", field, { got: value, limit: uint32Max });
    return accept({ value, end: at + size });
  }
}

/** Checks one field's value; the offset behind it. */
function walkValue(
  from: Uint8Array,
  { at, field, rule }: { readonly at: number; readonly field: number; readonly rule: FieldRule },
): Outcome<number, EnvelopeRefusal> {
  const varint = readVarint(from, at, field);
  if (!varint.ok) return varint;
  const { value, end } = varint.value;
  if (value === 0 && rule.type !== "list")
    return refused("defaultWritten", field, { got: 0, limit: 1 });
  if (rule.type === "uint32")
    return value > rule.max
      ? refused("valueTooLarge", field, { got: value, limit: rule.max })
      : accept(end);
  if (value > rule.max) return refused("fieldTooLong", field, { got: value, limit: rule.max });
  if (value > from.length - end)
    return refused("envelopeTruncated", field, { got: from.length, limit: end + value });
  return accept(end + value);
}

/** Whether the bytes are the one encoding of a message of this shape; `null` if they are. */
export function findFault(from: Uint8Array, rules: MessageRule): EnvelopeRefusal | null {
  let at = 0;
  let last = 0;
  let items = 0;
  while (at < from.length) {
    const tag = readVarint(from, at, 0);
    if (!tag.ok) return tag.refusal;
    const field = Math.floor(tag.value.value / 8);
    const wireType = tag.value.value % 8;
    const rule = rules.get(field);
    if (rule === undefined)
      return refused("fieldUnknown", field, { got: field, limit: rules.size }).refusal;
    const expected = rule.type === "uint32" ? 0 : 2;
    if (wireType !== expected)
      return refused("wireType", field, { got: wireType, limit: expected }).refusal;
    if (field < last) return refused("fieldOrder", field, { got: field, limit: last }).refusal;
    items = field === last ? items + 1 : 1;
    if (rule.type !== "list" && items > 1)
      return refused("fieldRepeated", field, { got: items, limit: 1 }).refusal;
    const itemsMax = rule.itemsMax ?? 1;
    if (items > itemsMax)
      return refused("itemsTooMany", field, { got: items, limit: itemsMax }).refusal;
    last = field;
    const value = walkValue(from, { at: tag.value.end, field, rule });
    if (!value.ok) return value.refusal;
    at = value.value;
  }
  return null;
}

/** Protobuf's own decoder gives views of another type; these are plain, and copy nothing. */
function plain(view: Uint8Array): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.length);
}

/** A strict codec from a rule and the generated pair; `bytesMax` is of the whole encoding. */
function strictCodec<T>(
  rules: MessageRule,
  bytesMax: number,
  { encode, decode }: { encode: (value: T) => Uint8Array; decode: (from: Uint8Array) => T },
): Codec<T> & { decode(from: Uint8Array): Outcome<T, EnvelopeRefusal> } {
  return {
    encode: (value) => plain(encode(value)),
    decode: (from) => {
      if (from.length > bytesMax)
        return refused("envelopeTooLong", 0, { got: from.length, limit: bytesMax });
      const fault = findFault(from, rules);
      return fault === null ? accept(decode(from)) : refuse(fault);
    },
  };
}

/** Kinds of frames. */
export const frameKinds = { oneWay: 1, request: 2, response: 3, refusal: 4 } as const;

/** A piece of a stream between two nodes; `id` and `code` are 0 where they mean nothing. */
export type Frame = {
  readonly kind: number;
  readonly id: number;
  readonly code: number;
  readonly body: Uint8Array;
};

/** Frames on the wire. */
export const frameCodec = strictCodec<Frame>(
  messageRules.Frame,
  frameBodyBytesMax + frameOverheadMax,
  {
    encode: (frame) => wire.Frame.encode(frame).finish(),
    decode: (from) => {
      const { kind, id, code, body } = wire.Frame.decode(from);
      return { kind, id, code, body: plain(body) };
    },
  },
);

/** What two nodes tell each other first: opaque names of chain and rules. */
export type Hello = {
  readonly version: number;
  readonly genesis: Uint8Array;
  readonly runtime: Uint8Array;
  readonly status: Uint8Array;
};

/** Hellos on the wire. */
export const helloCodec = strictCodec<Hello>(messageRules.Hello, frameBodyBytesMax, {
  encode: (hello) => wire.Hello.encode(hello).finish(),
  decode: (from) => {
    const { version, genesis, runtime, status } = wire.Hello.decode(from);
    return {
      version,
      genesis: plain(genesis),
      runtime: plain(runtime),
      status: plain(status),
    };
  },
});

/** A message that says of which kind it is; the kinds are the caller's. */
export type Envelope = { readonly kind: number; readonly body: Uint8Array };

/** Envelopes on the wire. */
export const envelopeCodec = strictCodec<Envelope>(messageRules.Envelope, frameBodyBytesMax, {
  encode: (envelope) => wire.Envelope.encode(envelope).finish(),
  decode: (from) => {
    const { kind, body } = wire.Envelope.decode(from);
    return { kind, body: plain(body) };
  },
});

/** Byte strings in order, at most `listItemsMax`. */
export const byteListCodec = strictCodec<readonly Uint8Array[]>(
  messageRules.ByteList,
  frameBodyBytesMax,
  {
    encode: (items) => {
      assert(items.length <= listItemsMax, `${items.length} items are more than a list holds`);
      return wire.ByteList.encode({ items: [...items] }).finish();
    },
    decode: (from) => wire.ByteList.decode(from).items.map(plain),
  },
);

/** A part of an ordered sequence: `count` from a position on, within `bytesMax` (0: no wish). */
export type Range = {
  readonly from: Uint8Array;
  readonly count: number;
  readonly bytesMax: number;
};

/** Ranges on the wire. */
export const rangeCodec = strictCodec<Range>(messageRules.Range, frameBodyBytesMax, {
  encode: (range) => wire.Range.encode(range).finish(),
  decode: (encoded) => {
    const { from, count, bytesMax } = wire.Range.decode(encoded);
    return { from: plain(from), count, bytesMax };
  },
});
