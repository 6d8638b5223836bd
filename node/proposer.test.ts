import { describe, expect, it } from "vitest";
import { zeroDigest } from "../base/bytes.ts";
import { Proposer, type BuildOrder, type Pace } from "./proposer.ts";

const order: BuildOrder = {
  type: "buildProposal",
  epoch: 0,
  view: 1,
  parent: zeroDigest,
  parentCertificate: {
    epoch: 0,
    view: 0,
    block: zeroDigest,
    parentView: 0,
    signers: new Uint8Array(0),
    signature: new Uint8Array(0),
  },
  timeoutCertificate: null,
  emptyRequired: false,
  epochProofRequired: false,
  isUrgent: false,
};

/** A proposer with a clock turned by hand; `built` says when what was built. */
function setUp(pace: Pace): {
  proposer: Proposer;
  built: string[];
  world: { nowMs: number; pending: number };
  advance: (ms: number) => void;
} {
  const built: string[] = [];
  const world = { nowMs: 1_000, pending: 0 };
  let timer: { atMs: number; callback: () => void } | null = null;
  const proposer = new Proposer(pace, {
    nowMs: () => world.nowMs,
    setTimer: (delayMs, callback) => {
      const own = { atMs: world.nowMs + delayMs, callback };
      timer = own;
      return () => {
        if (timer === own) timer = null;
      };
    },
    pendingCount: () => world.pending,
    build: (_, filled) => built.push(`${world.nowMs} ${filled ? "filled" : "empty"}`),
  });
  const advance = (ms: number): void => {
    world.nowMs += ms;
    const due = timer;
    if (due === null || due.atMs > world.nowMs) return;
    timer = null;
    due.callback();
  };
  return { proposer, built, world, advance };
}

describe("proposer", () => {
  const pace = { intervalMsMin: 100, intervalMsBusy: 250, intervalMsIdle: 5_000 };

  it("builds two blocks at once after the start, the next after the idle interval", () => {
    const { proposer, built, advance } = setUp(pace);
    for (let i = 0; i < 3; i += 1) proposer.request(order);
    advance(4_999);
    advance(1);
    expect(built).toEqual(["1000 empty", "1000 empty", "6000 empty"]);
  });

  it("builds at once when work arrives, and keeps the distance of filled blocks", () => {
    const { proposer, built, world, advance } = setUp(pace);
    for (let i = 0; i < 3; i += 1) proposer.request(order);
    advance(50);
    world.pending = 1;
    proposer.onWork();
    proposer.request(order);
    advance(100);
    advance(1);
    expect(built).toEqual(["1000 empty", "1000 empty", "1050 filled", "1151 filled"]);
  });

  it.each([
    [8, 101],
    [400, 150],
    [100_000, 250],
  ])("keeps a longer distance while %i transactions wait: %i ms", (count, distanceMs) => {
    for (const isOwn of [true, false]) {
      const { proposer, built, world, advance } = setUp(pace);
      world.pending = count;
      if (isOwn) {
        proposer.request(order);
        built.length = 0;
      } else proposer.onBlock(1, false);
      proposer.request(order);
      advance(distanceMs - 1);
      expect(built).toEqual([]);
      advance(1);
      expect(built).toEqual([`${1_000 + distanceMs} filled`]);
    }
  });

  it("waits longer when more come in meanwhile", () => {
    const { proposer, built, world, advance } = setUp(pace);
    proposer.onBlock(1, false);
    world.pending = 8;
    proposer.request(order);
    advance(50);
    world.pending = 400;
    proposer.onWork();
    advance(99);
    expect(built).toEqual([]);
    advance(1);
    expect(built).toEqual(["1150 filled"]);
  });

  it.each(["own", "another's"])("does not wait for more after %s full block", (whose) => {
    const { proposer, built, world, advance } = setUp(pace);
    world.pending = 100_000;
    if (whose === "own") {
      proposer.request(order);
      proposer.onBuilt(true);
      built.length = 0;
    } else proposer.onBlock(1, true);
    proposer.request(order);
    advance(99);
    expect(built).toEqual([]);
    advance(1);
    proposer.onBuilt(false);
    proposer.request(order);
    advance(249);
    expect(built).toEqual(["1100 filled"]);
    advance(1);
    expect(built).toEqual(["1100 filled", "1350 filled"]);
  });

  it("never comes closer than the least distance", () => {
    const { proposer, built, world, advance } = setUp({ ...pace, intervalMsBusy: 20 });
    world.pending = 10_000;
    proposer.request(order);
    proposer.request(order);
    advance(99);
    advance(1);
    expect(built).toEqual(["1000 filled", "1100 filled"]);
  });

  it("follows at once with an empty block where one waits to be committed", () => {
    const { proposer, built, world } = setUp(pace);
    world.pending = 1;
    proposer.request(order);
    proposer.request({ ...order, isUrgent: true });
    expect(built).toEqual(["1000 filled", "1000 empty"]);
  });

  /** A block of another with one transaction, and the order of the next so much later. */
  function agreed(intervalMsMin: number, agreementMs: number): ReturnType<typeof setUp> {
    const found = setUp({ ...pace, intervalMsMin });
    found.world.pending = 1;
    found.proposer.onBlock(1, false);
    found.advance(agreementMs);
    found.proposer.request({ ...order, isUrgent: true });
    return found;
  }

  it("keeps a longer distance where agreement takes long", () => {
    const { proposer, built, advance } = agreed(10, 100);
    advance(49);
    expect(built).toEqual([]);
    advance(1);
    expect(built).toEqual(["1150 filled"]);
    // What comes later than that order says nothing of how long agreement took.
    proposer.onBlock(1, false);
    proposer.onBlock(0, false);
    advance(140);
    proposer.request(order);
    advance(9);
    advance(1);
    expect(built).toEqual(["1150 filled", "1300 filled"]);
  });

  it("waits with the next block for transactions only if that is sooner than another view", () => {
    expect(agreed(100, 60).built).toEqual(["1060 empty"]);
    const { built, advance } = agreed(100, 70);
    expect(built).toEqual([]);
    advance(34);
    expect(built).toEqual([]);
    advance(1);
    expect(built).toEqual(["1105 filled"]);
  });

  it("never keeps a longer distance than is set", () => {
    const { built, advance } = agreed(100, 240);
    advance(10);
    expect(built).toEqual(["1250 filled"]);
  });

  it("carries nothing where the epoch's end forbids it", () => {
    const { proposer, built, world } = setUp({
      intervalMsMin: 0,
      intervalMsBusy: 0,
      intervalMsIdle: 0,
    });
    world.pending = 1;
    proposer.request({ ...order, isUrgent: true, emptyRequired: true });
    expect(built).toEqual(["1000 empty"]);
  });

  it("builds nothing after it was stopped", () => {
    const { proposer, built, advance, world } = setUp(pace);
    for (let i = 0; i < 3; i += 1) proposer.request(order);
    proposer.stop();
    world.pending = 1;
    proposer.onWork();
    advance(10_000);
    expect(built).toEqual(["1000 empty", "1000 empty"]);
  });
});
