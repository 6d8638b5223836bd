import { assert } from "../../base/assert.ts";
import type { Address } from "../../base/brand.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import { IncrementChain } from "../../ledger/voucherIncrements.ts";
import {
  voucherPayer,
  type SignedVoucher,
  type Voucher,
  type VoucherChain,
  type VoucherForm,
  type VoucherSigner,
} from "../../ledger/voucher.ts";
import { Turn } from "../turn.ts";
import { PayStateError } from "./errors.ts";
import { inRecords, Keeper } from "./keeper.ts";
import { LaneSigner } from "./laneSigner.ts";
import {
  applyPayerRecord,
  decodePayerRecord,
  encodePayerRecord,
  laneOf,
  laneRecord,
  leftIn,
  payerRecords,
  roomIn,
  signedOn,
  unservedMax,
  voucherOf,
  type Lane,
  type PaidRange,
  type PayerPool,
  type PayerRecord,
  type PoolBook,
} from "./payerBook.ts";
import type { RecordStore } from "./receiver.ts";

/*
 * The side that pays. It signs for one receiver an amount that only grows, never more than its
 * budgets and, over all receivers, never more than a pool's fund. What was paid and has not come is
 * remembered, so that after a crash the same bytes are asked for again without paying again.
 */

/** What a payer is willing to spend. TFuelWei. */
export type Budget = {
  /** For all receivers together; `null` for what the pools hold. */
  readonly total: bigint | null;
  /** For one receiver. */
  readonly perReceiver: bigint | null;
};

/** What a payer is made of. */
export type PayerParts = {
  readonly signer: VoucherSigner;
  readonly chain: VoucherChain;
  readonly store: RecordStore;
  readonly budget?: Partial<Budget>;
  readonly form?: VoucherForm;
  /**
   * `forced` signs beyond a pool's fund. That is an overspend: anyone who can prove it has the
   * collateral burned.
   */
  readonly overspend?: "never" | "forced";
};

/** What is to be paid. */
export type PayRequest = {
  readonly target: Address;
  readonly resourceId: string;
  /** TFuelWei. */
  readonly cost: bigint;
  /** Names what is paid for, so that it is paid once; `null` if each request is another. */
  readonly range: string | null;
};

/** Why nothing was signed. Amounts are TFuelWei. */
export type PayerRefusal =
  | { readonly code: "noPool"; readonly resourceId: string }
  | { readonly code: "poolsEnding"; readonly height: number; readonly endHeight: number }
  | { readonly code: "fundExhausted"; readonly cost: bigint; readonly left: bigint }
  | { readonly code: "budgetTotal"; readonly wanted: bigint; readonly max: bigint }
  | { readonly code: "budgetReceiver"; readonly wanted: bigint; readonly max: bigint }
  | { readonly code: "unservedFull"; readonly max: number };

/** A payment that may be sent. */
export type Payment = {
  readonly voucher: SignedVoucher;
  /** TFuelWei signed for it now; 0 if it was paid before. */
  readonly added: bigint;
};

/** Several ranges of one receiver, each to be paid by a voucher of its own. */
export type AheadRequest = Pick<PayRequest, "target" | "resourceId"> & {
  /** None that is owed already. */
  readonly ranges: readonly PaidRange[];
};

/** What may be signed for them. */
export type Ahead = {
  readonly terms: VoucherTerms;
  /** The amount that each range takes the voucher to, in order. */
  readonly amounts: readonly bigint[];
};

/** A voucher but for its amount. */
export type VoucherTerms = Omit<Voucher, "amount">;

/** Blocks before a pool's end from which nothing is paid out of it: receivers refuse it anyway. */
export const payerBlocksLeft = 30;

/** Payments that one synced authorization is good for. */
const authorizedAhead = 64n;

/** What the next record of a lane says was paid, and its writer. */
type Keeping = { readonly paid: PaidRange[]; readonly keeper: Keeper };

