import type { CommitProof } from "../ledger/blockTypes.ts";
import type { Network } from "../p2p/network.ts";
import type { PeerId } from "../p2p/peerId.ts";
import type { Protocol } from "../p2p/protocols.ts";
import type { DiskStore } from "./diskStore.ts";
import type { Engine } from "./engine.ts";
import type { Inbound } from "./inbound.ts";
import { Joining, type JoiningParts } from "./joining.ts";
import { numberCodec, standingCodec, type Standing } from "./messages.ts";
import type { PeerOutbound } from "./outbound.ts";

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

/** A proved distance that the replica does not fetch block by block. */
const farBlocksMax = 32;

/** Looks without a new block after which a proved end of the epoch is far, too. */
const idleLooksMax = 3;

/** Least time between two times of leaving consensus to catch up, in milliseconds. */
const joinIntervalMs = 10_000;

/** What following the others needs. */
export type FollowerParts = Omit<JoiningParts, "askHeight" | "network" | "store"> & {
  readonly network: Pick<Network, "peers" | "watch" | "report" | "protocol">;
  readonly store: Pick<DiskStore, "epoch" | "head" | "headProof">;
  readonly outbound: Pick<PeerOutbound, "epochProof">;
  readonly inbound: () => Pick<Inbound, "onProof">;
  readonly engine: () => Pick<Engine, "isRunning" | "stop">;
  /** Begins consensus where the chain is. */
  readonly begin: () => Promise<void>;
  /** Whether this node alone makes the chain, and need not hear of others. */
  readonly isSole: () => boolean;
  readonly onFailure: (error: unknown) => void;
};

/**
 * Brings the node to where the others are and begins consensus there; then notices when the chain
 * goes on elsewhere, asks for the proof of it, and starts over if it is too far away.
 */
export class Follower {
  readonly #parts: FollowerParts;
  readonly #standing: Protocol<number, Standing>;
  #timer: NodeJS.Timeout | null = null;
  #joining: Joining | null = null;
  /** The catch-up under way with what follows it, until consensus has begun. */
  #begun: Promise<void> = Promise.resolve();
  #isStopped = false;
  #seenHeight = -1;
  #idleLooks = 0;
  #askedAtMs = -Infinity;
  #joinedAtMs = -Infinity;
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

  /** How far the catch-up is; `null` while none runs. */
  get progress(): Joining["progress"] | null {
    return this.#joining?.progress ?? null;
  }

  /** Begins; consensus follows when the chain was followed. */
  start(): void {
    void this.#join();
    this.#timer = setInterval(() => this.#look(), lookIntervalMs);
  }

  /** Ends a catch-up; once it resolves, consensus is not begun any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    await this.#joining?.stop();
    await this.#begun;
  }

  /** Someone speaks of a later epoch: the answer is a proof, so a lie costs one message. */
  onAhead(): void {
    void this.#ask();
  }

  /** Leaves consensus, prepares, and begins it again where the chain then is. */
  async beginAgain(prepare: () => Promise<void>): Promise<void> {
    if (this.#parts.engine().isRunning) await this.#join(prepare);
  }

  async #join(prepare: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    if (this.#joining !== null || this.#isStopped) return;
    this.#begun = this.#joinAndBegin(prepare);
    await this.#begun;
  }

  async #joinAndBegin(prepare: () => Promise<void>): Promise<void> {
    const { engine, begin, isSole, onFailure } = this.#parts;
    const askHeight = (peer: PeerId): Promise<number | null> => this.#askHeight(peer);
    const joining = new Joining({ ...this.#parts, askHeight });
    this.#joining = joining;
    try {
      await engine().stop();
      // A stop meanwhile found no catch-up to end.
      if (this.#isStopped) return;
      await joining.run(isSole());
      this.#joining = null;
      this.#joinedAtMs = performance.now();
      if (this.#isStopped) return;
      await prepare();
      await begin();
    } catch (error) {
      onFailure(error);
    }
  }

  async #askHeight(peer: PeerId): Promise<number | null> {
    const answer = await this.#standing.request(peer, this.#parts.chain.epoch.epoch);
    return answer.ok ? answer.value.height : null;
  }

  #look(): void {
    const { height } = this.#parts.chain.head.header;
    this.#idleLooks = height === this.#seenHeight ? this.#idleLooks + 1 : 0;
    this.#seenHeight = height;
    if (this.#idleLooks > 0) void this.#ask();
  }

  async #ask(): Promise<void> {
    const { chain, network, inbound, engine } = this.#parts;
    const nowMs = performance.now();
    const peer = this.#nextPeer();
    if (peer === null || nowMs - this.#askedAtMs < askIntervalMs || !engine().isRunning) return;
    this.#askedAtMs = nowMs;
    const answer = await this.#standing.request(peer, chain.epoch.epoch);
    if (!answer.ok || answer.value.proof === null || !engine().isRunning) return;
    const { height, proof } = answer.value;
    if (provedHeight(proof) <= chain.head.header.height) return;
    const verdict = inbound().onProof(proof);
    if (verdict === "reject") network.report(peer, "rejected", "standing: no proof");
    if (verdict === "accept" && this.#isFar(proof, height)) await this.#join();
  }

  /** Whether a verified proof shows that others are too far ahead to be followed from here. */
  #isFar(proof: CommitProof, claimed: number): boolean {
    if (performance.now() - this.#joinedAtMs < joinIntervalMs) return false;
    const { height } = this.#parts.chain.head.header;
    const endsEpoch = (proof.headers[0]?.nextCommitteeHash ?? null) !== null;
    const isStuck = this.#idleLooks >= idleLooksMax;
    return (
      provedHeight(proof) > height + farBlocksMax ||
      (endsEpoch && isStuck && claimed > height + farBlocksMax)
    );
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

function provedHeight(proof: CommitProof): number {
  return proof.headers[0]?.height ?? 0;
}
