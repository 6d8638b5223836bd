import { NodeError } from "../base/nodeError.ts";
import type { PeerId } from "./peerId.ts";

/*
 * What the network needs of the machinery below it: connections that prove who is at the other end,
 * streams of bytes over them, and gossip. `p2p/libp2pTransport.ts` is the real one,
 * `test/fakes/memoryTransport.ts` the one of tests; everything above is the same code.
 */

/** What a validator says of a message: `reject` costs its sender score, `ignore` does not. */
export type Verdict = "accept" | "ignore" | "reject";

/** Who opened a connection: they or we. */
export type Direction = "inbound" | "outbound";

/** What a stream tells; set once, at once after the stream was had. */
export interface StreamListener {
  data(bytes: Uint8Array): void;
  /** Once: the other side has closed (`clean`) or the stream broke. Nothing follows. */
  ended(clean: boolean): void;
}

/** Bytes in order to and from one peer. */
export interface ByteStream {
  listen(listener: StreamListener): void;
  /** False: the other side takes no more now; wait for `drained`. Throws on a stream that ended. */
  send(bytes: Uint8Array): boolean;
  /** Resolves when the other side takes bytes again; rejects when the stream ends or on abort. */
  drained(signal: AbortSignal): Promise<void>;
  /** Ask the other side to stop sending; what is on its way still arrives or waits, bounded. */
  pause(): void;
  resume(): void;
  /** Closes both directions after what was sent; never rejects. */
  close(): Promise<void>;
  /** Cuts it off. */
  abort(): void;
}

/** What the transport tells and asks of the network above; given at its start. */
export interface TransportHooks {
  connected(peer: PeerId, direction: Direction, address: string): void;
  disconnected(peer: PeerId): void;
  /** A peer that was heard of, with addresses it may be dialled at. */
  discovered(addresses: readonly string[]): void;
  /** Whether a peer may be connected to. */
  admits(peer: PeerId, direction: Direction): boolean;
  /** Its standing, at most 0 for the unknown, for gossip's own choice of neighbours. */
  standing(peer: PeerId): number;
}

/** Judges a gossiped message; never throws. */
export type GossipValidator = (bytes: Uint8Array, from: PeerId) => Verdict | Promise<Verdict>;

/** Gossip: unsigned messages (their content is signed by whom it concerns), known by their hash. */
export interface Gossip {
  join(topic: string, bytesMax: number, validate: GossipValidator): void;
  leave(topic: string): void;
  /** Resolves to the number of neighbours it was sent to; a message seen before is sent to none. */
  publish(topic: string, bytes: Uint8Array): Promise<number>;
  /** Neighbours that also listen to the topic. */
  listeners(topic: string): readonly PeerId[];
}

/** Connections, streams and gossip of one node. */
export interface Transport {
  readonly self: PeerId;
  readonly gossip: Gossip;
  start(hooks: TransportHooks): Promise<void>;
  /** Closes everything; safe to call twice. */
  stop(): Promise<void>;
  /** Where this node listens, with its name. */
  addresses(): readonly string[];
  /** The peer that an address names, or `null` if it names none or is not an address. */
  peerOf(address: string): PeerId | null;
  /** Connects; rejects with a `NetworkError`, also when another node answers than the one named. */
  dial(address: string, signal: AbortSignal): Promise<PeerId>;
  disconnect(peer: PeerId): Promise<void>;
  openStream(peer: PeerId, protocol: string, signal: AbortSignal): Promise<ByteStream>;
  /** From now on streams for this protocol go to `handler`. */
  handle(protocol: string, handler: (peer: PeerId, stream: ByteStream) => void): void;
  unhandle(protocol: string): void;
}

/** The network refuses: a port in use, an address nobody answers at, a key that is not one. */
export class NetworkError extends NodeError {
  override readonly name: string = "NetworkError";
}
