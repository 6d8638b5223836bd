import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { HandClock } from "../test/fakes/handClock.ts";
import { createTestNode, echoOptions, testChain } from "../test/fakes/testNetwork.ts";
import type { TestNode } from "../test/fakes/testNetwork.ts";
import { anchorsMax, dialTickMs, redialMsMax } from "./limits.ts";
import type { TransportMaker } from "./network.compliance.ts";
import type { NetworkOptions } from "./network.ts";

/** Nodes find, greet and lose one another. */
export function describeMeeting(maker: TransportMaker): void {
  describe("meeting", () => {
    let clock: HandClock;
    let nodes: TestNode[];
    beforeEach(() => {
      clock = new HandClock();
      nodes = [];
    });
    afterEach(async () => {
      for (const { network } of nodes) await network.stop();
    });

    const make = async (
      number: number,
      options: Partial<NetworkOptions> = {},
    ): Promise<TestNode> => {
      const node = createTestNode(await maker.transport(number), clock, options);
      nodes.push(node);
      await node.network.start();
      return node;
    };

    /** One has found the other foreign; it cuts off, so the other may not come to find it too. */
    const strangers = (a: TestNode, b: TestNode): boolean =>
      a.network.scoreOf(b.network.self) < 0 || b.network.scoreOf(a.network.self) < 0;

    test("each is told of the other, once", async () => {
      const a = await make(1);
      const b = await make(2, { bootstrap: a.network.addresses() });
      await maker.reach(() => a.count("peerJoined") + b.count("peerJoined") === 2, "both joined");
      expect(a.network.peers().map(({ peer }) => peer)).toEqual([b.network.self]);
      expect(b.network.peers().map(({ peer }) => peer)).toEqual([a.network.self]);
      expect(b.network.peers()[0]?.direction).toBe("outbound");
      expect(b.network.peers()[0]?.hello.genesis).toEqual(testChain.genesis);
    });

    test("starting and stopping twice is once", async () => {
      const a = await make(1);
      await a.network.start();
      const b = await make(2, { bootstrap: a.network.addresses() });
      await maker.reach(() => a.count("peerJoined") === 1, "joined");
      await b.network.stop();
      await b.network.stop();
      await maker.reach(() => a.count("peerLeft") === 1, "left");
      expect(a.network.peers()).toEqual([]);
      expect(b.network.peers()).toEqual([]);
    });

    test("a node that was stopped before it was started stays silent", async () => {
      const node = createTestNode(await maker.transport(1), clock);
      await node.network.stop();
      expect(node.network.addresses()).toEqual([]);
    });

    test("another chain is dropped by whoever finds it first, and pays", async () => {
      const a = await make(1);
      const foreign = { ...testChain, genesis: new Uint8Array(32).fill(1) };
      const b = await make(2, { bootstrap: a.network.addresses(), chain: foreign });
      await maker.reach(() => strangers(a, b), "charged");
      await clock.advance(dialTickMs);
      expect(a.count("peerJoined") + b.count("peerJoined")).toBe(0);
    });

    test("other rules are dropped unless they are said to be compatible", async () => {
      const other = { ...testChain, runtime: () => new Uint8Array(32).fill(2) };
      const a = await make(1);
      const b = await make(2, { bootstrap: a.network.addresses(), chain: other });
      await maker.reach(() => strangers(a, b), "charged");
      const tolerant = { ...testChain, compatible: () => true };
      const c = await make(3, { chain: tolerant });
      const chain = { ...other, compatible: () => true };
      const d = await make(4, { bootstrap: c.network.addresses(), chain });
      await maker.reach(() => c.count("peerJoined") + d.count("peerJoined") === 2, "joined");
    });

    test("a configured peer that went away is found again when it returns", async () => {
      const first = await make(1);
      const address = first.network.addresses();
      const b = await make(2, { bootstrap: address });
      await maker.reach(() => b.count("peerJoined") === 1, "joined");
      void first.network.disconnect(b.network.self);
      await maker.reach(() => b.count("peerLeft") === 1, "left");
      await clock.advance(redialMsMax * 2);
      await maker.reach(() => b.count("peerJoined") === 2, "joined again");
    });

    test("an address that nobody answers at is told, and dialled again after a pause", async () => {
      const a = await make(1);
      const gone = a.network.addresses();
      await a.network.stop();
      const b = await make(2, { bootstrap: gone });
      await maker.reach(() => b.count("dialFailed") === 1, "failed");
      await clock.advance(dialTickMs);
      expect(b.count("dialFailed")).toBe(1);
      await clock.advance(redialMsMax * 2);
      await maker.reach(() => b.count("dialFailed") >= 2, "failed again");
    });

    test("text that is no address is told, and harms nobody", async () => {
      const a = await make(1, { bootstrap: ["nonsense", ""] });
      await maker.reach(() => a.count("dialFailed") === 2, "failed");
    });

    test("N10: another node than the one named is not the one that was dialled", async () => {
      const a = await make(1);
      const other = await make(3);
      const named = a.network
        .addresses()
        .map((address) => address.replace(a.network.self, other.network.self));
      await a.network.stop();
      await other.network.stop();
      const liar = await make(4);
      const wrong = liar.network
        .addresses()
        .map((address) => address.replace(liar.network.self, other.network.self));
      const bootstrap = [...new Set([...wrong, ...named])];
      const b = await make(2, { bootstrap });
      // Two addresses of one name are dialled one after the other.
      await maker.reach(() => b.count("dialFailed") >= 1, "failed");
      await clock.advance(dialTickMs);
      await maker.reach(() => b.count("dialFailed") >= bootstrap.length, "both failed");
      expect(b.count("peerJoined")).toBe(0);
    });

    test("anchors are the peers that were dialled, not those that came", async () => {
      const a = await make(1);
      const b = await make(2, { bootstrap: a.network.addresses() });
      await maker.reach(() => a.count("peerJoined") + b.count("peerJoined") === 2, "joined");
      expect(a.network.anchors()).toEqual([]);
      const anchors = b.network.anchors();
      expect(anchors).toHaveLength(1);
      expect(anchors.length).toBeLessThanOrEqual(anchorsMax);
      await b.network.stop();
      const again = await make(5, { anchors });
      await maker.reach(() => again.count("peerJoined") === 1, "joined by its anchor");
    });

    test("N7: thirty who come do not keep the one away that this node chose before", async () => {
      const honest = await make(1);
      const before = await make(2, { bootstrap: honest.network.addresses() });
      const join = async (node: TestNode, first: number): Promise<void> => {
        const bootstrap = node.network.addresses();
        // One after another: the transport's own deadlines do not wait for thirty at once.
        for (let i = 0; i < 30; i += 1) {
          await make(first + i, { bootstrap });
          await maker.reach(() => node.network.peers().length === i + 2, "one more is here");
        }
      };
      await join(before, 10);
      const anchors = before.network.anchors();
      expect(anchors).toHaveLength(1);
      expect(before.network.peers().filter(({ direction }) => direction === "outbound")).toEqual([
        expect.objectContaining({ peer: honest.network.self }),
      ]);
      await before.network.stop();
      const again = await make(3, { anchors });
      await join(again, 50);
      const chosen = again.network.peers().filter(({ direction }) => direction === "outbound");
      expect(chosen.map(({ peer }) => peer)).toEqual([honest.network.self]);
      expect(again.network.anchors()).toEqual(anchors);
    });

    test("a ban cuts off, keeps out, survives a restart and can be lifted", async () => {
      const a = await make(1);
      const b = await make(2, { bootstrap: a.network.addresses() });
      await maker.reach(() => a.count("peerJoined") === 1, "joined");
      a.network.ban(b.network.self);
      await maker.reach(() => b.count("peerLeft") === 1, "cut off");
      await clock.advance(redialMsMax * 2);
      expect(a.count("peerJoined")).toBe(1);
      const bans = a.network.bans();
      expect(bans.map(({ peer }) => peer)).toEqual([b.network.self]);
      await a.network.stop();
      await b.network.stop();
      const c = await make(3, { bans });
      const again = await make(2, { bootstrap: c.network.addresses() });
      await clock.advance(redialMsMax);
      expect(c.count("peerConnected")).toBe(0);
      c.network.pardon(again.network.self);
      await clock.advance(redialMsMax * 2);
      await maker.reach(() => c.count("peerJoined") === 1, "pardoned");
    });

    test("watchers hear of joining and leaving until they stop watching", async () => {
      const a = await make(1);
      const heard: string[] = [];
      const end = a.network.watch({
        joined: (peer) => void heard.push(`+${peer}`),
        left: (peer) => void heard.push(`-${peer}`),
      });
      const b = await make(2, { bootstrap: a.network.addresses() });
      await maker.reach(() => heard.length === 1, "joined");
      await b.network.stop();
      await maker.reach(() => heard.length === 2, "left");
      end();
      expect(heard).toEqual([`+${b.network.self}`, `-${b.network.self}`]);
    });

    test("who connects is told through protocols that were opened before the start", async () => {
      const a = createTestNode(await maker.transport(1), clock);
      nodes.push(a);
      a.network.protocol("echo", echoOptions());
      await a.network.start();
      const b = await make(2, { bootstrap: a.network.addresses() });
      const echo = b.network.protocol("echo", echoOptions());
      await maker.reach(() => b.count("peerJoined") === 1, "joined");
      const answer = await echo.request(a.network.self, new Uint8Array([1]));
      expect(answer).toEqual({ ok: true, value: new Uint8Array([1]) });
    });
  });
}
