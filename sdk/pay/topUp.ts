import { assert } from "../../base/assert.ts";
import { bigIntToFixedBytes, bytesToBigInt, concatBytes } from "../../base/bytes.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";

/*
 * What a payer sends while it is served (`tab.ts`): vouchers of the terms of the first one, in few
 * bytes. One byte of kind, then
 *
 *   1 voucher   amount (32) || signature (65), over the typed form
 *   2 chain     amount (32) || step (32) || anchor (32) || signature (65)
 *   3 token     the next preimage of the chain (32)
 */

/** More to be served for. */
export type TopUp =
  | { readonly type: "voucher"; readonly amount: bigint; readonly signature: Uint8Array }
  | {
      readonly type: "chain";
      readonly amount: bigint;
      readonly step: bigint;
      readonly anchor: Uint8Array;
      readonly signature: Uint8Array;
    }
  | { readonly type: "token"; readonly token: Uint8Array };

/** Bytes after the kind, by kind. */
const sizes = [0, 97, 161, 32];

/** Bytes of one. */
export function encodeTopUp(topUp: TopUp): Uint8Array {
  switch (topUp.type) {
    case "voucher":
      return concatBytes(Uint8Array.of(1), word(topUp.amount), topUp.signature);
    case "chain": {
      const { amount, step, anchor, signature } = topUp;
      return concatBytes(Uint8Array.of(2), word(amount), word(step), anchor, signature);
    }
    case "token":
      return concatBytes(Uint8Array.of(3), topUp.token);
  }
}

function word(value: bigint): Uint8Array {
  return bigIntToFixedBytes(value, 32);
}

/** Cuts a stream of bytes into top-ups; keeps less than one of them. */
export class TopUpReader {
  #rest: Uint8Array = new Uint8Array();

  /** Those that are whole by now, in order; the refusal is for people. */
  push(bytes: Uint8Array): Outcome<readonly TopUp[], string> {
    const given = this.#rest.length === 0 ? bytes : concatBytes(this.#rest, bytes);
    const topUps: TopUp[] = [];
    let at = 0;
    while (at < given.length) {
      const kind = given[at] ?? 0;
      const size = sizes[kind];
      if (size === undefined || size === 0) return refuse(`a top-up of kind ${kind}`);
      if (at + 1 + size > given.length) break;
      topUps.push(readTopUp(kind, given.slice(at + 1, at + 1 + size)));
      at += 1 + size;
    }
    this.#rest = given.slice(at);
    return accept(topUps);
  }
}

function readTopUp(kind: number, bytes: Uint8Array): TopUp {
  if (kind === 3) return { type: "token", token: bytes };
  const amount = bytesToBigInt(bytes.subarray(0, 32));
  if (kind === 1) return { type: "voucher", amount, signature: bytes.subarray(32) };
  assert(kind === 2, "there are three kinds");
  const step = bytesToBigInt(bytes.subarray(32, 64));
  const anchor = bytes.subarray(64, 96);
  return { type: "chain", amount, step, anchor, signature: bytes.subarray(96) };
}
