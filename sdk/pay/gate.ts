import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import type { SignedVoucher, VoucherChain } from "../../ledger/voucher.ts";
import { readVoucherJson, voucherToJson } from "./voucherJson.ts";
import { exposureMax, type PayRefusal } from "./account.ts";
import { poolOf } from "./pool.ts";
import type { Price } from "./price.ts";
import type { Charged, Receiver } from "./receiver.ts";
import { openTab, type Tab } from "./tab.ts";
import {
  decodeHeader,
  encodeHeader,
  isRecord,
  networkOf,
  poolScheme,
  tfuelAsset,
  x402Version,
  type JsonRecord,
  type PaymentRequired,
  type PaymentRequirements,
  type PaymentResponse,
} from "./x402.ts";

/*
 * The server's half of a paid request, whatever carries it: a payment header in, and either a
 * header that says what was taken or an answer with status 402 that says what it would cost.
 */

/** What a gate is made of. */
export type GateParts = {
  readonly receiver: Receiver;
  readonly chain: VoucherChain;
  readonly price: Price;
};

/** A request that costs something. */
export type GateRequest = {
  /** The payment header as it came; `null` if there was none. */
  readonly payment: string | null;
  readonly url: string;
  readonly resourceId: string;
  /** TFuelWei. */
  readonly cost: bigint;
  /** Names what is served, so that it is charged once; `null` if each request is another. */
  readonly range: string | null;
  /** What else the offer says. */
  readonly extra?: JsonRecord;
};

/** What to do with a request. */
export type Admission =
  /** Serve it, with this `PAYMENT-RESPONSE`. */
  | { readonly type: "paid"; readonly header: string; readonly charged: Charged }
  /** Answer with this status and `PAYMENT-REQUIRED`; the body is the same as JSON. */
  | {
      readonly type: "required";
      readonly status: 400 | 402 | 503;
      readonly header: string;
      readonly body: PaymentRequired;
    };

/** Refusals that only the payer himself can meet: others learn nothing of his account. */
const afterSignature: ReadonlySet<PayRefusal["code"]> = new Set([
  "unpaid",
  "sequenceStale",
  "sequenceUnsettled",
  "overspent",
  "receiverMax",
  "exposure",
]);

/** Seconds for which an offer's price holds. */
const offerSeconds = 60;

function statusOf(refusal: PayRefusal): 402 | 503 {
  return refusal.code === "chainSilent" || refusal.code === "chainUnreachable" ? 503 : 402;
}

/** Takes payments for requests. */
export class PayGate {
  readonly price: Price;
  readonly #receiver: Receiver;
  readonly #chain: VoucherChain;

  constructor({ receiver, chain, price }: GateParts) {
    this.price = price;
    this.#receiver = receiver;
    this.#chain = chain;
  }

  /** Charges the request, or says what it would cost. */
  async admit(request: GateRequest): Promise<Admission> {
    if (request.payment === null) return this.#require(request, 402, "payment_required", null);
    const voucher = this.read(request.payment);
    if (!voucher.ok) return this.#require(request, 400, voucher.refusal, null);
    const { resourceId, cost, range } = request;
    const charged = await this.#receiver.charge({
      voucher: voucher.value,
      resourceId,
      cost,
      range,
    });
    if (!charged.ok) {
      const status = statusOf(charged.refusal);
      return this.#require(request, status, charged.refusal.code, voucher.value, charged.refusal);
    }
    const response: PaymentResponse = {
      success: true,
      transaction: "",
      network: networkOf(this.#chain.id),
      payer: voucher.value.source,
      amount: charged.value.taken.toString(),
    };
    return { type: "paid", header: encodeHeader(response), charged: charged.value };
  }

  /** Opens a tab for what is paid for while it is served; the request's cost is of its first part. */
  async open(
    request: GateRequest,
  ): Promise<
    { readonly type: "tab"; readonly tab: Tab } | Extract<Admission, { type: "required" }>
  > {
    if (request.payment === null) return this.#require(request, 402, "payment_required", null);
    const voucher = this.read(request.payment);
    if (!voucher.ok) return this.#require(request, 400, voucher.refusal, null);
    const opened = await openTab(this.#receiver, voucher.value, request.resourceId);
    if (opened.ok) return { type: "tab", tab: opened.value };
    return this.#require(
      request,
      statusOf(opened.refusal),
      opened.refusal.code,
      voucher.value,
      opened.refusal,
    );
  }

  /** What a request costs, as x402 says it. */
  requirements({ resourceId, cost, extra }: GateRequest): PaymentRequirements {
    const { unit, weiPerUnit } = this.price;
    return {
      scheme: poolScheme,
      network: networkOf(this.#chain.id),
      asset: tfuelAsset,
      amount: cost.toString(),
      payTo: this.#receiver.address,
      maxTimeoutSeconds: offerSeconds,
      extra: {
        resourceId,
        unit,
        weiPerUnit: weiPerUnit.toString(),
        chain: this.#chain.name,
        genesisHash: this.#chain.genesisHash,
        blocksLeftMin: this.#receiver.policy.blocksLeftMin,
        exposureDivisor: this.#receiver.policy.exposureDivisor.toString(),
        ...extra,
      },
    };
  }

  /** The voucher in a payment header; the refusal is an x402 reason. */
  read(payment: string): Outcome<SignedVoucher, string> {
    const header = decodeHeader(payment);
    if (!header.ok) return refuse("invalid_payload");
    const { x402Version: version, accepted, payload } = header.value;
    if (version !== x402Version) return refuse("invalid_x402_version");
    if (!isRecord(accepted) || accepted["scheme"] !== poolScheme) return refuse("invalid_scheme");
    if (accepted["network"] !== networkOf(this.#chain.id)) return refuse("invalid_network");
    const voucher = isRecord(payload) ? readVoucherJson(payload["voucher"]) : null;
    return voucher === null ? refuse("invalid_payload") : accept(voucher);
  }

  #require(
    request: GateRequest,
    status: 400 | 402 | 503,
    error: string,
    voucher: SignedVoucher | null,
    refusal?: PayRefusal,
  ): Extract<Admission, { type: "required" }> {
    const requirements = this.requirements(request);
    const isProven = refusal !== undefined && afterSignature.has(refusal.code);
    const account = voucher === null || !isProven ? null : this.#accountOf(voucher);
    const extra = account === null ? requirements.extra : { ...requirements.extra, account };
    const body: PaymentRequired = {
      x402Version,
      error,
      resource: { url: request.url },
      accepts: [{ ...requirements, extra }],
    };
    return { type: "required", status, header: encodeHeader(body), body };
  }

  /** For a payer that has lost count: its own best voucher, and what is left of it. */
  #accountOf(voucher: SignedVoucher): JsonRecord | null {
    const account = this.#receiver.accountOf(poolOf(voucher));
    if (account === null) return null;
    return {
      voucher: account.best === null ? null : voucherToJson(account.best),
      balance: account.balance.toString(),
      exposureMax: exposureMax(account, this.#receiver.policy).toString(),
      settledSequence: account.view.settled.paymentSequence.toString(),
      settledAmount: account.view.settled.amount.toString(),
    };
  }
}
