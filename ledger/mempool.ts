import { assert } from "../base/assert.ts";
import type { Address, Digest, Verified } from "../base/brand.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import type { Admitted } from "./execute.ts";
import { Heap } from "./heap.ts";
import type { AccountReader } from "./module.ts";
import type { Refusal, RefusalCode } from "./refusal.ts";
import { SenderQueue, type Entry } from "./senderQueue.ts";
import type { FeeBid, Transaction } from "./transaction.ts";

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
  /** Blocks after which a transaction from elsewhere is forgotten. */
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

/** A replacement must offer this much more, in per cent. */
export const replacementBumpPercent = 10n;

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

const noneEvicted: Outcome<readonly Entry[], Refusal> = accept([]);

/** The pending transactions of one node. */
export class Mempool {
  readonly #limits: MempoolLimits;
  readonly #entries = new Map<Digest, Entry>();
  readonly #queues = new Map<Address, SenderQueue>();
  /** Entries without a sequenced signer: they are in no queue. */
  readonly #unsequenced = new Set<Entry>();
  readonly #costs = new Map<Address, bigint>();
  readonly #byHeightMax = new Map<number, Set<Entry>>();
  #sizeBytes = 0;
  #arrivals = 0;
  #height: number;
  /**
   * Entries from elsewhere, cheapest first; only while the pool is near its limits. Holds removed
   * ones until they come up. Local ones were promised a place: when they fill the pool, it is full.
   */
  #evictable: Heap<Entry> | null = null;

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
    const replaced = this.#conflicts(transaction);
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
    const { transaction, gas, cost, origin } = candidate;
    const price = priceOf(transaction.feeBid, gas);
    const lifetime =
      origin === "local" ? Number.MAX_SAFE_INTEGER : this.#height + this.#limits.lifetimeBlocks;
    const heightMax = Math.min(lifetime, transaction.expiryHeight ?? Number.MAX_SAFE_INTEGER);
    this.#arrivals += 1;
    const arrival = this.#arrivals;
    return { transaction, gas, cost, price, arrival, origin, heightMax, strikes: 0 };
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

  /** Pending transactions that use one of the same sequences. */
  #conflicts(transaction: Transaction): readonly Entry[] {
    const conflicts: Entry[] = [];
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
    this.#evictable ??= new Heap([...this.#entries.values()].filter(isRemote), isCheaper);
    const gone = new Set(replaced);
    const unused: Entry[] = [];
    while (count > transactionsMax || bytes > sizeBytesMax) {
      const cheapest = this.#evictable.pop();
      if (cheapest === undefined || cheapest.price >= entry.price) {
        for (const back of [...evicted, ...unused]) this.#evictable.push(back);
        if (cheapest !== undefined) this.#evictable.push(cheapest);
        const expected = `a price above ${cheapest?.price ?? 0n}`;
        const code = count > transactionsMax ? "poolFull" : "poolBytesFull";
        return refuse({ code, got: entry.price, expected });
      }
      if (!this.#isPending(cheapest)) continue;
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
    return last === undefined || gone.has(last) || !isRemote(last) ? cheapest : last;
  }

  #isPending(entry: Entry): boolean {
    return this.#entries.get(entry.transaction.hash) === entry;
  }

  #isRoomy(): boolean {
    const { transactionsMax, sizeBytesMax } = this.#limits;
    return this.#entries.size * 10 < transactionsMax * 9 && this.#sizeBytes * 10 < sizeBytesMax * 9;
  }

  #insert(entry: Entry, accounts: AccountReader): void {
    const { transaction, cost, heightMax } = entry;
    this.#entries.set(transaction.hash, entry);
    this.#sizeBytes += transaction.encoded.length;
    this.#costs.set(transaction.payer, (this.#costs.get(transaction.payer) ?? 0n) + cost);
    if (heightMax !== Number.MAX_SAFE_INTEGER) {
      const expiring = this.#byHeightMax.get(heightMax);
      if (expiring === undefined) this.#byHeightMax.set(heightMax, new Set([entry]));
      else expiring.add(entry);
    }
    if (isRemote(entry)) this.#evictable?.push(entry);
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
  }

  #remove(entry: Entry, reason: Removal["reason"]): Removal {
    const { transaction, cost, heightMax } = entry;
    if (!this.#entries.delete(transaction.hash)) return { transaction, reason };
    this.#sizeBytes -= transaction.encoded.length;
    const costs = (this.#costs.get(transaction.payer) ?? 0n) - cost;
    assert(costs >= 0n, "more cost removed than was pending");
    if (costs === 0n) this.#costs.delete(transaction.payer);
    else this.#costs.set(transaction.payer, costs);
    const expiring = this.#byHeightMax.get(heightMax);
    expiring?.delete(entry);
    if (expiring?.size === 0) this.#byHeightMax.delete(heightMax);
    for (const { address, sequence } of transaction.signers) {
      const queue = sequence === null ? undefined : this.#queues.get(address);
      if (sequence === null || queue === undefined) continue;
      queue.remove(sequence);
      if (queue.size === 0) this.#queues.delete(address);
    }
    this.#unsequenced.delete(entry);
    return { transaction, reason };
  }
}

/** Highest price that a bid offers, TFuelWei per gas. */
function priceOf(bid: FeeBid, gas: bigint): bigint {
  return bid.type === "whole" ? bid.fee / gas : bid.maxFeePerGas;
}

function outbids(bid: FeeBid, price: bigint, old: Entry): boolean {
  const isHigher = (next: bigint, before: bigint): boolean =>
    next * 100n >= before * (100n + replacementBumpPercent) && next > before;
  if (!isHigher(price, old.price)) return false;
  const oldBid = old.transaction.feeBid;
  if (bid.type === "whole" || oldBid.type === "whole") return true;
  const { maxPriorityFeePerGas: tip } = oldBid;
  return tip === 0n || isHigher(bid.maxPriorityFeePerGas, tip);
}

function costOn(entry: Entry, payer: Address): bigint {
  return entry.transaction.payer === payer ? entry.cost : 0n;
}

function isRemote(entry: Entry): boolean {
  return entry.origin === "remote";
}

type Ranked = { readonly entry: Entry; readonly price: bigint };

/** What the entry pays per gas at this base fee. */
function rank(entry: Entry, baseFee: bigint): Ranked {
  const bid = entry.transaction.feeBid;
  if (bid.type === "whole") return { entry, price: entry.price };
  const offered = baseFee + bid.maxPriorityFeePerGas;
  return { entry, price: offered < bid.maxFeePerGas ? offered : bid.maxFeePerGas };
}

function isRankedBefore(a: Ranked, b: Ranked): boolean {
  return a.price > b.price || (a.price === b.price && a.entry.arrival < b.entry.arrival);
}

/** Cheapest first, and of equal ones the newest. */
function isCheaper(a: Entry, b: Entry): boolean {
  return a.price < b.price || (a.price === b.price && a.arrival > b.arrival);
}
