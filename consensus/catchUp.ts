import { assert, unreachable } from "../base/assert.ts";

/*
 * Following a chain from afar as one step function: which blocks to ask of whom, and in which order
 * to apply them. It knows heights and names; blocks, proofs and time are the host's. Ranges are
 * asked of several peers at once, applied in order, and only their proof decides what they are
 * worth: a peer that lies loses its part in this catch-up, and its ranges are asked of others.
 */

/** Blocks of one question; an answer may bring fewer. */
export const rangeBlocksMax = 64;

/** Ranges asked for or held at one time: bounds the memory. */
export const rangesMax = 8;

/** Ranges asked of one peer at one time. */
export const rangesPerPeerMax = 2;

/** Questions that a peer may leave unanswered before it is left alone. */
export const failuresMax = 3;

/** Peers that count; the first to say how far they are stay. */
export const peersMax = 128;

/** So near to the others the replica follows by itself. */
export const nearBlocksMax = 16;

/** Rounds without any answer after which a node that may begin alone does so. */
export const loneRoundsMax = 4;

/** A part of the chain, by its lowest height. */
export type Range = { readonly from: number; readonly count: number };

/** Facts. */
export type CatchUpInput =
  | {
      readonly type: "started";
      /** Own newest committed height. */
      readonly height: number;
      /** Whether to begin without having heard of anybody: nothing was promised that is not known. */
      readonly mayBeAlone: boolean;
    }
  /** A peer says how far it is; only blocks with a proof make it true. */
  | { readonly type: "peerStands"; readonly peer: string; readonly height: number }
  | { readonly type: "peerLeft"; readonly peer: string }
  /** All peers asked for their standing have answered, or will not. */
  | { readonly type: "roundEnded" }
  /** Blocks from `from` on, well formed, at least one and no more than asked for. */
  | { readonly type: "rangeReceived"; readonly peer: string; readonly range: Range }
  /** The peer has not these blocks, or does not answer. */
  | { readonly type: "rangeMissing"; readonly peer: string; readonly from: number }
  /** The range is verified, executed and committed. */
  | { readonly type: "rangeApplied"; readonly range: Range }
  /** What the peer sent is not of this chain. */
  | { readonly type: "rangeWrong"; readonly peer: string; readonly from: number };

/** Orders. */
export type CatchUpEffect =
  /** Ask every peer how far it is; `roundEnded` answers, not before `afterMs`. */
  | { readonly type: "askStandings"; readonly afterMs: number }
  | { readonly type: "askRange"; readonly peer: string; readonly range: Range }
  /** Verify, execute and commit; one at a time, in order. */
  | { readonly type: "applyRange"; readonly peer: string; readonly range: Range }
  /** Forget what was received from a peer. */
  | { readonly type: "dropRange"; readonly peer: string; readonly from: number }
  /** The peer sent what no honest one sends. */
  | { readonly type: "blame"; readonly peer: string }
  | { readonly type: "finished" };

/** Between two rounds while nothing is to be fetched, in milliseconds. */
const roundIntervalMs = 1_000;

type Peer = { height: number; asked: number; failures: number };

type Piece = {
  readonly peer: string;
  readonly range: Range;
  readonly state: "asked" | "held" | "applying";
};

/** One catch-up, from a committed height to near the newest one that peers can show. */
export class CatchUp {
  readonly #peers = new Map<string, Peer>();
  /** Peers that lied or do not answer. */
  readonly #excluded = new Set<string>();
  /** By lowest height; they do not overlap. */
  readonly #pieces = new Map<number, Piece>();
  /** Peers that did not give a range that begins here. */
  readonly #refusedBy = new Map<number, Set<string>>();
  #height = 0;
  #mayBeAlone = false;
  #rounds = 0;
  #isRoundOpen = false;
  /** Since the last round was opened. */
  #hasApplied = false;
  #state: "new" | "running" | "finished" = "new";
  #effects: CatchUpEffect[] = [];

