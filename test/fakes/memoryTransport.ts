import { keccakDigest } from "../../crypto/keccak.ts";
import type { Clock } from "../../p2p/clock.ts";
import { textToPeerId } from "../../p2p/peerId.ts";
import type { PeerId } from "../../p2p/peerId.ts";
import { NetworkError } from "../../p2p/transport.ts";
import type {
  ByteStream,
  Direction,
  Gossip,
  GossipValidator,
  Transport,
  TransportHooks,
} from "../../p2p/transport.ts";
import { MemoryStream } from "./memoryStream.ts";
import type { Carry } from "./memoryStream.ts";

/*
 * Nodes in one process without sockets: everything above the transport is the program's own code.
 * By default what is sent arrives in the next turn, in order; links may be slow, one-way silent,
 * or cut.
 */

/** How a link between two nodes behaves, in one direction. */
export type LinkRule = {
  /** Nothing arrives; nobody is told. */
  readonly silent?: boolean;
  readonly delayMs?: number;
};

type Handler = (peer: PeerId, stream: ByteStream) => void;

/** Messages that a node remembers to have seen. */
const seenMax = 4_096;

/** All nodes of one network in memory, and the links between them. */
export class MemoryNet {
  readonly #clock: Clock;
  readonly #nodes = new Map<PeerId, MemoryTransport>();
  readonly #rules = new Map<string, LinkRule>();
  readonly #down = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A node with a name of its own; it may be made again after it stopped. */
  transport(name: string): MemoryTransport {
    return new MemoryTransport(this, name);
  }

  /** How messages of one node reach another, from now on. */
  shape(from: Transport, to: Transport, rule: LinkRule): void {
    this.#rules.set(`${from.self}>${to.self}`, rule);
  }

  /** Breaks the link of two nodes, both ways, and keeps it from being made again. */
  cut(a: MemoryTransport, b: MemoryTransport): void {
    this.#down.add(`${a.self}>${b.self}`).add(`${b.self}>${a.self}`);
    a.unlink(b);
  }

  /** Lets the link be made again. */
  heal(a: Transport, b: Transport): void {
    this.#down.delete(`${a.self}>${b.self}`);
    this.#down.delete(`${b.self}>${a.self}`);
  }

  /** Who answers at an address now. */
  at(from: Transport, peer: PeerId): MemoryTransport | null {
    return this.#down.has(`${from.self}>${peer}`) ? null : (this.#nodes.get(peer) ?? null);
  }

