import { once } from "node:events";
import { connect } from "node:net";
import { RPC } from "@libp2p/gossipsub/message";
import { identify } from "@libp2p/identify";
import type { Libp2p, Stream } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { tls } from "@libp2p/tls";
import { lpStream } from "@libp2p/utils";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../p2p/clock.ts";
import { createLibp2pTransport } from "../p2p/libp2pTransport.ts";
import { Libp2pStream } from "../p2p/libp2pStream.ts";
import { dialTickMs, gossipControlMax, upgradeMsMax } from "../p2p/limits.ts";
import { protocolId } from "../p2p/protocols.ts";
import { topicId } from "../p2p/topics.ts";
import { HandClock } from "../test/fakes/handClock.ts";
import { answerHello, createTestNode, testChain } from "../test/fakes/testNetwork.ts";
import type { TestNode } from "../test/fakes/testNetwork.ts";
import type { Topic } from "../p2p/topics.ts";
import { waitFor } from "./harness.ts";

// What a peer can do below our own protocols: sockets that say nothing, gossipsub by hand.

const stepMsMax = 20_000;
const meshProtocol = "/meshsub/1.2.0";
const news = topicId("chain", "news");

type Listening = TestNode & { readonly topic: Topic; readonly heard: Uint8Array[] };

let stops: (() => Promise<void>)[];
let clock: HandClock;
beforeEach(() => {
  stops = [];
  clock = new HandClock();
});
afterEach(async () => {
  for (const stop of stops.toReversed()) await stop();
});

async function listening(seed: number, bootstrap: readonly string[] = []): Promise<Listening> {
  const transport = await createLibp2pTransport({
    seed: new Uint8Array(32).fill(seed),
    listen: ["/ip4/127.0.0.1/tcp/0"],
    inboundPerSecondMax: 1_000,
  });
  const node = createTestNode(transport, clock, { bootstrap });
  const heard: Uint8Array[] = [];
  const topic = node.network.topic("chain", "news", {
    bytesMax: 10_000,
    rate: { perSecond: 1_000, burst: 1_000 },
    validate: (bytes) => {
      if (bytes[0] === 0xee) return "reject";
      heard.push(bytes);
      return "accept";
    },
  });
  stops.push(() => node.network.stop());
  await node.network.start();
  return { ...node, topic, heard };
}

/** A libp2p node without gossipsub that speaks its protocol by hand. */
type Gossiper = {
  /** Message ids that the victim asked for. */
  readonly asked: Uint8Array[];
  readonly isConnected: () => boolean;
  readonly send: (rpc: Partial<RPC>) => Promise<void>;
};

/** Collects what the victim asks for, until it closes the stream. */
async function collectAsked(stream: Stream, asked: Uint8Array[]): Promise<void> {
  const frames = lpStream(stream);
  try {
    for (;;) {
      const rpc = RPC.decode((await frames.read()).subarray());
      for (const { messageIDs } of rpc.control?.iwant ?? []) asked.push(...messageIDs);
    }
  } catch {
    stream.abort(new Error("over"));
  }
}

async function joinByHand(victim: Listening): Promise<Gossiper> {
  const node: Libp2p = await createLibp2p({
    addresses: { listen: [] },
    transports: [tcp()],
    connectionEncrypters: [tls()],
    streamMuxers: [yamux()],
    services: { identify: identify() },
  });
  stops.push(async () => node.stop());
  const asked: Uint8Array[] = [];
  await node.handle(meshProtocol, (stream) => void collectAsked(stream, asked));
  await node.handle(protocolId("hello"), (stream) =>
    answerHello(new Libp2pStream(stream), testChain, systemClock),
  );
  const connection = await node.dial(multiaddr(victim.network.addresses()[0]));
  const name = node.peerId.toString();
  const isPeer = (): boolean => victim.network.peers().some(({ peer }) => peer === name);
  await waitFor("greeted", isPeer, stepMsMax);
  const stream = await connection.newStream(meshProtocol);
  const frames = lpStream(stream);
  return {
    asked,
    isConnected: () => connection.status === "open",
    send: (rpc) => frames.write(RPC.encode({ subscriptions: [], messages: [], ...rpc })),
  };
}

