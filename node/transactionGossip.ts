import type { Digest } from "../base/brand.ts";
import { emptyBytes } from "../base/bytes.ts";
import { transactionBytesMax } from "../base/limits.ts";
import { keccakDigest } from "../crypto/keccak.ts";
import { nativePrefix } from "../ledger/decode.ts";
import { refusalMeanings } from "../ledger/refusal.ts";
import { byteListCodec } from "../p2p/envelope.ts";
import type { Network } from "../p2p/network.ts";
import type { PeerId } from "../p2p/peerId.ts";
import type { Protocol } from "../p2p/protocols.ts";
import type { Topic } from "../p2p/topics.ts";
import type { Verdict } from "../p2p/transport.ts";
import type { SubmitRefusal } from "../rpc/api.ts";
import type { Log } from "./log.ts";
import { digestsCodec, emptyCodec } from "./messages.ts";
import { submissionOf, type TransactionPool } from "./transactionPool.ts";

/*
 * Transactions are told of by hash and fetched once, from whoever told first. What was admitted
 * here is told on; a peer that comes later is asked for what it holds, and asks us.
 */

/** Hashes in one message. */
export const hashesPerMessageMax = 1_024;

/** Hashes that wait to be told; beyond, they are left to the next question of a new peer. */
export const hashesQueuedMax = 65_536;

/** Transactions that are being fetched at one time; beyond, news of more is not followed. */
export const fetchesMax = 16_384;

/**
 * Least time between two messages of news while transactions keep coming, in milliseconds: each
 * costs every node a fetch and its neighbours' copies, whatever it holds.
 */
const newsIntervalMs = 100;

/** Bytes of one answer: what fits a frame with its envelope. */
const answerBytesMax = 4 * 1024 * 1024 - 64 * 1024;

/** Questions to one peer for the rest of one message's transactions. */
const fetchRoundsMax = 16;

/** Hashes that a peer is told when it asks what is pending here. */
const pendingToldMax = 16_384;

/** How long one peer may take for an answer, in milliseconds. */
const answerMsMax = 5_000;

/** The canonical hash of a transaction as blocks and gossip hold it. */
export function encodedHash(encoded: Uint8Array): Digest {
  return keccakDigest(encoded[0] === nativePrefix ? encoded.subarray(1) : encoded);
}

/** Tells of transactions and fetches what is told. */
export class TransactionGossip {
  readonly #pool: TransactionPool;
  readonly #log: Log;
  readonly #isFollowing: () => boolean;
  readonly #topic: Topic;
  readonly #transactions: Protocol<readonly Digest[], readonly Uint8Array[]>;
  readonly #pending: Protocol<null, readonly Digest[]>;
  readonly #fetching = new Set<Digest>();
  #queue: Digest[] = [];
  #timer: NodeJS.Timeout | null = null;
  #toldAtMs = -Infinity;