/** A payer over any number of pools of one account. */
export class Payer {
  readonly address: Address;
  readonly #signer: VoucherSigner;
  readonly #chain: VoucherChain;
  readonly #store: RecordStore;
  readonly #budget: Budget;
  readonly #form: VoucherForm;
  readonly #isForced: boolean;
  readonly #books = new Map<bigint, PoolBook>();
  /** Newest voucher of a lane: the same request sends the same bytes. */
  readonly #newest = new WeakMap<Lane, SignedVoucher>();
  readonly #signers = new WeakMap<Lane, LaneSigner>();
  readonly #keepings = new WeakMap<Lane, Keeping>();
  /** Streams of one receiver. */
  readonly #streaming = new Map<Address, Turn>();
  /** What came from a receiver and is not kept yet. */
  readonly #arrived = new Map<Address, Set<string>>();
  #height = 0;
  /** One authorization at a time: each counts on what the others left. */
  readonly #authorizing = new Turn();

  constructor({ signer, chain, store, budget, form, overspend }: PayerParts) {
    this.address = signer.address;
    this.#signer = signer;
    this.#chain = chain;
    this.#store = store;
    this.#budget = { total: null, perReceiver: null, ...budget };
    this.#form = form ?? "theta";
    this.#isForced = overspend === "forced";
  }

