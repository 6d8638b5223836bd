import { describe, expect, it } from "vitest";
import { Prng } from "../test/sim/prng.ts";
import {
  CatchUp,
  failuresMax,
  loneRoundsMax,
  nearBlocksMax,
  rangeBlocksMax,
  rangesMax,
  rangesPerPeerMax,
  type CatchUpEffect,
  type CatchUpInput,
} from "./catchUp.ts";

/*
 * Goal: whatever peers claim, send or leave unsaid, the chain is followed in order to near its end,
 * within the limits, as long as one peer is honest; and whoever lies is blamed, nobody else.
 */

type Order<T extends CatchUpEffect["type"]> = Extract<CatchUpEffect, { readonly type: T }>;

function only<T extends CatchUpEffect["type"]>(
  effects: readonly CatchUpEffect[],
  type: T,
): readonly Order<T>[] {
  return effects.filter((effect): effect is Order<T> => effect.type === type);
}

function started(height: number, mayBeAlone = false): CatchUp {
  const machine = new CatchUp();
  const effects = machine.step({ type: "started", height, mayBeAlone });
  expect(effects).toEqual([{ type: "askStandings", afterMs: 0 }]);
  return machine;
}

describe("catch-up", () => {
  it("asks several peers for different ranges at once, and applies them in order", () => {
    const machine = started(0);
    const asked = [
      ...machine.step({ type: "peerStands", peer: "a", height: 1_000 }),
      ...machine.step({ type: "peerStands", peer: "b", height: 1_000 }),
      ...machine.step({ type: "peerStands", peer: "c", height: 1_000 }),
    ];
    const ranges = only(asked, "askRange");
    expect(ranges).toHaveLength(3 * rangesPerPeerMax);
    expect(new Set(ranges.map(({ range }) => range.from)).size).toBe(ranges.length);
    const [first, second] = ranges;
    if (first === undefined || second === undefined) throw new Error("two were asked for");
    expect(first.range).toEqual({ from: 1, count: rangeBlocksMax });
    const { peer, range } = second;
    expect(only(machine.step({ type: "rangeReceived", peer, range }), "applyRange")).toEqual([]);
    const effects = machine.step({ type: "rangeReceived", peer: first.peer, range: first.range });
    expect(only(effects, "applyRange").map((order) => order.range)).toEqual([first.range]);
    const next = machine.step({ type: "rangeApplied", range: first.range });
    expect(only(next, "applyRange").map((order) => order.range)).toEqual([range]);
  });

  it("asks for the rest of a range of which it got a part", () => {
    const machine = started(0);
    machine.step({ type: "peerStands", peer: "a", height: 40 });
    const effects = machine.step({
      type: "rangeReceived",
      peer: "a",
      range: { from: 1, count: 30 },
    });
    expect(only(effects, "askRange")).toEqual([
      { type: "askRange", peer: "a", range: { from: 31, count: 10 } },
    ]);
  });

  it("ends near the others only after it has heard them again", () => {
    const machine = started(0);
    machine.step({ type: "peerStands", peer: "a", height: 10 });
    machine.step({ type: "roundEnded" });
    const range = { from: 1, count: 10 };
    machine.step({ type: "rangeReceived", peer: "a", range });
    const effects = machine.step({ type: "rangeApplied", range });
    expect(effects).toEqual([{ type: "askStandings", afterMs: 0 }]);
    machine.step({ type: "peerStands", peer: "a", height: 10 });
    expect(machine.step({ type: "roundEnded" })).toEqual([{ type: "finished" }]);
  });

  it("K21, N11: whoever sends what is not of this chain is blamed, and others are asked", () => {
    const machine = started(0);
    machine.step({ type: "peerStands", peer: "liar", height: 64 });
    const range = { from: 1, count: 64 };
    machine.step({ type: "rangeReceived", peer: "liar", range });
    machine.step({ type: "peerStands", peer: "honest", height: 64 });
    const effects = machine.step({ type: "rangeWrong", peer: "liar", from: 1 });
    expect(only(effects, "blame")).toEqual([{ type: "blame", peer: "liar" }]);
    expect(only(effects, "askRange")).toEqual([{ type: "askRange", peer: "honest", range }]);
    machine.step({ type: "peerStands", peer: "liar", height: 1_000_000 });
    expect(machine.progress.target).toBe(64);
  });

  it("leaves a peer alone that claims more than it gives, without blame", () => {
    const machine = started(5);
    let asked = 0;
    let isFinished = false;
    for (let round = 0; round < 2 * failuresMax; round += 1) {
      const effects = [
        ...machine.step({ type: "peerStands", peer: "honest", height: 5 }),
        ...machine.step({ type: "peerStands", peer: "boaster", height: 1_000_000 }),
        ...machine.step({ type: "roundEnded" }),
      ];
      for (let at = 0; at < effects.length; at += 1) {
        const effect = effects[at];
        expect(effect?.type).not.toBe("blame");
        isFinished ||= effect?.type === "finished";
        if (effect?.type !== "askRange") continue;
        asked += 1;
        const { peer, range } = effect;
        expect(peer).toBe("boaster");
        effects.push(...machine.step({ type: "rangeMissing", peer, from: range.from }));
      }
    }
    expect(isFinished).toBe(true);
    expect(asked).toBeGreaterThanOrEqual(failuresMax);
  });

  it("asks the only peer again for a range that was lost, with a later one in hand", () => {
    const machine = started(0);
    machine.step({ type: "peerStands", peer: "a", height: 2 });
    machine.step({ type: "roundEnded" });
    machine.step({ type: "peerStands", peer: "a", height: 4 });
    machine.step({ type: "rangeMissing", peer: "a", from: 1 });
    const range = { from: 3, count: 2 };
    const effects = machine.step({ type: "rangeReceived", peer: "a", range });
    expect(only(effects, "askStandings")).toHaveLength(1);
    const next = machine.step({ type: "peerStands", peer: "a", height: 4 });
    expect(only(next, "askRange").map((order) => order.range)).toEqual([{ from: 1, count: 2 }]);
  });

  it("waits for a peer unless it may be alone", () => {
    const lonely = started(0, true);
    const waiting = started(0, false);
    for (let round = 1; round < loneRoundsMax; round += 1) {
      expect(only(lonely.step({ type: "roundEnded" }), "finished")).toEqual([]);
      waiting.step({ type: "roundEnded" });
    }
    expect(lonely.step({ type: "roundEnded" })).toEqual([{ type: "finished" }]);
    expect(only(waiting.step({ type: "roundEnded" }), "finished")).toEqual([]);
  });

  it("follows to the end among liars, in whatever order things happen", () => {
    for (let seed = 1; seed <= 200; seed += 1) new Run(seed).play();
  });
});

