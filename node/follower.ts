import type { Network } from "../p2p/network.ts";
import type { PeerId } from "../p2p/peerId.ts";
import type { Protocol } from "../p2p/protocols.ts";
import type { Chain } from "./chain.ts";
import type { Inbound } from "./inbound.ts";
import { numberCodec, standingCodec, type Standing } from "./messages.ts";
import type { PeerOutbound } from "./outbound.ts";
import type { DiskStore } from "./diskStore.ts";

/**
 * How often it is looked whether the chain goes on here, in milliseconds. Who only follows or is
 * silent sends no timeouts that others could answer, so it asks.
 */
const lookIntervalMs = 2_000;

/** Least time between two questions, whatever is said of later epochs, in milliseconds. */
const askIntervalMs = 500;

/** How long a peer may take to say how far it is, in milliseconds. */
const answerMsMax = 5_000;

/** Bytes of a commit proof with the longest chain of headers. */
const standingBytesMax = 2 * 1024 * 1024;

/** What following the others needs. */
export type FollowerParts = {
  readonly network: Network;
  readonly chain: Chain;
  readonly store: DiskStore;
  readonly outbound: PeerOutbound;
  readonly inbound: () => Inbound;
};

/** Notices that the chain goes on elsewhere, and asks for the proof of it. */
export class Follower {
  readonly #parts: FollowerParts;
  readonly #standing: Protocol<number, Standing>;
  #timer: NodeJS.Timeout | null = null;
  #seenHeight = -1;
  #askedAtMs = -Infinity;
  #turn = 0;

  constructor(parts: FollowerParts) {
    this.#parts = parts;
    this.#standing = parts.network.protocol("standing", {
      request: numberCodec,
      response: standingCodec,
      requestBytesMax: 16,
      responseBytesMax: standingBytesMax,
      timeoutMs: answerMsMax,
      rate: { perSecond: 4, burst: 16 },
      concurrencyMax: 2,
      handle: (epoch) => ({ verdict: "accept", response: this.#standingFor(epoch) }),
    });
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), lookIntervalMs);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Someone speaks of a later epoch: the answer is a proof, so a lie costs one message. */
  onAhead(): void {
    void this.#ask();
  }

  #look(): void {
    const { height } = this.#parts.chain.head.header;
    if (height === this.#seenHeight) void this.#ask();
    this.#seenHeight = height;
  }

  async #ask(): Promise<void> {
    const nowMs = performance.now();
    const peer = this.#nextPeer();
    if (peer === null || nowMs - this.#askedAtMs < askIntervalMs) return;
    this.#askedAtMs = nowMs;
    const answer = await this.#standing.request(peer, this.#parts.chain.epoch.epoch);
    if (!answer.ok || answer.value.proof === null) return;
    const { proof } = answer.value;
    const first = proof.headers[0]?.height ?? 0;
    if (first <= this.#parts.chain.head.header.height) return;
    const verdict = this.#parts.inbound().onProof(proof);
    if (verdict === "reject") this.#parts.network.report(peer, "rejected", "standing");
  }

  #nextPeer(): PeerId | null {
    const peers = this.#parts.network.peers();
    this.#turn += 1;
    return peers[this.#turn % Math.max(1, peers.length)]?.peer ?? null;
  }

  #standingFor(epoch: number): Standing {
    const { store, outbound } = this.#parts;
    const proof = outbound.epochProof(epoch) ?? store.headProof();
    return { height: store.head.header.height, proof };
  }
}
