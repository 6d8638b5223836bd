import type { Address } from "../base/brand.ts";
import { recoverAddress } from "../crypto/secp256k1.ts";
import {
  voucherDigests,
  voucherPayer,
  voucherSignatureBytes,
  type SignedVoucher,
  type VoucherChain,
} from "./voucher.ts";

type Series = {
  readonly first: SignedVoucher;
  readonly digestOf: (amount: bigint) => Uint8Array;
};

/**
 * Checks the vouchers of one payer one after another: as `voucherPayer`, but what does not change
 * from one to the next is encoded once, and the form of the last is tried first.
 */
export class VoucherChecker {
  readonly #chain: VoucherChain;
  #series: Series | null = null;

  constructor(chain: VoucherChain) {
    this.#chain = chain;
  }

  /** The payer, if the voucher is its own; `null` if not. */
  payer(voucher: SignedVoucher): Address | null {
    const series = this.#series;
    if (series !== null && isOfSeries(voucher, series.first)) {
      const signer = recoverAddress(series.digestOf(voucher.amount), voucher.signature);
      if (signer === voucher.source) return signer;
    }
    const payer = voucherPayer(voucher, this.#chain);
    if (payer !== null && voucher.signature.length === voucherSignatureBytes)
      this.#series = this.#seriesOf(voucher);
    return payer;
  }

  #seriesOf(first: SignedVoucher): Series | null {
    for (const form of ["theta", "typed"] as const) {
      const digestOf = voucherDigests(first, form, this.#chain);
      if (recoverAddress(digestOf(first.amount), first.signature) === first.source)
        return { first, digestOf };
    }
    return null;
  }
}

function isOfSeries(voucher: SignedVoucher, first: SignedVoucher): boolean {
  return (
    voucher.signature.length === voucherSignatureBytes &&
    voucher.source === first.source &&
    voucher.target === first.target &&
    voucher.paymentSequence === first.paymentSequence &&
    voucher.reserveSequence === first.reserveSequence &&
    voucher.resourceId === first.resourceId
  );
}
