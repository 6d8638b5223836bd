import type { Clock } from "./clock.ts";
import type { PeerId } from "./peerId.ts";
import { peersTrackedMax } from "./limits.ts";

/** What one peer may send: `burst` at once, refilled at `perSecond`. */
export type Rate = {
  readonly perSecond: number;
  readonly burst: number;
};

type Bucket = { tokens: number; atMs: number };

/**
 * A token bucket for each peer. Buckets outlive connections, or reconnecting would refill them; a
 * bucket that is full again is forgotten, for it equals a new one.
 */
export class RateLimiter {
  readonly #rate: Rate;
  readonly #clock: Clock;
  readonly #buckets = new Map<PeerId, Bucket>();

  constructor(clock: Clock, rate: Rate) {
    this.#clock = clock;
    this.#rate = rate;
  }

  /** Buckets held. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one token if there is one. */
  take(peer: PeerId): boolean {
    const bucket = this.#bucket(peer);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  /** Milliseconds until a token is there; 0 if one is. */
  waitMs(peer: PeerId): number {
    const { tokens } = this.#bucket(peer);
    return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) * 1_000) / this.#rate.perSecond);
  }

  #bucket(peer: PeerId): Bucket {
    const nowMs = this.#clock.now();
    const bucket = this.#buckets.get(peer);
    if (bucket === undefined) return this.#add(peer, nowMs);
    const gained = ((nowMs - bucket.atMs) * this.#rate.perSecond) / 1_000;
    bucket.tokens = Math.min(this.#rate.burst, bucket.tokens + Math.max(0, gained));
    bucket.atMs = nowMs;
    return bucket;
  }

  #add(peer: PeerId, nowMs: number): Bucket {
    if (this.#buckets.size >= peersTrackedMax) this.#forget(nowMs);
    const bucket = { tokens: this.#rate.burst, atMs: nowMs };
    this.#buckets.set(peer, bucket);
    return bucket;
  }

  /** Drops every bucket that is full again; if none is, the oldest one. */
  #forget(nowMs: number): void {
    const { perSecond, burst } = this.#rate;
    for (const [peer, { tokens, atMs }] of this.#buckets)
      if (tokens + ((nowMs - atMs) * perSecond) / 1_000 >= burst) this.#buckets.delete(peer);
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size >= peersTrackedMax && oldest !== undefined) this.#buckets.delete(oldest);
  }
}
