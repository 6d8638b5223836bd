import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import protobuf from "protobufjs";
import { describe, expect, test } from "vitest";
import { concatBytes, hexToBytes } from "../base/bytes.ts";
import type { Codec } from "./codec.ts";
import {
  byteListCodec,
  envelopeCodec,
  findFault,
  frameCodec,
  helloCodec,
  listItemsMax,
  messageRules,
  rangeCodec,
} from "./envelope.ts";
import type { EnvelopeRefusalCode } from "./envelope.ts";

const folder = join(import.meta.dirname, "proto");
const schema = protobuf.parse(readFileSync(join(folder, "wire.proto"), "utf8"), {
  keepCase: true,
}).root;

/** The bytes of what was decoded, encoded again; `null` if they were refused. */
function recode<T>(codec: Codec<T>, bytes: Uint8Array): Uint8Array | null {
  const decoded = codec.decode(bytes);
  return decoded.ok ? codec.encode(decoded.value) : null;
}

const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const body = fc.uint8Array({ maxLength: 300 });
const frames = fc.record({
  kind: fc.integer({ min: 0, max: 4 }),
  id: uint32,
  code: fc.integer({ min: 0, max: 255 }),
  body,
});

describe("the schema", () => {
  test("the committed code is what the schema gives (else: npm run proto)", () => {
    const output = mkdtempSync(join(tmpdir(), "ledger-proto-"));
    const script = join(import.meta.dirname, "../scripts/proto.ts");
    const { status } = spawnSync(process.execPath, [script, output]);
    expect(status).toBe(0);
    for (const file of ["wire.js", "wire.d.ts"]) {
      const fresh = readFileSync(join(output, file), "utf8");
      expect(fresh === readFileSync(join(folder, file), "utf8"), `${file} is stale`).toBe(true);
    }
    rmSync(output, { recursive: true });
  });

  test("the strict rules have the schema's fields, types and numbers", () => {
    const declared = schema.lookupType("wire.Frame").parent?.nested ?? {};
    expect(Object.keys(declared).toSorted()).toEqual(Object.keys(messageRules).toSorted());
    for (const [name, rules] of Object.entries(messageRules)) {
      const fields = schema.lookupType(`wire.${name}`).fieldsArray.map((field) => {
        const type = field.repeated ? "list" : field.type;
        return [field.id, { name: field.name, type }];
      });
      const own = [...rules].map(([id, rule]) => [id, { name: rule.name, type: rule.type }]);
      expect(own).toEqual(fields);
    }
  });
});

/** Bytes of a field: tag with wire type, then whatever follows. */
const field = (number: number, wireType: number, ...rest: number[]): Uint8Array =>
  new Uint8Array([number * 8 + wireType, ...rest]);

type Row = readonly [name: string, bytes: Uint8Array, code: EnvelopeRefusalCode];

const overlong = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00];

/** Each fails on exactly one rule of a frame. */
const rows: readonly Row[] = [
  ["an unknown field", field(5, 0, 1), "fieldUnknown"],
  ["field number 0", field(0, 0, 1), "fieldUnknown"],
  ["a field number of five bytes", hexToBytes("f8ffffff0f01"), "fieldUnknown"],
  ["a duplicate field", concatBytes(field(1, 0, 1), field(1, 0, 1)), "fieldRepeated"],
  ["a duplicate of bytes", concatBytes(field(4, 2, 1, 9), field(4, 2, 1, 9)), "fieldRepeated"],
  ["fields out of order", concatBytes(field(2, 0, 1), field(1, 0, 1)), "fieldOrder"],
  ["a number as bytes", field(1, 2, 1, 1), "wireType"],
  ["bytes as a number", field(4, 0, 1), "wireType"],
  ["64 bits fixed", field(2, 1, 1, 2, 3, 4, 5, 6, 7, 8), "wireType"],
  ["32 bits fixed", field(2, 5, 1, 2, 3, 4), "wireType"],
  ["a group", concatBytes(field(4, 3), field(1, 0, 1), field(4, 4)), "wireType"],
  ["an end of group alone", field(4, 4), "wireType"],
  ["a varint of 11 bytes", field(2, 0, ...overlong), "varintTooLong"],
  ["a varint of 6 bytes", field(2, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 1), "varintTooLong"],
  ["a number of 33 bits", field(2, 0, 0xff, 0xff, 0xff, 0xff, 0x1f), "varintTooLong"],
  ["a padded number", field(2, 0, 0x81, 0x00), "varintNotMinimal"],
  ["a padded tag", new Uint8Array([0x88, 0x00, 1]), "varintNotMinimal"],
  ["a padded length", field(4, 2, 0x81, 0x00, 7), "varintNotMinimal"],
  ["a zero written out", field(2, 0, 0), "defaultWritten"],
  ["empty bytes written out", field(4, 2, 0), "defaultWritten"],
  ["a kind that is none", field(1, 0, 5), "valueTooLarge"],
  ["a number that is cut off", field(2, 0, 0x80), "envelopeTruncated"],
  ["a tag alone", field(2, 0), "envelopeTruncated"],
  ["bytes that are cut off", field(4, 2, 3, 1, 2), "envelopeTruncated"],
  ["a length of 4 GiB", field(4, 2, 0xff, 0xff, 0xff, 0xff, 0x0f), "fieldTooLong"],
  ["a trailing byte", concatBytes(field(1, 0, 1), new Uint8Array([0x22])), "envelopeTruncated"],
];

