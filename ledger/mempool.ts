import { assert } from "../base/assert.ts";
import type { Address, Digest, Verified } from "../base/brand.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import {
  costOn,
  isCheaper,
  isRankedBefore,
  outbids,
  priceOf,
  rank,
  replacementBumpPercent,
} from "./bids.ts";
import type { Admitted } from "./execute.ts";
import { Heap } from "./heap.ts";
import type { AccountReader } from "./module.ts";
import type { Refusal, RefusalCode } from "./refusal.ts";
import { SenderQueue, type Entry } from "./senderQueue.ts";
import type { Transaction } from "./transaction.ts";

/*
 * Transactions that wait for a block: a queue of sequences for each account, bounded in count and
 * bytes, per account and in all. It neither verifies nor executes; who adds a transaction has
 * admitted it against the committed state. No clock and no dice: what it holds follows from the
 * calls alone.
 */

/** Bounds of a mempool. */
export type MempoolLimits = {
  readonly transactionsMax: number;
  readonly sizeBytesMax: number;
  /** Pending transactions of one account. */
  readonly perSenderMax: number;
  /** How far a sequence may lie beyond the first free one. */
  readonly sequenceGapMax: number;
  /**
   * Blocks after which a transaction from elsewhere is forgotten, and a local one may be pushed out
   * of a full pool.
   */
  readonly lifetimeBlocks: number;
};

/** Bounds that a node uses unless told otherwise. */
export const mempoolLimits: MempoolLimits = {
  transactionsMax: 65_536,
  sizeBytesMax: 67_108_864,
  perSenderMax: 4_096,
  sequenceGapMax: 64,
  lifetimeBlocks: 3_600,
};

/** After how many blocks that had to leave it out a transaction is given up. */
export const strikesMax = 3;

/** A transaction that is pending no more, and why. */
export type Removal = {
  readonly transaction: Verified<Transaction>;
  readonly reason: "committed" | "replaced" | "overtaken" | "evicted" | "expired" | "invalid";
};

/** Codes with which a proposer leaves out what is good for a later block. */
const postponing: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  "sequenceTooHigh",
  "blockGasFull",
  "blockBytesFull",
  "feeTooLow",
]);

/** A full pool looks for entries that have become evictable at most once in so many blocks. */
const evictionScanBlocks = 16;

const noneEvicted: Outcome<readonly Entry[], Refusal> = accept([]);

/** The pending transactions of one node. */
export class Mempool {
  readonly #limits: MempoolLimits;
  readonly #entries = new Map<Digest, Entry>();
  readonly #queues = new Map<Address, SenderQueue>();
  /** Entries without a sequenced signer: they are in no queue. */
  readonly #unsequenced = new Set<Entry>();
  /** Entries that alone are about something, by what that is. */
  readonly #subjects = new Map<string, Entry>();
  readonly #costs = new Map<Address, bigint>();
  readonly #byHeightMax = new Map<number, Set<Entry>>();
  #sizeBytes = 0;
  #arrivals = 0;
  #height: number;
  /**
   * Entries that a dearer one may push out, cheapest first; only while the pool is near its limits.
   * Holds removed ones until they come up. Local ones were promised a place: when they fill the
   * pool it is full, but for those that wait behind a gap or have waited too long.
   */
  #evictable: Heap<Entry> | null = null;
  /** Height at which all entries were last asked whether they are evictable. */
  #evictionScanHeight = 0;

  /** `height` of the newest committed block. */
  constructor(options: { readonly limits: MempoolLimits; readonly height: number }) {
    this.#limits = options.limits;
    this.#height = options.height;
  }

  get size(): number {
    return this.#entries.size;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  has(hash: Digest): boolean {
    return this.#entries.has(hash);
  }

  get(hash: Digest): Verified<Transaction> | null {
    return this.#entries.get(hash)?.transaction ?? null;
  }

