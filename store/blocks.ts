import { assert } from "../base/assert.ts";
import type { Address, Digest } from "../base/brand.ts";
import { bytesToDigest, concatBytes, emptyBytes, hexToBytes, textToBytes } from "../base/bytes.ts";
import { CorruptionError } from "./failures.ts";
import type { KeyValueReader, KeyValueWrite } from "./keyValue.ts";
import { heightBytes, heightKey, readHeight, tagRange, taggedKey } from "./keys.ts";
import { sealValue, unsealValue } from "./sealed.ts";

/*
 * Blocks, receipts and their indexes, as bytes. All methods that change something answer writes for
 * the caller's batch, so that whatever belongs to one event is written together.
 *
 *   40 hash                       header                      every block that may be voted for
 *   41 hash                       body
 *   42 height hash                (empty)                     of these, the uncommitted ones
 *   43 height                     hash                        committed
 *   44 hash                       receipts                    committed
 *   45 transaction hash           height, index               committed
 *   46 address height index       transaction hash            committed, if histories are kept
 *   47                            height, hash, commit proof  the newest committed block
 *   48 name                       a record of the caller's
 *
 * Heights have 8 bytes, indexes 4, big-endian.
 */

const headerTag = 0x40;
const bodyTag = 0x41;
const uncommittedTag = 0x42;
const committedTag = 0x43;
const receiptsTag = 0x44;
const transactionTag = 0x45;
const historyTag = 0x46;
const recordTag = 0x48;
const newestKey = Uint8Array.of(0x47);

/** Bytes in the name of a record. */
export const recordNameBytesMax = 64;

/** A block's bytes. */
export type StoredBlock = { readonly header: Uint8Array; readonly body: Uint8Array };

/** What is indexed when a block is committed. */
export type CommittedBlock = {
  readonly height: number;
  readonly hash: Digest;
  readonly receipts: Uint8Array;
  /** In the order of the block. */
  readonly transactions: readonly Digest[];
  /** Proof that the block is committed. */
  readonly proof: Uint8Array;
  /**
   * Accounts and the indexes of transactions that touched them; absent if histories are not kept.
   */
  readonly history?: ReadonlyMap<Address, readonly number[]>;
};

/** The newest committed block and the proof that it is. */
export type NewestBlock = {
  readonly height: number;
  readonly hash: Digest;
  readonly proof: Uint8Array;
};

/** Where a transaction is. */
export type TransactionPlace = { readonly height: number; readonly index: number };

/** One line of an account's history. */
export type HistoryLine = TransactionPlace & { readonly transaction: Digest };

function put(key: Uint8Array, value: Uint8Array): KeyValueWrite {
  return { type: "put", key, value: sealValue(key, value) };
}

function remove(key: Uint8Array): KeyValueWrite {
  return { type: "delete", key };
}

function hashKey(tag: number, hash: Digest): Uint8Array {
  return taggedKey(tag, hexToBytes(hash));
}

function uncommittedKey(height: number, hash: Digest): Uint8Array {
  return taggedKey(uncommittedTag, concatBytes(heightBytes(height), hexToBytes(hash)));
}

function placeBytes({ height, index }: TransactionPlace): Uint8Array {
  assert(Number.isInteger(index) && index >= 0 && index < 2 ** 32, "an index has 4 bytes");
  const bytes = new Uint8Array(12);
  bytes.set(heightBytes(height));
  new DataView(bytes.buffer).setUint32(8, index);
  return bytes;
}

function readPlace(bytes: Uint8Array, offset: number): TransactionPlace {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, 12);
  return { height: readHeight(bytes, offset), index: view.getUint32(8) };
}

/** Writes that store a block before it is voted for; the batch must be synced. */
export function blockWrites(
  place: { readonly height: number; readonly hash: Digest },
  { header, body }: StoredBlock,
): KeyValueWrite[] {
  return [
    put(hashKey(headerTag, place.hash), header),
    put(hashKey(bodyTag, place.hash), body),
    put(uncommittedKey(place.height, place.hash), emptyBytes),
  ];
}

/** Writes that commit a stored block, for the batch that commits its state. */
export function commitBlockWrites(block: CommittedBlock): KeyValueWrite[] {
  const { height, hash } = block;
  const writes = [
    put(heightKey(committedTag, height), hexToBytes(hash)),
    put(hashKey(receiptsTag, hash), block.receipts),
    put(newestKey, concatBytes(heightBytes(height), hexToBytes(hash), block.proof)),
    remove(uncommittedKey(height, hash)),
  ];
  block.transactions.forEach((transaction, index) => {
    writes.push(put(hashKey(transactionTag, transaction), placeBytes({ height, index })));
  });
  for (const [address, indexes] of block.history ?? []) {
    for (const index of indexes) {
      const transaction = block.transactions[index];
      assert(transaction !== undefined, "a history names transactions of its block");
      const key = concatBytes(hexToBytes(address), placeBytes({ height, index }));
      writes.push(put(taggedKey(historyTag, key), hexToBytes(transaction)));
    }
  }
  return writes;
}

