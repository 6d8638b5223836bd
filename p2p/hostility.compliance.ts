import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { concatBytes } from "../base/bytes.ts";
import { refuse } from "../base/outcome.ts";
import { HandClock } from "../test/fakes/handClock.ts";
import { Intruder, createTestNode, echoOptions, testChain } from "../test/fakes/testNetwork.ts";
import type { TestNode } from "../test/fakes/testNetwork.ts";
import { frameToWire } from "./channel.ts";
import { frameKinds } from "./envelope.ts";
import { prefixFrame } from "./frames.ts";
import {
  frameMsMax,
  handshakeMsMax,
  inboundStreamsMax,
  queueBytesMax,
  queueFramesMax,
  stallMsMax,
} from "./limits.ts";
import type { TransportMaker } from "./network.compliance.ts";
import { protocolId } from "./protocols.ts";
import type { Protocol, ProtocolOptions } from "./protocols.ts";
import type { ByteStream } from "./transport.ts";

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);
const ignoreAll = { data: () => {}, ended: () => {} };

type Victim = TestNode & { readonly echo: Protocol<Uint8Array, Uint8Array> };

/** Hostile peers at the level of bytes: what each does, and that others are not harmed. */
export function describeHostility(maker: TransportMaker): void {
  describe("hostility", () => {
    let clock: HandClock;
    let stops: (() => Promise<void>)[];
    beforeEach(() => {
      clock = new HandClock();
      stops = [];
    });
    afterEach(async () => {
      for (const stop of stops) await stop();
    });

    const victim = async (
      changes: Partial<ProtocolOptions<Uint8Array, Uint8Array>> = {},
    ): Promise<Victim> => {
      const node = createTestNode(await maker.transport(1), clock);
      const echo = node.network.protocol("echo", echoOptions(changes));
      stops.push(() => node.network.stop());
      await node.network.start();
      return { ...node, echo };
    };

    const intruder = async (
      number: number,
      { network }: TestNode,
      chain: typeof testChain | null = testChain,
    ): Promise<Intruder> => {
      const made = new Intruder(await maker.transport(number), clock);
      stops.push(() => made.transport.stop());
      await made.start(chain);
      await made.connect(network.addresses()[0] ?? "");
      if (chain === null) await maker.reach(() => made.isConnected(network.self), "connected");
      else await maker.reach(() => isPeer(network, made), "greeted");
      return made;
    };

    const isPeer = (network: TestNode["network"], { transport }: Intruder): boolean =>
      network.peers().some(({ peer }) => peer === transport.self);

    const misdeeds = ({ events }: TestNode): readonly string[] =>
      events.flatMap((event) => (event.type === "peerMisbehaved" ? [event.misbehaviour] : []));

    /** Another honest node asks and is answered. */
    const expectUnharmed = async ({ network }: TestNode): Promise<void> => {
      const friend = createTestNode(await maker.transport(150), clock, {
        bootstrap: network.addresses(),
      });
      const echo = friend.network.protocol("echo", echoOptions());
      stops.push(() => friend.network.stop());
      await friend.network.start();
      await maker.reach(() => friend.count("peerJoined") === 1, "the friend joined");
      expect(await echo.request(network.self, bytes(5))).toEqual({ ok: true, value: bytes(5) });
    };

    test("E3: bytes that are no frame cost; twice, and the peer is banned", async () => {
      const a = await victim();
      const x = await intruder(2, a);
      for (const garbage of [bytes(0xff, 0xff, 0xff), bytes(8, 1, 8, 1)]) {
        const stream = await x.stream(a.network.self, "echo");
        stream.listen(ignoreAll);
        const before = misdeeds(a).length;
        stream.send(prefixFrame(garbage));
        await maker.reach(() => misdeeds(a).length === before + 1, "charged");
      }
      expect(misdeeds(a)).toEqual(["malformed", "malformed"]);
      await maker.reach(() => !x.isConnected(a.network.self), "cut off");
      expect(a.network.bans().map(({ peer }) => peer)).toEqual([x.transport.self]);
      await expectUnharmed(a);
    });

    test("E3: frames of no kind, or with numbers they must not have, cost", async () => {
      const kinds = [
        { kind: frameKinds.response, id: 1, code: 0, body: bytes(1) },
        { kind: frameKinds.oneWay, id: 7, code: 0, body: bytes(1) },
        { kind: frameKinds.request, id: 0, code: 0, body: bytes(1) },
        { kind: frameKinds.request, id: 1, code: 2, body: bytes(1) },
      ];
      for (const [i, frame] of kinds.entries()) {
        const a = await victim();
        const x = await intruder(2 + i, a);
        const stream = await x.stream(a.network.self, "echo");
        stream.listen(ignoreAll);
        stream.send(frameToWire(frame));
        await maker.reach(() => misdeeds(a).length === 1, "charged");
        expect(misdeeds(a)).toEqual(["malformed"]);
        await a.network.stop();
      }
    });

    test("N3: a frame announced above the limit is refused at its prefix", async () => {
      const a = await victim({ requestBytesMax: 1_000 });
      const x = await intruder(2, a);
      const stream = await x.stream(a.network.self, "echo");
      let ended = false;
      stream.listen({ data: () => {}, ended: () => void (ended = true) });
      stream.send(bytes(0xff, 0xff, 0xff, 0xff));
      await maker.reach(() => misdeeds(a).length === 1, "charged");
      expect(misdeeds(a)).toEqual(["oversize"]);
      await maker.reach(() => ended, "the stream is cut");
      await expectUnharmed(a);
    });

    test("N3: a frame that comes byte by byte is not waited for beyond its time", async () => {
      const a = await victim();
      const x = await intruder(2, a);
      const stream = await x.stream(a.network.self, "echo");
      stream.listen(ignoreAll);
      const waiting = clock.waiting;
      stream.send(bytes(0, 0, 4, 0));
      await maker.reach(() => clock.waiting > waiting, "the frame has begun");
      for (let i = 0; i < 10; i += 1) {
        stream.send(bytes(i));
        await clock.advance(frameMsMax / 20);
      }
      expect(misdeeds(a)).toEqual([]);
      await clock.advance(frameMsMax);
      expect(misdeeds(a)).toEqual(["slow"]);
      await maker.reach(() => !x.isConnected(a.network.self), "dropped");
      await expectUnharmed(a);
    });

    test("N6: a peer that reads nothing fills its own bounded queue, then is dropped", async () => {
      const a = await victim();
      const x = await intruder(2, a);
      const held: ByteStream[] = [];
      x.transport.handle(protocolId("echo"), (_peer, stream) => {
        stream.pause();
        held.push(stream);
      });
      const body = new Uint8Array(100_000);
      let queued = 0;
      while (a.echo.send(x.transport.self, body).ok) queued += 1;
      expect(a.echo.queuedBytes(x.transport.self)).toBeLessThanOrEqual(queueBytesMax);
      expect(queued).toBeLessThanOrEqual(queueFramesMax);
      await maker.reach(() => held.length === 1, "the stream is open");
      // Windows and sockets on the way take some more before nothing moves.
      let full = 0;
      await maker.reach(() => {
        full = a.echo.send(x.transport.self, body).ok ? 0 : full + 1;
        return full > 20;
      }, "nothing more is taken");
      expect(a.echo.queuedBytes(x.transport.self)).toBeLessThanOrEqual(queueBytesMax);
      await expectUnharmed(a);
      await clock.advance(stallMsMax);
      await maker.reach(() => misdeeds(a).includes("slow"), "found slow");
      expect(a.echo.queuedBytes(x.transport.self)).toBe(0);
      await maker.reach(() => !x.isConnected(a.network.self), "dropped");
    });

    test("N10: a peer that never says hello is not served, and dropped", async () => {
      let served = 0;
      const a = await victim({
        handle: () => {
          served += 1;
          return { verdict: "ignore" };
        },
      });
      const x = await intruder(2, a, null);
      const stream = await x.stream(a.network.self, "echo");
      stream.listen(ignoreAll);
      for (let id = 1; id <= 100; id += 1)
        stream.send(frameToWire({ kind: frameKinds.request, id, code: 0, body: bytes(1) }));
      await maker.reach(() => a.count("peerConnected") === 1, "connected");
      await clock.advance(handshakeMsMax);
      await maker.reach(() => misdeeds(a).includes("silent"), "found silent");
      await maker.reach(() => !x.isConnected(a.network.self), "dropped");
      expect(served).toBe(0);
      expect(a.count("peerJoined")).toBe(0);
      await clock.advance(handshakeMsMax); // A stream that waited for the handshake is gone too.
    });

    test("N10: a peer of another chain that is in no hurry to leave is cut off", async () => {
      const a = await victim();
      const x = await intruder(2, a, null);
      expect(isPeer(a.network, x)).toBe(false);
      const y = new Intruder(await maker.transport(3), clock);
      stops.push(() => y.transport.stop());
      await y.start({ ...testChain, genesis: new Uint8Array(32).fill(9) });
      await y.connect(a.network.addresses()[0] ?? "");
      await maker.reach(() => misdeeds(a).includes("foreign"), "found foreign");
      await maker.reach(() => !y.isConnected(a.network.self), "cut off");
    });

    test("an answer that nobody asked for costs, and answers nothing", async () => {
      const a = await victim();
      const x = await intruder(2, a);
      x.transport.handle(protocolId("echo"), (_peer, stream) => {
        stream.listen(ignoreAll);
        stream.send(frameToWire({ kind: frameKinds.response, id: 99, code: 0, body: bytes(1) }));
      });
      const answer = await a.echo.request(x.transport.self, bytes(1));
      expect(answer).toEqual(refuse({ code: "disconnected", peer: x.transport.self }));
      expect(misdeeds(a)).toEqual(["unsolicited"]);
    });

    test("one peer holds only so many streams open", async () => {
      const a = await victim();
      const x = await intruder(2, a);
      let open = 0;
      for (let i = 0; i < 3 * inboundStreamsMax; i += 1) {
        const stream = await x.stream(a.network.self, "echo");
        open += 1;
        const ended = (): void => {
          open -= 1;
          stream.abort();
        };
        stream.listen({ data: () => {}, ended });
        stream.send(frameToWire({ kind: frameKinds.oneWay, id: 0, code: 0, body: bytes(i) }));
        await maker.reach(() => open <= inboundStreamsMax, "older ones are closed");
      }
      expect(open).toBe(inboundStreamsMax);
      await expectUnharmed(a);
    });

    test("a rate far below what is asked declines as busy, and the flood costs", async () => {
      const a = await victim({ rate: { perSecond: 0.01, burst: 1 } });
      const x = await intruder(2, a);
      const stream = await x.stream(a.network.self, "echo");
      let heard = 0;
      stream.listen({ data: () => void (heard += 1), ended: () => {} });
      const ask = (id: number): Uint8Array =>
        frameToWire({ kind: frameKinds.request, id, code: 0, body: bytes(id) });
      stream.send(concatBytes(ask(1), ask(2), ask(3)));
      await maker.reach(() => misdeeds(a).length === 2, "two are too many");
      expect(misdeeds(a)).toEqual(["flood", "flood"]);
      await maker.reach(() => heard > 0, "answered");
    });

    test("N9: floods of 50 peers are served at their rates, an honest peer at once", async () => {
      const burst = 20;
      let served = 0;
      const a = await victim({
        rate: { perSecond: 1, burst },
        handle: (request) => {
          served += request.length === 64 ? 1 : 0;
          return { verdict: "accept", response: request };
        },
      });
      const flood = frameToWire({
        kind: frameKinds.oneWay,
        id: 0,
        code: 0,
        body: new Uint8Array(64),
      });
      const wave = concatBytes(...Array.from({ length: 500 }, () => flood));
      for (let number = 2; number <= 51; number += 1) {
        const x = await intruder(number, a);
        const stream = await x.stream(a.network.self, "echo");
        stream.listen(ignoreAll);
        stream.send(wave);
      }
      await maker.reach(() => served === 50 * burst, "each has had its burst");
      await expectUnharmed(a);
      expect(served).toBe(50 * burst);
    });
  });
}
