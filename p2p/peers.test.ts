import { beforeEach, describe, expect, test } from "vitest";
import { HandClock } from "../test/fakes/handClock.ts";
import { peersTrackedMax } from "./limits.ts";
import {
  banMsMax,
  banMsMin,
  banScore,
  penalties,
  Peers,
  scoreHalfLifeMs,
  scoreMax,
} from "./peers.ts";
import type { Misbehaviour } from "./peers.ts";
import { textToPeerId } from "./peerId.ts";
import { RateLimiter } from "./rate.ts";

const peer = textToPeerId("peer");
const other = textToPeerId("other");

describe("scores", () => {
  let clock: HandClock;
  let peers: Peers;
  beforeEach(() => {
    clock = new HandClock();
    peers = new Peers(clock, (candidate) => candidate === other);
  });

  test.each(Object.keys(penalties) as Misbehaviour[])(
    "%s lowers the score by its price",
    (kind) => {
      peers.report(peer, kind);
      expect(peers.scoreOf(peer)).toBe(-penalties[kind]);
      expect(peers.scoreOf(other)).toBe(0);
    },
  );

  test("no single fault bans, for any of them may be an accident", () => {
    for (const price of Object.values(penalties)) expect(-price).toBeGreaterThan(banScore);
  });

  test("a score halves in its half-life, from below and from above", async () => {
    peers.report(peer, "malformed");
    peers.credit(other, 40);
    await clock.advance(scoreHalfLifeMs);
    expect(peers.scoreOf(peer)).toBeCloseTo(-25);
    expect(peers.scoreOf(other)).toBeCloseTo(20);
  });

  test("credit is bounded: good service does not pay for an attack", () => {
    for (let i = 0; i < 100; i += 1) peers.credit(peer, 10);
    expect(peers.scoreOf(peer)).toBe(scoreMax);
    for (let i = 0; i < 3; i += 1) peers.report(peer, "malformed");
    expect(peers.isBanned(peer)).toBe(true);
  });

  test("a ban ends, and the next one is twice as long, up to a bound", async () => {
    let expectedMs = banMsMin;
    for (let count = 1; count <= 10; count += 1) {
      while (!peers.report(peer, "malformed")) expect(peers.isBanned(peer)).toBe(false);
      expect(peers.bans()).toEqual([{ peer, leftMs: expectedMs, count }]);
      await clock.advance(expectedMs - 1);
      expect(peers.isBanned(peer)).toBe(true);
      await clock.advance(1);
      expect(peers.isBanned(peer)).toBe(false);
      expectedMs = Math.min(banMsMax, 2 * expectedMs);
    }
  });

  test("a banned peer is not banned again by what was still under way", () => {
    peers.report(peer, "malformed");
    expect(peers.report(peer, "malformed")).toBe(true);
    expect(peers.report(peer, "malformed")).toBe(false);
    expect(peers.bans()[0]?.count).toBe(1);
  });

  test("bans are taken up again, no longer than the longest", async () => {
    peers.restore([{ peer, leftMs: 10 * banMsMax, count: 3 }]);
    expect(peers.isBanned(peer)).toBe(true);
    await clock.advance(banMsMax);
    expect(peers.isBanned(peer)).toBe(false);
    while (!peers.report(peer, "malformed")) continue;
    expect(peers.bans()[0]?.count).toBe(4);
  });

  test("N8: strangers push out strangers, never the banned or the connected", () => {
    peers.ban(peer);
    peers.report(other, "timedOut");
    for (let i = 0; i < peersTrackedMax + 100; i += 1)
      peers.report(textToPeerId(`sybil-${i}`), "timedOut");
    expect(peers.size).toBe(peersTrackedMax);
    expect(peers.isBanned(peer)).toBe(true);
    expect(peers.scoreOf(other)).toBe(-penalties.timedOut);
  });
});

describe("rates", () => {
  test("a burst, then the rate; each peer has its own", async () => {
    const clock = new HandClock();
    const limiter = new RateLimiter(clock, { perSecond: 10, burst: 3 });
    expect([1, 2, 3, 4].map(() => limiter.take(peer))).toEqual([true, true, true, false]);
    expect(limiter.take(other)).toBe(true);
    expect(limiter.waitMs(peer)).toBe(100);
    await clock.advance(99);
    expect(limiter.take(peer)).toBe(false);
    await clock.advance(1);
    expect(limiter.waitMs(peer)).toBe(0);
    expect(limiter.take(peer)).toBe(true);
    await clock.advance(60_000);
    expect([1, 2, 3, 4].map(() => limiter.take(peer))).toEqual([true, true, true, false]);
  });

  test("buckets are bounded: full ones are forgotten first", async () => {
    const clock = new HandClock();
    const limiter = new RateLimiter(clock, { perSecond: 1, burst: 2 });
    for (let i = 0; i < peersTrackedMax; i += 1) limiter.take(textToPeerId(`sybil-${i}`));
    expect(limiter.size).toBe(peersTrackedMax);
    await clock.advance(500);
    limiter.take(peer);
    expect(limiter.size).toBe(peersTrackedMax);
    await clock.advance(1_000);
    limiter.take(other);
    expect(limiter.size).toBe(1); // All others were full again.
    expect(limiter.take(peer) && limiter.take(peer)).toBe(true);
    expect(limiter.take(peer)).toBe(false);
  });
});
