import type { Clock } from "../../p2p/clock.ts";
import { bytesCodec } from "../../p2p/codec.ts";
import type { NetworkEvent } from "../../p2p/events.ts";
import { helloOf } from "../../p2p/handshake.ts";
import type { Chain } from "../../p2p/handshake.ts";
import { Channel, frameToWire } from "../../p2p/channel.ts";
import { frameKinds, helloCodec } from "../../p2p/envelope.ts";
import { Network } from "../../p2p/network.ts";
import type { NetworkOptions } from "../../p2p/network.ts";
import { protocolId } from "../../p2p/protocols.ts";
import type { ProtocolOptions } from "../../p2p/protocols.ts";
import type { ByteStream, Direction, Transport } from "../../p2p/transport.ts";
import type { PeerId } from "../../p2p/peerId.ts";
import type { HandClock } from "./handClock.ts";

/** The chain that test nodes are on. */
export const testChain: Chain = {
  genesis: new Uint8Array(32).fill(0xaa),
  runtime: () => new Uint8Array(32).fill(0xbb),
};

/** A node of a test: its network, and what it told. */
export type TestNode = {
  readonly network: Network;
  readonly events: NetworkEvent[];
  readonly count: (type: NetworkEvent["type"]) => number;
};

/** A network over a transport, not started, with a clock of the test. */
export function createTestNode(
  transport: Transport,
  clock: HandClock,
  options: Partial<NetworkOptions> = {},
): TestNode {
  const events: NetworkEvent[] = [];
  const network = new Network(transport, {
    chain: testChain,
    clock,
    random: () => 0.5,
    observe: (event) => void events.push(event),
    bootstrap: [],
    ...options,
  });
  const count = (type: NetworkEvent["type"]): number =>
    events.filter((event) => event.type === type).length;
  return { network, events, count };
}

/** A protocol of plain bytes that answers with what it was asked, unless told otherwise. */
export function echoOptions(
  changes: Partial<ProtocolOptions<Uint8Array, Uint8Array>> = {},
): ProtocolOptions<Uint8Array, Uint8Array> {
  return {
    request: bytesCodec,
    response: bytesCodec,
    requestBytesMax: 4 * 1024 * 1024,
    responseBytesMax: 4 * 1024 * 1024,
    timeoutMs: 5_000,
    rate: { perSecond: 1_000_000, burst: 1_000_000 },
    concurrencyMax: 64,
    handle: (request) => ({ verdict: "accept", response: request }),
    ...changes,
  };
}

/**
 * A peer that says what it likes: a bare transport that answers hellos, if it has one, and leaves
 * the rest to the test.
 */
export class Intruder {
  readonly transport: Transport;
  readonly #clock: HandClock;
  readonly #connected = new Set<PeerId>();

  constructor(transport: Transport, clock: HandClock) {
    this.transport = transport;
    this.#clock = clock;
  }

  /** Whether a connection to this peer stands. */
  isConnected(peer: PeerId): boolean {
    return this.#connected.has(peer);
  }

  /** Starts; without a chain it is silent. */
  async start(chain: Chain | null = testChain): Promise<void> {
    this.transport.handle(protocolId("hello"), (_peer, stream) => {
      if (chain !== null) answerHello(stream, chain, this.#clock);
    });
    await this.transport.start({
      connected: (peer: PeerId, _direction: Direction) => void this.#connected.add(peer),
      disconnected: (peer) => void this.#connected.delete(peer),
      discovered: () => {},
      admits: () => true,
      standing: () => 0,
    });
  }

  /** Connects to a node and opens a stream to it. */
  async connect(address: string): Promise<PeerId> {
    return this.transport.dial(address, new AbortController().signal);
  }

  /** A stream of a protocol, raw. */
  async stream(peer: PeerId, name: string): Promise<ByteStream> {
    return this.transport.openStream(peer, protocolId(name), new AbortController().signal);
  }
}

/** Answers every request on a stream with the hello of a chain. */
export function answerHello(stream: ByteStream, chain: Chain, clock: Clock): void {
  const limits = { bodyBytesMax: 4_096, queueBytesMax: 65_536, queueFramesMax: 16 };
  const channel: Channel = new Channel(clock, limits, {
    frame: ({ id }) => {
      const body = helloCodec.encode(helloOf(chain));
      channel.send(frameToWire({ kind: frameKinds.response, id, code: 0, body }));
      return null;
    },
    ended: () => {},
  });
  channel.attach(stream);
}
