import type { Address, Digest, Verified } from "../base/brand.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import type { RecoverPool } from "../crypto/recoverPool.node.ts";
import { signerOf, verifySignedBy, type SignatureClaim } from "../crypto/verify.ts";
import {
  decodeEncoded,
  decodeEthereum,
  decodeNative,
  nativePrefix,
  type UnverifiedTransaction,
} from "../ledger/decode.ts";
import type { AccountView, Admission, BuiltBlock } from "../ledger/execute.ts";
import type { Mempool, Removal } from "../ledger/mempool.ts";
import type { AccountReader, Chain } from "../ledger/module.ts";
import type { Transaction } from "../ledger/transaction.ts";
import type { Submission, Submitted, SubmitRefusal } from "../rpc/api.ts";
import type { NodeMetrics } from "./metrics.ts";
import type { TransactionJournal } from "./transactionJournal.ts";

/** What the pool needs to know of the committed chain. */
export interface CommittedView {
  /** Checks against the state after the head. */
  admission(): Admission;
  accounts(): AccountReader;
  /** Whether a transaction is in a committed block. */
  isCommitted(hash: Digest): boolean;
}

/** Most transactions that are remembered after they were given up. */
export const abandonedMax = 10_000;

/** A journal record is rewritten away once this many records are of no use any more. */
export const journalWasteMax = 50_000;

/** Journal records submitted in one group at the start. */
const restoreGroupMax = 1_024;

/** Where a submission comes from; `journalled`: it was accepted before a restart. */
type Origin = "local" | "remote" | "journalled";

type Verdict = Outcome<Submitted, SubmitRefusal>;

/** A submission on its way: decoded, then verified, then added; `verdict` once it is decided. */
type Candidate = {
  readonly unverified: UnverifiedTransaction | null;
  verdict: Verdict | null;
};

/**
 * The way of a transaction from bytes to the mempool: decoded, signatures recovered in packages on
 * other threads, admitted against the committed state, put into the queue of its sender, and, if it
 * came from this node's own clients, into the journal before it is answered.
 */
export class TransactionPool {
  readonly #chain: Chain;
  readonly #mempool: Mempool;
  readonly #recoverPool: RecoverPool;
  readonly #journal: TransactionJournal;
  readonly #view: CommittedView;
  readonly #metrics: NodeMetrics;
  readonly #onChange: (hasWork: boolean) => void;
  readonly #onAbandoned: (hash: Digest, reason: string) => void;
  readonly #onPending: (hash: Digest) => void;
  readonly #onAccepted: (hashes: readonly Digest[]) => void;
  readonly #abandoned = new Map<Digest, string>();
  /** Local transactions whose journal record is under way. */
  readonly #unwritten = new Map<Digest, Promise<void>>();
  /** By the very bytes that a block is put together from, so that these need no second look. */
  readonly #known = new WeakMap<Uint8Array, Verified<Transaction>>();
  /** Blocks whose signers are being recovered ahead. */
  readonly #prepared = new WeakMap<
    readonly Uint8Array[],
    Promise<readonly Verified<Transaction>[] | null>
  >();
  /** The journal's newest group, and what it holds. */
  #writing: { readonly written: Promise<void>; readonly hashes: Digest[] } | null = null;
  #isCompacting = false;

  constructor(options: {
    readonly chain: Chain;
    readonly mempool: Mempool;
    readonly recoverPool: RecoverPool;
    readonly journal: TransactionJournal;
    readonly view: CommittedView;
    readonly metrics: NodeMetrics;
    /** Something came in, or the last one left. */
    readonly onChange: (hasWork: boolean) => void;
    readonly onAbandoned: (hash: Digest, reason: string) => void;
    /** A transaction was added. */
    readonly onPending: (hash: Digest) => void;
    /** Transactions of this node's own clients came in: others are to hear of them. */
    readonly onAccepted?: (hashes: readonly Digest[]) => void;
  }) {
    this.#chain = options.chain;
    this.#mempool = options.mempool;
    this.#recoverPool = options.recoverPool;
    this.#journal = options.journal;
    this.#view = options.view;
    this.#metrics = options.metrics;
    this.#onChange = options.onChange;
    this.#onAbandoned = options.onAbandoned;
    this.#onPending = options.onPending;
    this.#onAccepted = options.onAccepted ?? (() => {});
  }

  get size(): number {
    return this.#mempool.size;
  }

