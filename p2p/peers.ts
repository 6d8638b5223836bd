import { assert } from "../base/assert.ts";
import type { Clock } from "./clock.ts";
import { peersTrackedMax } from "./limits.ts";
import type { PeerId } from "./peerId.ts";

/*
 * What is remembered of peers: a score that falls with misbehaviour and recovers with time, and
 * bans. Scores are local opinions and never leave the node.
 */

/** What a peer may do wrong. Honest faults (a slow link, a full queue) cost little. */
export type Misbehaviour =
  | "malformed" // Bytes that no node of ours writes.
  | "oversize" // A frame or message above its limit.
  | "rejected" // Content that no honest node would send, says the validator.
  | "flood" // More than its rate.
  | "slow" // Takes nothing while frames wait, or leaves a frame unfinished.
  | "timedOut" // A request without an answer.
  | "silent" // No handshake in time.
  | "foreign" // Another chain or other rules.
  | "unsolicited"; // An answer that nobody asked for.

/** What each costs; a ban comes at `banScore`. */
export const penalties: Readonly<Record<Misbehaviour, number>> = {
  malformed: 50,
  oversize: 50,
  rejected: 20,
  flood: 5,
  slow: 20,
  timedOut: 5,
  silent: 20,
  foreign: 40,
  unsolicited: 25,
};

/** At this score, a peer is disconnected and not admitted for a while. */
export const banScore = -100;

/** A score halves in this time. */
export const scoreHalfLifeMs = 600_000;

/** First ban; doubled at each further one, up to `banMsMax`. */
export const banMsMin = 600_000;

/** Longest ban. */
export const banMsMax = 24 * 3_600_000;

/** Highest score: good service long ago does not pay for an attack today. */
export const scoreMax = 50;

/** Entries weighed to forget one of them: a flood of strangers costs each the same. */
const forgetLooksMax = 64;

/** A ban as data, to be kept across restarts. */
export type Ban = {
  readonly peer: PeerId;
  /** Milliseconds it still lasts. */
  readonly leftMs: number;
  /** Bans so far, this one included. */
  readonly count: number;
};

type Entry = {
  score: number;
  atMs: number;
  bannedUntilMs: number;
  bans: number;
};

/** Scores and bans of all peers that were met. */
export class Peers {
  readonly #clock: Clock;
  readonly #entries = new Map<PeerId, Entry>();
  /** Peers that stay in memory whatever happens: they are connected. */
  readonly #connected: (peer: PeerId) => boolean;

  constructor(clock: Clock, connected: (peer: PeerId) => boolean) {
    this.#clock = clock;
    this.#connected = connected;
  }

  /** Peers remembered. */
  get size(): number {
    return this.#entries.size;
  }

  /** Lowers a score; true if this made the peer banned. */
  report(peer: PeerId, misbehaviour: Misbehaviour): boolean {
    const entry = this.#entry(peer);
    entry.score -= penalties[misbehaviour];
    if (entry.score > banScore || this.#isBanned(entry)) return false;
    this.#ban(entry);
    return true;
  }

  /** Raises a score for good service (a block that was needed, say), up to `scoreMax`. */
  credit(peer: PeerId, points: number): void {
    assert(points > 0, "credit wants points");
    const entry = this.#entry(peer);
    entry.score = Math.min(scoreMax, entry.score + points);
  }

  /** From `-Infinity` (never seen that low) to `scoreMax`; 0 for the unknown. */
  scoreOf(peer: PeerId): number {
    const entry = this.#entries.get(peer);
    if (entry === undefined) return 0;
    this.#decay(entry);
    return entry.score;
  }

  /** Bans by decision, e.g. an operator's. */
  ban(peer: PeerId): void {
    this.#ban(this.#entry(peer));
  }

  /** Lifts a ban and forgets the score. */
  pardon(peer: PeerId): void {
    this.#entries.delete(peer);
  }

  /** Whether a ban is in force. */
  isBanned(peer: PeerId): boolean {
    const entry = this.#entries.get(peer);
    return entry !== undefined && this.#isBanned(entry);
  }

  /** Bans in force, for keeping. */
  bans(): readonly Ban[] {
    const nowMs = this.#clock.now();
    return [...this.#entries]
      .filter(([, entry]) => this.#isBanned(entry))
      .map(([peer, { bannedUntilMs, bans }]) => {
        return { peer, leftMs: bannedUntilMs - nowMs, count: bans };
      });
  }

  /** Takes bans up again that were kept. */
  restore(bans: readonly Ban[]): void {
    const nowMs = this.#clock.now();
    for (const { peer, leftMs, count } of bans.slice(0, peersTrackedMax)) {
      const entry = this.#entry(peer);
      entry.bans = count;
      entry.bannedUntilMs = nowMs + Math.min(banMsMax, leftMs);
    }
  }

  #ban(entry: Entry): void {
    entry.bans += 1;
    entry.bannedUntilMs = this.#clock.now() + Math.min(banMsMax, banMsMin * 2 ** (entry.bans - 1));
    entry.score = banScore;
  }

  #isBanned(entry: Entry): boolean {
    return entry.bannedUntilMs > this.#clock.now();
  }

  #entry(peer: PeerId): Entry {
    const known = this.#entries.get(peer);
    if (known !== undefined) {
      this.#decay(known);
      return known;
    }
    if (this.#entries.size >= peersTrackedMax) this.#forgetOne();
    const entry = { score: 0, atMs: this.#clock.now(), bannedUntilMs: 0, bans: 0 };
    this.#entries.set(peer, entry);
    return entry;
  }

  #decay(entry: Entry): void {
    const nowMs = this.#clock.now();
    entry.score *= 2 ** (-(nowMs - entry.atMs) / scoreHalfLifeMs);
    entry.atMs = nowMs;
  }

  /**
   * Of the longest known, the one whose loss matters least: not connected, not banned, nearest to
   * the unknown's score. Only if all are banned or connected, the oldest ban.
   */
  #forgetOne(): void {
    let least: PeerId | null = null;
    let weight = Infinity;
    let looked = 0;
    for (const [peer, entry] of this.#entries) {
      if (looked === forgetLooksMax) break;
      if (this.#connected(peer)) continue;
      const banned = this.#isBanned(entry);
      if (!banned) {
        looked += 1;
        this.#decay(entry);
      }
      const own = banned ? Number.MAX_VALUE : Math.abs(entry.score);
      if (own < weight) {
        least = peer;
        weight = own;
      }
    }
    if (least !== null) this.#entries.delete(least);
  }
}