const control = (parts: Partial<NonNullable<RPC["control"]>>): Partial<RPC> => {
  return { control: { ihave: [], iwant: [], graft: [], prune: [], idontwant: [], ...parts } };
};

const ids = (count: number, salt: number): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => {
    const id = new Uint8Array(32).fill(salt);
    new DataView(id.buffer).setUint32(0, i);
    return id;
  });

describe("gossip by hand", () => {
  let victim: Listening;
  let friend: Listening;
  let hostile: Gossiper;
  beforeEach(async () => {
    victim = await listening(1);
    friend = await listening(2, victim.network.addresses());
    await waitFor("listening", () => friend.topic.listeners().length === 1, stepMsMax);
    hostile = await joinByHand(victim);
  });

  /** What a friend says is heard, as if nothing else happened. */
  const expectUnharmed = async (): Promise<void> => {
    const before = victim.heard.length;
    await friend.topic.publish(new TextEncoder().encode(`news ${before}`));
    await waitFor("the friend is heard", () => victim.heard.length > before, stepMsMax);
  };

  test("N9: what is gossiped by hand is heard, so the tests below attack something", async () => {
    await hostile.send({ messages: [{ topic: news, data: new Uint8Array([1, 2, 3]) }] });
    await waitFor("heard", () => victim.heard.length === 1, stepMsMax);
    await waitFor("passed on", () => friend.heard.length === 1, stepMsMax);
  });

  test("N9: a flood of subscriptions and of messages under invented topics", async () => {
    for (let wave = 0; wave < 20; wave += 1) {
      const topics = Array.from({ length: 1_000 }, (_, i) => `invented/${wave}/${i}`);
      await hostile.send({
        subscriptions: topics.map((topic) => ({ subscribe: true, topic })),
        messages: topics.slice(0, 200).map((topic) => {
          return { topic, data: new Uint8Array(1_000).fill(wave) };
        }),
      });
    }
    await expectUnharmed();
    expect(victim.heard).toHaveLength(1);
    expect(friend.heard).toHaveLength(0);
  });

  test("N9: a flood of IHAVE is not asked for beyond a bound", async () => {
    const beganMs = performance.now();
    for (let wave = 0; wave < 50; wave += 1)
      await hostile.send(
        control({ ihave: [{ topicID: news, messageIDs: ids(gossipControlMax, wave) }] }),
      );
    await expectUnharmed();
    // Gossipsub asks one peer for at most 5,000 between two heartbeats, which are a second apart.
    const heartbeats = 2 + Math.floor((performance.now() - beganMs) / 1_000);
    expect(hostile.asked.length).toBeLessThanOrEqual(5_000 * heartbeats);
  });

  test("N9: floods of IWANT, GRAFT after PRUNE and IDONTWANT harm nobody else", async () => {
    const name = { topicID: news };
    for (let wave = 0; wave < 50; wave += 1) {
      await hostile.send(control({ iwant: [{ messageIDs: ids(gossipControlMax, wave) }] }));
      await hostile.send(control({ prune: [{ ...name, peers: [] }], graft: [name] }));
      await hostile.send(control({ graft: Array.from({ length: 100 }, () => name) }));
      await hostile.send(control({ idontwant: [{ messageIDs: ids(gossipControlMax, wave) }] }));
    }
    await expectUnharmed();
  });

  test("N9: a control message above the limit of one message is not taken", async () => {
    const giant = control({ ihave: [{ topicID: news, messageIDs: ids(200_000, 1) }] });
    await hostile.send(giant).catch(() => {}); // It may be cut off while it writes.
    await expectUnharmed();
    expect(hostile.asked).toHaveLength(0);
  });

  test("N9: messages that no honest node would send end in a ban", async () => {
    for (let i = 0; i < 10; i += 1)
      await hostile
        .send({ messages: [{ topic: news, data: new Uint8Array([0xee, i]) }] })
        .catch(() => {});
    await waitFor("cut off", () => !hostile.isConnected(), stepMsMax);
    expect(victim.network.bans()).toHaveLength(1);
    expect(friend.network.scoreOf(victim.network.self)).toBe(0);
    await expectUnharmed();
  });

  test("N9: messages above their topic's limit, or signed, are not passed on", async () => {
    const data = new Uint8Array(20_000);
    await hostile.send({ messages: [{ topic: news, data }] });
    await waitFor("charged", () => victim.count("peerMisbehaved") === 1, stepMsMax);
    const signed = { from: new Uint8Array(38), seqno: new Uint8Array(8), key: new Uint8Array(36) };
    const message = { topic: news, data: new Uint8Array([5]), signature: new Uint8Array(64) };
    await hostile.send({ messages: [{ ...message, ...signed }] });
    await expectUnharmed();
    expect(victim.heard).toHaveLength(1);
  });
});

