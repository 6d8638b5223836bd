import { assert } from "../../base/assert.ts";
import type { Address } from "../../base/brand.ts";
import { NodeError } from "../../base/nodeError.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import type { PoolId } from "../../ledger/pool.ts";
import type { Verified } from "../../crypto/verify.ts";
import { voucherPayer, type SignedVoucher } from "../../ledger/voucher.ts";
import { VoucherChecker } from "../../ledger/voucherChecker.ts";
import {
  applyRecord,
  checkPool,
  checkVoucher,
  createAccount,
  decodeAccountRecord,
  encodeAccountEnd,
  encodeAccountRecord,
  exposureMax,
  exposureOf,
  incrementOf,
  policyDefault,
  rangesMax,
  takeCost,
  takeVoucher,
  type Account,
  type AccountRecord,
  type PayRefusal,
  type ReceiverPolicy,
  type Served,
} from "./account.ts";
import { PayStateError } from "./errors.ts";
import { inRecords, Keeper } from "./keeper.ts";
import { poolOf, poolText, type PayChain, type PoolView } from "./pool.ts";

/*
 * The side that is paid. It looks at a pool by proof before it serves, keeps the best voucher on
 * disk before it serves more, and settles before too much is outstanding, too old or too near the
 * pool's end. Whatever a payer does, it loses at most what is unsettled: `exposureMax` per pool.
 */

/** Where a receiver's or payer's records go; `journal.node.ts` is one. */
export interface RecordStore {
  /** Resolves when the record would survive a power cut. */
  append(record: Uint8Array): Promise<void>;
  /** Resolves when the record would survive the end of this process, but not a power cut. */
  write(record: Uint8Array): Promise<void>;
}

/** What a receiver is made of. */
export type ReceiverParts = {
  readonly address: Address;
  readonly chain: PayChain;
  readonly store: RecordStore;
  readonly policy?: Partial<ReceiverPolicy>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
};

/** One request to be paid for. */
export type ChargeRequest = {
  readonly voucher: SignedVoucher;
  readonly resourceId: string;
  /** TFuelWei. */
  readonly cost: bigint;
  /** Names what is served, so that it is charged once; `null` if each request is another. */
  readonly range: string | null;
};

/** A voucher, and what it is handed in for. */
export type Credit = Pick<ChargeRequest, "voucher" | "resourceId">;

/** Ranges that the next record of an account names, and its writer. */
type Keeping = { readonly ranges: string[]; readonly keeper: Keeper };

/** A request that was paid for. */
export type Charged = {
  /** TFuelWei taken for it; 0 if it was paid for before. */
  readonly taken: bigint;
  readonly balance: bigint;
};

/** One pool as lists show it. */
export type AccountSummary = {
  readonly id: PoolId;
  readonly best: SignedVoucher | null;
  readonly balance: bigint;
  readonly unsettled: bigint;
  readonly view: PoolView;
};

/** What handing in a voucher brought. */
export type Settlement = {
  readonly voucher: SignedVoucher;
  /** TFuelWei that the pool paid by its record afterwards; `null` if the pool is no more. */
  readonly paid: bigint | null;
};

/** Pools that a receiver deals with at a time. */
export const accountsMax = 10_000;

/** Vouchers of one settlement. */
export const settlementVouchersMax = 100;

/** Age of a pool's view after which it is read again, in ms. */
const viewMsMax = 15_000;

/** Without a word from the chain for this long nothing is served, in ms. */
export const chainSilenceMsMax = 60_000;

/** A receiver of payments out of any number of pools. */
export class Receiver {
  readonly address: Address;
  readonly policy: ReceiverPolicy;
  readonly #chain: PayChain;
  readonly #store: RecordStore;
  readonly #now: () => number;
  readonly #accounts = new Map<string, Account>();
  /** Accounts of earlier runs whose pools were not looked at yet. */
  readonly #dormant = new Map<string, AccountRecord[]>();
  readonly #opening = new Map<string, Promise<Account | null>>();
  readonly #viewedMs = new Map<string, number>();
  readonly #keepings = new WeakMap<Account, Keeping>();
  readonly #checkers = new WeakMap<Account, VoucherChecker>();
  #settling: Promise<readonly Settlement[]> | null = null;
  #height = 0;
  #heardMs = Number.NEGATIVE_INFINITY;

  constructor({ address, chain, store, policy, now }: ReceiverParts) {
    this.address = address;
    this.policy = { ...policyDefault, ...policy };
    this.#chain = chain;
    this.#store = store;
    this.#now = now;
  }

