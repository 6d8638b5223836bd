import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { accept, refuse } from "../base/outcome.ts";
import type { PeerInfo } from "../p2p/network.ts";
import { textToPeerId, type PeerId } from "../p2p/peerId.ts";
import type { Protocol } from "../p2p/protocols.ts";
import type { Verdict } from "../p2p/transport.ts";
import { createFakeCommittee } from "../test/fakes/committee.ts";
import { provedChain } from "../test/fakes/provedChain.ts";
import { Follower, type FollowerParts } from "./follower.ts";
import type { Standing } from "./messages.ts";

/*
 * Goal: a node that stands notices that the chain goes on elsewhere, believes a proof and nothing
 * else, and leaves consensus only for what is far away. Time is the test's.
 */

const { epoch } = createFakeCommittee([1n, 1n, 1n, 1n]);
const near = provedChain(epoch, 3).proof;
const far = provedChain(epoch, 60).proof;
const peer = textToPeerId("peer");

let standing: Standing | null;
let verdict: Verdict;
let asked: number;
let reports: PeerId[];
let begun: number;
let isRunning: boolean;
let height: number;
/** What leaving consensus, and beginning it, wait for. */
let left: Promise<void>;
let opened: Promise<void>;
let follower: Follower;

function partsOf(): FollowerParts {
  const protocol = (): Pick<Protocol<number, Standing>, "request"> => ({
    request: () => {
      asked += 1;
      return Promise.resolve(
        standing === null ? refuse({ code: "aborted" as const }) : accept(standing),
      );
    },
  });
  const chain = {
    epoch,
    get head() {
      return { hash: epoch.root, header: { height } };
    },
    add: () => null,
    execute: () => Promise.resolve({ valid: false }),
    commit: () => Promise.resolve([]),
    startEpoch: () => {},
  };
  return {
    genesis: { hash: epoch.root },
    network: {
      peers: () => [{ peer } as PeerInfo],
      watch: () => () => {},
      report: (who) => void reports.push(who),
      protocol: protocol as unknown as FollowerParts["network"]["protocol"],
    },
    chain: chain as unknown as FollowerParts["chain"],
    store: { epoch, head: chain.head as FollowerParts["store"]["head"], headProof: () => null },
    pool: { prepare: () => {} },
    verifier: { proof: () => null },
    ranges: { request: () => Promise.resolve(refuse({ code: "missing" })) },
    onCommitted: () => {},
    log: { info: () => {}, status: () => false },
    outbound: { epochProof: () => null },
    inbound: () => ({ onProof: () => verdict }),
    engine: () => ({
      get isRunning() {
        return isRunning;
      },
      stop: async () => {
        isRunning = false;
        await left;
      },
    }),
    begin: async () => {
      await opened;
      begun += 1;
      isRunning = true;
    },
    isSole: () => false,
    onFailure: (error) => {
      throw error;
    },
  };
}

beforeEach(async () => {
  const timers = ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] as const;
  vi.useFakeTimers({ toFake: [...timers, "performance"] });
  standing = { height: 0, proof: null };
  verdict = "accept";
  asked = 0;
  reports = [];
  begun = 0;
  isRunning = false;
  height = 0;
  left = opened = Promise.resolve();
  follower = new Follower(partsOf());
  follower.start();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(begun, "nobody is ahead, so consensus begins").toBe(1);
  asked = 0;
});
afterEach(async () => {
  await follower.stop();
  vi.useRealTimers();
});

describe("a node that has begun", () => {
  test("asks now and then while its chain stands, and not while it moves", async () => {
    await vi.advanceTimersByTimeAsync(20_000);
    expect(asked).toBeGreaterThanOrEqual(8);
    const before = asked;
    for (let i = 0; i < 10; i += 1) {
      height += 1;
      await vi.advanceTimersByTimeAsync(2_000);
    }
    expect(asked - before).toBeLessThanOrEqual(1);
  });

  test("is not hurried by whoever speaks of later epochs", async () => {
    for (let i = 0; i < 1_000; i += 1) follower.onAhead();
    await vi.advanceTimersByTimeAsync(0);
    expect(asked).toBeLessThanOrEqual(1);
  });

  test("follows what is near from within consensus, and leaves it for what is far", async () => {
    standing = { height: 3, proof: near };
    await vi.advanceTimersByTimeAsync(4_000);
    expect([begun, isRunning]).toEqual([1, true]);
    standing = { height: 60, proof: far };
    await vi.advanceTimersByTimeAsync(4_000);
    expect(isRunning).toBe(false);
    expect(follower.progress).not.toBeNull();
  });

  test("stays where what is claimed has no proof, and the liar pays", async () => {
    standing = { height: 1_000_000, proof: null };
    await vi.advanceTimersByTimeAsync(4_000);
    expect([isRunning, reports]).toEqual([true, []]);
    standing = { height: 60, proof: far };
    verdict = "reject";
    await vi.advanceTimersByTimeAsync(4_000);
    expect([isRunning, begun]).toEqual([true, 1]);
    expect(reports).toContain(peer);
  });

  test("begins again with what a roll call has prepared, but not while it follows", async () => {
    const prepared: number[] = [];
    const prepare = (): Promise<void> => Promise.resolve(void prepared.push(begun));
    const again = follower.beginAgain(prepare);
    await vi.advanceTimersByTimeAsync(20_000);
    await again;
    expect([prepared, begun]).toEqual([[1], 2]);
    isRunning = false;
    await follower.beginAgain(prepare);
    expect(begun).toBe(2);
  });
});

describe("a node that is stopped while it begins again", () => {
  const nothing = (): Promise<void> => Promise.resolve();

  test("does not follow the chain once consensus has been left", async () => {
    const leaving = Promise.withResolvers<void>();
    left = leaving.promise;
    const again = follower.beginAgain(nothing);
    const stopped = follower.stop();
    standing = null; // Nobody answers any more, so a catch-up would ask for ever.
    leaving.resolve();
    await vi.advanceTimersByTimeAsync(20_000);
    await Promise.all([again, stopped]);
    expect([begun, vi.getTimerCount()]).toEqual([1, 0]);
  });

  test("is not stopped before consensus has begun, which can then be stopped", async () => {
    const opening = Promise.withResolvers<void>();
    opened = opening.promise;
    const again = follower.beginAgain(nothing);
    await vi.advanceTimersByTimeAsync(20_000);
    let isStopped = false;
    const stopped = follower.stop().then(() => (isStopped = true));
    await vi.advanceTimersByTimeAsync(0);
    expect([begun, isStopped]).toEqual([1, false]);
    opening.resolve();
    await Promise.all([again, stopped]);
    expect([begun, vi.getTimerCount()]).toEqual([2, 0]);
  });
});
