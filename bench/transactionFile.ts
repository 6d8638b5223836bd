import { closeSync, openSync, writeSync } from "node:fs";
import type { Address } from "../base/brand.ts";
import { chainIdOf } from "../node/init.ts";
import {
  signEthereumTransfer,
  signSend,
  type SignedTransaction,
  type Signer,
} from "../sdk/wallet.ts";
import { benchChainName } from "./senders.ts";

/** Which of the two envelopes a file has. */
export type TransferKind = "native" | "ethereum";

/**
 * Signed transfers, one raw transaction as `0x` hex a line. Transaction k is of sender k mod
 * senders with nonce floor(k / senders), so any lane of senders may be sent on its own in the
 * file's order.
 */
export type TransactionFile = {
  readonly path: string;
  readonly kind: TransferKind;
  readonly senderCount: number;
  /** Hash of transaction k. */
  readonly hashes: readonly string[];
};

/** TFuelWei that each transfer moves. */
export const transferTfuelWei = 1_000n;

/**
 * Whole fee of a native transfer: far above what it needs, so that a rising base fee drops none.
 */
export const nativeFeeTfuelWei = 10n ** 15n;

/** Most TFuelWei per gas that an Ethereum transfer pays; no tip, so that all fees are burned. */
const maxFeePerGas = 100_000_000_000n;

/** Lines that are written at a time. */
const chunkLines = 2_000;

function sign(kind: TransferKind, from: Signer, to: Address, nonce: bigint): SignedTransaction {
  if (kind === "native") {
    const outputs = [{ address: to, coins: { thetaWei: 0n, tfuelWei: transferTfuelWei } }];
    const terms = { chain: benchChainName, sequence: nonce + 1n, fee: nativeFeeTfuelWei };
    return signSend(from, { ...terms, outputs });
  }
  return signEthereumTransfer(from, {
    chainId: chainIdOf(benchChainName),
    nonce,
    to,
    value: transferTfuelWei,
    maxFeePerGas,
    maxPriorityFeePerGas: 0n,
  });
}

/**
 * Signs before any clock starts. Each transfer goes to another of the senders; `signOne` makes
 * something else of it.
 */
export function writeTransactionFile(
  path: string,
  kind: TransferKind,
  options: {
    readonly senders: readonly Signer[];
    readonly count: number;
    readonly signOne?: (from: Signer, nonce: bigint, k: number) => SignedTransaction;
  },
): TransactionFile {
  const { senders, count } = options;
  const hashes: string[] = [];
  const file = openSync(path, "w");
  let lines: string[] = [];
  for (let k = 0; k < count; k += 1) {
    const round = Math.floor(k / senders.length);
    const from = senders[k % senders.length];
    const to = senders[(k + 7 * round + 1) % senders.length];
    if (from === undefined || to === undefined) throw new Error("there are no senders");
    const nonce = BigInt(round);
    const signed = options.signOne?.(from, nonce, k) ?? sign(kind, from, to.address, nonce);
    hashes.push(signed.hash);
    lines.push(signed.raw);
    if (lines.length === chunkLines || k === count - 1) {
      writeSync(file, `${lines.join("\n")}\n`);
      lines = [];
    }
  }
  closeSync(file);
  return { path, kind, senderCount: senders.length, hashes };
}
