import { assert } from "../base/assert.ts";
import type { Digest, Verified } from "../base/brand.ts";
import { verifySigned } from "../crypto/verify.ts";
import type { CommitProof, Header } from "../ledger/blockTypes.ts";
import { decodeEncoded } from "../ledger/decode.ts";
import type { Chain as ChainNames } from "../ledger/module.ts";
import type { Transaction } from "../ledger/transaction.ts";
import type { BlockHead, BlockView, CommittedTransaction } from "../rpc/api.ts";
import { missingBlock, type CommittedBlock } from "./chain.ts";
import type { DiskStore } from "./diskStore.ts";
import type { TransactionPlace } from "../store/blocks.ts";

/** Blocks whose decoded form is kept for readers: they ask for the newest. */
export const viewCacheBlocks = 64;

/**
 * Transactions in those blocks together, about 2 kB each; the newest block is always kept. Few,
 * because under load the garbage collector copies all that is kept.
 */
export const viewCacheTransactions = 2_048;

/** Ranges of heights that a devnet has undone, kept. */
const undoneMax = 10_000;

/** Most headers that are walked to find a commit proof: one for each view without a commit. */
const proofWalkMax = 4_096;

/** A committed block whose transactions are known to be verified. */
export type VerifiedBlock = Omit<BlockView, "transactions"> & {
  readonly transactions: readonly Verified<Transaction>[];
};

/** Reads of committed blocks, decoded, with the newest ones kept. */
export class Reads {
  readonly #store: DiskStore;
  readonly #chain: ChainNames;
  /** Oldest use first. */
  readonly #views = new Map<Digest, VerifiedBlock>();
  #transactionCount = 0;
  /** Heights whose effects a devnet has undone. */
  readonly #undone: { readonly from: number; readonly to: number }[] = [];

  constructor(store: DiskStore, chain: ChainNames) {
    this.#store = store;
    this.#chain = chain;
  }

  /** Keeps a block that was just committed: most questions are about it. */
  onCommitted({ hash, block, transactions, result }: CommittedBlock): void {
    const { receipts, jobReceipt } = result;
    const { header, body } = block;
    this.#keep(viewOf({ hash, header, body, transactions, receipts, jobReceipt }));
  }

  /** What was committed at these heights was undone: its transactions may come again. */
  forget(heights: { readonly from: number; readonly to: number }): void {
    this.#undone.push(heights);
    if (this.#undone.length > undoneMax) this.#undone.shift();
  }

  /** Where a transaction is committed, unless that was undone. */
  position(hash: Digest): TransactionPlace | null {
    const place = this.#store.transactionPosition(hash);
    if (place === null) return null;
    const { height } = place;
    return this.#undone.some(({ from, to }) => from <= height && height <= to) ? null : place;
  }

  headAtHeight(height: number): BlockHead | null {
    const hash = this.#store.hashAtHeight(height);
    return hash === null ? null : this.#head(hash);
  }

  #head(hash: Digest): BlockHead | null {
    const header = this.#views.get(hash)?.header ?? this.#store.committedHeader(hash);
    return header === null ? null : { hash, header };
  }

  blockAtHeight(height: number): BlockView | null {
    const hash = this.#store.hashAtHeight(height);
    return hash === null ? null : this.blockByHash(hash);
  }

  /** A committed block; `null` if no committed block has this hash. */
  blockByHash(hash: Digest): BlockView | null {
    return this.verifiedBlock(hash);
  }

  /** The same, for whoever executes it again. */
  verifiedBlock(hash: Digest): VerifiedBlock | null {
    const kept = this.#views.get(hash);
    if (kept !== undefined) {
      this.#keep(kept);
      return kept;
    }
    const header = this.#store.committedHeader(hash);
    if (header === null) return null;
    const block = this.#store.block(hash);
    const stored = this.#store.receipts(hash);
    if (block === null || stored === null) throw missingBlock(`block ${hash}`);
    const transactions = block.body.transactions.map((encoded) => this.#transaction(encoded));
    const view = viewOf({ hash, header, body: block.body, transactions, ...stored });
    this.#keep(view);
    return view;
  }

  /** Committed bytes verify again: only so is an Ethereum transaction's sender known. */
  #transaction(encoded: Uint8Array): Verified<Transaction> {
    const decoded = decodeEncoded(encoded, this.#chain);
    const transaction = decoded.ok
      ? verifySigned(decoded.value.claims, decoded.value.complete)
      : null;
    if (transaction === null) throw missingBlock("a transaction that verifies");
    return transaction;
  }

  #keep(view: VerifiedBlock): void {
    const before = this.#views.get(view.hash);
    if (before !== undefined) this.#forget(before);
    this.#views.set(view.hash, view);
    this.#transactionCount += view.transactions.length;
    for (const oldest of this.#views.values()) {
      const isSmall = this.#transactionCount <= viewCacheTransactions;
      if (this.#views.size === 1 || (this.#views.size <= viewCacheBlocks && isSmall)) break;
      this.#forget(oldest);
    }
  }

  #forget(view: VerifiedBlock): void {
    if (this.#views.delete(view.hash)) this.#transactionCount -= view.transactions.length;
  }

  /** A committed transaction with its place and receipt; `null` if there is none of this hash. */
  transaction(hash: Digest): CommittedTransaction | null {
    const position = this.position(hash);
    const block = position === null ? null : this.blockAtHeight(position.height);
    if (position === null || block === null) return null;
    const { index } = position;
    const transaction = block.transactions[index];
    const receipt = block.receipts[index];
    assert(transaction !== undefined && receipt !== undefined, "the index names a transaction");
    const before = block.receipts.slice(0, index);
    return {
      block: { hash: block.hash, header: block.header },
      status: block.status,
      index,
      transaction,
      receipt,
      logIndexFirst: before.reduce((count, { logs }) => count + logs.length, 0),
    };
  }

  /**
   * The shortest proof that a committed block is committed: its descendants up to two in
   * consecutive views with the certificate of the second (DESIGN 5). The certificate stands in the
   * next block; at an epoch's end the whole proof stands in the first block of the next epoch.
   */
  commitProof(hash: Digest): CommitProof | null {
    const first = this.#store.committedHeader(hash);
    if (first === null) return null;
    if (first.height === 0) return null;
    const headers: Header[] = [first];
    for (let last = first; headers.length < proofWalkMax;) {
      if (last.nextCommitteeHash !== null) return this.#proofAtEpochEnd(headers, last);
      const next = this.headAtHeight(last.height + 1);
      if (next === null) break;
      if (headers.length > 1 && last.view === (headers.at(-2)?.view ?? 0) + 1) {
        return { headers, certificate: next.header.parentCertificate };
      }
      headers.push(next.header);
      last = next.header;
    }
    return this.#joined(headers, this.#store.headProof());
  }

  #proofAtEpochEnd(headers: readonly Header[], last: Header): CommitProof | null {
    const next = this.blockAtHeight(last.height + 1);
    const proof = next === null ? this.#store.headProof() : next.body.epochProof;
    return this.#joined(headers, proof);
  }

  #joined(headers: readonly Header[], proof: CommitProof | null): CommitProof | null {
    if (proof === null) return null;
    return {
      headers: [...headers.slice(0, -1), ...proof.headers],
      certificate: proof.certificate,
    };
  }
}

function viewOf(parts: Omit<VerifiedBlock, "status">): VerifiedBlock {
  return { ...parts, status: "committed" };
}