  /** Newest height that is committed here, and the highest that a peer claims. */
  get progress(): { readonly height: number; readonly target: number } {
    return { height: this.#height, target: Math.max(this.#height, this.#target()) };
  }

  /** Takes one fact and gives the orders that follow, to be carried out front to back. */
  step(input: CatchUpInput): readonly CatchUpEffect[] {
    assert((this.#state === "new") === (input.type === "started"), "started comes first, and once");
    this.#effects = [];
    if (this.#state === "finished") return [];
    const before = this.#height;
    this.#take(input);
    // Before more is asked for: the last few blocks are left to the replica, or this never ended.
    if (input.type === "roundEnded" && this.#isNear()) {
      this.#state = "finished";
      return [{ type: "finished" }];
    }
    this.#ask();
    this.#apply();
    this.#settle();
    assert(this.#height >= before, "the committed height went back");
    assert(this.#pieces.size <= rangesMax, "too many ranges");
    return this.#effects;
  }

  #take(input: CatchUpInput): void {
    switch (input.type) {
      case "started":
        this.#state = "running";
        this.#height = input.height;
        this.#mayBeAlone = input.mayBeAlone;
        return this.#openRound(0);
      case "peerStands":
        return this.#onStanding(input.peer, input.height);
      case "peerLeft":
        this.#peers.delete(input.peer);
        return this.#dropPieces(input.peer, "asked");
      case "roundEnded":
        this.#isRoundOpen = false;
        this.#rounds += 1;
        return;
      case "rangeReceived":
        return this.#onReceived(input.peer, input.range);
      case "rangeMissing":
        return this.#onMissing(input.peer, input.from);
      case "rangeApplied":
        return this.#onApplied(input.range);
      case "rangeWrong":
        return this.#onWrong(input.peer, input.from);
      default:
        return unreachable(input);
    }
  }

  #openRound(afterMs: number): void {
    if (this.#isRoundOpen) return;
    this.#isRoundOpen = true;
    this.#effects.push({ type: "askStandings", afterMs });
  }

  #onStanding(name: string, height: number): void {
    const peer = this.#peers.get(name);
    if (peer !== undefined) peer.height = height;
    else if (!this.#excluded.has(name) && this.#peers.size < peersMax) {
      this.#peers.set(name, { height, asked: 0, failures: 0 });
    }
  }

  /** The piece that a peer was asked for, taken out of the list. */
  #takeAsked(name: string, from: number): Piece | null {
    const piece = this.#pieces.get(from);
    if (piece === undefined || piece.state !== "asked" || piece.peer !== name) return null;
    this.#pieces.delete(from);
    const peer = this.#peers.get(name);
    if (peer !== undefined) peer.asked -= 1;
    return piece;
  }

  #onReceived(name: string, range: Range): void {
    const piece = this.#takeAsked(name, range.from);
    if (piece === null) {
      this.#effects.push({ type: "dropRange", peer: name, from: range.from });
      return;
    }
    assert(range.count >= 1 && range.count <= piece.range.count, "no more than was asked for");
    this.#pieces.set(range.from, { peer: name, range, state: "held" });
    const peer = this.#peers.get(name);
    if (peer !== undefined) peer.failures = 0;
  }

  #onMissing(name: string, from: number): void {
    const piece = this.#takeAsked(name, from);
    const peer = this.#peers.get(name);
    if (piece === null) return;
    this.#refuse(name, from);
    if (peer === undefined) return;
    peer.failures += 1;
    if (peer.failures >= failuresMax) this.#exclude(name);
  }

  #refuse(name: string, from: number): void {
    const refused = this.#refusedBy.get(from) ?? new Set<string>();
    refused.add(name);
    this.#refusedBy.set(from, refused);
  }

