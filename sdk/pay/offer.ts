import type { Address } from "../../base/brand.ts";
import { textToAddressOrNull } from "../../base/bytes.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import type { SignedVoucher, VoucherChain } from "../../ledger/voucher.ts";
import { policyDefault } from "./account.ts";
import { readVoucherJson, voucherToJson } from "./voucherJson.ts";
import { weiPerUnitMax, type Price } from "./price.ts";
import {
  decodeHeader,
  encodeJsonText,
  isRecord,
  networkOf,
  poolScheme,
  readRequirements,
  tfuelAsset,
  x402Version,
  type PaymentRequirements,
} from "./x402.ts";

/** What a server asks for, as a payer understands it. */
export type Offer = {
  readonly payTo: Address;
  readonly resourceId: string;
  readonly price: Price;
  /** TFuelWei that the request which it answers would cost. */
  readonly cost: bigint;
  /** The server serves while it is owed no more than the pool's collateral divided by this. */
  readonly exposureDivisor: bigint;
  /** Of the file, where it is one: the server's word, to be held against its hash list. */
  readonly manifestId: string | null;
  /** Why it was not served. */
  readonly reason: string;
  /** The payer's newest voucher as the server has it; `null` if it has none. */
  readonly shown: SignedVoucher | null;
  /** As it came, to be sent back with each payment. */
  readonly requirements: PaymentRequirements;
};

/** The offer in a `PAYMENT-REQUIRED` header, if it is one that this payer can meet. */
export function readOffer(header: string, chain: VoucherChain): Outcome<Offer, string> {
  const decoded = decodeHeader(header);
  if (!decoded.ok) return refuse(`the payment header is ${decoded.refusal}`);
  const { x402Version: version, accepts, error } = decoded.value;
  if (version !== x402Version) return refuse("the server does not speak x402 version 2");
  if (!Array.isArray(accepts)) return refuse("the server names no way to pay");
  const all = accepts.slice(0, acceptsMax).map(readRequirements);
  const requirements = all.find((one) => one?.scheme === poolScheme) ?? null;
  if (requirements === null) return refuse(`the server does not take the scheme ${poolScheme}`);
  const { network, asset, payTo: payee, extra, amount } = requirements;
  if (network !== networkOf(chain.id) || extra["genesisHash"] !== chain.genesisHash)
    return refuse(`the server is paid on another chain: ${network.slice(0, 60)}`);
  if (asset !== tfuelAsset) return refuse(`the server wants ${asset.slice(0, 60)}`);
  const payTo = textToAddressOrNull(payee);
  const { resourceId, manifestId, exposureDivisor } = extra;
  if (payTo === null || typeof resourceId !== "string") return refuse("the offer is incomplete");
  const price = readPrice(extra["unit"], extra["weiPerUnit"]);
  if (price === null) return refuse("the offer has no price");
  return accept({
    payTo,
    resourceId,
    price,
    cost: BigInt(amount),
    exposureDivisor: readDivisor(exposureDivisor),
    manifestId: typeof manifestId === "string" ? manifestId : null,
    reason: typeof error === "string" ? error.slice(0, 80) : "payment_required",
    shown: readShown(extra["account"]),
    requirements: { ...requirements, extra: { resourceId } },
  });
}

/** Ways to pay that are looked at. */
const acceptsMax = 16;

function readPrice(unit: unknown, wei: unknown): Price | null {
  if (unit !== "byte" && unit !== "second" && unit !== "request") return null;
  if (typeof wei !== "string" || !/^\d{1,30}$/.test(wei)) return null;
  const weiPerUnit = BigInt(wei);
  return weiPerUnit > weiPerUnitMax ? null : { unit, weiPerUnit };
}

/** As receivers have it where they say nothing. */
function readDivisor(value: unknown): bigint {
  const isCount = typeof value === "string" && /^[1-9]\d{0,20}$/.test(value);
  return isCount ? BigInt(value) : policyDefault.exposureDivisor;
}

function readShown(account: unknown): SignedVoucher | null {
  return isRecord(account) ? readVoucherJson(account["voucher"]) : null;
}

/** Makes payment headers for one offer: what does not change is written once. */
export function paymentHeaders(
  requirements: PaymentRequirements,
): (voucher: SignedVoucher) => string {
  const accepted = JSON.stringify(requirements);
  const before = `{"x402Version":${x402Version},"accepted":${accepted},"payload":{"voucher":`;
  return (voucher) => encodeJsonText(`${before}${JSON.stringify(voucherToJson(voucher))}}}`);
}