  /** Whether a name can listen. */
  enter(node: MemoryTransport): void {
    if (this.#nodes.has(node.self))
      throw new NetworkError("E_P2P_START", `another node listens at ${node.self}`);
    this.#nodes.set(node.self, node);
  }

  leave(node: MemoryTransport): void {
    if (this.#nodes.get(node.self) === node) this.#nodes.delete(node.self);
  }

  /** How one direction of a link carries. */
  carry(from: Transport, to: Transport): Carry {
    return (deliver) => {
      const { silent = false, delayMs = 0 } = this.#rules.get(`${from.self}>${to.self}`) ?? {};
      if (silent) return;
      if (delayMs === 0) queueMicrotask(deliver);
      else this.#clock.after(delayMs, deliver);
    };
  }
}

type Link = { readonly other: MemoryTransport; readonly streams: Set<MemoryStream> };

/** One node's side of a `MemoryNet`. */
export class MemoryTransport implements Transport {
  readonly self: PeerId;
  readonly gossip: Gossip;
  readonly #net: MemoryNet;
  readonly #links = new Map<PeerId, Link>();
  readonly #handlers = new Map<string, Handler>();
  readonly #topics = new Map<string, { bytesMax: number; validate: GossipValidator }>();
  readonly #seen = new Set<string>();
  #hooks: TransportHooks | null = null;

  constructor(net: MemoryNet, name: string) {
    this.#net = net;
    this.self = textToPeerId(name);
    this.gossip = {
      join: (topic, bytesMax, validate) => void this.#topics.set(topic, { bytesMax, validate }),
      leave: (topic) => void this.#topics.delete(topic),
      publish: (topic, bytes) => Promise.resolve(this.#publish(topic, bytes)),
      listeners: (topic) => this.#neighbours(topic).map(({ self }) => self),
    };
  }

  async start(hooks: TransportHooks): Promise<void> {
    this.#net.enter(this);
    this.#hooks = hooks;
    await Promise.resolve();
  }

  stop(): Promise<void> {
    for (const { other } of this.#links.values()) this.unlink(other);
    this.#net.leave(this);
    this.#hooks = null;
    return Promise.resolve();
  }

  addresses(): readonly string[] {
    return this.#hooks === null ? [] : [`/memory/${this.self}`];
  }

  peerOf(address: string): PeerId | null {
    return address.startsWith("/memory/") ? textToPeerId(address.slice(8)) : null;
  }

  dial(address: string, _signal: AbortSignal): Promise<PeerId> {
    const peer = this.peerOf(address);
    const other = peer === null ? null : this.#net.at(this, peer);
    if (other === null || this.#hooks?.admits(other.self, "outbound") !== true)
      return Promise.reject(new NetworkError("E_P2P_DIAL", `nobody answers at ${address}`));
    if (!this.#links.has(other.self)) {
      if (!other.#admits(this))
        return Promise.reject(new NetworkError("E_P2P_DIAL", `${address} hung up`));
      this.#links.set(other.self, { other, streams: new Set() });
      other.#links.set(this.self, { other: this, streams: new Set() });
      this.#greet(other, "outbound");
      other.#greet(this, "inbound");
    }
    return Promise.resolve(other.self);
  }

  disconnect(peer: PeerId): Promise<void> {
    const link = this.#links.get(peer);
    if (link !== undefined) this.unlink(link.other);
    return Promise.resolve();
  }

  openStream(peer: PeerId, protocol: string, _signal: AbortSignal): Promise<ByteStream> {
    const link = this.#links.get(peer);
    if (link === undefined)
      return Promise.reject(new NetworkError("E_P2P_PEER", `not connected to ${peer}`));
    const back = link.other.#links.get(this.self);
    const handler = link.other.#handlers.get(protocol);
    if (back === undefined || handler === undefined)
      return Promise.reject(new NetworkError("E_P2P_PEER", `${peer} has no ${protocol}`));
    const there = this.#net.carry(this, link.other);
    const [near, far] = MemoryStream.pair(there, this.#net.carry(link.other, this));
    link.streams.add(near);
    back.streams.add(far);
    there(() => handler(this.self, far));
    return Promise.resolve(near);
  }

  handle(protocol: string, handler: Handler): void {
    this.#handlers.set(protocol, handler);
  }

  unhandle(protocol: string): void {
    this.#handlers.delete(protocol);
  }

  /** Tells of addresses, as discovery would. */
  discover(addresses: readonly string[]): void {
    this.#hooks?.discovered(addresses);
  }

  /** Ends a link on both sides. */
  unlink(other: MemoryTransport): void {
    this.#drop(other);
    other.#drop(this);
  }

  #admits(from: MemoryTransport): boolean {
    return this.#hooks?.admits(from.self, "inbound") === true;
  }

  #greet(other: MemoryTransport, direction: Direction): void {
    this.#hooks?.connected(other.self, direction, `/memory/${other.self}`);
  }

  #drop(other: MemoryTransport): void {
    const link = this.#links.get(other.self);
    if (link === undefined) return;
    this.#links.delete(other.self);
    for (const stream of link.streams) stream.endedByOther(false);
    this.#hooks?.disconnected(other.self);
  }

  #neighbours(topic: string): readonly MemoryTransport[] {
    return [...this.#links.values()]
      .map(({ other }) => other)
      .filter((other) => other.#topics.has(topic));
  }

  #publish(topic: string, bytes: Uint8Array): number {
    return this.#sees(topic, bytes) ? 0 : this.#spread(topic, bytes, null);
  }

  #sees(topic: string, bytes: Uint8Array): boolean {
    const id = `${topic} ${keccakDigest(bytes)}`;
    if (this.#seen.has(id)) return true;
    this.#seen.add(id);
    for (const oldest of this.#seen) {
      if (this.#seen.size <= seenMax) break;
      this.#seen.delete(oldest);
    }
    return false;
  }

  #spread(topic: string, bytes: Uint8Array, from: PeerId | null): number {
    const others = this.#neighbours(topic).filter(({ self }) => self !== from);
    for (const other of others)
      this.#net.carry(this, other)(() => void other.#hear(topic, bytes.slice(), this.self));
    return others.length;
  }

  async #hear(topic: string, bytes: Uint8Array, from: PeerId): Promise<void> {
    const joined = this.#topics.get(topic);
    if (joined === undefined || !this.#links.has(from) || this.#sees(topic, bytes)) return;
    const verdict = await joined.validate(bytes, from);
    if (verdict === "accept") this.#spread(topic, bytes, from);
  }
}
