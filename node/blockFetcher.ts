import type { Digest } from "../base/brand.ts";
import { decodeBlock, encodeBlock } from "../ledger/block.ts";
import type { Block } from "../ledger/blockTypes.ts";
import { blockHash } from "../ledger/header.ts";
import { byteListCodec } from "../p2p/envelope.ts";
import type { Codec } from "../p2p/codec.ts";
import type { Network } from "../p2p/network.ts";
import type { PeerId } from "../p2p/peerId.ts";
import type { Protocol, Served } from "../p2p/protocols.ts";
import { bodyFaultOnce } from "./blockCheck.ts";
import type { Chain } from "./chain.ts";
import type { DiskStore } from "./diskStore.ts";
import { encodedHash } from "./transactionGossip.ts";
import { blockPartsCodec, digestCodec, type BlockParts } from "./messages.ts";

/** Blocks asked for at one time; the replica asks again for what it still wants. */
export const fetchesMax = 64;

/** Peers asked for one block, one after another. */
export const peersAskedMax = 4;

/** How long a peer may take to give a block, in milliseconds. */
const answerMsMax = 2_000;

/** Bytes of one answer: a block fits a frame. */
const answerBytesMax = 4 * 1024 * 1024;

/** Room in an answer for the list around the transactions. */
const partsBytesMax = answerBytesMax - 256 * 1024;

const blockCodec: Codec<Block> = { encode: encodeBlock, decode: decodeBlock };

/** Single blocks by hash, for whoever asks; and asking for them. */
export class BlockFetcher {
  readonly #network: Network;
  readonly #chain: Chain;
  readonly #store: Pick<DiskStore, "block">;
  readonly #blocks: Protocol<Digest, Block>;
  readonly #parts: Protocol<BlockParts, readonly Uint8Array[]>;
  readonly #fetching = new Set<Digest>();
  #turn = 0;

  constructor(
    network: Network,
    parts: { readonly chain: Chain; readonly store: Pick<DiskStore, "block"> },
  ) {
    this.#network = network;
    this.#chain = parts.chain;
    this.#store = parts.store;
    this.#blocks = network.protocol("block", {
      request: digestCodec,
      response: blockCodec,
      requestBytesMax: 64,
      responseBytesMax: answerBytesMax,
      timeoutMs: answerMsMax,
      rate: { perSecond: 200, burst: 400 },
      concurrencyMax: 4,
      handle: (hash) => this.#serveBlock(hash),
    });
    this.#parts = network.protocol("blockTransactions", {
      request: blockPartsCodec,
      response: byteListCodec,
      requestBytesMax: 1024 * 1024,
      responseBytesMax: answerBytesMax,
      timeoutMs: answerMsMax,
      rate: { perSecond: 200, burst: 400 },
      concurrencyMax: 4,
      handle: (parts) => this.#serveParts(parts),
    });
  }

  /** Some transactions of a block, each of the hash that the asker knows; `null` if not all came. */
  async transactionsOf(peer: PeerId, parts: BlockParts): Promise<readonly Uint8Array[] | null> {
    const answer = await this.#parts.request(peer, parts);
    return answer.ok && answer.value.length === parts.indexes.length ? answer.value : null;
  }

  /** A block of this hash with the body that its header names, or `null`. */
  async blockFrom(peer: PeerId, hash: Digest): Promise<Block | null> {
    const answer = await this.#blocks.request(peer, hash);
    if (!answer.ok) return null;
    const block = answer.value;
    if (blockHash(block.header) === hash && bodyFaultOnce(block) === null) return block;
    this.#network.report(peer, "rejected", `block: not the one of ${hash}`);
    return null;
  }

  /**
   * Asks a few peers in turn until one gives a block that `take` accepts; whoever gave another pays
   * for it.
   */
  async fetch(hash: Digest, take: (block: Block) => boolean): Promise<void> {
    if (this.#fetching.has(hash) || this.#fetching.size >= fetchesMax) return;
    this.#fetching.add(hash);
    try {
      for (const peer of this.#candidates()) {
        const block = await this.blockFrom(peer, hash);
        if (block === null) continue;
        if (take(block)) return;
        this.#network.report(peer, "rejected", `block: its certificates do not hold, ${hash}`);
      }
    } finally {
      this.#fetching.delete(hash);
    }
  }

  /** Each question begins at another peer, so that none carries all. */
  #candidates(): readonly PeerId[] {
    const peers = this.#network.peers().map(({ peer }) => peer);
    this.#turn += 1;
    const first = peers.length === 0 ? 0 : this.#turn % peers.length;
    return [...peers.slice(first), ...peers.slice(0, first)].slice(0, peersAskedMax);
  }

  #held(hash: Digest): Block | null {
    return this.#chain.pendingBlock(hash) ?? this.#store.block(hash);
  }

  #serveBlock(hash: Digest): Served<Block> {
    const block = this.#held(hash);
    return block === null ? { verdict: "ignore" } : { verdict: "accept", response: block };
  }

  #serveParts({ block: hash, indexes }: BlockParts): Served<readonly Uint8Array[]> {
    const block = this.#held(hash);
    if (block === null) return { verdict: "ignore" };
    const found: Uint8Array[] = [];
    let size = 0;
    for (const index of indexes) {
      const encoded = block.body.transactions[index];
      if (encoded === undefined) return { verdict: "reject", reason: `no transaction ${index}` };
      size += encoded.length;
      if (size > partsBytesMax) return { verdict: "ignore" };
      found.push(encoded);
    }
    return { verdict: "accept", response: found };
  }
}

/** Hashes of a block's transactions, as a proposal names them. */
export function transactionHashes({ body }: Block): readonly Digest[] {
  return body.transactions.map(encodedHash);
}
