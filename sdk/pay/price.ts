/** What is counted: bytes sent, seconds of service, requests. */
export type PriceUnit = "byte" | "second" | "request";

/** A price in TFuelWei per unit; a whole number, so that sums are exact to the wei. */
export type Price = { readonly unit: PriceUnit; readonly weiPerUnit: bigint };

/** Greatest price per unit: one TFUEL. */
export const weiPerUnitMax: bigint = 10n ** 18n;

/** What so many units cost; a second that was begun is charged. */
export function costOf(price: Price, units: number): bigint {
  return price.weiPerUnit * BigInt(Math.ceil(units));
}
