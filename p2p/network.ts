import type { Clock } from "./clock.ts";
import { Dialer } from "./dialer.ts";
import { helloCodec } from "./envelope.ts";
import type { Hello } from "./envelope.ts";
import type { NetworkEvent, Observe, PeerGate } from "./events.ts";
import { helloOf, judgeHello } from "./handshake.ts";
import type { Chain } from "./handshake.ts";
import { anchorsMax, handshakeBytesMax, handshakeMsMax } from "./limits.ts";
import { Peers } from "./peers.ts";
import type { Ban, Misbehaviour } from "./peers.ts";
import type { PeerId } from "./peerId.ts";
import { Protocols } from "./protocols.ts";
import type { Protocol, ProtocolOptions } from "./protocols.ts";
import { Topics } from "./topics.ts";
import type { Topic, TopicOptions } from "./topics.ts";
import type { Direction, Transport, TransportHooks } from "./transport.ts";

/*
 * One node's network: connections made and kept, peers greeted, judged and banned, and over them
 * topics and protocols. It knows bytes and verdicts; what they mean is its owner's affair.
 */

/** What a network is made with besides its transport. */
export type NetworkOptions = {
  readonly chain: Chain;
  readonly clock: Clock;
  /** Dice between 0 and 1, for the spread of dials. */
  readonly random: () => number;
  readonly observe: Observe;
  /** Addresses that are dialled for ever: validators, bootstrap nodes. */
  readonly bootstrap: readonly string[];
  /** Addresses of good peers before the last restart, from `anchors()`. */
  readonly anchors?: readonly string[];
  /** Bans in force before the last restart, from `bans()`. */
  readonly bans?: readonly Ban[];
};

/** A peer whose handshake is done. */
export type PeerInfo = {
  readonly peer: PeerId;
  readonly direction: Direction;
  readonly address: string;
  readonly sinceMs: number;
  readonly score: number;
  readonly hello: Hello;
};

/** Told when a peer is ready to talk to, and when it is gone. */
export type PeerListener = {
  readonly joined: (peer: PeerId, hello: Hello) => void;
  readonly left: (peer: PeerId) => void;
};

type Entry = {
  readonly direction: Direction;
  readonly address: string;
  readonly sinceMs: number;
  hello: Hello | null;
  /** Who waits for the handshake. */
  waiting: ((ready: boolean) => void)[];
};

/** Faults after which there is no point in staying connected, banned or not. */
const parting: ReadonlySet<Misbehaviour> = new Set(["slow", "silent", "foreign"]);

const noPeer: PeerListener = { joined: () => {}, left: () => {} };

/** Topics, protocols and peers of one node. */
export class Network {
  readonly #transport: Transport;
  readonly #options: NetworkOptions;
  readonly #peers: Peers;
  readonly #dialer: Dialer;
  readonly #protocols: Protocols;
  readonly #topics: Topics;
  readonly #hello: Protocol<Hello, Hello>;
  readonly #entries = new Map<PeerId, Entry>();
  readonly #listeners = new Set<PeerListener>();
  #state: "new" | "started" | "stopped" = "new";