  /** Takes the records of earlier runs, oldest first, before anything else. */
  load(records: readonly Uint8Array[]): void {
    for (const bytes of records) {
      const record = decodePayerRecord(bytes);
      if (!record.ok)
        throw new PayStateError("E_PAY_STATE_CORRUPT", `a payer record: ${record.refusal}`);
      applyPayerRecord(this.#books, record.value);
    }
  }

  /** Records that make the present state again: what the journal keeps when it is rewritten. */
  live(): readonly Uint8Array[] {
    return payerRecords(this.#books).map(encodePayerRecord);
  }

  /** The pools, with what was signed on each. */
  pools(): readonly (PayerPool & { readonly signed: bigint; readonly lanes: readonly Lane[] })[] {
    return [...this.#books.values()].map(({ pool, lanes }) => {
      const all = [...lanes.values()];
      return { ...pool, lanes: all, signed: all.reduce((sum, lane) => sum + signedOn(lane), 0n) };
    });
  }

  /** Makes a pool usable; to be called before the transaction goes out and when it is committed. */
  async addPool(pool: PayerPool): Promise<void> {
    await this.#append({ type: "pool", pool });
  }

  /** Forgets a pool that the chain has released. */
  async endPool(sequence: bigint): Promise<void> {
    await this.#append({ type: "poolEnd", sequence });
  }

  /** Newest committed height: pools near their end are not used. */
  setHeight(height: number): void {
    this.#height = height;
  }

  /** Signs for one request more; the same range to the same receiver is signed once. */
  async pay(request: PayRequest): Promise<Outcome<Payment, PayerRefusal>> {
    assert(request.cost > 0n, "what is free is not paid for");
    const ready = this.#ready(request);
    if (ready !== null) return ready;
    // Signed before anybody else's turn: else two that both fit would take it from each other.
    return this.#authorizing.take(async () => {
      const chosen = this.#choose(request);
      if (chosen.ok) await this.#authorize(chosen.value.book, chosen.value.lane, request.cost);
      return this.#ready(request) ?? refuse(this.#exhausted(request));
    });
  }

  /**
   * Puts several ranges on the books at once, so that a voucher can be signed for each without
   * waiting. What is not sent of them is owed to the payer all the same.
   */
  async payAhead(request: AheadRequest): Promise<Outcome<Ahead, PayerRefusal>> {
    const cost = request.ranges.reduce((sum, range) => sum + range.cost, 0n);
    assert(cost > 0n, "what is free is not paid for");
    const whole = { ...request, cost, range: request.ranges[0]?.range ?? null };
    return this.#authorizing.take(async () => {
      const over = this.#overBudget(whole);
      if (over !== null) return refuse(over);
      const chosen = this.#choose(whole);
      if (!chosen.ok) return chosen;
      const { book, lane } = chosen.value;
      await this.#authorize(book, lane, cost);
      if (signedOn(lane) + cost > lane.authorized) return refuse(this.#exhausted(whole));
      let { amount } = lane;
      const amounts = request.ranges.map((range) => (amount += range.cost));
      await this.#book(book, lane, { ...request, paid: request.ranges });
      const { amount: _, ...terms } = voucherOf(lane, book.pool.sequence);
      return accept({ terms: { ...terms, source: this.address }, amounts });
    });
  }

  /** Signs amounts that `payAhead` gave, as typed data. */
  async signAhead(terms: VoucherTerms, amounts: readonly bigint[]): Promise<readonly Uint8Array[]> {
    const lane = this.#books.get(terms.reserveSequence)?.lanes.get(terms.target);
    const isBooked = (amount: bigint): boolean => lane !== undefined && amount <= lane.amount;
    assert(lane !== undefined && amounts.every(isBooked), "only what is on the books is signed");
    return this.#signerOf(lane).signTyped(terms, amounts);
  }

  /**
   * Begins to sign amounts that will be on the books next, so that `signAhead` need not wait; no
   * more than is authorized, and only `signAhead` gives them out.
   */
  prepareAhead(terms: VoucherTerms, amounts: readonly bigint[]): void {
    const lane = this.#books.get(terms.reserveSequence)?.lanes.get(terms.target);
    if (lane === undefined) return;
    const most = lane.authorized - lane.before;
    const authorized = amounts.filter((amount) => amount <= most);
    if (authorized.length > 0) this.#signerOf(lane).prepare(terms, authorized);
  }

  /** Signs a hash chain that starts at an amount; each step must be on the books when it is shown. */
  startChain(terms: VoucherTerms, amount: bigint, step: bigint, length: number): IncrementChain {
    const secret = crypto.getRandomValues(new Uint8Array(32));
    const by = { chain: this.#chain, signer: this.#signer };
    return new IncrementChain({ ...terms, amount }, { step, length, secret }, by);
  }

  /** The payment, if it can be signed or refused as things are; `null` to authorize more first. */
  #ready(
    request: PayRequest,
  ): Promise<Outcome<Payment, PayerRefusal>> | Outcome<Payment, PayerRefusal> | null {
    const again = this.#paidBefore(request);
    if (again !== null) return accept({ voucher: again, added: 0n });
    const over = this.#overBudget(request);
    if (over !== null) return refuse(over);
    const chosen = this.#choose(request);
    if (!chosen.ok) return chosen;
    const { book, lane } = chosen.value;
    if (signedOn(lane) + request.cost > lane.authorized) return null;
    return this.#sign(book, lane, request);
  }

  /** Another payment took what was left in the same turn. */
  #exhausted({ cost }: PayRequest): PayerRefusal {
    const left = [...this.#books.values()].map(roomIn).reduce((a, c) => (a > c ? a : c), 0n);
    return { code: "fundExhausted", cost, left };
  }

  /**
   * Does what pays a receiver ahead, one stream at a time. With the receiver all that a payer pays
   * is one balance, so two at once would each be served for what the other has paid, and both
   * would wait.
   */
  stream<T>(target: Address, work: () => Promise<T>): Promise<T> {
    const turn = this.#streaming.get(target) ?? new Turn();
    this.#streaming.set(target, turn);
    return turn.take(work);
  }

  /** What of the paid has not come from this receiver, TFuelWei: all that it can run away with. */
  unserved(target: Address): bigint {
    const arrived = this.#arrived.get(target);
    let sum = 0n;
    for (const lane of this.#lanesOf(target))
      for (const [range, cost] of lane.unserved) if (arrived?.has(range) !== true) sum += cost;
    return sum;
  }

  /** The newest voucher of each pool for this receiver, for one that has lost what it had. */
  newest(target: Address): readonly SignedVoucher[] {
    return [...this.#books].flatMap(([sequence, { lanes }]) => {
      const lane = lanes.get(target);
      return lane === undefined || lane.amount === 0n ? [] : this.#newestOf(sequence, lane);
    });
  }

  /** Whether this range was paid for and is still to be brought, so that it costs nothing again. */
  isOwed(target: Address, range: string): boolean {
    return this.#lanesOf(target).some(({ unserved }) => unserved.has(range));
  }

  /** This range came; until `served` says that it is kept it would be asked for again. */
  arrived(target: Address, range: string): void {
    const arrived = this.#arrived.get(target) ?? new Set();
    this.#arrived.set(target, arrived.add(range));
  }

  /** Names of the ranges that this receiver was paid for and did not send. */
  unservedRanges(target: Address): readonly string[] {
    return this.#lanesOf(target).flatMap(({ unserved }) => [...unserved.keys()]);
  }

  /** These ranges came, and are kept: they will not be asked for again. */
  async served(target: Address, ranges: readonly string[]): Promise<void> {
    for (const range of ranges) this.#arrived.get(target)?.delete(range);
    for (const [sequence, { lanes }] of this.#books) {
      const lane = lanes.get(target);
      const known = ranges.filter((range) => lane?.unserved.has(range) ?? false);
      if (known.length === 0) continue;
      const record: PayerRecord = { type: "served", sequence, target, ranges: known };
      applyPayerRecord(this.#books, record);
      await this.#store.write(encodePayerRecord(record));
    }
  }

  /**
   * Takes over a voucher that a receiver shows: its own signature, newer than what it remembers,
   * as after a power cut or on another machine. Whether it did.
   */
  async adopt(voucher: SignedVoucher): Promise<boolean> {
    if (voucher.source !== this.address) return false;
    const book = this.#books.get(voucher.reserveSequence);
    if (book === undefined || voucherPayer(voucher, this.#chain) === null) return false;
    const lane = laneOf(book, voucher.target);
    const { paymentSequence, amount, resourceId } = voucher;
    if (paymentSequence < lane.paymentSequence) return false;
    if (paymentSequence === lane.paymentSequence && amount <= lane.amount) return false;
    if (paymentSequence > lane.paymentSequence) lane.before = signedOn(lane);
    lane.paymentSequence = paymentSequence;
    lane.amount = amount;
    lane.resourceId = resourceId;
    if (signedOn(lane) > lane.authorized) lane.authorized = signedOn(lane);
    this.#newest.set(lane, voucher);
    await this.#store.append(laneRecord(book, lane, { ...lane, paid: [] }));
    return true;
  }

  /** Gives back what was authorized and not signed, so that a later run can use it. */
  async trim(): Promise<void> {
    await this.#authorizing.take(async () => {
      for (const book of this.#books.values()) await this.#trimBook(book);
    });
  }

  #lanesOf(target: Address): readonly Lane[] {
    return [...this.#books.values()].flatMap(({ lanes }) => lanes.get(target) ?? []);
  }

  #paidBefore({ target, range }: PayRequest): SignedVoucher | null {
    if (range === null) return null;
    for (const { pool, lanes } of this.#books.values()) {
      const lane = lanes.get(target);
      if (lane?.unserved.has(range) === true) return this.#newestOf(pool.sequence, lane);
    }
    return null;
  }

  #newestOf(sequence: bigint, lane: Lane): SignedVoucher {
    const known = this.#newest.get(lane);
    if (known !== undefined) return known;
    const voucher = { ...voucherOf(lane, sequence), source: this.address };
    const signature = this.#signerOf(lane).sign(voucher, this.#form, voucher.amount);
    const signed = { ...voucher, signature };
    this.#newest.set(lane, signed);
    return signed;
  }

  #signerOf(lane: Lane): LaneSigner {
    const known = this.#signers.get(lane) ?? new LaneSigner(this.#signer, this.#chain);
    this.#signers.set(lane, known);
    return known;
  }

  #overBudget({ target, cost }: PayRequest): PayerRefusal | null {
    const { total, perReceiver } = this.#budget;
    if (perReceiver !== null) {
      const wanted = this.#lanesOf(target).reduce((sum, lane) => sum + signedOn(lane), cost);
      if (wanted > perReceiver) return { code: "budgetReceiver", wanted, max: perReceiver };
    }
    if (total === null) return null;
    const wanted = this.pools().reduce((sum, { signed }) => sum + signed, cost);
    return wanted > total ? { code: "budgetTotal", wanted, max: total } : null;
  }

  /** The pool that the receiver is paid from already, else the one that ends first. */
  #choose(request: PayRequest): Outcome<{ book: PoolBook; lane: Lane }, PayerRefusal> {
    const { target, resourceId, cost } = request;
    const fitting = [...this.#books.values()]
      .filter(({ pool }) => pool.endHeight > 0 && pool.resourceIds.includes(resourceId))
      .sort((a, b) => a.pool.endHeight - b.pool.endHeight);
    if (fitting.length === 0) return refuse({ code: "noPool", resourceId });
    const alive = fitting.filter(({ pool }) => this.#height + payerBlocksLeft <= pool.endHeight);
    if (alive.length === 0) {
      const endHeight = fitting.at(-1)?.pool.endHeight ?? 0;
      return refuse({ code: "poolsEnding", height: this.#height, endHeight });
    }
    let left = 0n;
    for (const book of [...alive.filter(({ lanes }) => lanes.has(target)), ...alive]) {
      const room = roomIn(book);
      if (room < cost && !this.#isForced) {
        left = room > left ? room : left;
        continue;
      }
      const lane = laneOf(book, target);
      if (request.range !== null && lane.unserved.size >= unservedMax)
        return refuse({ code: "unservedFull", max: unservedMax });
      return accept({ book, lane });
    }
    return refuse({ code: "fundExhausted", cost, left });
  }

  /** Raises what a lane may take, durably, before anything is signed on the strength of it. */
  async #authorize(book: PoolBook, lane: Lane, cost: bigint): Promise<void> {
    const needed = signedOn(lane) + cost;
    if (needed <= lane.authorized) return;
    if (!this.#isForced && leftIn(book) + lane.authorized < needed) await this.#trimBook(book);
    const most = leftIn(book) + lane.authorized;
    if (!this.#isForced && most < needed) return;
    const generous = signedOn(lane) + cost * authorizedAhead;
    const authorized = generous > most && !this.#isForced ? most : generous;
    await this.#store.append(laneRecord(book, lane, { authorized, paid: [] }));
    lane.authorized = authorized;
  }

  async #trimBook(book: PoolBook): Promise<void> {
    const loose = [...book.lanes.values()].filter((lane) => lane.authorized > signedOn(lane));
    for (const lane of loose) lane.authorized = signedOn(lane);
    const records = loose.map((lane) => laneRecord(book, lane, { ...lane, paid: [] }));
    await Promise.all(records.map((record) => this.#store.append(record)));
  }

  async #sign(
    book: PoolBook,
    lane: Lane,
    request: PayRequest,
  ): Promise<Outcome<Payment, PayerRefusal>> {
    const { cost, range, resourceId } = request;
    const paid = range === null ? [] : [{ range, cost }];
    const booked = this.#book(book, lane, { cost, resourceId, paid });
    const voucher = this.#newestOf(book.pool.sequence, lane);
    await booked;
    return accept({ voucher, added: cost });
  }

  /**
   * Raises what was signed on a lane. To be awaited before a voucher of it can be sent: a payer
   * that is killed must know what it signed.
   */
  #book(
    book: PoolBook,
    lane: Lane,
    more: {
      readonly resourceId: string;
      readonly paid: readonly PaidRange[];
      /** Where it is for nothing that has a name. */
      readonly cost?: bigint;
    },
  ): Promise<void> {
    const { resourceId, paid } = more;
    lane.amount += more.cost ?? paid.reduce((sum, { cost }) => sum + cost, 0n);
    lane.resourceId = resourceId;
    this.#newest.delete(lane);
    for (const { range, cost } of paid) lane.unserved.set(range, cost);
    const keeping = this.#keeping(book, lane);
    keeping.paid.push(...paid);
    return keeping.keeper.keep();
  }

  #keeping(book: PoolBook, lane: Lane): Keeping {
    const known = this.#keepings.get(lane);
    if (known !== undefined) return known;
    const paid: PaidRange[] = [];
    const write = async (): Promise<void> => {
      const lists = inRecords(paid.splice(0));
      const records = lists.map((list) => laneRecord(book, lane, { ...lane, paid: list }));
      await Promise.all(records.map((record) => this.#store.write(record)));
    };
    const keeping = { paid, keeper: new Keeper(write) };
    this.#keepings.set(lane, keeping);
    return keeping;
  }

  async #append(record: PayerRecord): Promise<void> {
    applyPayerRecord(this.#books, record);
    await this.#store.append(encodePayerRecord(record));
  }
}