  /** Takes the records of earlier runs, oldest first, before anything else. */
  load(records: readonly Uint8Array[]): void {
    for (const bytes of records) {
      const record = decodeAccountRecord(bytes);
      if (!record.ok)
        throw new PayStateError("E_PAY_STATE_CORRUPT", `a voucher record: ${record.refusal}`);
      if ("end" in record.value) this.#dormant.delete(poolText(record.value.end));
      else {
        const key = poolText(record.value.id);
        const before = this.#dormant.get(key) ?? [];
        this.#dormant.set(key, [...before.slice(-rangesKept), record.value]);
      }
    }
  }

  /** Records that make the present state again: what the journal keeps when it is rewritten. */
  live(): readonly Uint8Array[] {
    const records: Uint8Array[] = [];
    for (const account of this.#accounts.values()) {
      for (const ranges of inRecords([...account.ranges.keys()]))
        records.push(encodeAccountRecord(account, ranges));
    }
    for (const stored of this.#dormant.values())
      for (const record of stored) records.push(encodeAccountRecord(record, record.ranges));
    return records;
  }

  /**
   * Takes a payment for one request. When it resolves with `ok` the voucher is on disk, and the
   * request may be served.
   */
  async charge(request: ChargeRequest): Promise<Outcome<Charged, PayRefusal>> {
    const credited = await this.credit(request);
    if (!credited.ok) return credited;
    const account = credited.value;
    const served = this.take(account, request.cost, request.range);
    const balance = account.balance;
    await this.keep(account);
    return served.ok ? accept({ taken: served.value.taken, balance }) : served;
  }

  /**
   * Takes a voucher, without serving anything for it yet. It is not on disk before `keep`, and so
   * no more may be served on it than this receiver can bear to lose.
   */
  async credit(given: Credit): Promise<Outcome<Account, PayRefusal>> {
    const wrong = this.#checkTerms(given) ?? this.#checkSignature(given.voucher);
    return wrong === null ? this.#credit(given) : refuse(wrong);
  }

  /** As `credit`, with a voucher that needs no check of its signature. */
  async creditVerified(
    voucher: Verified<SignedVoucher>,
    resourceId: string,
  ): Promise<Outcome<Account, PayRefusal>> {
    const wrong = this.#checkTerms({ voucher, resourceId });
    return wrong === null ? this.#credit({ voucher, resourceId }) : refuse(wrong);
  }

  /** Takes a range's cost from what was credited; not on disk before `keep`. */
  take(account: Account, cost: bigint, range: string | null): Outcome<Served, PayRefusal> {
    const served = takeCost(account, cost, range);
    if (served.ok && range !== null) this.#keeping(account).ranges.push(range);
    return served;
  }

  /** Resolves when all that was credited to the account and taken from it is on disk. */
  keep(account: Account): Promise<void> {
    return this.#keeping(account).keeper.keep();
  }

  /** The account of a pool, to be read only; `null` if this receiver has not heard of it. */
  accountOf(id: PoolId): Readonly<Account> | null {
    return this.#accounts.get(poolText(id)) ?? null;
  }

  /** All accounts, their pools read if they were not yet. */
  async summaries(): Promise<readonly AccountSummary[]> {
    await this.#openDormant();
    return [...this.#accounts.values()].map(summaryOf);
  }

  /** Hands in the best vouchers of these pools, or of all; what became of them. */
  async settle(ids?: readonly PoolId[]): Promise<readonly Settlement[]> {
    const wanted = ids?.map(poolText) ?? null;
    while (this.#settling !== null) await this.#settling.catch(() => []);
    const due = [...this.#accounts.values()]
      .filter((account) => wanted?.includes(poolText(account.id)) ?? true)
      .filter((account) => exposureOf(account) > 0n)
      .slice(0, settlementVouchersMax);
    if (due.length === 0) return [];
    this.#settling = this.#settleAccounts(due);
    try {
      return await this.#settling;
    } finally {
      this.#settling = null;
    }
  }

  /**
   * To be called every few seconds: learns the height, settles what is due by amount, age or end,
   * forgets pools that are gone.
   */
  async tick(): Promise<readonly Settlement[]> {
    this.#height = await this.#chain.height();
    this.#heardMs = this.#now();
    await this.#openDormant();
    const due: PoolId[] = [];
    for (const account of this.#accounts.values()) {
      const viewedMs = this.#viewedMs.get(poolText(account.id)) ?? 0;
      if (this.#now() - viewedMs > viewMsMax) await this.#refresh(account);
      if (this.#accounts.has(poolText(account.id)) && this.#isDue(account)) due.push(account.id);
    }
    return due.length === 0 ? [] : this.settle(due);
  }

  async #credit(given: Credit): Promise<Outcome<Account, PayRefusal>> {
    const { voucher, resourceId } = given;
    const opened = await this.#account(poolOf(voucher), resourceId);
    if (!opened.ok) return opened;
    const account = opened.value;
    let refusal = this.#take(account, given);
    if (refusal?.code === "exposure" || refusal?.code === "sequenceUnsettled") {
      // A chain that is away settles nothing: the exposure stays what it is, and so the refusal.
      await this.settle([account.id]).catch(() => []);
      refusal = this.#take(account, given);
    }
    if (refusal !== null) {
      if (refusal.code === "overspent") await this.#onOverspent(account, voucher);
      return refuse(refusal);
    }
    if (this.#isHalfExposed(account)) this.#settleSoon(account.id);
    return opened;
  }

  #keeping(account: Account): Keeping {
    const known = this.#keepings.get(account);
    if (known !== undefined) return known;
    const ranges: string[] = [];
    const write = async (): Promise<void> => {
      const lists = inRecords(ranges.splice(0).slice(-rangesMax));
      const records = lists.map((list) => encodeAccountRecord(account, list));
      await Promise.all(records.map((record) => this.#store.append(record)));
    };
    const keeping = { ranges, keeper: new Keeper(write) };
    this.#keepings.set(account, keeping);
    return keeping;
  }

  #checkTerms({ voucher, resourceId }: Credit): PayRefusal | null {
    if (voucher.target !== this.address)
      return { code: "targetWrong", got: voucher.target, expected: this.address };
    if (voucher.resourceId !== resourceId)
      return { code: "resourceWrong", got: voucher.resourceId, expected: resourceId };
    if (voucher.paymentSequence === 0n)
      return { code: "voucherMalformed", detail: "payment sequences begin at 1" };
    const silentMs = this.#now() - this.#heardMs;
    if (silentMs > chainSilenceMsMax) return { code: "chainSilent", silentMs };
    return null;
  }

  /** Before any question to the chain: those cost more than a signature. */
  #checkSignature(voucher: SignedVoucher): PayRefusal | null {
    const account = this.#accounts.get(poolText(poolOf(voucher)));
    const known = account?.best ?? null;
    if (known !== null && isSameVoucher(known, voucher)) return null;
    const payer =
      account === undefined
        ? voucherPayer(voucher, this.#chain.names)
        : this.#checkerOf(account).payer(voucher);
    return payer === null ? { code: "signatureInvalid" } : null;
  }

  #checkerOf(account: Account): VoucherChecker {
    const checker = this.#checkers.get(account) ?? new VoucherChecker(this.#chain.names);
    this.#checkers.set(account, checker);
    return checker;
  }

  /** Everything from looking to taking happens in one turn: nothing is credited twice. */
  #take(account: Account, { voucher, resourceId }: Credit): PayRefusal | null {
    const pool = checkPool(account, resourceId, { height: this.#height, policy: this.policy });
    if (pool !== null) return pool;
    const increment = incrementOf(account, voucher);
    if (!increment.ok) return increment.refusal;
    if (increment.value === 0n) return null;
    const refusal = checkVoucher(account, voucher, this.policy);
    if (refusal === null) takeVoucher(account, voucher, increment.value, this.#now());
    return refusal;
  }

  async #account(id: PoolId, resourceId: string): Promise<Outcome<Account, PayRefusal>> {
    const key = poolText(id);
    const known = this.#accounts.get(key);
    if (known?.resources.has(resourceId) === true) return accept(known);
    const question = `${key} ${resourceId}`;
    let opening = this.#opening.get(question);
    if (opening === undefined) {
      if (this.#accounts.size + this.#opening.size >= accountsMax)
        return refuse({ code: "accountsFull", max: accountsMax });
      opening = this.#open(id, resourceId).finally(() => this.#opening.delete(question));
      this.#opening.set(question, opening);
    }
    let account: Account | null;
    try {
      account = await opening;
    } catch (error) {
      // Only the chain is asked here: that it is away is no fault of whoever pays.
      if (error instanceof NodeError)
        return refuse({ code: "chainUnreachable", detail: error.message });
      throw error;
    }
    return account === null ? refuse({ code: "poolUnknown", pool: key }) : accept(account);
  }

  async #open(id: PoolId, resourceId: string): Promise<Account | null> {
    const view = await this.#chain.pool(id, this.address, resourceId);
    if (view === null) return null;
    const key = poolText(id);
    let account = this.#accounts.get(key);
    if (account === undefined) {
      account = createAccount(view);
      for (const record of this.#dormant.get(key) ?? []) applyRecord(account, record);
      this.#dormant.delete(key);
      this.#accounts.set(key, account);
    }
    account.resources.set(resourceId, view.hasResource ? view.keptPercent : null);
    this.#view(account, view);
    return account;
  }

  #view(account: Account, view: PoolView): void {
    assert(
      poolText(view.id) === poolText(account.id),
      "the chain answers about the pool asked for",
    );
    account.view = view;
    this.#viewedMs.set(poolText(account.id), this.#now());
    if (exposureOf(account) === 0n) account.unsettledSinceMs = null;
  }

  async #openDormant(): Promise<void> {
    for (const [key, stored] of this.#dormant) {
      const [first] = stored;
      if (first === undefined) continue;
      const account = await this.#open(first.id, stored.at(-1)?.best?.resourceId ?? "");
      // The pool is released: nothing can be claimed from it any more.
      if (account === null) await this.#end(first.id, key);
    }
  }

  async #refresh(account: Account): Promise<void> {
    const resourceId = account.best?.resourceId ?? account.resources.keys().next().value ?? "";
    const view = await this.#chain.pool(account.id, this.address, resourceId);
    if (view === null) await this.#end(account.id, poolText(account.id));
    else this.#view(account, view);
  }

  async #end(id: PoolId, key: string): Promise<void> {
    this.#accounts.delete(key);
    this.#dormant.delete(key);
    this.#viewedMs.delete(key);
    await this.#store.write(encodeAccountEnd(id));
  }

  #isHalfExposed(account: Account): boolean {
    return exposureOf(account) * 2n >= exposureMax(account, this.policy);
  }

  #isDue(account: Account): boolean {
    const unsettled = exposureOf(account);
    if (unsettled === 0n) return false;
    const { view, unsettledSinceMs } = account;
    const isEnding = this.#height + this.policy.blocksLeftMin >= view.endHeight;
    // Other receivers draw on the same fund: who comes first is paid.
    const isScarce = unsettled * 2n > view.fund - view.used;
    if (isEnding || isScarce || view.isCondemned || this.#isHalfExposed(account)) return true;
    const ageMs = this.#now() - (unsettledSinceMs ?? this.#now());
    return ageMs >= this.policy.ageMsMax && unsettled >= this.policy.settleMin;
  }

  /** A failed one is tried again by `tick`; until then the exposure stays bounded. */
  #settleSoon(id: PoolId): void {
    if (this.#settling === null) this.settle([id]).catch(() => undefined);
  }

  async #settleAccounts(due: readonly Account[]): Promise<readonly Settlement[]> {
    const orders = due.map((account) => {
      const { best } = account;
      assert(best !== null, "an exposed account has a voucher");
      return { voucher: best, targetMin: targetMinOf(account, best) };
    });
    const before = due.map(({ view }) => view.settled.total);
    await this.#chain.settle(orders);
    for (const account of due) await this.#refresh(account);
    return due.map(({ view }, i) => {
      const voucher = orders[i]?.voucher;
      assert(voucher !== undefined, "each account has its order");
      const isGone = !this.#accounts.has(poolText(view.id));
      return { voucher, paid: isGone ? null : view.settled.total - (before[i] ?? 0n) };
    });
  }

  /** The voucher itself proves the cheat: settled, it condemns the pool and pays what is left. */
  async #onOverspent(account: Account, voucher: SignedVoucher): Promise<void> {
    await this.#refresh(account);
    const refusal = checkVoucher(account, voucher, this.policy);
    const increment = incrementOf(account, voucher);
    if (refusal?.code !== "overspent" || !increment.ok || increment.value === 0n) return;
    takeVoucher(account, voucher, increment.value, this.#now());
    account.balance = 0n;
    await this.keep(account);
    this.#settleSoon(account.id);
  }
}

/** Records of one dormant account that are kept: one for each range that may be asked for again. */
const rangesKept = rangesMax;

/**
 * All that the receiver expects, unless the pool may cover only a part: a part is better than
 * nothing.
 */
function targetMinOf(account: Account, best: SignedVoucher): bigint {
  const { view, resources } = account;
  const unsettled = exposureOf(account);
  if (view.isCondemned || unsettled * 2n > view.fund - view.used) return 0n;
  return (unsettled * BigInt(resources.get(best.resourceId) ?? 0)) / 100n;
}

function isSameVoucher(a: SignedVoucher, b: SignedVoucher): boolean {
  return (
    a.amount === b.amount &&
    a.paymentSequence === b.paymentSequence &&
    a.resourceId === b.resourceId &&
    a.signature.every((byte, i) => b.signature[i] === byte)
  );
}

function summaryOf(account: Account): AccountSummary {
  const { id, best, balance, view } = account;
  return { id, best, balance, unsettled: exposureOf(account), view };
}
