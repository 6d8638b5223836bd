import { accept, refuse } from "../base/outcome.ts";
import type { Outcome } from "../base/outcome.ts";
import type { Clock } from "./clock.ts";
import type { PeerGate } from "./events.ts";
import { gossipBytesMax, validationsMax } from "./limits.ts";
import type { PeerId } from "./peerId.ts";
import { RateLimiter } from "./rate.ts";
import type { Rate } from "./rate.ts";
import type { Transport, Verdict } from "./transport.ts";

/*
 * Gossip for everyone: what is accepted here travels on to the neighbours. A message is judged
 * once, whoever brings it first; who brings too many is not listened to, and pays for it.
 */

/** A topic; all nodes must agree on name and size. */
export type TopicOptions = {
  /** Judges a message; on "accept" it is passed on. May take its time, within `validationsMax`. */
  readonly validate: (bytes: Uint8Array, from: PeerId) => Verdict | Promise<Verdict>;
  readonly bytesMax: number;
  /** New messages of one neighbour. */
  readonly rate: Rate;
};

/** Why a message was not gossiped. */
export type PublishRefusal =
  | { readonly code: "tooLong"; readonly got: number; readonly limit: number }
  | { readonly code: "notStarted" };

/** One topic, for its users. */
export interface Topic {
  readonly name: string;
  /** Gossips; the number of neighbours it went to, 0 also if the message was seen before. */
  publish(bytes: Uint8Array): Promise<Outcome<number, PublishRefusal>>;
  /** Neighbours that listen. */
  listeners(): readonly PeerId[];
  /** Stops listening. */
  close(): void;
}

/** Names on the wire: program, version, whose messages (a chain, an engine of its own), what. */
export function topicId(scope: string, name: string): string {
  return `/ledger/1/${scope}/${name}`;
}

/** All topics of one node. */
export class Topics {
  readonly #transport: Transport;
  readonly #gate: PeerGate;
  readonly #clock: Clock;
  readonly #running: () => boolean;

  constructor(
    transport: Transport,
    gate: PeerGate,
    { clock, running }: { readonly clock: Clock; readonly running: () => boolean },
  ) {
    this.#transport = transport;
    this.#gate = gate;
    this.#clock = clock;
    this.#running = running;
  }

  /** Listens to a topic. */
  join(scope: string, name: string, options: TopicOptions): Topic {
    const id = topicId(scope, name);
    const { gossip } = this.#transport;
    const judge = this.#judge(id, options);
    gossip.join(id, Math.min(options.bytesMax, gossipBytesMax), judge);
    return {
      name: id,
      publish: async (bytes) => {
        const limit = Math.min(options.bytesMax, gossipBytesMax);
        if (bytes.length > limit) return refuse({ code: "tooLong", got: bytes.length, limit });
        if (!this.#running()) return refuse({ code: "notStarted" });
        return accept(await gossip.publish(id, bytes));
      },
      listeners: () => gossip.listeners(id).filter((peer) => this.#gate.isReady(peer)),
      close: () => gossip.leave(id),
    };
  }

  #judge(
    name: string,
    options: TopicOptions,
  ): (bytes: Uint8Array, from: PeerId) => Promise<Verdict> {
    const limiter = new RateLimiter(this.#clock, options.rate);
    const gate = this.#gate;
    let running = 0;
    return async (bytes, peer) => {
      if (bytes.length > options.bytesMax) {
        gate.report(peer, "oversize", `${name}: ${bytes.length} bytes`);
        return "reject";
      }
      if (!limiter.take(peer)) {
        gate.report(peer, "flood", name);
        gate.observe({ type: "messageDropped", name, reason: "rate", peer });
        return "ignore";
      }
      if (running >= validationsMax) {
        gate.observe({ type: "messageDropped", name, reason: "busy", peer });
        return "ignore";
      }
      running += 1;
      try {
        if (!gate.isReady(peer) && !(await gate.ready(peer))) return "ignore";
        const verdict = await options.validate(bytes, peer);
        if (verdict === "reject") gate.report(peer, "rejected", name);
        return verdict;
      } catch (error) {
        gate.observe({ type: "handlerThrew", name, error });
        return "ignore";
      } finally {
        running -= 1;
      }
    };
  }
}
