import fc from "fast-check";
import { expect, test } from "vitest";
import { concatBytes } from "../base/bytes.ts";
import { FrameReader, prefixFrame } from "./frames.ts";

function readAll(reader: FrameReader): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (;;) {
    const next = reader.next();
    if (!next.ok) throw new Error(next.refusal.code);
    if (next.value === null) return frames;
    frames.push(next.value);
  }
}

test("property: frames come out as they went in, however the stream is cut", () => {
  const frames = fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { maxLength: 30 });
  const cuts = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(frames, cuts, (sent, sizes) => {
      const stream = concatBytes(...sent.map(prefixFrame));
      const reader = new FrameReader(200);
      const got: Uint8Array[] = [];
      for (let at = 0, i = 0; at < stream.length; i += 1) {
        const size = sizes[i % sizes.length] ?? 1;
        reader.push(stream.slice(at, at + size));
        at += size;
        got.push(...readAll(reader));
      }
      expect(got).toEqual(sent);
      expect(reader.size).toBe(0);
    }),
  );
});

test("a frame is not changed by what is read after it", () => {
  const reader = new FrameReader(100);
  const first = prefixFrame(new Uint8Array(10).fill(1));
  reader.push(first.slice(0, 3));
  reader.push(first.slice(3));
  const [frame] = readAll(reader);
  for (let i = 0; i < 50; i += 1) {
    reader.push(prefixFrame(new Uint8Array(90).fill(2)).slice(0, 7));
    reader.push(prefixFrame(new Uint8Array(90).fill(2)).slice(7));
    readAll(reader);
  }
  expect(frame).toEqual(new Uint8Array(10).fill(1));
});

test("a small frame does not keep the large piece it came in", () => {
  const piece = concatBytes(prefixFrame(new Uint8Array(10)), prefixFrame(new Uint8Array(60_000)));
  const reader = new FrameReader(100_000);
  reader.push(piece);
  const [small, large] = readAll(reader);
  expect(small?.buffer.byteLength).toBe(10);
  expect(large?.buffer).toBe(piece.buffer);
});

test("N3: what is announced above the limit, or as empty, is refused at the prefix", () => {
  for (const [prefix, got] of [
    [[0xff, 0xff, 0xff, 0xff], 0xffff_ffff],
    [[0, 0, 0, 101], 101],
    [[0, 0, 0, 0], 0],
  ] as const) {
    const reader = new FrameReader(100);
    reader.push(new Uint8Array(prefix));
    expect(reader.next()).toEqual({
      ok: false,
      refusal: { code: "frameLength", got, limit: 100 },
    });
  }
});

test("N3: a long frame that comes in single bytes takes memory for what came, no more", () => {
  const reader = new FrameReader(4 * 1024 * 1024);
  reader.push(new Uint8Array([0, 0x40, 0, 0]));
  for (let i = 0; i < 100_000; i += 1) {
    reader.push(new Uint8Array([i % 256]));
    const next = reader.next();
    if (!next.ok || next.value !== null) throw new Error("no frame is whole");
  }
  expect(reader.size).toBe(100_004);
});