/** One catch-up with dice: some peers are honest, some lie, some are silent, some leave. */
class Run {
  readonly #dice: Prng;
  readonly #machine = new CatchUp();
  readonly #seed: number;
  readonly #honest = new Set<string>();
  readonly #peers = new Map<string, "honest" | "liar" | "silent" | "boaster">();
  #chain: number;
  #height = 0;
  #queue: CatchUpInput[] = [];
  #held = new Map<string, "right" | "wrong">();
  #isFinished = false;

  constructor(seed: number) {
    this.#seed = seed;
    this.#dice = new Prng(seed, "catchUp");
    this.#chain = this.#dice.between(1, 2_000);
    const kinds = ["honest", "liar", "silent", "boaster"] as const;
    for (let i = 0; i < 6; i += 1) {
      const kind = i === 0 ? "honest" : (kinds[this.#dice.below(kinds.length)] ?? "honest");
      this.#peers.set(`p${i}`, kind);
      if (kind === "honest") this.#honest.add(`p${i}`);
    }
  }

  play(): void {
    this.#step({ type: "started", height: 0, mayBeAlone: false });
    for (let step = 0; step < 20_000 && !this.#isFinished; step += 1) {
      const at = this.#dice.below(Math.max(1, this.#queue.length));
      const [input] = this.#queue.splice(at, 1);
      expect(input, `seed ${this.#seed}: nothing is under way`).toBeDefined();
      if (input !== undefined) this.#step(input);
    }
    expect(this.#isFinished, `seed ${this.#seed} does not end`).toBe(true);
    expect(this.#height, `seed ${this.#seed}`).toBeGreaterThanOrEqual(this.#chain - nearBlocksMax);
  }

  #step(input: CatchUpInput): void {
    if (input.type === "rangeApplied") {
      expect(input.range.from).toBe(this.#height + 1);
      this.#height += input.range.count;
    }
    let asked = 0;
    for (const effect of this.#machine.step(input)) {
      if (effect.type === "askRange") asked += 1;
      this.#perform(effect);
    }
    expect(asked).toBeLessThanOrEqual(rangesMax);
  }

  #perform(effect: CatchUpEffect): void {
    switch (effect.type) {
      case "askStandings":
        for (const [peer, kind] of this.#peers) {
          const height = kind === "boaster" ? 1_000_000 : this.#chain;
          this.#queue.push({ type: "peerStands", peer, height });
        }
        // The round ends when all were heard, so behind them.
        return void this.#queue.push({ type: "roundEnded" });
      case "askRange":
        return this.#answer(effect.peer, effect.range);
      case "applyRange": {
        const { peer, range } = effect;
        const verdict = this.#held.get(`${peer}/${range.from}`);
        expect(verdict).toBeDefined();
        const { from } = range;
        if (verdict === "right") this.#queue.push({ type: "rangeApplied", range });
        else this.#queue.push({ type: "rangeWrong", peer, from });
        return;
      }
      case "dropRange":
        return void this.#held.delete(`${effect.peer}/${effect.from}`);
      case "blame":
        return expect(this.#honest.has(effect.peer), "an honest peer is blamed").toBe(false);
      case "finished":
        this.#isFinished = true;
        return;
    }
  }

  #answer(peer: string, range: { readonly from: number; readonly count: number }): void {
    const { from } = range;
    const kind = this.#peers.get(peer);
    const isThere = from <= this.#chain;
    if (kind === "silent" || !isThere) {
      return void this.#queue.push({ type: "rangeMissing", peer, from });
    }
    const most = Math.min(range.count, this.#chain - from + 1);
    const count = this.#dice.between(1, most);
    this.#held.set(`${peer}/${from}`, kind === "liar" ? "wrong" : "right");
    this.#queue.push({ type: "rangeReceived", peer, range: { from, count } });
  }
}