  constructor(transport: Transport, options: NetworkOptions) {
    const { clock, observe } = options;
    this.#transport = transport;
    this.#options = options;
    this.#peers = new Peers(clock, (peer) => this.#entries.has(peer));
    this.#peers.restore(options.bans ?? []);
    const gate: PeerGate = {
      isReady: (peer) => (this.#entries.get(peer)?.hello ?? null) !== null,
      ready: (peer) => this.#ready(peer),
      report: (peer, misbehaviour, detail) => this.report(peer, misbehaviour, detail),
      observe,
    };
    this.#protocols = new Protocols(transport, gate, clock);
    this.#topics = new Topics(transport, gate, {
      clock,
      running: () => this.#state === "started",
    });
    this.#hello = this.#openHello({
      ...gate,
      isReady: (peer) => this.#entries.has(peer),
      ready: (peer) => Promise.resolve(this.#entries.has(peer)),
    });
    this.#dialer = new Dialer(
      transport,
      {
        isConnected: (peer) => this.#entries.has(peer),
        isBanned: (peer) => this.#peers.isBanned(peer),
        outboundCount: () => this.#count("outbound"),
      },
      options,
    );
  }

  /** This node's name. */
  get self(): PeerId {
    return this.#transport.self;
  }

  /** Listens and dials; safe to call twice. A stopped network is not started again. */
  async start(): Promise<void> {
    if (this.#state !== "new") return;
    this.#state = "started";
    try {
      await this.#transport.start(this.#hooks());
    } catch (error) {
      this.#state = "stopped";
      throw error;
    }
    this.#dialer.add([...this.#options.bootstrap, ...(this.#options.anchors ?? [])], "configured");
    this.#dialer.start();
  }

  /** Closes streams, connections and sockets; safe to call twice. */
  async stop(): Promise<void> {
    if (this.#state !== "started") return;
    this.#state = "stopped";
    this.#dialer.stop();
    this.#protocols.close();
    await this.#transport.stop();
    for (const peer of this.#entries.keys()) this.#onDisconnected(peer);
  }

  /** Listens to a topic of a scope (a chain, an engine of its own). */
  topic(scope: string, name: string, options: TopicOptions): Topic {
    return this.#topics.join(scope, name, options);
  }

  /** Opens a protocol; the name may contain slashes. */
  protocol<Q, R>(name: string, options: ProtocolOptions<Q, R>): Protocol<Q, R> {
    return this.#protocols.open(name, options);
  }

  /** Where this node listens, with its name, ready to be another's bootstrap list. */
  addresses(): readonly string[] {
    return this.#transport.addresses();
  }

  /** Peers to talk to. */
  peers(): readonly PeerInfo[] {
    return [...this.#entries].flatMap(([peer, { direction, address, sinceMs, hello }]) =>
      hello === null
        ? []
        : [{ peer, direction, address, sinceMs, hello, score: this.#peers.scoreOf(peer) }],
    );
  }

  /** Tells of peers that come and go; the result ends it. */
  watch(listener: Partial<PeerListener>): () => void {
    const whole = { ...noPeer, ...listener };
    this.#listeners.add(whole);
    return () => void this.#listeners.delete(whole);
  }

  /** Adds addresses that are dialled for ever, e.g. of new validators. */
  connect(addresses: readonly string[]): void {
    this.#dialer.add(addresses, "configured");
  }

  /** Ends a connection; a configured peer is dialled again later. */
  async disconnect(peer: PeerId): Promise<void> {
    await this.#transport.disconnect(peer);
  }

  /** Charges a peer for what it did; at the end of its credit it is banned and cut off. */
  report(peer: PeerId, misbehaviour: Misbehaviour, detail: string): void {
    if (this.#state !== "started") return;
    this.#observe({ type: "peerMisbehaved", peer, misbehaviour, detail });
    const banned = this.#peers.report(peer, misbehaviour);
    if (banned) this.#observe({ type: "peerBanned", peer });
    if (banned || parting.has(misbehaviour)) void this.#transport.disconnect(peer);
  }

  /** Rewards a peer for good service. */
  credit(peer: PeerId, points: number): void {
    this.#peers.credit(peer, points);
  }

  /** A peer's score: 0 for the unknown, falling with misbehaviour, recovering with time. */
  scoreOf(peer: PeerId): number {
    return this.#peers.scoreOf(peer);
  }

  /** Bans at an operator's wish. */
  ban(peer: PeerId): void {
    this.#peers.ban(peer);
    this.#observe({ type: "peerBanned", peer });
    void this.#transport.disconnect(peer);
  }

  /** Lifts a ban. */
  pardon(peer: PeerId): void {
    this.#peers.pardon(peer);
  }

  /** Bans in force, to be handed in again after a restart. */
  bans(): readonly Ban[] {
    return this.#peers.bans();
  }

  /**
   * Addresses of the peers that we dialled and kept longest, to be handed in again after a restart:
   * an attacker who fills the address book meanwhile does not choose all of our peers.
   */
  anchors(): readonly string[] {
    return this.peers()
      .filter(({ direction, score }) => direction === "outbound" && score >= 0)
      .toSorted((a, b) => a.sinceMs - b.sinceMs)
      .slice(0, anchorsMax)
      .map(({ address }) => address);
  }

  #observe(event: NetworkEvent): void {
    this.#options.observe(event);
  }

  #count(direction: Direction): number {
    let count = 0;
    for (const entry of this.#entries.values()) if (entry.direction === direction) count += 1;
    return count;
  }

  #hooks(): TransportHooks {
    return {
      connected: (peer, direction, address) => this.#onConnected(peer, direction, address),
      disconnected: (peer) => this.#onDisconnected(peer),
      discovered: (addresses) => this.#dialer.add(addresses, "discovered"),
      admits: (peer) => this.#state === "started" && !this.#peers.isBanned(peer),
      standing: (peer) => Math.min(0, this.#peers.scoreOf(peer)),
    };
  }

  #openHello(gate: PeerGate): Protocol<Hello, Hello> {
    const { chain } = this.#options;
    return this.#protocols.open(
      "hello",
      {
        request: helloCodec,
        response: helloCodec,
        requestBytesMax: handshakeBytesMax,
        responseBytesMax: handshakeBytesMax,
        timeoutMs: handshakeMsMax,
        rate: { perSecond: 1, burst: 4 },
        concurrencyMax: 1,
        // Judged where our own question is answered: whoever asks first, both sides ask.
        handle: () => ({ verdict: "accept", response: helloOf(chain) }),
      },
      gate,
    );
  }

  #onConnected(peer: PeerId, direction: Direction, address: string): void {
    if (this.#entries.has(peer)) return;
    const sinceMs = this.#options.clock.now();
    const entry: Entry = { direction, address, sinceMs, hello: null, waiting: [] };
    this.#entries.set(peer, entry);
    this.#observe({ type: "peerConnected", peer, direction });
    void this.#greet(peer, entry);
  }

  async #greet(peer: PeerId, entry: Entry): Promise<void> {
    const { chain } = this.#options;
    const answer = await this.#hello.request(peer, helloOf(chain));
    if (this.#entries.get(peer) !== entry) return;
    if (!answer.ok) {
      this.report(peer, "silent", `hello: ${answer.refusal.code}`);
      return;
    }
    const judged = judgeHello(chain, answer.value);
    if (!judged.ok) {
      this.report(peer, "foreign", `hello: ${judged.refusal.code}`);
      return;
    }
    entry.hello = judged.value;
    this.#release(entry, true);
    this.#observe({ type: "peerJoined", peer, address: entry.address });
    for (const listener of this.#listeners) listener.joined(peer, judged.value);
  }

  #onDisconnected(peer: PeerId): void {
    const entry = this.#entries.get(peer);
    if (entry === undefined) return;
    this.#entries.delete(peer);
    this.#protocols.drop(peer);
    this.#release(entry, false);
    if (entry.hello === null) return;
    this.#observe({ type: "peerLeft", peer });
    for (const listener of this.#listeners) listener.left(peer);
  }

  #release(entry: Entry, ready: boolean): void {
    const waiting = entry.waiting;
    entry.waiting = [];
    for (const resolve of waiting) resolve(ready);
  }

  #ready(peer: PeerId): Promise<boolean> {
    const entry = this.#entries.get(peer);
    if (entry === undefined) return Promise.resolve(false);
    if (entry.hello !== null) return Promise.resolve(true);
    return new Promise((resolve) => entry.waiting.push(resolve));
  }
}
