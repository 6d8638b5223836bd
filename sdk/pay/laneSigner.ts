import { assert } from "../../base/assert.ts";
import {
  voucherDigests,
  type VoucherChain,
  type VoucherForm,
  type VoucherSigner,
} from "../../ledger/voucher.ts";
import type { VoucherTerms } from "./payer.ts";

/** Signatures of one lane that are made before they are asked for. */
export const preparedMax = 4_096;

/** What does not change from one voucher of a lane to the next. */
type Series = Pick<VoucherTerms, "paymentSequence" | "resourceId"> & {
  readonly form: VoucherForm;
  readonly digestOf: (amount: bigint) => Uint8Array;
};

/** A signature that is made, or will be. */
type Prepared = { readonly batch: Promise<readonly Uint8Array[]>; readonly index: number };

/**
 * Signs the vouchers of one lane. Where the signer has a thread, those that come next are signed
 * while others are on their way; nobody gets them before the payer has them on its books, and what
 * is never asked for is forgotten.
 */
export class LaneSigner {
  readonly #signer: VoucherSigner;
  readonly #chain: VoucherChain;
  #series: Series | null = null;
  /** Of the typed form, by amount. */
  readonly #prepared = new Map<bigint, Prepared>();

  constructor(signer: VoucherSigner, chain: VoucherChain) {
    this.#signer = signer;
    this.#chain = chain;
  }

  /** Signs one voucher in place. */
  sign(terms: VoucherTerms, form: VoucherForm, amount: bigint): Uint8Array {
    return this.#signer.sign(this.#seriesOf(terms, form).digestOf(amount));
  }

  /** Begins to sign typed vouchers that will be asked for, if there is a thread for it. */
  prepare(terms: VoucherTerms, amounts: readonly bigint[]): void {
    const { digestOf } = this.#seriesOf(terms, "typed");
    if (this.#prepared.size + amounts.length > preparedMax) this.#prepared.clear();
    const fresh = amounts.filter((amount) => !this.#prepared.has(amount));
    if (fresh.length === 0) return;
    const batch = this.#signer.signMany?.(fresh.map(digestOf));
    if (batch === undefined) return;
    // Whoever asks for one of them learns why it failed; nobody may.
    batch.catch(() => undefined);
    for (const [index, amount] of fresh.entries()) this.#prepared.set(amount, { batch, index });
  }

  /** The signatures of typed vouchers of ascending amounts. */
  async signTyped(terms: VoucherTerms, amounts: readonly bigint[]): Promise<readonly Uint8Array[]> {
    if (this.#signer.signMany === undefined)
      return amounts.map((amount) => this.sign(terms, "typed", amount));
    this.prepare(terms, amounts);
    const prepared = amounts.map((amount) => this.#prepared.get(amount));
    const last = amounts.at(-1) ?? 0n;
    for (const amount of this.#prepared.keys()) if (amount <= last) this.#prepared.delete(amount);
    const signatures: Uint8Array[] = [];
    for (const one of prepared) {
      const signature = one === undefined ? undefined : (await one.batch)[one.index];
      assert(signature !== undefined, "each voucher has its signature");
      signatures.push(signature);
    }
    return signatures;
  }

  #seriesOf(terms: VoucherTerms, form: VoucherForm): Series {
    const { paymentSequence, resourceId } = terms;
    const known = this.#series;
    const isSame =
      known !== null &&
      known.paymentSequence === paymentSequence &&
      known.resourceId === resourceId;
    if (isSame && known.form === form) return known;
    if (!isSame) this.#prepared.clear();
    const digestOf = voucherDigests(terms, form, this.#chain);
    this.#series = { form, paymentSequence, resourceId, digestOf };
    return this.#series;
  }
}