describe("sockets by hand", () => {
  /** Connects, and resolves to how long it took until the node hung up. */
  const hungUpAfter = async (node: Listening, first: Uint8Array): Promise<number> => {
    const [, , , , port] = (node.network.addresses()[0] ?? "").split("/");
    const socket = connect(Number(port), "127.0.0.1");
    socket.on("error", () => {});
    socket.resume();
    await once(socket, "connect");
    const beganMs = performance.now();
    if (first.length > 0) socket.write(first);
    await new Promise<void>((resolve) => {
      socket.once("close", () => resolve()); // A reset is an end like any other.
    });
    return performance.now() - beganMs;
  };

  test("N10: half-open connections are hung up on in time, and keep nobody out", async () => {
    const node = await listening(1);
    const silent = Array.from({ length: 10 }, () => hungUpAfter(node, new Uint8Array(0)));
    const friend = await listening(2, node.network.addresses());
    await waitFor("the friend joined", () => friend.count("peerJoined") === 1, upgradeMsMax);
    for (const tookMs of await Promise.all(silent)) expect(tookMs).toBeLessThan(3 * upgradeMsMax);
    expect(friend.network.peers()).toHaveLength(1);
  });

  test("N10: what is no handshake is hung up on", async () => {
    const node = await listening(1);
    const garbage = [
      new TextEncoder().encode("GET / HTTP/1.1\r\nhost: here\r\n\r\n"),
      new Uint8Array(1_000).fill(0xff),
      new TextEncoder().encode("\x13/multistream/1.0.0\n\x07/plain\n"),
    ];
    for (const first of garbage)
      expect(await hungUpAfter(node, first)).toBeLessThan(3 * upgradeMsMax);
    expect(node.count("peerConnected")).toBe(0);
  });
});

test("N7: inbound connections leave room for those that we choose ourselves", async () => {
  const transport = await createLibp2pTransport({
    seed: new Uint8Array(32).fill(1),
    listen: ["/ip4/127.0.0.1/tcp/0"],
    inboundConnectionsMax: 3,
    inboundPerSecondMax: 1_000,
  });
  const honest = await listening(90);
  const node = createTestNode(transport, clock);
  stops.push(() => node.network.stop());
  await node.network.start();
  const crowd: Listening[] = [];
  for (let seed = 2; seed <= 9; seed += 1) {
    const one = await listening(seed, node.network.addresses());
    crowd.push(one);
    await waitFor(
      "in or refused",
      () => one.count("peerJoined") + one.count("dialFailed") > 0,
      stepMsMax,
    );
  }
  await waitFor("three are in", () => node.network.peers().length === 3, stepMsMax);
  node.network.connect(honest.network.addresses());
  await clock.advance(dialTickMs);
  await waitFor("the honest one joined", () => honest.count("peerJoined") === 1, stepMsMax);
  await waitFor("it is an anchor", () => node.network.anchors().length === 1, stepMsMax);
});

test("N10: two nodes with one key are one peer, and a node does not talk to itself", async () => {
  const node = await listening(1);
  const twin = await listening(1, node.network.addresses());
  const friend = await listening(2, node.network.addresses());
  await waitFor("the friend joined", () => friend.count("peerJoined") === 1, stepMsMax);
  await waitFor("on both sides", () => node.count("peerJoined") === 1, stepMsMax);
  expect(twin.network.peers()).toEqual([]);
  expect(node.network.peers().map(({ peer }) => peer)).toEqual([friend.network.self]);
});