  get sizeBytes(): number {
    return this.#mempool.sizeBytes;
  }

  get(hash: Digest): Verified<Transaction> | null {
    return this.#mempool.get(hash);
  }

  /** Whether a transaction is here, or was: then it need not be fetched. */
  knows(hash: Digest): boolean {
    return this.#mempool.has(hash) || this.#abandoned.has(hash) || this.#view.isCommitted(hash);
  }

  /**
   * Why a transaction that was here will never commit; `null` if it is not known to be given up.
   */
  abandonedReason(hash: Digest): string | null {
    return this.#abandoned.get(hash) ?? null;
  }

  /** At most `limit` hashes, oldest first. */
  hashes(limit: number): readonly Digest[] {
    return this.transactions(limit).map(({ hash }) => hash);
  }

  /** At most `limit` pending transactions, oldest first. */
  transactions(limit: number): readonly Transaction[] {
    const transactions: Transaction[] = [];
    for (const transaction of this.#mempool.transactions()) {
      if (transactions.length >= limit) break;
      transactions.push(transaction);
    }
    return transactions;
  }

  /** Next nonce of an account and the TFuelWei that pending transactions may take from it. */
  pendingOf(address: Address, nonce: bigint): { readonly nonce: bigint; readonly cost: bigint } {
    return this.#mempool.pendingOf(address, nonce);
  }

  /** Admits transactions; the answers have their order. */
  async submit(submissions: readonly Submission[], origin: Origin): Promise<readonly Verdict[]> {
    const candidates = this.#metrics.timed("decode", () =>
      submissions.map((submission) => this.#decode(submission, origin)),
    );
    await this.#verifyAndAdd(candidates, origin);
    const added = candidates.flatMap(({ verdict }) =>
      verdict?.ok === true && verdict.value.state === "new" ? [verdict.value.hash] : [],
    );
    if (added.length > 0) this.#onChange(true);
    if (added.length > 0 && origin === "local") this.#onAccepted(added);
    if (origin === "local") await this.#writtenOf(candidates);
    return candidates.map(({ verdict }) => verdict ?? refuse(busy));
  }