describe("strict decoding", () => {
  test.each(rows)("E3: %s is refused", (_name, bytes, code) => {
    const decoded = frameCodec.decode(bytes);
    expect(decoded.ok ? null : decoded.refusal.code).toBe(code);
  });

  test("E3: every refusal has a row, but for limits of the whole and of lists", () => {
    const codes = new Set(rows.map(([, , code]) => code));
    expect([...codes].toSorted()).toMatchInlineSnapshot(`
      [
        "defaultWritten",
        "envelopeTruncated",
        "fieldOrder",
        "fieldRepeated",
        "fieldTooLong",
        "fieldUnknown",
        "valueTooLarge",
        "varintNotMinimal",
        "varintTooLong",
        "wireType",
      ]
    `);
  });

  test("E3: a message above its limit is refused before it is read", () => {
    const decoded = frameCodec.decode(new Uint8Array(5 * 1024 * 1024));
    expect(decoded.ok ? null : decoded.refusal.code).toBe("envelopeTooLong");
  });

  test("E3: a bomb of empty items is refused at the limit, and quickly", () => {
    const bomb = new Uint8Array(2 * (listItemsMax + 1));
    for (let i = 0; i < bomb.length; i += 2) bomb[i] = 0x0a;
    const decoded = byteListCodec.decode(bomb);
    expect(decoded.ok ? null : decoded.refusal).toEqual({
      code: "itemsTooMany",
      field: 1,
      got: listItemsMax + 1,
      limit: listItemsMax,
    });
    expect(byteListCodec.decode(bomb.subarray(2)).ok).toBe(true);
  });

  test("property: what is encoded is decoded again, as plain bytes", () => {
    fc.assert(
      fc.property(frames, (frame) => {
        const decoded = frameCodec.decode(frameCodec.encode(frame));
        expect(decoded).toEqual({ ok: true, value: frame });
        expect(decoded.ok && decoded.value.body.constructor).toBe(Uint8Array);
      }),
    );
    fc.assert(
      fc.property(fc.array(body, { maxLength: 20 }), (items) => {
        expect(byteListCodec.decode(byteListCodec.encode(items))).toEqual({
          ok: true,
          value: items,
        });
      }),
    );
    fc.assert(
      fc.property(uint32, uint32, fc.uint8Array({ maxLength: 8 }), (count, bytesMax, from) => {
        const range = { from, count, bytesMax };
        expect(rangeCodec.decode(rangeCodec.encode(range))).toEqual({ ok: true, value: range });
      }),
    );
  });

  test("E3: property: whatever is accepted is encoded to the same bytes again", () => {
    let accepted = 0;
    const check = (bytes: Uint8Array): void => {
      const recoded = [
        recode(frameCodec, bytes),
        recode(helloCodec, bytes),
        recode(envelopeCodec, bytes),
        recode(rangeCodec, bytes),
        recode(byteListCodec, bytes),
      ].filter((again) => again !== null);
      accepted += recoded.length;
      for (const again of recoded) expect(again).toEqual(bytes);
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), check), { numRuns: 5_000 });
    // Valid messages with one byte changed, cut or added come closer to the edge.
    const edits = fc.tuple(frames, fc.nat(), fc.integer({ min: 0, max: 255 }), fc.nat(2));
    fc.assert(
      fc.property(edits, ([frame, position, value, kind]) => {
        const bytes = frameCodec.encode(frame);
        const at = bytes.length === 0 ? 0 : position % bytes.length;
        const [head, tail] = [bytes.slice(0, at), bytes.slice(at)];
        const byte = new Uint8Array([value]);
        if (kind === 0) check(concatBytes(head, byte, tail.subarray(1)));
        else if (kind === 1) check(concatBytes(head, tail.subarray(1)));
        else check(concatBytes(head, byte, tail));
      }),
      { numRuns: 5_000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });

  test("E3: property: what is accepted says the same as protobuf's own decoder", () => {
    const type = schema.lookupType("wire.Frame");
    fc.assert(
      fc.property(frames, (frame) => {
        const bytes = new Uint8Array(type.encode(type.create(frame)).finish());
        const decoded = frameCodec.decode(bytes);
        // The reflection encoder writes defaults out; the strict rules leave them out.
        const whole = frame.kind > 0 && frame.id > 0 && frame.code > 0 && frame.body.length > 0;
        expect(decoded.ok).toBe(whole || findFault(bytes, messageRules.Frame) === null);
        expect(decoded.ok ? decoded.value : frame).toEqual(frame);
      }),
    );
  });
});
