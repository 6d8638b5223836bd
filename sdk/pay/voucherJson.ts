import { signedVoucherSchema, type SignedVoucher } from "../../ledger/voucher.ts";

export type { SignedVoucher } from "../../ledger/voucher.ts";

/** A voucher as plain JSON: what files and HTTP headers hold. */
export function voucherToJson(voucher: SignedVoucher): unknown {
  return signedVoucherSchema.toJson(voucher);
}

/** A voucher from outside; `null` if the value is none. Its signature is not looked at. */
export function readVoucherJson(value: unknown): SignedVoucher | null {
  return signedVoucherSchema.fromJson(value)?.value ?? null;
}