  /** Waits for the journal; a twin waits too, for its sender is promised the same. */
  async #writtenOf(candidates: readonly Candidate[]): Promise<void> {
    const groups = new Set<Promise<void>>();
    for (const { verdict } of candidates) {
      const written = verdict?.ok === true ? this.#unwritten.get(verdict.value.hash) : undefined;
      if (written !== undefined) groups.add(written);
    }
    if (groups.size === 0) return;
    await this.#metrics.timedUntil("journal", async () => {
      await Promise.all(groups);
    });
  }

  #decode({ envelope, raw }: Submission, origin: Origin): Candidate {
    const decoded =
      envelope === "ethereum" ? decodeEthereum(raw, this.#chain) : decodeNative(raw, this.#chain);
    if (!decoded.ok) return { unverified: null, verdict: this.#refused(decoded.refusal) };
    const unverified = decoded.value;
    const { hash } = unverified;
    if (this.#mempool.has(hash)) return { unverified, verdict: this.#twin(unverified, origin) };
    // Of others it is asked later, and seldom: what clients send is new, and what was fetched from a
    // peer was asked for because nothing was known of it.
    return { unverified, verdict: origin === "journalled" ? this.#committed(hash) : null };
  }

  /** The verdict on what is in a block already; `null` for all else. */
  #committed(hash: Digest): Verdict | null {
    return this.#view.isCommitted(hash) ? accept({ hash, state: "committed" }) : null;
  }

  async #verifyAndAdd(candidates: readonly Candidate[], origin: Origin): Promise<void> {
    const open = candidates.flatMap((candidate) =>
      candidate.verdict === null && candidate.unverified !== null
        ? [{ candidate, unverified: candidate.unverified }]
        : [],
    );
    if (open.length === 0) return;
    const claims: SignatureClaim[] = open.flatMap(({ unverified }) => unverified.claims);
    const recovered = await this.#metrics.timedUntil("recover", async () =>
      this.#recoverPool.recover(claims),
    );
    // What the journal promised is never refused for want of room in the queue.
    const found = recovered ?? (origin === "journalled" ? claims.map(signerOf) : null);
    if (found === null) return;
    this.#metrics.timed("admit", () => {
      let at = 0;
      const admission = this.#view.admission();
      for (const { candidate, unverified } of open) {
        const signers = found.slice(at, at + unverified.claims.length);
        at += unverified.claims.length;
        candidate.verdict = this.#add(unverified, signers, admission, origin);
      }
    });
  }

  #add(
    unverified: UnverifiedTransaction,
    signers: readonly (Address | null)[],
    admission: Admission,
    origin: Origin,
  ): Verdict {
    const { hash } = unverified;
    const transaction = verifySignedBy(signers, unverified.complete);
    if (transaction === null) {
      const detail = "a signature is not by the account that it stands for";
      return this.#refused({ code: "signatureInvalid", detail });
    }
    // A twin of the same group may have come first.
    if (this.#mempool.has(hash)) return this.#twin(unverified, origin);
    // Whatever has sequences is refused the second time, and looked for then.
    const isSequenced = transaction.signers.every(({ sequence }) => sequence !== null);
    const committed = isSequenced ? null : this.#committed(hash);
    if (committed !== null) return committed;
    const again = origin === "journalled";
    const admitted = again ? admission.checkAgain(transaction) : admission.check(transaction);
    if (!admitted.ok) {
      return this.#committed(hash) ?? this.#refusedOf(hash, admitted.refusal, origin);
    }
    const accounts = this.#view.accounts();
    const mempoolOrigin = origin === "remote" ? "remote" : "local";
    const candidate = { ...admitted.value, transaction, origin: mempoolOrigin, again } as const;
    const added = this.#mempool.add(candidate, accounts);
    if (!added.ok) return this.#committed(hash) ?? this.#refusedOf(hash, added.refusal, origin);
    this.#abandoned.delete(hash);
    this.#known.set(transaction.encoded, transaction);
    this.#onRemovals(added.value);
    if (origin === "local") this.#write(hash, unverified.encoded);
    this.#onPending(hash);
    return accept({ hash, state: "new" });
  }

  /** It is pending. What came from elsewhere first is promised to its sender from now on too. */
  #twin({ hash, encoded }: UnverifiedTransaction, origin: Origin): Verdict {
    const isNews = origin !== "remote" && this.#mempool.makeLocal(hash);
    if (isNews && origin === "local") this.#write(hash, encoded);
    return accept({ hash, state: "pending" });
  }

  /** Puts a transaction into the journal; whoever answers for it waits until that is done. */
  #write(hash: Digest, encoded: Uint8Array): void {
    const written = this.#journal.append(encoded);
    this.#unwritten.set(hash, written);
    if (this.#writing?.written !== written) {
      const hashes: Digest[] = [];
      const forget = (): void => {
        for (const forgotten of hashes) {
          if (this.#unwritten.get(forgotten) === written) this.#unwritten.delete(forgotten);
        }
      };
      written.then(forget, forget);
      this.#writing = { written, hashes };
    }
    this.#writing.hashes.push(hash);
  }

  /** A transaction that was promised a place and lost it is told of when it is asked for. */
  #refusedOf(hash: Digest, refusal: SubmitRefusal, origin: Origin): Verdict {
    if (origin === "journalled") this.#abandon(hash, refusal.code);
    return this.#refused(refusal);
  }

  #refused(refusal: SubmitRefusal): Verdict {
    this.#metrics.refused.inc({ code: refusal.code });
    return refuse(refusal);
  }

  /** Begins what `recoverBlock` will be asked for with this very list, so that it waits less. */
  prepare(encoded: readonly Uint8Array[]): void {
    if (encoded.length === 0 || this.#prepared.has(encoded)) return;
    this.#prepared.set(encoded, this.#recoverBlock(encoded));
  }

  /**
   * Verified transactions of a block, from the pool where it has them; `null` if one does not
   * verify.
   */
  recoverBlock(encoded: readonly Uint8Array[]): Promise<readonly Verified<Transaction>[] | null> {
    const prepared = this.#prepared.get(encoded);
    this.#prepared.delete(encoded);
    return prepared ?? this.#recoverBlock(encoded);
  }

  async #recoverBlock(
    encoded: readonly Uint8Array[],
  ): Promise<readonly Verified<Transaction>[] | null> {
    const transactions: (Verified<Transaction> | null)[] = [];
    const open: { readonly index: number; readonly unverified: UnverifiedTransaction }[] = [];
    for (const [index, bytes] of encoded.entries()) {
      const known = this.#known.get(bytes) ?? null;
      transactions.push(known);
      if (known !== null) continue;
      const decoded = decodeEncoded(bytes, this.#chain);
      if (!decoded.ok) return null;
      const pending = this.#mempool.get(decoded.value.hash);
      transactions[index] = pending;
      if (pending === null) open.push({ index, unverified: decoded.value });
    }
    const claims = open.flatMap(({ unverified }) => unverified.claims);
    // A block is never refused for want of room in the queue: then its signers are recovered here.
    const found =
      claims.length === 0
        ? []
        : ((await this.#recoverPool.recover(claims)) ?? claims.map(signerOf));
    let at = 0;
    for (const { index, unverified } of open) {
      const signers = found.slice(at, at + unverified.claims.length);
      at += unverified.claims.length;
      const transaction = verifySignedBy(signers, unverified.complete);
      if (transaction === null) return null;
      transactions[index] = transaction;
    }
    return transactions.flatMap((transaction) => (transaction === null ? [] : [transaction]));
  }

  /**
   * At most `limit` transactions for the next block, best first; `uncommitted` are in its
   * ancestors.
   */
  candidates(options: {
    readonly baseFee: bigint;
    readonly uncommitted: readonly Transaction[];
    readonly limit: number;
  }): readonly Verified<Transaction>[] {
    const chosen: Verified<Transaction>[] = [];
    for (const transaction of this.#mempool.select(options)) {
      if (chosen.length >= options.limit) break;
      chosen.push(transaction);
    }
    return chosen;
  }

  /** What a proposer left out of a block. */
  onDropped(dropped: BuiltBlock["dropped"]): void {
    this.#onRemovals(this.#mempool.onDropped(dropped));
  }

  /** A block was committed. */
  onCommitted(block: {
    readonly height: number;
    readonly transactions: readonly Transaction[];
  }): void {
    this.#onRemovals(this.#mempool.onCommitted(block, this.#view.accounts()));
    if (this.#mempool.size === 0) this.#onChange(false);
  }

  #onRemovals(removals: readonly Removal[]): void {
    for (const { transaction, reason } of removals) {
      if (reason === "committed") continue;
      this.#abandon(transaction.hash, reason);
    }
  }

  #abandon(hash: Digest, reason: string): void {
    this.#abandoned.set(hash, reason);
    for (const oldest of this.#abandoned.keys()) {
      if (this.#abandoned.size <= abandonedMax) break;
      this.#abandoned.delete(oldest);
    }
    this.#onAbandoned(hash, reason);
  }

  /** Rewrites the journal without what is committed, once that is most of it. */
  async compactJournal(): Promise<void> {
    const waste = this.#journal.recordCount - this.#mempool.size;
    if (waste < journalWasteMax || this.#isCompacting) return;
    this.#isCompacting = true;
    await this.#journal.compact(() => this.#localEncoded());
    this.#isCompacting = false;
  }

  #localEncoded(): readonly Uint8Array[] {
    return [...this.#mempool.local()].map(({ encoded }) => encoded);
  }

  /** Submits again what the journal kept over a restart; those committed meanwhile fall away. */
  async restore(payloads: readonly Uint8Array[]): Promise<number> {
    let restored = 0;
    for (let at = 0; at < payloads.length; at += restoreGroupMax) {
      const group = payloads.slice(at, at + restoreGroupMax).map(submissionOf);
      for (const outcome of await this.submit(group, "journalled"))
        if (outcome.ok && outcome.value.state === "new") restored += 1;
    }
    await this.#journal.compact(() => this.#localEncoded());
    return restored;
  }
}

/** The queue of signatures to recover is full. */
const busy: SubmitRefusal = {
  code: "poolFull",
  got: "one more transaction",
  expected: "fewer signatures that wait to be recovered",
};

/** The raw form of a block's encoding. */
export function submissionOf(encoded: Uint8Array): Submission {
  return encoded[0] === nativePrefix
    ? { envelope: "native", raw: encoded.subarray(1) }
    : { envelope: "ethereum", raw: encoded };
}

/** An account with its pending transactions counted in. */
export function pendingAccount(
  account: AccountView,
  pending: { readonly nonce: bigint; readonly cost: bigint },
): { readonly nonce: bigint; readonly tfuelWei: bigint; readonly thetaWei: bigint } {
  const left = account.tfuelWei - pending.cost;
  return { nonce: pending.nonce, tfuelWei: left > 0n ? left : 0n, thetaWei: account.thetaWei };
}
