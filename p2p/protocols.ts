import { accept, refuse } from "../base/outcome.ts";
import type { Outcome } from "../base/outcome.ts";
import { Caller } from "./caller.ts";
import type { Clock } from "./clock.ts";
import type { Codec } from "./codec.ts";
import type { PeerGate } from "./events.ts";
import type { PeerId } from "./peerId.ts";
import type { Rate } from "./rate.ts";
import { Responder } from "./responder.ts";
import type { Transport } from "./transport.ts";

/*
 * Requests and one-way messages between two nodes. Each node opens one stream per peer and protocol
 * when it first has something to send, and keeps it: a new stream per request costs some 2 ms.
 * Answers come back on the same stream. A stream that ends is opened again on demand.
 */

/** What a handler makes of a request; `reject` says that no honest node would have sent it. */
export type Served<R> =
  | { readonly verdict: "accept"; readonly response: R }
  | { readonly verdict: "ignore" }
  | { readonly verdict: "reject"; readonly reason: string };

/** Who asks, and until when an answer is of use. */
export type ServeContext = {
  readonly peer: PeerId;
  readonly signal: AbortSignal;
};

/** A protocol between two nodes; both sides must agree on the codecs and sizes. */
export type ProtocolOptions<Q, R> = {
  readonly request: Codec<Q>;
  readonly response: Codec<R>;
  readonly requestBytesMax: number;
  readonly responseBytesMax: number;
  /** A request without an answer fails after this, and its handler is told to stop. */
  readonly timeoutMs: number;
  /** Frames of one peer; who sends faster is held back. */
  readonly rate: Rate;
  /** Handlers running for one peer; more wait in the peer's own queue. */
  readonly concurrencyMax: number;
  /** Judges and answers. One-way messages come here too; their response goes nowhere. */
  readonly handle: (request: Q, context: ServeContext) => Served<R> | Promise<Served<R>>;
};

/** Why a message was not sent; nothing waits, nothing is tried again. */
export type SendRefusal =
  | { readonly code: "notConnected"; readonly peer: PeerId }
  | { readonly code: "tooLong"; readonly got: number; readonly limit: number }
  | { readonly code: "queueFull"; readonly peer: PeerId };

/** Why a request has no answer. */
export type RequestRefusal =
  | SendRefusal
  | { readonly code: "timedOut"; readonly timeoutMs: number }
  | { readonly code: "aborted" }
  | { readonly code: "disconnected"; readonly peer: PeerId }
  /** The other side declined: `busy` may be asked again later, `rejected` never. */
  | { readonly code: "declined"; readonly reason: "busy" | "ignored" | "rejected" }
  /** The answer is not one; its sender has paid for it. */
  | { readonly code: "malformed"; readonly fault: string };

/** How a request may be cut short. */
export type RequestOptions = {
  readonly signal?: AbortSignal;
  /** At most the protocol's own. */
  readonly timeoutMs?: number;
};

/** One protocol, for its users. */
export interface Protocol<Q, R> {
  readonly name: string;
  /** Asks one peer; never rejects. */
  request(peer: PeerId, request: Q, options?: RequestOptions): Promise<Outcome<R, RequestRefusal>>;
  /** Sends to one peer without an answer; returns at once. */
  send(peer: PeerId, message: Q): Outcome<null, SendRefusal>;
  /** Sends to many, encoded once; those it could be queued for. */
  broadcast(peers: readonly PeerId[], message: Q): readonly PeerId[];
  /** Bytes that wait for a peer. */
  queuedBytes(peer: PeerId): number;
  /** Takes no more requests and closes its streams. */
  close(): void;
}

/** Names on the wire: program, version of the frames, protocol. */
export function protocolId(name: string): string {
  return `/ledger/1/${name}`;
}

/** A protocol whose two sides are `Caller` and `Responder`. */
class StreamProtocol<Q, R> implements Protocol<Q, R> {
  readonly name: string;
  readonly #caller: Caller<Q, R>;
  readonly #responder: Responder<Q, R>;
  readonly #onClose: () => void;

  constructor(
    name: string,
    sides: { readonly caller: Caller<Q, R>; readonly responder: Responder<Q, R> },
    onClose: () => void,
  ) {
    this.name = name;
    this.#caller = sides.caller;
    this.#responder = sides.responder;
    this.#onClose = onClose;
  }

  request(
    peer: PeerId,
    request: Q,
    options: RequestOptions = {},
  ): Promise<Outcome<R, RequestRefusal>> {
    return this.#caller.request(peer, request, options);
  }

  send(peer: PeerId, message: Q): Outcome<null, SendRefusal> {
    const wire = this.#caller.encodeOneWay(message);
    if (!wire.ok) return wire;
    const refusal = this.#caller.sendWire(peer, wire.value);
    return refusal === null ? accept(null) : refuse(refusal);
  }

  broadcast(peers: readonly PeerId[], message: Q): readonly PeerId[] {
    const wire = this.#caller.encodeOneWay(message);
    if (!wire.ok) return [];
    return peers.filter((peer) => this.#caller.sendWire(peer, wire.value) === null);
  }

  queuedBytes(peer: PeerId): number {
    return this.#caller.queuedBytes(peer);
  }

  drop(peer: PeerId): void {
    this.#caller.drop(peer);
    this.#responder.drop(peer);
  }

  close(): void {
    this.#caller.close();
    this.#responder.close();
    this.#onClose();
  }
}

/** All protocols of one node. */
export class Protocols {
  readonly #transport: Transport;
  readonly #gate: PeerGate;
  readonly #clock: Clock;
  readonly #all = new Map<string, { drop(peer: PeerId): void; close(): void }>();

  constructor(transport: Transport, gate: PeerGate, clock: Clock) {
    this.#transport = transport;
    this.#gate = gate;
    this.#clock = clock;
  }

  /** Opens a protocol behind a gate; the network's own, or one that lets everybody pass. */
  open<Q, R>(
    name: string,
    options: ProtocolOptions<Q, R>,
    gate: PeerGate = this.#gate,
  ): Protocol<Q, R> {
    const id = protocolId(name);
    const around = { name, gate, clock: this.#clock };
    const caller = new Caller<Q, R>(around, options, (peer, signal) =>
      this.#transport.openStream(peer, id, signal),
    );
    const responder = new Responder<Q, R>(around, options);
    const protocol = new StreamProtocol<Q, R>(name, { caller, responder }, () => {
      this.#transport.unhandle(id);
      this.#all.delete(name);
    });
    this.#all.get(name)?.close();
    this.#all.set(name, protocol);
    this.#transport.handle(id, (peer, stream) => responder.attach(peer, stream));
    return protocol;
  }

  /** A peer has gone: its streams end, its requests fail. */
  drop(peer: PeerId): void {
    for (const protocol of this.#all.values()) protocol.drop(peer);
  }

  /** Closes all. */
  close(): void {
    for (const protocol of this.#all.values()) protocol.close();
  }
}
