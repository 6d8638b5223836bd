import { gossipsub } from "@libp2p/gossipsub";
import type { GossipSub, TopicValidatorResult } from "@libp2p/gossipsub";
import { identify } from "@libp2p/identify";
import type { Identify } from "@libp2p/identify";
import type { Connection, Libp2p } from "@libp2p/interface";
import { mdns } from "@libp2p/mdns";
import { noise } from "@libp2p/noise";
import { peerIdFromPrivateKey, peerIdFromString } from "@libp2p/peer-id";
import { ping } from "@libp2p/ping";
import type { Ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { tls } from "@libp2p/tls";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import type { Libp2pOptions } from "libp2p";
import { assert } from "../base/assert.ts";
import { createGossipOptions } from "./gossipParameters.ts";
import { Libp2pStream, streamReadBytesMax } from "./libp2pStream.ts";
import {
  connectionsMax,
  dialMsMax,
  dialsMax,
  inboundConnectionsMax,
  inboundPendingMax,
  inboundPerSecondMax,
  inboundStreamsMax,
  openMsMax,
  outboundStreamsMax,
  stopMsMax,
  upgradeMsMax,
} from "./limits.ts";
import { seedToNodeKey } from "./nodeKey.ts";
import { textToPeerId } from "./peerId.ts";
import type { PeerId } from "./peerId.ts";
import { NetworkError } from "./transport.ts";
import type {
  ByteStream,
  Direction,
  Gossip,
  GossipValidator,
  Transport,
  TransportHooks,
} from "./transport.ts";

/*
 * The real transport: libp2p over TCP, encrypted by TLS 1.3 or Noise (both prove the peer's name),
 * multiplexed by Yamux. Every limit is set here, because libp2p's defaults are for the open sea.
 */

/** How a libp2p host is set up. */
export type Libp2pOptionsOfNode = {
  /** The network key's seed (p2p/nodeKey.ts). */
  readonly seed: Uint8Array;
  /** Multiaddresses to listen at, e.g. `/ip4/0.0.0.0/tcp/16890`; none listens nowhere. */
  readonly listen: readonly string[];
  /** Addresses that others see, behind a router, say. */
  readonly announce?: readonly string[];
  /** Look for peers on the local network. */
  readonly mdns?: boolean;
  /** Overrides of p2p/limits.ts: a test network is one host, a public node may want fewer. */
  readonly connectionsMax?: number;
  readonly inboundConnectionsMax?: number;
  readonly inboundPerSecondMax?: number;
};

/** Seconds between two looks for peers on the local network. */
const mdnsIntervalMs = 10_000;

/** Pings on an idle connection, which also find one that is half dead. */
const pingIntervalMs = 10_000;

/**
 * A ping without an answer in 10 s ends the connection; generous, for a busy machine is not a dead
 * one. The limit would follow the times of pings by the wall clock: a jump back makes it no number,
 * which ends every connection at each ping. Over an endless interval it stays as it is.
 */
export const pingTimeout = {
  minTimeout: 10_000,
  maxTimeout: 10_000,
  interval: Number.POSITIVE_INFINITY,
} as const;

type Services = {
  readonly identify: Identify;
  readonly ping: Ping;
  readonly pubsub: GossipSub;
};

type Joined = { readonly bytesMax: number; readonly validate: GossipValidator };

/** libp2p behind the interface of `p2p/transport.ts`. */
class Libp2pTransport implements Transport {
  readonly self: PeerId;
  readonly gossip: Gossip;
  readonly #options: Libp2pOptionsOfNode;
  readonly #privateKey: Awaited<ReturnType<typeof seedToNodeKey>>;
  readonly #handlers = new Map<string, (peer: PeerId, stream: ByteStream) => void>();
  readonly #topics = new Map<string, Joined>();
  #node: Libp2p<Services> | null = null;
  #hooks: TransportHooks | null = null;

  constructor(options: Libp2pOptionsOfNode, privateKey: Awaited<ReturnType<typeof seedToNodeKey>>) {
    this.#options = options;
    this.#privateKey = privateKey;
    this.self = textToPeerId(peerIdFromPrivateKey(privateKey).toString());
    this.gossip = {
      join: (topic, bytesMax, validate) => this.#join(topic, { bytesMax, validate }),
      leave: (topic) => this.#leave(topic),
      publish: (topic, bytes) => this.#publish(topic, bytes),
      listeners: (topic) =>
        (this.#node?.services.pubsub.getSubscribers(topic) ?? []).map((peer) =>
          textToPeerId(peer.toString()),
        ),
    };
  }

  async start(hooks: TransportHooks): Promise<void> {
    assert(this.#hooks === null, "a transport is started once");
    this.#hooks = hooks;
    try {
      const node = await createLibp2p(this.#configure(hooks));
      this.#node = node;
      this.#listen(node, hooks);
      for (const [protocol, handler] of this.#handlers) await this.#register(protocol, handler);
      await node.start();
      for (const topic of this.#topics.keys()) this.#subscribe(topic);
    } catch (error) {
      await this.stop();
      const where = this.#options.listen.join(", ");
      throw new NetworkError("E_P2P_START", `cannot listen for peers at ${where}`, {
        cause: error,
        hint: "another process may hold the port: choose another, or stop that process",
      });
    }
  }

  async stop(): Promise<void> {
    const node = this.#node;
    this.#node = null;
    if (node === null) return;
    let cancel = (): void => {};
    const late = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, stopMsMax);
      cancel = (): void => clearTimeout(timer);
    });
    await Promise.race([Promise.resolve(node.stop()), late]);
    cancel();
    for (const connection of node.getConnections()) connection.abort(new Error("stopped"));
  }

  addresses(): readonly string[] {
    return (this.#node?.getMultiaddrs() ?? []).map((address) => address.toString());
  }

  peerOf(address: string): PeerId | null {
    try {
      const components = multiaddr(address).getComponents();
      const named = components.findLast(({ name }) => name === "p2p")?.value;
      return named === undefined ? null : textToPeerId(peerIdFromString(named).toString());
    } catch {
      return null; // Not an address: it names nobody, and dialling it says why.
    }
  }

  async dial(address: string, signal: AbortSignal): Promise<PeerId> {
    try {
      const connection = await this.#started().dial(multiaddr(address), { signal });
      return textToPeerId(connection.remotePeer.toString());
    } catch (error) {
      throw new NetworkError("E_P2P_DIAL", `nobody answers as expected at ${address}`, {
        cause: error,
      });
    }
  }

  disconnect(peer: PeerId): Promise<void> {
    // Cut, not closed: a peer that takes nothing would hold a graceful end back.
    for (const connection of this.#connections(peer)) connection.abort(new Error("disconnected"));
    return Promise.resolve();
  }

  async openStream(peer: PeerId, protocol: string, signal: AbortSignal): Promise<ByteStream> {
    const connection = this.#connections(peer).find(({ status }) => status === "open");
    if (connection === undefined) throw new NetworkError("E_P2P_PEER", `not connected to ${peer}`);
    const options = { signal, maxOutboundStreams: outboundStreamsMax };
    return new Libp2pStream(await connection.newStream(protocol, options));
  }

  handle(protocol: string, handler: (peer: PeerId, stream: ByteStream) => void): void {
    this.#handlers.set(protocol, handler);
    if (this.#node !== null) void this.#register(protocol, handler);
  }

  unhandle(protocol: string): void {
    this.#handlers.delete(protocol);
    void this.#node?.unhandle(protocol);
  }

  #started(): Libp2p<Services> {
    if (this.#node === null) throw new NetworkError("E_P2P_STOPPED", "the network is not running");
    return this.#node;
  }

  #connections(peer: PeerId): readonly Connection[] {
    return this.#node?.getConnections(peerIdFromString(peer)) ?? [];
  }

  #join(topic: string, joined: Joined): void {
    this.#topics.set(topic, joined);
    if (this.#node !== null) this.#subscribe(topic);
  }

  #subscribe(topic: string): void {
    const { pubsub } = this.#started().services;
    const joined = this.#topics.get(topic);
    assert(joined !== undefined, "a topic is subscribed to after it was joined");
    pubsub.topicValidators.set(topic, async (peer, message) => {
      // A copy of its own: the data is a view of everything that came in one piece.
      const bytes = new Uint8Array(message.data);
      const verdict = await joined.validate(bytes, textToPeerId(peer.toString()));
      return verdict as TopicValidatorResult; // The same three words.
    });
    pubsub.subscribe(topic);
  }

  #leave(topic: string): void {
    if (!this.#topics.delete(topic)) return;
    this.#node?.services.pubsub.unsubscribe(topic);
    this.#node?.services.pubsub.topicValidators.delete(topic);
  }

  async #publish(topic: string, bytes: Uint8Array): Promise<number> {
    try {
      const { recipients } = await this.#started().services.pubsub.publish(topic, bytes);
      return recipients.length;
    } catch {
      return 0; // Stopping, or every neighbour's buffer is full: it went to nobody.
    }
  }

  async #register(
    protocol: string,
    handler: (peer: PeerId, stream: ByteStream) => void,
  ): Promise<void> {
    await this.#node?.handle(
      protocol,
      (stream, connection) =>
        handler(textToPeerId(connection.remotePeer.toString()), new Libp2pStream(stream)),
      // One more than the responder keeps: it closes the oldest itself.
      { maxInboundStreams: inboundStreamsMax + 1, maxOutboundStreams: outboundStreamsMax },
    );
  }

  #listen(node: Libp2p<Services>, hooks: TransportHooks): void {
    node.addEventListener("peer:connect", ({ detail }) => {
      const [connection] = node.getConnections(detail);
      if (connection === undefined) return;
      const peer = textToPeerId(detail.toString());
      hooks.connected(peer, connection.direction, namedAddress(connection, peer));
    });
    node.addEventListener("peer:disconnect", ({ detail }) => {
      hooks.disconnected(textToPeerId(detail.toString()));
    });
    node.addEventListener("peer:discovery", ({ detail }) => {
      const suffix = `/p2p/${detail.id.toString()}`;
      const addresses = detail.multiaddrs.map((address) => address.toString());
      hooks.discovered(addresses.map((text) => (text.includes("/p2p/") ? text : text + suffix)));
    });
  }

  #inboundCount(): number {
    const connections = this.#node?.getConnections() ?? [];
    return connections.filter(({ direction }) => direction === "inbound").length;
  }

  #configure(hooks: TransportHooks): Libp2pOptions<Services> {
    const options = this.#options;
    const most = options.connectionsMax ?? connectionsMax;
    const mostInbound = options.inboundConnectionsMax ?? inboundConnectionsMax;
    const admits = (peer: { toString(): string }, direction: Direction): boolean =>
      hooks.admits(textToPeerId(peer.toString()), direction);
    return {
      start: false,
      privateKey: this.#privateKey,
      addresses: { listen: [...options.listen], announce: [...(options.announce ?? [])] },
      transports: [tcp()],
      connectionEncrypters: [tls(), noise()],
      streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: streamReadBytesMax / 2 } })],
      connectionManager: {
        maxConnections: most,
        maxIncomingPendingConnections: inboundPendingMax,
        inboundConnectionThreshold: options.inboundPerSecondMax ?? inboundPerSecondMax,
        inboundUpgradeTimeout: upgradeMsMax,
        maxParallelDials: dialsMax,
        dialTimeout: dialMsMax,
        outboundStreamProtocolNegotiationTimeout: openMsMax,
        inboundStreamProtocolNegotiationTimeout: openMsMax,
        reconnectRetries: 0,
      },
      connectionMonitor: {
        pingInterval: pingIntervalMs,
        pingTimeout,
        abortConnectionOnPingFailure: true,
      },
      connectionGater: {
        denyDialPeer: (peer) => !admits(peer, "outbound"),
        denyInboundConnection: () => this.#inboundCount() >= mostInbound,
        denyInboundEncryptedConnection: (peer) => !admits(peer, "inbound"),
      },
      peerDiscovery: options.mdns === true ? [mdns({ interval: mdnsIntervalMs })] : [],
      services: {
        identify: identify(),
        ping: ping(),
        pubsub: gossipsub(
          createGossipOptions({
            standing: (peer) => hooks.standing(peer),
            checkTopic: (topic) => {
              if (!this.#topics.has(topic)) throw new Error(`no topic of ours: ${topic}`);
            },
          }),
        ),
      },
    };
  }
}

/** Where a connection leads, with the peer's name. */
function namedAddress({ remoteAddr }: Connection, peer: PeerId): string {
  const text = remoteAddr.toString();
  return text.includes("/p2p/") ? text : `${text}/p2p/${peer}`;
}

/** Prepares a libp2p host; it listens from its `start` on. */
export async function createLibp2pTransport(options: Libp2pOptionsOfNode): Promise<Transport> {
  return new Libp2pTransport(options, await seedToNodeKey(options.seed));
}