  /** All pending transactions, oldest first. */
  *transactions(): IterableIterator<Verified<Transaction>> {
    for (const { transaction } of this.#entries.values()) yield transaction;
  }

  /** Those submitted to this node itself, oldest first: what its journal must keep. */
  *local(): IterableIterator<Verified<Transaction>> {
    for (const { origin, transaction } of this.#entries.values()) {
      if (origin === "local") yield transaction;
    }
  }

  /**
   * A pending transaction was now submitted to this node itself; whether that is news, which the
   * journal must have.
   */
  makeLocal(hash: Digest): boolean {
    const entry = this.#entries.get(hash);
    if (entry === undefined || entry.origin === "local") return false;
    this.#untilHeight(entry, "remove");
    entry.origin = "local";
    entry.heightMax = this.#heightMaxOf(entry);
    this.#untilHeight(entry, "add");
    return true;
  }

  /**
   * An account as its pending transactions will leave it: next nonce, and TFuelWei they may take.
   */
  pendingOf(address: Address, nonce: bigint): { readonly nonce: bigint; readonly cost: bigint } {
    const queue = this.#queues.get(address);
    const next = queue === undefined ? nonce : queue.next - 1n;
    return { nonce: next > nonce ? next : nonce, cost: this.#costs.get(address) ?? 0n };
  }

  /**
   * Adds a transaction that was admitted against the committed state. Accepted, it may have pushed
   * out others: replaced ones, or cheaper ones of a full pool.
   */
  add(
    candidate: Admitted & {
      readonly transaction: Verified<Transaction>;
      readonly origin: Entry["origin"];
      /** Pending before a restart: those of lower sequences may come later. */
      readonly again?: boolean;
    },
    accounts: AccountReader,
  ): Outcome<readonly Removal[], Refusal> {
    const { transaction, cost } = candidate;
    if (this.#entries.has(transaction.hash)) {
      return refuse({ code: "duplicate", got: transaction.hash, expected: "a new transaction" });
    }
    const entry = this.#entryOf(candidate);
    const gapMax = candidate.again === true ? null : this.#limits.sequenceGapMax;
    const refusal = this.#sequenceFault(transaction, accounts, gapMax);
    if (refusal !== null) return refuse(refusal);
    const replaced = this.#conflicts(entry);
    const { payer } = transaction;
    let pending = this.#costs.get(payer) ?? 0n;
    for (const old of replaced) {
      if (!outbids(transaction.feeBid, entry.price, old)) {
        const expected = old.price + (old.price * replacementBumpPercent + 99n) / 100n;
        return refuse({ code: "replacementTooCheap", got: entry.price, expected });
      }
      pending -= costOn(old, payer);
    }
    const balance = accounts.get(payer)?.balance ?? 0n;
    if (pending + cost > balance) {
      const expected = `at least ${pending + cost} for all that is pending`;
      return refuse({ code: "balanceTooLow", got: balance, expected, address: payer });
    }
    const room = this.#makeRoom(entry, replaced);
    if (!room.ok) return room;
    const removals: Removal[] = [];
    for (const old of replaced) removals.push(this.#remove(old, "replaced"));
    for (const old of room.value) removals.push(this.#remove(old, "evicted"));
    this.#insert(entry, accounts);
    return accept(removals);
  }

  /**
   * Pending transactions in the order of their price at this base fee, each account's in the order
   * of its sequences. `uncommitted` are those in blocks that the next one builds on. Lazy: what the
   * proposer does not take costs nothing. The pool must not change meanwhile.
   */
  *select(options: {
    readonly baseFee: bigint;
    readonly uncommitted: Iterable<Transaction>;
  }): IterableIterator<Verified<Transaction>> {
    const { baseFee } = options;
    const next = new Map<Address, bigint>();
    const taken = new Set<Digest>();
    const advance = (transaction: Transaction): void => {
      for (const { address, sequence } of transaction.signers) {
        if (sequence === null) continue;
        const before = next.get(address) ?? (this.#queues.get(address)?.nonce ?? 0n) + 1n;
        if (sequence >= before) next.set(address, sequence + 1n);
      }
    };
    for (const transaction of options.uncommitted) {
      taken.add(transaction.hash);
      advance(transaction);
    }
    const nextOf = (address: Address): bigint =>
      next.get(address) ?? (this.#queues.get(address)?.nonce ?? 0n) + 1n;
    const isReady = ({ transaction, price }: Entry): boolean =>
      price >= baseFee &&
      !taken.has(transaction.hash) &&
      transaction.signers.every(
        ({ address, sequence }) => sequence === null || sequence === nextOf(address),
      );
    const heads = new Set<Entry>();
    for (const [address, queue] of this.#queues) {
      const head = queue.at(nextOf(address));
      if (head !== undefined && isReady(head)) heads.add(head);
    }
    for (const entry of this.#unsequenced) if (isReady(entry)) heads.add(entry);
    const ranked = [...heads].map((entry) => rank(entry, baseFee));
    const heap = new Heap(ranked, isRankedBefore);
    for (let best = heap.pop(); best !== undefined; best = heap.pop()) {
      const { transaction } = best.entry;
      if (taken.has(transaction.hash)) continue;
      taken.add(transaction.hash);
      advance(transaction);
      yield transaction;
      for (const { address, sequence } of transaction.signers) {
        const head = sequence === null ? undefined : this.#queues.get(address)?.at(sequence + 1n);
        if (head !== undefined && isReady(head)) heap.push(rank(head, baseFee));
      }
    }
  }

  /** A block is committed; `accounts` is the state after it. Gives all that is pending no more. */
  onCommitted(
    block: { readonly height: number; readonly transactions: readonly Transaction[] },
    accounts: AccountReader,
  ): readonly Removal[] {
    const removals: Removal[] = [];
    const touched = new Set<SenderQueue>();
    for (const { hash, signers } of block.transactions) {
      const entry = this.#entries.get(hash);
      if (entry !== undefined) removals.push(this.#remove(entry, "committed"));
      for (const { address, sequence } of signers) {
        const queue = sequence === null ? undefined : this.#queues.get(address);
        if (queue !== undefined) touched.add(queue);
      }
    }
    for (const queue of touched) {
      const overtaken = queue.advance(accounts.get(queue.address)?.nonce ?? 0n);
      for (const entry of overtaken) removals.push(this.#remove(entry, "overtaken"));
    }
    for (let height = this.#height + 1; height <= block.height; height += 1) {
      for (const entry of this.#byHeightMax.get(height) ?? []) {
        removals.push(this.#remove(entry, "expired"));
      }
    }
    this.#height = Math.max(this.#height, block.height);
    if (this.#isRoomy()) this.#evictable = null;
    return removals;
  }

  /** A proposer left these out. What may fit a later block stays; the rest has a few tries. */
  onDropped(
    dropped: readonly { readonly transaction: Transaction; readonly refusal: Refusal }[],
  ): readonly Removal[] {
    const removals: Removal[] = [];
    for (const { transaction, refusal } of dropped) {
      const entry = this.#entries.get(transaction.hash);
      if (entry === undefined || postponing.has(refusal.code)) continue;
      entry.strikes += 1;
      if (entry.strikes >= strikesMax) removals.push(this.#remove(entry, "invalid"));
    }
    return removals;
  }

  #entryOf(
    candidate: Admitted & {
      readonly transaction: Verified<Transaction>;
      readonly origin: Entry["origin"];
    },
  ): Entry {
    const { transaction, gas, cost, subject, origin } = candidate;
    const price = priceOf(transaction.feeBid, gas);
    this.#arrivals += 1;
    const arrival = this.#arrivals;
    const heightMin = this.#height;
    const heightMax = this.#heightMaxOf({ transaction, origin, heightMin });
    const facts = { transaction, gas, cost, subject, price, arrival, origin };
    return { ...facts, heightMin, heightMax, strikes: 0 };
  }

  #heightMaxOf(entry: Pick<Entry, "transaction" | "origin" | "heightMin">): number {
    const expiry = entry.transaction.expiryHeight ?? Number.MAX_SAFE_INTEGER;
    if (entry.origin === "local") return expiry;
    return Math.min(entry.heightMin + this.#limits.lifetimeBlocks, expiry);
  }

  #sequenceFault(
    transaction: Transaction,
    accounts: AccountReader,
    gapMax: number | null,
  ): Refusal | null {
    if (transaction.expiryHeight !== null && transaction.expiryHeight <= this.#height) {
      const expected = `above ${this.#height}`;
      return { code: "expired", got: transaction.expiryHeight, expected };
    }
    for (const { address, sequence } of transaction.signers) {
      if (sequence === null) continue;
      const queue = this.#queues.get(address);
      const nonce = queue?.nonce ?? accounts.get(address)?.nonce ?? 0n;
      if (sequence <= nonce) {
        return { code: "sequenceTooLow", got: sequence, expected: nonce + 1n, address };
      }
      const highest = (queue?.next ?? nonce + 1n) + BigInt(gapMax ?? 0);
      if (gapMax !== null && sequence > highest) {
        return { code: "gapTooWide", got: sequence, expected: `at most ${highest}`, address };
      }
      const isNew = queue?.at(sequence) === undefined;
      if (isNew && queue !== undefined && queue.size >= this.#limits.perSenderMax) {
        const expected = `at most ${this.#limits.perSenderMax}`;
        return { code: "senderQueueFull", got: queue.size + 1, expected, address };
      }
    }
    return null;
  }

  /** Pending transactions that use one of the same sequences, or are about the same. */
  #conflicts({ transaction, subject }: Entry): readonly Entry[] {
    const same = subject === null ? undefined : this.#subjects.get(subject);
    const conflicts = same === undefined ? [] : [same];
    for (const { address, sequence } of transaction.signers) {
      const entry = sequence === null ? undefined : this.#queues.get(address)?.at(sequence);
      if (entry !== undefined && !conflicts.includes(entry)) conflicts.push(entry);
    }
    return conflicts;
  }

  /**
   * What must go for the entry to fit, or a refusal where it bids less than what it would push out.
   */
  #makeRoom(entry: Entry, replaced: readonly Entry[]): Outcome<readonly Entry[], Refusal> {
    const { transactionsMax, sizeBytesMax } = this.#limits;
    let count = this.#entries.size + 1 - replaced.length;
    let bytes = this.#sizeBytes + entry.transaction.encoded.length;
    for (const old of replaced) bytes -= old.transaction.encoded.length;
    if (count <= transactionsMax && bytes <= sizeBytesMax) return noneEvicted;
    const evicted: Entry[] = [];
    this.#evictable ??= this.#scanEvictable();
    const gone = new Set(replaced);
    const unused: Entry[] = [];
    while (count > transactionsMax || bytes > sizeBytesMax) {
      const cheapest = this.#evictable.pop();
      if (cheapest === undefined && this.#height - this.#evictionScanHeight >= evictionScanBlocks) {
        this.#evictable = this.#scanEvictable();
        continue;
      }
      if (cheapest === undefined || cheapest.price >= entry.price) {
        for (const back of [...evicted, ...unused]) this.#evictable.push(back);
        if (cheapest !== undefined) this.#evictable.push(cheapest);
        const expected = `a price above ${cheapest?.price ?? 0n}`;
        const code = count > transactionsMax ? "poolFull" : "poolBytesFull";
        return refuse({ code, got: entry.price, expected });
      }
      if (!this.#isPending(cheapest) || !this.#isEvictable(cheapest)) continue;
      if (gone.has(cheapest)) {
        unused.push(cheapest);
        continue;
      }
      const victim = this.#victimFor(cheapest, gone);
      if (victim !== cheapest) this.#evictable.push(cheapest);
      gone.add(victim);
      evicted.push(victim);
      count -= 1;
      bytes -= victim.transaction.encoded.length;
    }
    for (const back of unused) this.#evictable.push(back);
    return accept(evicted);
  }

  /** The account's last entry instead of its cheapest, so that no gap opens before the others. */
  #victimFor(cheapest: Entry, gone: ReadonlySet<Entry>): Entry {
    const signer = cheapest.transaction.signers.find(({ sequence }) => sequence !== null);
    const last = signer === undefined ? undefined : this.#queues.get(signer.address)?.last();
    return last === undefined || gone.has(last) || !this.#isEvictable(last) ? cheapest : last;
  }

  #scanEvictable(): Heap<Entry> {
    this.#evictionScanHeight = this.#height;
    const entries = [...this.#entries.values()].filter((entry) => this.#isEvictable(entry));
    return new Heap(entries, isCheaper);
  }

  #isEvictable({ origin, heightMin, transaction }: Entry): boolean {
    if (origin === "remote" || this.#height - heightMin >= this.#limits.lifetimeBlocks) return true;
    return transaction.signers.some(({ address, sequence }) => {
      const next = this.#queues.get(address)?.next;
      return sequence !== null && next !== undefined && sequence > next;
    });
  }

  #isPending(entry: Entry): boolean {
    return this.#entries.get(entry.transaction.hash) === entry;
  }

  #isRoomy(): boolean {
    const { transactionsMax, sizeBytesMax } = this.#limits;
    return this.#entries.size * 10 < transactionsMax * 9 && this.#sizeBytes * 10 < sizeBytesMax * 9;
  }

  #insert(entry: Entry, accounts: AccountReader): void {
    const { transaction, cost } = entry;
    this.#entries.set(transaction.hash, entry);
    this.#sizeBytes += transaction.encoded.length;
    this.#costs.set(transaction.payer, (this.#costs.get(transaction.payer) ?? 0n) + cost);
    this.#untilHeight(entry, "add");
    let sequenced = false;
    for (const { address, sequence } of transaction.signers) {
      if (sequence === null) continue;
      sequenced = true;
      let queue = this.#queues.get(address);
      if (queue === undefined) {
        queue = new SenderQueue(address, accounts.get(address)?.nonce ?? 0n);
        this.#queues.set(address, queue);
      }
      queue.add(sequence, entry);
    }
    if (!sequenced) this.#unsequenced.add(entry);
    if (entry.subject !== null) this.#subjects.set(entry.subject, entry);
    if (this.#evictable !== null && this.#isEvictable(entry)) this.#evictable.push(entry);
  }

  /** Puts an entry that expires into its place among them, or takes it out. */
  #untilHeight(entry: Entry, change: "add" | "remove"): void {
    const { heightMax } = entry;
    if (heightMax === Number.MAX_SAFE_INTEGER) return;
    const expiring = this.#byHeightMax.get(heightMax) ?? new Set();
    if (change === "add") this.#byHeightMax.set(heightMax, expiring.add(entry));
    else if (expiring.delete(entry) && expiring.size === 0) this.#byHeightMax.delete(heightMax);
  }

  #remove(entry: Entry, reason: Removal["reason"]): Removal {
    const { transaction, cost } = entry;
    if (!this.#entries.delete(transaction.hash)) return { transaction, reason };
    this.#sizeBytes -= transaction.encoded.length;
    const costs = (this.#costs.get(transaction.payer) ?? 0n) - cost;
    assert(costs >= 0n, "more cost removed than was pending");
    if (costs === 0n) this.#costs.delete(transaction.payer);
    else this.#costs.set(transaction.payer, costs);
    this.#untilHeight(entry, "remove");
    for (const { address, sequence } of transaction.signers) {
      const queue = sequence === null ? undefined : this.#queues.get(address);
      if (sequence === null || queue === undefined) continue;
      queue.remove(sequence);
      if (queue.size === 0) this.#queues.delete(address);
    }
    this.#unsequenced.delete(entry);
    if (entry.subject !== null) this.#subjects.delete(entry.subject);
    return { transaction, reason };
  }
}
