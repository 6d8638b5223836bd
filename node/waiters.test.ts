import { describe, expect, it } from "vitest";
import { bytesToDigest } from "../base/bytes.ts";
import { Waiters } from "./waiters.ts";

const hash = bytesToDigest(new Uint8Array(32).fill(1));

describe("waiters", () => {
  it("ends every wait for a transaction once it is settled", async () => {
    const waiters = new Waiters();
    const { signal } = new AbortController();
    const waits = [1, 2].map(() => waiters.wait(hash, { timeoutMs: 60_000, signal }));
    waiters.settle(hash, { code: "committed" });
    expect(await Promise.all(waits)).toEqual([{ code: "committed" }, { code: "committed" }]);
    expect(waiters.count).toBe(0);
  });

  it("ends with the client's interest, or with its time", async () => {
    const waiters = new Waiters();
    const controller = new AbortController();
    const { signal } = controller;
    const aborted = waiters.wait(hash, { timeoutMs: 60_000, signal });
    const late = waiters.wait(hash, { timeoutMs: 0, signal: new AbortController().signal });
    controller.abort();
    expect(await aborted).toEqual({ code: "aborted" });
    expect(await late).toEqual({ code: "timeout" });
    expect(await waiters.wait(hash, { timeoutMs: 1, signal })).toEqual({ code: "aborted" });
    expect(waiters.count).toBe(0);
  });
});
