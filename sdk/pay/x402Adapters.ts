import type { Payer } from "./payer.ts";
import type { PayGate } from "./gate.ts";
import { PayPeerError } from "./errors.ts";
import { poolOf, poolText } from "./pool.ts";
import type { Receiver } from "./receiver.ts";
import { textToAddressOrNull } from "../../base/bytes.ts";
import {
  encodeHeader,
  poolScheme,
  readRequirements,
  tfuelAsset,
  x402Version,
  type PaymentPayload,
  type PaymentRequirements,
  type PaymentResponse,
} from "./x402.ts";
import { voucherToJson } from "./voucherJson.ts";

/*
 * Our scheme for the stock packages `@x402/core`, `@x402/express` and `@x402/fetch`: their
 * interfaces by shape, so that nothing of theirs is needed here. The "facilitator" is the receiver
 * itself: a voucher is checked and kept on its own disk, and nobody else is asked.
 */

/** A client's scheme: `client.register("eip155:366", poolClientScheme(payer))`. */
export function poolClientScheme(payer: Payer): {
  readonly scheme: string;
  createPaymentPayload(
    version: number,
    requirements: unknown,
  ): Promise<{ x402Version: number; payload: Record<string, unknown> }>;
} {
  return {
    scheme: poolScheme,
    async createPaymentPayload(version, requirements) {
      const asked = readRequirements(requirements);
      const target = asked === null ? null : textToAddressOrNull(asked.payTo);
      const resourceId = asked?.extra["resourceId"];
      if (asked === null || target === null || typeof resourceId !== "string")
        throw new PayPeerError("E_NO_OFFER", "the server's requirements are incomplete");
      const cost = BigInt(asked.amount);
      const paid = await payer.pay({ target, resourceId, cost, range: null });
      if (!paid.ok)
        throw new PayPeerError("E_NOT_PAID", `nothing was signed: ${paid.refusal.code}`);
      return { x402Version: version, payload: { voucher: voucherToJson(paid.value.voucher) } };
    },
  };
}

/** A server's scheme; `price` of a route is `{ amount: wei, asset: "native:tfuel" }`. */
export function poolServerScheme(gate: PayGate): {
  readonly scheme: string;
  readonly defaultAssetTransferMethod: string;
  readonly paymentFlows: Readonly<
    Record<string, { readonly supported: readonly string[]; readonly default: string }>
  >;
  parsePrice(price: unknown): Promise<{ amount: string; asset: string }>;
  enhancePaymentRequirements(requirements: PaymentRequirements): Promise<PaymentRequirements>;
} {
  return {
    scheme: poolScheme,
    defaultAssetTransferMethod: "default",
    // Taken before anything is served, since what was served cannot be taken back.
    paymentFlows: { default: { supported: ["upfront"], default: "upfront" } },
    parsePrice(price) {
      const amount = typeof price === "object" && price !== null && "amount" in price;
      const wei = amount ? String(price.amount) : String(price);
      if (!/^\d{1,78}$/.test(wei))
        throw new PayPeerError("E_BAD_PRICE", "a price is an amount of TFuelWei");
      return Promise.resolve({ amount: wei, asset: tfuelAsset });
    },
    enhancePaymentRequirements(requirements) {
      const { resourceId } = requirements.extra;
      if (typeof resourceId !== "string")
        throw new PayPeerError("E_NO_RESOURCE", "a route's extra needs its resourceId");
      const cost = BigInt(requirements.amount);
      const own = gate.requirements({ payment: null, url: "", resourceId, cost, range: null });
      return Promise.resolve({ ...requirements, extra: { ...own.extra, ...requirements.extra } });
    },
  };
}

/** Checks and takes payments for the stock server: its facilitator, without another party. */
export class PoolFacilitator {
  readonly #receiver: Receiver;
  readonly #gate: PayGate;
  readonly #network: string;

  constructor(receiver: Receiver, gate: PayGate, network: string) {
    this.#receiver = receiver;
    this.#gate = gate;
    this.#network = network;
  }

  getSupported(): Promise<{
    kinds: { x402Version: number; scheme: string; network: string }[];
    extensions: string[];
    signers: Record<string, string[]>;
  }> {
    const kind = { x402Version, scheme: poolScheme, network: this.#network };
    return Promise.resolve({ kinds: [kind], extensions: [], signers: {} });
  }

  /** Whether it is a voucher at all; what it is worth is for `settle`, which takes it. */
  verify(
    payload: PaymentPayload,
  ): Promise<{ isValid: boolean; payer?: string; invalidReason?: string }> {
    const voucher = this.#gate.read(encodeHeader(payload));
    return Promise.resolve(
      voucher.ok
        ? { isValid: true, payer: voucher.value.source }
        : { isValid: false, invalidReason: voucher.refusal },
    );
  }

  /** Takes the payment; it is on disk when this resolves, and on the chain when it is due. */
  async settle(payload: PaymentPayload, requirements: unknown): Promise<PaymentResponse> {
    const voucher = this.#gate.read(encodeHeader(payload));
    const asked = readRequirements(requirements);
    const resourceId = asked?.extra["resourceId"];
    const failed = { success: false, transaction: "", network: this.#network };
    if (!voucher.ok || asked === null || typeof resourceId !== "string")
      return { ...failed, errorReason: "invalid_payload" };
    const cost = BigInt(asked.amount);
    const request = { voucher: voucher.value, resourceId, cost, range: null };
    const charged = await this.#receiver.charge(request);
    const payer = voucher.value.source;
    if (!charged.ok) return { ...failed, payer, errorReason: charged.refusal.code };
    const { paymentSequence, amount } = voucher.value;
    return {
      success: true,
      transaction: `${poolText(poolOf(voucher.value))}/${paymentSequence}/${amount}`,
      network: this.#network,
      payer,
      amount: charged.value.taken.toString(),
    };
  }
}
