import { bytesToTextOrNull, textToBytes } from "../../base/bytes.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";

/*
 * Messages of x402, version 2, as they travel in HTTP headers: base64 of JSON. Our scheme is
 * `pool`: the payment is a voucher out of a micropayment pool, so nothing is settled per request.
 */

/** Of this protocol. */
export const x402Version = 2;

/** The name of our scheme. */
export const poolScheme = "pool";

/** The asset that pools hold. */
export const tfuelAsset = "native:tfuel";

/** Header of an answer with status 402: what it would cost. */
export const requiredHeader = "payment-required";

/** Header of a request: the payment. */
export const paymentHeader = "payment-signature";

/** Header of an answer that was paid for. */
export const responseHeader = "payment-response";

/** Characters of one such header: Node takes 16 KiB of headers in all. */
export const headerCharactersMax = 12_288;

/** A JSON object whose fields were not looked at yet. */
export type JsonRecord = { readonly [name: string]: unknown };

/** One way to pay. */
export type PaymentRequirements = {
  readonly scheme: string;
  /** CAIP-2, here `eip155:` and the chain's number. */
  readonly network: string;
  readonly asset: string;
  /** What this request costs, in the asset's smallest unit, decimal. */
  readonly amount: string;
  readonly payTo: string;
  readonly maxTimeoutSeconds: number;
  readonly extra: JsonRecord;
};

/** What is paid for. */
export type ResourceInfo = {
  readonly url: string;
  readonly description?: string;
  readonly mimeType?: string;
};

/** With status 402. */
export type PaymentRequired = {
  readonly x402Version: number;
  readonly error?: string;
  readonly resource: ResourceInfo;
  readonly accepts: readonly PaymentRequirements[];
};

/** With a request. */
export type PaymentPayload = {
  readonly x402Version: number;
  readonly accepted: PaymentRequirements;
  readonly payload: JsonRecord;
};

/** With an answer that was paid for. */
export type PaymentResponse = {
  readonly success: boolean;
  readonly transaction: string;
  readonly network: string;
  readonly payer?: string;
  /** What was taken for this request, decimal. */
  readonly amount?: string;
  readonly errorReason?: string;
};

/** The network's name in x402. */
export function networkOf(chainId: number): string {
  return `eip155:${chainId}`;
}

/** JSON as a header's value. */
export function encodeHeader(value: PaymentRequired | PaymentPayload | PaymentResponse): string {
  return encodeJsonText(JSON.stringify(value));
}

/** A JSON text as a header's value: base64 of its UTF-8. */
export function encodeJsonText(text: string): string {
  let latin = "";
  for (const byte of textToBytes(text)) latin += String.fromCharCode(byte);
  return btoa(latin);
}

/** The object in a header; the refusal says what is wrong with it. */
export function decodeHeader(value: string): Outcome<JsonRecord, string> {
  if (value.length > headerCharactersMax) return refuse(`longer than ${headerCharactersMax}`);
  let latin: string;
  try {
    latin = atob(value);
  } catch {
    return refuse("not base64");
  }
  const text = bytesToTextOrNull(Uint8Array.from(latin, (character) => character.charCodeAt(0)));
  if (text === null) return refuse("not UTF-8");
  try {
    const json: unknown = JSON.parse(text);
    return isRecord(json) ? accept(json) : refuse("not an object");
  } catch {
    return refuse("not JSON");
  }
}

/** Whether the value is an object, so that its fields can be looked at. */
export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Requirements from outside; `null` if a field is missing or of a wrong kind. */
export function readRequirements(value: unknown): PaymentRequirements | null {
  if (!isRecord(value)) return null;
  const { scheme, network, asset, amount, payTo, maxTimeoutSeconds, extra } = value;
  if (typeof scheme !== "string" || typeof network !== "string") return null;
  if (typeof asset !== "string" || typeof payTo !== "string") return null;
  if (typeof amount !== "string" || !/^\d{1,78}$/.test(amount)) return null;
  if (typeof maxTimeoutSeconds !== "number" || !isRecord(extra)) return null;
  return { scheme, network, asset, amount, payTo, maxTimeoutSeconds, extra };
}