/** Writes that forget a block which can never be committed. */
export function forgetBlockWrites(height: number, hash: Digest): KeyValueWrite[] {
  return [
    remove(hashKey(headerTag, hash)),
    remove(hashKey(bodyTag, hash)),
    remove(uncommittedKey(height, hash)),
  ];
}

/** A write that keeps bytes under a name, e.g. what an epoch begins with. */
export function recordWrite(name: string, value: Uint8Array): KeyValueWrite {
  return put(recordKey(name), value);
}

function recordKey(name: string): Uint8Array {
  const bytes = textToBytes(name);
  assert(bytes.length > 0 && bytes.length <= recordNameBytesMax, `not a record name: ${name}`);
  return taggedKey(recordTag, bytes);
}

/** Reads blocks, receipts and indexes; damage is a `CorruptionError` that names the key. */
export class BlockStore {
  readonly #reader: KeyValueReader;

  constructor(reader: KeyValueReader) {
    this.#reader = reader;
  }

  /** The newest committed block; `null` before genesis is. */
  newest(): NewestBlock | null {
    const value = this.#get(newestKey);
    if (value === null) return null;
    return {
      height: readHeight(value, 0),
      hash: bytesToDigest(value.subarray(8, 40)),
      proof: value.slice(40),
    };
  }

  /** Hash of the committed block at a height, or `null`. */
  hashAt(height: number): Digest | null {
    const value = this.#get(heightKey(committedTag, height));
    return value === null ? null : bytesToDigest(value);
  }

  /** A block's header, committed or not. */
  header(hash: Digest): Uint8Array | null {
    return this.#get(hashKey(headerTag, hash));
  }

  /** A block, committed or not. One part without the other is damage. */
  block(hash: Digest): StoredBlock | null {
    const header = this.header(hash);
    const body = this.#get(hashKey(bodyTag, hash));
    if (header === null && body === null) return null;
    if (header === null || body === null) {
      throw new CorruptionError(hash, "A stored block lacks its header or its body.");
    }
    return { header, body };
  }

  /** The receipts of a committed block. */
  receipts(hash: Digest): Uint8Array | null {
    return this.#get(hashKey(receiptsTag, hash));
  }

  /** Where a committed transaction is. */
  transaction(hash: Digest): TransactionPlace | null {
    const value = this.#get(hashKey(transactionTag, hash));
    return value === null ? null : readPlace(value, 0);
  }

  /** Bytes kept under a name. */
  record(name: string): Uint8Array | null {
    return this.#get(recordKey(name));
  }

  /** Committed hashes by height, from `from` (inclusive) to `to` (exclusive). */
  async *heights(
    from: number,
    to: number,
  ): AsyncGenerator<{ readonly height: number; readonly hash: Digest }> {
    const range = { from: heightKey(committedTag, from), to: heightKey(committedTag, to) };
    for await (const [key, sealed] of this.#reader.range(range)) {
      yield { height: readHeight(key, 1), hash: bytesToDigest(unsealValue(key, sealed)) };
    }
  }

  /** What touched an account, newest first, below `before` if that is given. */
  async *history(
    address: Address,
    options: { readonly limit: number; readonly before?: TransactionPlace },
  ): AsyncGenerator<HistoryLine> {
    const prefix = taggedKey(historyTag, hexToBytes(address));
    const end = options.before === undefined ? new Uint8Array(12).fill(0xff) : null;
    const to = concatBytes(prefix, end ?? placeBytes(options.before ?? { height: 0, index: 0 }));
    const range = { from: prefix, to, reverse: true, limit: options.limit };
    for await (const [key, sealed] of this.#reader.range(range)) {
      const transaction = bytesToDigest(unsealValue(key, sealed));
      yield { ...readPlace(key, prefix.length), transaction };
    }
  }

  /** Blocks that were stored and not committed, lowest first. */
  async *uncommitted(): AsyncGenerator<{ readonly height: number; readonly hash: Digest }> {
    for await (const [key, sealed] of this.#reader.range(tagRange(uncommittedTag))) {
      unsealValue(key, sealed);
      yield { height: readHeight(key, 1), hash: bytesToDigest(key.slice(9)) };
    }
  }

  /** Writes that forget every stored block at or below the newest committed height that lost. */
  async orphanWrites(limit: number): Promise<KeyValueWrite[]> {
    const newest = this.newest();
    const writes: KeyValueWrite[] = [];
    let count = 0;
    if (newest === null) return writes;
    for await (const { height, hash } of this.uncommitted()) {
      if (height > newest.height || count === limit) break;
      count += 1;
      // Stored again after it was committed: the mark goes, the block stays.
      if (this.hashAt(height) === hash) writes.push(remove(uncommittedKey(height, hash)));
      else writes.push(...forgetBlockWrites(height, hash));
    }
    return writes;
  }

  #get(key: Uint8Array): Uint8Array | null {
    const sealed = this.#reader.get(key);
    return sealed === null ? null : unsealValue(key, sealed);
  }
}