  #onApplied(range: Range): void {
    const piece = this.#pieces.get(range.from);
    assert(piece?.state === "applying", "what is applied was ordered");
    assert(range.from === this.#height + 1, "ranges are applied in order");
    this.#pieces.delete(range.from);
    this.#height += range.count;
    this.#hasApplied = true;
    for (const from of this.#refusedBy.keys()) {
      if (from <= this.#height) this.#refusedBy.delete(from);
    }
  }

  #onWrong(name: string, from: number): void {
    const piece = this.#pieces.get(from);
    if (piece?.peer === name) this.#pieces.delete(from);
    this.#effects.push({ type: "blame", peer: name });
    this.#exclude(name);
  }

  /** Nothing of this peer is used any more, and its claim counts for nothing. */
  #exclude(name: string): void {
    this.#peers.delete(name);
    this.#excluded.add(name);
    this.#dropPieces(name, "asked");
    this.#dropPieces(name, "held");
  }

  #dropPieces(name: string, state: Piece["state"]): void {
    for (const [from, piece] of this.#pieces) {
      if (piece.peer !== name || piece.state !== state) continue;
      this.#pieces.delete(from);
      if (state === "held") this.#effects.push({ type: "dropRange", peer: name, from });
    }
  }

  #target(): number {
    let target = 0;
    for (const { height } of this.#peers.values()) target = Math.max(target, height);
    return target;
  }

  /** Asks for the lowest heights that nobody was asked for. */
  #ask(): void {
    const target = this.#target();
    while (this.#pieces.size < rangesMax) {
      const range = this.#firstGap(target);
      const peer = range === null ? null : this.#peerFor(range.from);
      if (range === null || peer === null) return;
      const [name, { height }] = peer;
      const count = Math.min(range.count, height - range.from + 1);
      const asked = { from: range.from, count };
      peer[1].asked += 1;
      this.#pieces.set(range.from, { peer: name, range: asked, state: "asked" });
      this.#effects.push({ type: "askRange", peer: name, range: asked });
    }
  }

  #firstGap(target: number): Range | null {
    let from = this.#height + 1;
    const sorted = [...this.#pieces.values()].sort((a, b) => a.range.from - b.range.from);
    for (const { range } of sorted) {
      if (range.from > from) {
        return { from, count: Math.min(rangeBlocksMax, range.from - from) };
      }
      from = range.from + range.count;
    }
    return from > target ? null : { from, count: Math.min(rangeBlocksMax, target - from + 1) };
  }

  /** The least busy of those that claim the height and have not failed to give it. */
  #peerFor(from: number): readonly [string, Peer] | null {
    let best: readonly [string, Peer] | null = null;
    for (const entry of this.#peers) {
      const [name, { height, asked }] = entry;
      if (height < from || asked >= rangesPerPeerMax) continue;
      if (this.#refusedBy.get(from)?.has(name) === true) continue;
      if (best === null || asked < best[1].asked) best = entry;
    }
    return best;
  }

  #apply(): void {
    const piece = this.#pieces.get(this.#height + 1);
    if (piece === undefined || piece.state !== "held") return;
    this.#pieces.set(piece.range.from, { ...piece, state: "applying" });
    this.#effects.push({ type: "applyRange", peer: piece.peer, range: piece.range });
  }

  /** Whether the peers were just heard, and none is far ahead. */
  #isNear(): boolean {
    if (this.#pieces.size > 0) return false;
    if (this.#peers.size === 0) return this.#mayBeAlone && this.#rounds >= loneRoundsMax;
    return this.#target() <= this.#height + nearBlocksMax;
  }

  /**
   * What was said at the start is old by the time the blocks are here: all are asked again. So they
   * are when what is held waits for a range before it that none of them gave.
   */
  #settle(): void {
    const pieces = [...this.#pieces.values()];
    if (this.#isRoundOpen || pieces.some(({ state }) => state !== "held")) return;
    this.#refusedBy.clear();
    this.#openRound(this.#hasApplied ? 0 : roundIntervalMs);
    this.#hasApplied = false;
  }
}
