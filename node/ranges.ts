import type { Digest } from "../base/brand.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import { decodeRlp, encodeRlp, RlpReader, rlpNumber } from "../base/rlp.ts";
import { rangeBlocksMax, type Range } from "../consensus/catchUp.ts";
import {
  blockBytesMax,
  commitProofToRlp,
  decodeBlock,
  encodeBlock,
  readCommitProof,
} from "../ledger/block.ts";
import type { Block, CommitProof } from "../ledger/blockTypes.ts";
import { blockHash } from "../ledger/header.ts";
import type { Codec } from "../p2p/codec.ts";
import type { Network } from "../p2p/network.ts";
import type { PeerId } from "../p2p/peerId.ts";
import type { Protocol, Served } from "../p2p/protocols.ts";
import { bodyFaultOnce } from "./blockCheck.ts";
import type { DiskStore } from "./diskStore.ts";
import type { Reads } from "./reads.ts";

/** Committed blocks of one epoch, lowest first, and the proof of the last: it proves them all. */
export type BlockRange = { readonly blocks: readonly Block[]; readonly proof: CommitProof };

/** A range whose blocks hang together and fit their headers, with their hashes. */
export type CheckedRange = BlockRange & { readonly hashes: readonly Digest[] };

/** Bytes of one answer: a frame. */
const answerBytesMax = 4 * 1024 * 1024;

/** Bytes of the blocks in it; a longer single block is fetched by its hash. */
const blocksBytesMax = answerBytesMax - 1024 * 1024;

/** How long a peer may take, in milliseconds. */
const answerMsMax = 10_000;

const requestCodec: Codec<Range> = {
  encode: ({ from, count }) => encodeRlp([rlpNumber(from), rlpNumber(count)]),
  decode: (bytes) => {
    const item = decodeRlp(bytes);
    if (!item.ok) return item;
    const reader = new RlpReader("range");
    const [from, count] = reader.list(item.value, 2);
    const range = { from: reader.number(from), count: reader.number(count) };
    reader.check(range.from > 0 && range.count > 0, "a range begins above genesis");
    return reader.outcome(range);
  },
};

/** `[[block…], proof]`, each block as the bytes of its encoding. */
const answerCodec: Codec<BlockRange> = {
  encode: ({ blocks, proof }) => encodeRlp([blocks.map(encodeBlock), commitProofToRlp(proof)]),
  decode: (bytes) => {
    const item = decodeRlp(bytes.slice());
    if (!item.ok) return item;
    const reader = new RlpReader("blocks");
    const [list, proof] = reader.list(item.value, 2);
    const encoded = reader.array(list, rangeBlocksMax, (part) => reader.bytes(part, blockBytesMax));
    const read = readCommitProof(reader, proof);
    const outcome = reader.outcome({ encoded, proof: read });
    return outcome.ok ? decodeBlocks(outcome.value) : outcome;
  },
};

function decodeBlocks(answer: {
  readonly encoded: readonly Uint8Array[];
  readonly proof: CommitProof;
}): Outcome<BlockRange, { readonly code: string }> {
  const blocks: Block[] = [];
  for (const bytes of answer.encoded) {
    const block = decodeBlock(bytes);
    if (!block.ok) return block;
    blocks.push(block.value);
  }
  return accept({ blocks, proof: answer.proof });
}

/** Why there is no range: the peer has it not, or what it gave is no part of any chain. */
export type RangeRefusal = { readonly code: "missing" } | { readonly code: "wrong" };

/** Ranges of committed blocks, for whoever asks; and asking for them. */
export class Ranges {
  readonly #store: DiskStore;
  readonly #reads: Reads;
  readonly #protocol: Protocol<Range, BlockRange>;

  constructor(network: Network, parts: { readonly store: DiskStore; readonly reads: Reads }) {
    this.#store = parts.store;
    this.#reads = parts.reads;
    this.#protocol = network.protocol("blocks", {
      request: requestCodec,
      response: answerCodec,
      requestBytesMax: 32,
      responseBytesMax: answerBytesMax,
      timeoutMs: answerMsMax,
      rate: { perSecond: 20, burst: 40 },
      concurrencyMax: 1,
      handle: (range) => this.#serve(range),
    });
  }

  /** A range from a peer, whose blocks hang together; what proves them is checked later. */
  async request(
    peer: PeerId,
    range: Range,
    genesis: Digest,
  ): Promise<Outcome<CheckedRange, RangeRefusal>> {
    const answer = await this.#protocol.request(peer, range);
    if (!answer.ok) return refuse({ code: "missing" });
    const checked = checkRange(answer.value, range, genesis);
    return checked === null ? refuse({ code: "wrong" }) : accept(checked);
  }

  #serve({ from, count }: Range): Served<BlockRange> {
    const { height } = this.#store.head.header;
    const blocks: Block[] = [];
    let size = 0;
    let last: Digest | null = null;
    for (let at = from; at <= height && blocks.length < Math.min(count, rangeBlocksMax); at += 1) {
      const hash = this.#store.hashAtHeight(at);
      const block = hash === null ? null : this.#store.block(hash);
      if (block === null) break;
      const bytes = block.body.transactions.reduce((sum, { length }) => sum + length, 1_024);
      if (blocks.length > 0 && size + bytes > blocksBytesMax) break;
      blocks.push(block);
      size += bytes;
      last = hash;
      if (block.header.nextCommitteeHash !== null) break;
    }
    const proof = last === null ? null : this.#reads.commitProof(last);
    return proof === null
      ? { verdict: "ignore" }
      : { verdict: "accept", response: { blocks, proof } };
  }
}

function checkRange(answer: BlockRange, range: Range, genesis: Digest): CheckedRange | null {
  const { blocks, proof } = answer;
  if (blocks.length === 0 || blocks.length > range.count) return null;
  const hashes: Digest[] = [];
  for (const [i, block] of blocks.entries()) {
    const { header } = block;
    const parent = hashes.at(-1);
    if (header.height !== range.from + i || header.genesisHash !== genesis) return null;
    if (header.epoch !== blocks[0]?.header.epoch) return null;
    if (parent !== undefined && header.parentHash !== parent) return null;
    if (bodyFaultOnce(block) !== null) return null;
    hashes.push(blockHash(header));
  }
  const [proved] = proof.headers;
  if (proved === undefined || blockHash(proved) !== hashes.at(-1)) return null;
  return { blocks, proof, hashes };
}