  constructor(
    network: Network,
    scope: string,
    parts: {
      readonly pool: TransactionPool;
      readonly log: Log;
      /** Whether the chain is followed: before that, nothing can be admitted. */
      readonly isFollowing: () => boolean;
    },
  ) {
    this.#pool = parts.pool;
    this.#log = parts.log;
    this.#isFollowing = parts.isFollowing;
    this.#topic = network.topic(scope, "transactions", {
      bytesMax: hashesPerMessageMax * 33 + 16,
      rate: { perSecond: 200, burst: 400 },
      validate: (bytes, from) => this.#onNews(bytes, from),
    });
    this.#transactions = network.protocol("transactions", {
      request: digestsCodec,
      response: byteListCodec,
      requestBytesMax: hashesPerMessageMax * 33 + 16,
      responseBytesMax: 4 * 1024 * 1024,
      timeoutMs: answerMsMax,
      rate: { perSecond: 400, burst: 800 },
      concurrencyMax: 4,
      handle: (hashes) => ({ verdict: "accept", response: this.#held(hashes) }),
    });
    this.#pending = network.protocol("pending", {
      request: emptyCodec,
      response: digestsCodec,
      requestBytesMax: 16,
      responseBytesMax: pendingToldMax * 33 + 16,
      timeoutMs: answerMsMax,
      rate: { perSecond: 1, burst: 4 },
      concurrencyMax: 1,
      handle: () => ({ verdict: "accept", response: this.#pool.hashes(pendingToldMax) }),
    });
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#queue = [];
  }

  /** Transactions were admitted here: at once if it is quiet, else in groups. */
  announce(hashes: readonly Digest[]): void {
    this.#queue.push(...hashes.slice(0, hashesQueuedMax - this.#queue.length));
    if (this.#timer !== null) return;
    const waitMs = Math.max(0, this.#toldAtMs + newsIntervalMs - performance.now());
    if (waitMs === 0) this.#tell();
    else this.#timer = setTimeout(() => this.#tell(), waitMs);
  }

  #tell(): void {
    this.#timer = null;
    this.#toldAtMs = performance.now();
    const group = this.#queue.splice(0, hashesPerMessageMax);
    if (group.length > 0) void this.#topic.publish(digestsCodec.encode(group));
    if (this.#queue.length > 0) this.announce([]);
  }

  /** Asks a peer that has just come what it holds, and fetches what is not here. */
  async onJoined(peer: PeerId): Promise<void> {
    if (!this.#isFollowing()) return;
    const answer = await this.#pending.request(peer, null);
    if (!answer.ok) return;
    const unknown = answer.value.filter((hash) => !this.#pool.knows(hash));
    for (let at = 0; at < unknown.length; at += hashesPerMessageMax) {
      await this.#fetch(peer, unknown.slice(at, at + hashesPerMessageMax));
    }
  }

  #held(hashes: readonly Digest[]): readonly Uint8Array[] {
    let size = 0;
    return hashes.map((hash) => {
      const encoded = this.#pool.get(hash)?.encoded ?? emptyBytes;
      size += encoded.length;
      return size > answerBytesMax ? emptyBytes : encoded;
    });
  }

  async #onNews(bytes: Uint8Array, from: PeerId): Promise<Verdict> {
    const decoded = digestsCodec.decode(bytes);
    if (!decoded.ok || decoded.value.length === 0) return "reject";
    if (decoded.value.length > hashesPerMessageMax) return "reject";
    if (!this.#isFollowing()) return "ignore";
    const unknown = decoded.value.filter((hash) => !this.#pool.knows(hash));
    return unknown.length === 0 ? "accept" : this.#fetch(from, unknown);
  }

  /** Fetches what nobody fetches yet; "reject" if the peer gave what no honest one would. */
  async #fetch(peer: PeerId, hashes: readonly Digest[]): Promise<Verdict> {
    const free = fetchesMax - this.#fetching.size;
    const own = hashes.filter((hash) => !this.#fetching.has(hash)).slice(0, free);
    for (const hash of own) this.#fetching.add(hash);
    try {
      return await this.#fetchAll(peer, own);
    } finally {
      for (const hash of own) this.#fetching.delete(hash);
    }
  }

  async #fetchAll(peer: PeerId, hashes: readonly Digest[]): Promise<Verdict> {
    let open = hashes;
    let verdict: Verdict = "ignore";
    for (let round = 0; open.length > 0 && round < fetchRoundsMax; round += 1) {
      const answer = await this.#transactions.request(peer, open);
      if (!answer.ok) return verdict;
      const given = answer.value;
      if (given.length !== open.length) return "reject";
      const found = given.filter((encoded) => encoded.length > 0);
      if (found.length === 0) return verdict;
      const isRight = given.every(
        (encoded, i) =>
          encoded.length <= transactionBytesMax + 1 &&
          (encoded.length === 0 || encodedHash(encoded) === open[i]),
      );
      if (!isRight) return "reject";
      const admitted = await this.#admit(found);
      if (admitted === "reject") return "reject";
      if (admitted === "accept") verdict = "accept";
      open = open.filter((_, i) => given[i]?.length === 0);
    }
    return verdict;
  }

  async #admit(encoded: readonly Uint8Array[]): Promise<Verdict> {
    let verdict: Verdict = "ignore";
    for (const outcome of await this.#pool.submit(encoded.map(submissionOf), "remote")) {
      if (outcome.ok) verdict = "accept";
      else if (verdictOf(outcome.refusal) === "reject") {
        this.#log.debug("a peer sent a transaction that is none", { code: outcome.refusal.code });
        return "reject";
      }
    }
    return verdict;
  }
}

/** What a refused transaction says of who sent it; one that does not decode or verify, the worst. */
function verdictOf({ code }: SubmitRefusal): Verdict {
  return code in refusalMeanings
    ? refusalMeanings[code as keyof typeof refusalMeanings].verdict
    : "reject";
}
