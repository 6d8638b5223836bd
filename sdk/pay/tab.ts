import { refuse, accept, type Outcome } from "../../base/outcome.ts";
import { verifiedWhen } from "../../crypto/verify.ts";
import { encodeIncrement, incrementsMax, stepsBetween } from "../../ledger/voucherIncrements.ts";
import type { SignedVoucher } from "../../ledger/voucher.ts";
import type { Account, PayRefusal } from "./account.ts";
import type { Receiver } from "./receiver.ts";
import type { TopUp } from "./topUp.ts";

/*
 * A run of servings on one account, paid for while it goes on. What comes together is worth what
 * its newest voucher is worth: only that one is checked. What was served and is not on disk is
 * counted, for the server to stop at its own window.
 */

/** A hash chain that the payer is walking along. */
type Chain = {
  readonly signature: Uint8Array;
  readonly start: bigint;
  readonly step: bigint;
  token: Uint8Array;
  count: number;
};

/** What no amount reaches: it has 256 bits. */
const amountEnd = 1n << 256n;

/** Top-ups that may come together: more is a payer who does not wait for what he is served. */
export const topUpsMax = 4_096;

/** The bill of one stream. */
export class Tab {
  readonly #receiver: Receiver;
  readonly #account: Account;
  readonly #first: SignedVoucher;
  #chain: Chain | null = null;
  /** TFuelWei, since the tab was opened. */
  #served = 0n;
  #kept = 0n;

  constructor(receiver: Receiver, account: Account, first: SignedVoucher) {
    this.#receiver = receiver;
    this.#account = account;
    this.#first = first;
  }

  /** TFuelWei that were served and are not on disk. */
  get unkept(): bigint {
    return this.#served - this.#kept;
  }

  /** Takes what came together; why not, if the stream is to end. */
  async offer(topUps: readonly TopUp[]): Promise<PayRefusal | null> {
    const last = topUps.findLastIndex(({ type }) => type !== "token");
    const signed = topUps[last];
    if (signed !== undefined) {
      const refusal = await this.#takeSigned(signed);
      if (refusal !== null) return refusal;
    }
    const tokens = topUps.slice(last + 1);
    const newest = tokens.at(-1);
    return newest?.type === "token" ? this.#takeToken(newest.token, tokens.length) : null;
  }

  /** Takes the cost of a range from what was paid, if that is enough; TFuelWei taken. */
  take(cost: bigint, range: string): Outcome<bigint, PayRefusal> {
    const served = this.#receiver.take(this.#account, cost, range);
    if (!served.ok) return served;
    this.#served += served.value.taken;
    return accept(served.value.taken);
  }

  /** Resolves when all that was served before is on disk. */
  async keep(): Promise<void> {
    const served = this.#served;
    await this.#receiver.keep(this.#account);
    if (served > this.#kept) this.#kept = served;
  }

  async #takeSigned(topUp: TopUp): Promise<PayRefusal | null> {
    if (topUp.type === "token") return null;
    let { signature } = topUp;
    this.#chain = null;
    if (topUp.type === "chain") {
      const { amount: start, step, anchor: token } = topUp;
      this.#chain = { signature, start, step, token, count: 0 };
      signature = encodeIncrement({ signature, token, step, count: 0 });
    }
    const { resourceId } = this.#first;
    const voucher = { ...this.#first, amount: topUp.amount, signature };
    const credited = await this.#receiver.credit({ voucher, resourceId });
    return credited.ok ? null : credited.refusal;
  }

  async #takeToken(token: Uint8Array, most: number): Promise<PayRefusal | null> {
    const chain = this.#chain;
    if (chain === null) return { code: "voucherMalformed", detail: "a token without a chain" };
    const steps = stepsBetween(chain.token, token, most);
    const count = chain.count + (steps ?? 0);
    if (count > incrementsMax) return { code: "signatureInvalid" };
    const { signature, step } = chain;
    const proof = encodeIncrement({ signature, token, step, count });
    const amount = chain.start + step * BigInt(count);
    if (amount >= amountEnd) return { code: "voucherMalformed", detail: "above 256 bits" };
    // Its chain's start was checked when it was signed for, and the hashes have been just now.
    const voucher = verifiedWhen(steps !== null, { ...this.#first, amount, signature: proof });
    if (voucher === null) return { code: "signatureInvalid" };
    const credited = await this.#receiver.creditVerified(voucher, this.#first.resourceId);
    if (!credited.ok) return credited.refusal;
    chain.token = token;
    chain.count = count;
    return null;
  }
}

/** Opens a tab with a first voucher. */
export async function openTab(
  receiver: Receiver,
  voucher: SignedVoucher,
  resourceId: string,
): Promise<Outcome<Tab, PayRefusal>> {
  const credited = await receiver.credit({ voucher, resourceId });
  return credited.ok
    ? accept(new Tab(receiver, credited.value, voucher))
    : refuse(credited.refusal);
}
