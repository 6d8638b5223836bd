import type { MessageStream } from "@libp2p/interface";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { writeBytesMax } from "./limits.ts";
import { joinWrites } from "./joinedWrites.ts";

/** A Yamux frame without a body. */
function frame(type: number, flags: number, length: number): Uint8Array {
  const bytes = new Uint8Array(12);
  bytes[1] = type;
  new DataView(bytes.buffer).setUint16(2, flags);
  new DataView(bytes.buffer).setUint32(8, length);
  return bytes;
}

function setUp(): { stream: MessageStream; sent: number[]; state: Record<string, unknown> } {
  const sent: number[] = [];
  const state: Record<string, unknown> = {
    status: "open",
    writableNeedsDrain: false,
    send: (bytes: Uint8Array) => {
      if (state["status"] === "closed") throw new Error("closed");
      sent.push(bytes.length);
      return true;
    },
    close: () => {
      sent.push(0);
      return Promise.resolve();
    },
  };
  // Only what is used here; the whole is libp2p's.
  return { stream: joinWrites(state as unknown as MessageStream), sent, state };
}

const turn = (): Promise<void> => Promise.resolve();

describe("joined writes", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
  afterEach(() => void vi.useRealTimers());

  it("sends what comes in one turn in one piece, in its order", async () => {
    const { stream, sent } = setUp();
    expect(stream.send(new Uint8Array(20))).toBe(true);
    stream.send(new Uint8Array(300));
    expect(sent).toEqual([]);
    await turn();
    stream.send(new Uint8Array(1));
    await turn();
    expect(sent).toEqual([320, 1]);
  });

  it("sends at once what fills a piece", () => {
    const { stream, sent } = setUp();
    stream.send(new Uint8Array(100));
    stream.send(new Uint8Array(writeBytesMax));
    expect(sent).toEqual([writeBytesMax + 100]);
  });

  it("keeps a small window for what comes next, and not for long", async () => {
    const { stream, sent } = setUp();
    stream.send(frame(1, 0, 500));
    await turn();
    stream.send(new Uint8Array(100));
    await turn();
    stream.send(frame(1, 0, 500));
    vi.advanceTimersByTime(9);
    expect(sent).toEqual([112]);
    vi.advanceTimersByTime(1);
    expect(sent).toEqual([112, 12]);
    vi.advanceTimersByTime(1_000);
    expect(sent).toEqual([112, 12]);
  });

  it.each([
    ["a large window", frame(1, 0, 32 * 1024)],
    ["the end of a stream", frame(1, 4, 0)],
    ["a ping", frame(2, 1, 7)],
  ])("does not keep %s", async (_, bytes) => {
    const { stream, sent } = setUp();
    stream.send(bytes);
    await turn();
    expect(sent).toEqual([12]);
  });

  it("says when the stream is full", () => {
    const { stream, state } = setUp();
    state["writableNeedsDrain"] = true;
    expect(stream.send(new Uint8Array(1))).toBe(false);
  });

  it("sends what waits before it closes, and nothing into a stream that has ended", async () => {
    const { stream, sent, state } = setUp();
    stream.send(frame(1, 0, 500));
    await stream.close();
    expect(sent).toEqual([12, 0]);
    stream.send(new Uint8Array(5));
    state["status"] = "closed";
    await turn();
    expect(sent).toEqual([12, 0]);
    expect(() => stream.send(new Uint8Array(1))).toThrow("closed");
  });
});
