import type { Digest } from "../../base/brand.ts";
import { bytesToHex, emptyBytes } from "../../base/bytes.ts";
import { keccak256, keccakDigest } from "../../crypto/keccak.ts";
import { incrementCount } from "../../ledger/voucherIncrements.ts";
import { encodeOverspendingProof } from "../../ledger/overspendingProof.ts";
import type { PoolId } from "../../ledger/pool.ts";
import { encodeThetaTransaction } from "../../ledger/thetaCodec.ts";
import { signBytes } from "../../ledger/thetaSignBytes.ts";
import type { ThetaTransaction } from "../../ledger/thetaTypes.ts";
import { batchSchema, settlementOf, type SignedVoucher } from "../../ledger/voucher.ts";
import { signOperation, type SignedTransaction, type Signer } from "../wallet.ts";
import type { SettlementOrder } from "./pool.ts";

/* Transactions of pools that a payment client makes by itself. Amounts are TFuelWei. */

/** Gas by the default chain parameters, to bid for. */
export const poolGas = {
  batch: 5_000n,
  batchPerVoucher: 15_000n,
  batchPerIncrement: 50n,
  slash: 20_000n,
  slashPerVoucher: 10_000n,
} as const;

/** Proves an overspend (type 1): the fee comes out of the collateral. */
export function signSlash(
  signer: Signer,
  terms: {
    readonly chain: string;
    readonly fee: bigint;
    readonly pool: PoolId;
    readonly proof: readonly SignedVoucher[];
  },
): SignedTransaction {
  const { owner: slashedAddress, sequence: reserveSequence } = terms.pool;
  const payments = terms.proof.map((voucher) => settlementOf(voucher, { fee: 0n, targetMin: 0n }));
  const build = (signature: Uint8Array): ThetaTransaction => ({
    type: "slash",
    proposer: {
      address: signer.address,
      coins: { thetaWei: 0n, tfuelWei: terms.fee },
      sequence: 0n,
      signature,
    },
    slashedAddress,
    reserveSequence,
    slashProof: encodeOverspendingProof({ reserveSequence, payments }),
  });
  const signature = signer.sign(keccak256(signBytes(build(emptyBytes), terms.chain, "v1")));
  const raw = encodeThetaTransaction(build(signature));
  return { raw: bytesToHex(raw), hash: keccakDigest(raw) };
}

/** Settles many vouchers at once; each is paid or refused by itself. */
export function signSettleBatch(
  signer: Signer,
  terms: {
    readonly genesisHash: Digest;
    readonly sequence: bigint;
    readonly fee: bigint;
    readonly orders: readonly SettlementOrder[];
  },
): SignedTransaction {
  const entries = terms.orders.map(({ voucher, targetMin }) => {
    // Another's receiver has not signed this: nothing may be claimed in its name.
    const isOwn = voucher.target === signer.address;
    return { ...voucher, targetMin: isOwn ? targetMin : 0n, targetSignature: emptyBytes };
  });
  return signOperation(signer, {
    genesisHash: terms.genesisHash,
    sequence: terms.sequence,
    fee: terms.fee,
    module: "reserve",
    op: "settleBatch",
    body: batchSchema.toItem({ entries }),
    gasLimit: batchGasOf(terms.orders),
  });
}

/** Gas of a batch. */
export function batchGasOf(orders: readonly SettlementOrder[]): bigint {
  const hashes = orders.reduce((sum, order) => sum + incrementCount(order.voucher.signature), 0);
  const { batch, batchPerVoucher, batchPerIncrement } = poolGas;
  return batch + batchPerVoucher * BigInt(orders.length) + batchPerIncrement * BigInt(hashes);
}
