import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { equalBytes } from "../base/bytes.ts";
import { refuse } from "../base/outcome.ts";
import { HandClock } from "../test/fakes/handClock.ts";
import { createTestNode, echoOptions } from "../test/fakes/testNetwork.ts";
import type { TestNode } from "../test/fakes/testNetwork.ts";
import { bytesCodec } from "./codec.ts";
import { redialMsMax, requestsInFlightMax } from "./limits.ts";
import type { TransportMaker } from "./network.compliance.ts";
import type { Protocol, ProtocolOptions } from "./protocols.ts";
import type { TopicOptions } from "./topics.ts";

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);

/** Requests, one-way messages and gossip among nodes that follow the rules. */
export function describeTalk(maker: TransportMaker): void {
  describe("talk", () => {
    let clock: HandClock;
    let nodes: TestNode[];
    beforeEach(() => {
      clock = new HandClock();
      nodes = [];
    });
    afterEach(async () => {
      for (const { network } of nodes) await network.stop();
    });

    /** A chain of nodes: each knows the one before it. */
    const line = async (count: number, declare: (node: TestNode) => void): Promise<TestNode[]> => {
      for (let number = 1; number <= count; number += 1) {
        const bootstrap = nodes.at(-1)?.network.addresses() ?? [];
        const node = createTestNode(await maker.transport(number), clock, { bootstrap });
        declare(node);
        await node.network.start();
        nodes.push(node);
      }
      const links = 2 * (count - 1);
      await maker.reach(
        () => nodes.reduce((sum, node) => sum + node.network.peers().length, 0) === links,
        "the line stands",
      );
      return nodes;
    };

    /** Two connected nodes; the first answers, the second asks. */
    const couple = async (
      options: Partial<ProtocolOptions<Uint8Array, Uint8Array>> = {},
    ): Promise<{
      readonly a: TestNode;
      readonly b: TestNode;
      readonly echo: Protocol<Uint8Array, Uint8Array>;
    }> => {
      const opened = new Map<TestNode, Protocol<Uint8Array, Uint8Array>>();
      const [a, b] = await line(2, (node) => {
        opened.set(node, node.network.protocol("echo", echoOptions(options)));
      });
      if (a === undefined || b === undefined) throw new Error("two nodes were asked for");
      const echo = opened.get(b);
      if (echo === undefined) throw new Error("the second node asks");
      return { a, b, echo };
    };

    test("a request is answered, empty and large ones alike", async () => {
      const { a, echo } = await couple();
      for (const size of [0, 1, 1_000, 300_000, 4 * 1024 * 1024]) {
        const body = new Uint8Array(size).fill(size % 251);
        const answer = await echo.request(a.network.self, body);
        expect(answer.ok && equalBytes(answer.value, body)).toBe(true);
      }
    });

    test("answers find their requests in whatever order they come", async () => {
      const held: (() => void)[] = [];
      const { a, echo } = await couple({
        handle: (request) =>
          new Promise((resolve) => {
            held.push(() => resolve({ verdict: "accept", response: request }));
          }),
      });
      const asked = [1, 2, 3, 4, 5].map((value) => echo.request(a.network.self, bytes(value)));
      await maker.reach(() => held.length === 5, "all asked");
      for (const answer of held.toReversed()) answer();
      const answers = await Promise.all(asked);
      expect(answers).toEqual([1, 2, 3, 4, 5].map((value) => ({ ok: true, value: bytes(value) })));
    });

    test("one-way messages arrive once, whole and in order", async () => {
      const got: number[] = [];
      const { a, echo } = await couple({
        handle: (request) => {
          got.push(request.length);
          return { verdict: "ignore" };
        },
      });
      const sizes = Array.from({ length: 300 }, (_, i) => (i * 977) % 20_000);
      for (const size of sizes) echo.send(a.network.self, new Uint8Array(size));
      await maker.reach(() => got.length === sizes.length, "all arrived");
      expect(got).toEqual(sizes);
      expect(echo.queuedBytes(a.network.self)).toBe(0);
    });

    test("a broadcast says who it could be queued for", async () => {
      const { a, b, echo } = await couple();
      expect(echo.broadcast([a.network.self, b.network.self], bytes(1))).toEqual([a.network.self]);
    });

    test("what cannot be sent is refused at once", async () => {
      const { a, b, echo } = await couple({ requestBytesMax: 10 });
      const refusal = { code: "tooLong", got: 11, limit: 10 };
      expect(echo.send(a.network.self, new Uint8Array(11))).toEqual(refuse(refusal));
      expect(await echo.request(a.network.self, new Uint8Array(11))).toEqual(refuse(refusal));
      const absent = refuse({ code: "notConnected", peer: b.network.self });
      expect(echo.send(b.network.self, bytes(1))).toEqual(absent);
      expect(await echo.request(b.network.self, bytes(1))).toEqual(absent);
    });

    test("a request that is declined says how", async () => {
      const { a, b, echo } = await couple({
        handle: (request) =>
          request[0] === 1 ? { verdict: "ignore" } : { verdict: "reject", reason: "no" },
      });
      const ask = (value: number): Promise<unknown> => echo.request(a.network.self, bytes(value));
      expect(await ask(1)).toEqual(refuse({ code: "declined", reason: "ignored" }));
      expect(a.network.scoreOf(b.network.self)).toBe(0);
      expect(await ask(2)).toEqual(refuse({ code: "declined", reason: "rejected" }));
      expect(a.network.scoreOf(b.network.self)).toBeLessThan(0);
    });

    test("a handler that throws is told, and declines", async () => {
      const { a, echo } = await couple({
        handle: (request) => {
          if (request[0] === 1) throw new Error("a slip");
          return Promise.reject(new Error("a late slip"));
        },
      });
      const ignored = refuse({ code: "declined", reason: "ignored" });
      expect(await echo.request(a.network.self, bytes(1))).toEqual(ignored);
      expect(await echo.request(a.network.self, bytes(2))).toEqual(ignored);
      expect(a.count("handlerThrew")).toBe(2);
    });

    test("an answer that does not come times out, and the handler is told to stop", async () => {
      let stopped = 0;
      const { a, echo } = await couple({
        timeoutMs: 1_000,
        handle: (_request, { signal }) =>
          new Promise((resolve) => {
            signal.addEventListener("abort", () => {
              stopped += 1;
              resolve({ verdict: "ignore" });
            });
          }),
      });
      const asked = echo.request(a.network.self, bytes(1), { timeoutMs: 500 });
      await clock.advance(500);
      expect(await asked).toEqual(refuse({ code: "timedOut", timeoutMs: 500 }));
      const again = echo.request(a.network.self, bytes(2));
      await maker.reach(() => clock.waiting > 0, "asked");
      await clock.advance(1_000);
      expect(await again).toEqual(refuse({ code: "timedOut", timeoutMs: 1_000 }));
      await clock.advance(1_000);
      await maker.reach(() => stopped === 2, "both handlers stopped");
    });

    test("a request can be given up", async () => {
      const { a, echo } = await couple({ handle: () => new Promise(() => {}) });
      const controller = new AbortController();
      const { signal } = controller;
      const asked = echo.request(a.network.self, bytes(1), { signal });
      controller.abort();
      expect(await asked).toEqual(refuse({ code: "aborted" }));
      const late = await echo.request(a.network.self, bytes(1), { signal });
      expect(late).toEqual(refuse({ code: "aborted" }));
    });

    test("requests beyond the limit are refused to their sender", async () => {
      const { a, echo } = await couple({
        concurrencyMax: 2 * requestsInFlightMax,
        handle: () => new Promise(() => {}),
      });
      for (let i = 0; i < requestsInFlightMax; i += 1)
        void echo.request(a.network.self, bytes(i % 256));
      const refused = await echo.request(a.network.self, bytes(1));
      expect(refused).toEqual(refuse({ code: "queueFull", peer: a.network.self }));
    });

    test("no more handlers run for a peer than allowed; the rest wait with it", async () => {
      let running = 0;
      let most = 0;
      const held: (() => void)[] = [];
      const { a, echo } = await couple({
        concurrencyMax: 3,
        handle: (request) => {
          running += 1;
          most = Math.max(most, running);
          return new Promise((resolve) => {
            held.push(() => {
              running -= 1;
              resolve({ verdict: "accept", response: request });
            });
          });
        },
      });
      const asked = Array.from({ length: 12 }, (_, i) => echo.request(a.network.self, bytes(i)));
      let done = 0;
      for (const answer of asked) void answer.then(() => (done += 1));
      while (done < 12) {
        await maker.reach(() => held.length > 0 || done === 12, "a handler runs");
        held.shift()?.();
      }
      expect(most).toBe(3);
    });

    test("who asks too fast is held back, and still gets every answer", async () => {
      const { a, b, echo } = await couple({ rate: { perSecond: 10, burst: 2 } });
      const asked = [1, 2, 3, 4].map((value) => echo.request(a.network.self, bytes(value)));
      await Promise.all(asked.slice(0, 2));
      let done = 0;
      for (const answer of asked) void answer.then(() => (done += 1));
      await maker.reach(() => done === 2, "the burst is answered");
      for (let i = 0; i < 50 && done < 4; i += 1) await clock.advance(20);
      await maker.reach(() => done === 4, "the rest is answered");
      expect(a.network.scoreOf(b.network.self)).toBe(0);
    });

    test("requests fail when the peer goes, and streams open anew when it is back", async () => {
      let answering = false;
      const { a, b, echo } = await couple({
        handle: (request) =>
          answering ? { verdict: "accept", response: request } : new Promise(() => {}),
      });
      const asked = echo.request(a.network.self, bytes(1));
      await a.network.disconnect(b.network.self);
      expect(await asked).toEqual(refuse({ code: "disconnected", peer: a.network.self }));
      await maker.reach(() => b.count("peerLeft") === 1, "left");
      answering = true;
      await clock.advance(redialMsMax * 2);
      await maker.reach(() => a.count("peerJoined") + b.count("peerJoined") === 4, "back");
      expect(await echo.request(a.network.self, bytes(2))).toEqual({ ok: true, value: bytes(2) });
    });

    test("stopping ends what waits", async () => {
      const { a, b, echo } = await couple({ handle: () => new Promise(() => {}) });
      const asked = echo.request(a.network.self, bytes(1));
      await b.network.stop();
      expect(await asked).toEqual(refuse({ code: "disconnected", peer: a.network.self }));
      const after = await echo.request(a.network.self, bytes(1));
      expect(after).toEqual(refuse({ code: "notConnected", peer: a.network.self }));
    });

    test("an answer that is none costs its sender", async () => {
      const response = { ...bytesCodec, decode: () => refuse({ code: "nonsense" }) };
      const { a, b, echo } = await couple({ response });
      const answer = await echo.request(a.network.self, bytes(1));
      expect(answer).toEqual(refuse({ code: "malformed", fault: "nonsense" }));
      expect(b.network.scoreOf(a.network.self)).toBeLessThan(0);
    });

    describe("gossip", () => {
      const listen = (changes: Partial<TopicOptions> = {}) => {
        const heard = new Map<TestNode, Uint8Array[]>();
        const topics = new Map<TestNode, ReturnType<TestNode["network"]["topic"]>>();
        const declare = (node: TestNode): void => {
          heard.set(node, []);
          const topic = node.network.topic("chain", "news", {
            bytesMax: 1_000,
            rate: { perSecond: 1_000, burst: 1_000 },
            validate: (message) => {
              heard.get(node)?.push(message);
              return "accept";
            },
            ...changes,
          });
          topics.set(node, topic);
        };
        const neighbours = (node: TestNode): number => topics.get(node)?.listeners().length ?? 0;
        const ready = (): Promise<void> =>
          maker.reach(
            () => nodes.every((node) => neighbours(node) === node.network.peers().length),
            "all know who listens",
          );
        return { heard, topics, declare, ready };
      };

      test("what is accepted travels on, and is heard once by each", async () => {
        const { heard, topics, declare, ready } = listen();
        const [a, b, c] = await line(3, declare);
        await ready();
        if (a === undefined || b === undefined || c === undefined) throw new Error("three nodes");
        const first = await topics.get(a)?.publish(bytes(1, 2, 3));
        expect(first).toEqual({ ok: true, value: 1 });
        await maker.reach(() => heard.get(c)?.length === 1, "the far end heard");
        expect(await topics.get(a)?.publish(bytes(1, 2, 3))).toEqual({ ok: true, value: 0 });
        expect(heard.get(b)).toEqual([bytes(1, 2, 3)]);
        expect(heard.get(c)).toEqual([bytes(1, 2, 3)]);
        expect(heard.get(a)).toEqual([]);
      });

      test("the same bytes under another topic are another message", async () => {
        const { heard, topics, declare, ready } = listen();
        const others: Uint8Array[] = [];
        const [a, b] = await line(2, (node) => {
          declare(node);
          const other = node.network.topic("chain", "other", {
            bytesMax: 1_000,
            rate: { perSecond: 1_000, burst: 1_000 },
            validate: (message) => {
              others.push(message);
              return "accept";
            },
          });
          if (node.network.addresses().length === 0 && nodes.length === 0) second.topic = other;
        });
        await ready();
        if (a === undefined || b === undefined) throw new Error("two nodes");
        await maker.reach(() => (second.topic?.listeners().length ?? 0) === 1, "both topics");
        await topics.get(a)?.publish(bytes(9));
        await second.topic?.publish(bytes(9));
        await maker.reach(() => heard.get(b)?.length === 1 && others.length === 1, "both heard");
      });
      const second: { topic: ReturnType<TestNode["network"]["topic"]> | null } = { topic: null };

      test("what is rejected or ignored goes no further; only the first costs", async () => {
        for (const verdict of ["ignore", "reject"] as const) {
          const judged: Uint8Array[] = [];
          const { heard, topics, declare, ready } = listen();
          const [a, b, c] = await line(3, (node) => {
            if (nodes.length !== 1) declare(node);
            else
              topics.set(
                node,
                node.network.topic("chain", "news", {
                  bytesMax: 1_000,
                  rate: { perSecond: 1_000, burst: 1_000 },
                  validate: (message) => {
                    judged.push(message);
                    return verdict;
                  },
                }),
              );
          });
          await ready();
          if (a === undefined || b === undefined || c === undefined) throw new Error("three nodes");
          await topics.get(a)?.publish(bytes(7));
          await maker.reach(() => judged.length === 1, "judged");
          // A later message that c does hear shows that the first is not merely under way.
          await topics.get(b)?.publish(bytes(8));
          await maker.reach(() => heard.get(c)?.length === 1, "the second heard");
          expect(heard.get(c)).toEqual([bytes(8)]);
          expect(b.network.scoreOf(a.network.self) < 0).toBe(verdict === "reject");
          for (const { network } of nodes.splice(0)) await network.stop();
        }
      });

      test("a validator that throws ignores, and is told", async () => {
        const { topics, declare, ready } = listen({
          validate: () => {
            throw new Error("a slip");
          },
        });
        const [a, b] = await line(2, declare);
        await ready();
        if (a === undefined || b === undefined) throw new Error("two nodes");
        await topics.get(a)?.publish(bytes(1));
        await maker.reach(() => b.count("handlerThrew") === 1, "told");
        expect(b.network.scoreOf(a.network.self)).toBe(0);
      });

      test("who gossips faster than allowed is not heard, pays, and is banned", async () => {
        const { heard, topics, declare, ready } = listen({ rate: { perSecond: 1, burst: 5 } });
        const [a, b] = await line(2, declare);
        await ready();
        if (a === undefined || b === undefined) throw new Error("two nodes");
        for (let i = 0; i < 60; i += 1) await topics.get(a)?.publish(bytes(i));
        await maker.reach(() => b.count("peerBanned") === 1, "banned");
        expect(heard.get(b)).toHaveLength(5);
        await maker.reach(() => a.count("peerLeft") === 1, "cut off");
      });

      test("what is too long is not gossiped; after closing nothing is heard", async () => {
        const { heard, topics, declare, ready } = listen();
        const [a, b] = await line(2, declare);
        await ready();
        if (a === undefined || b === undefined) throw new Error("two nodes");
        const refusal = { code: "tooLong", got: 1_001, limit: 1_000 };
        const topic = topics.get(a);
        expect(await topic?.publish(new Uint8Array(1_001))).toEqual(refuse(refusal));
        topics.get(b)?.close();
        await maker.reach(() => topic?.listeners().length === 0, "b listens no more");
        expect(await topic?.publish(bytes(1))).toEqual({ ok: true, value: 0 });
        expect(heard.get(b)).toEqual([]);
        await a.network.stop();
        expect(await topic?.publish(bytes(2))).toEqual(refuse({ code: "notStarted" }));
      });
    });
  });
}
