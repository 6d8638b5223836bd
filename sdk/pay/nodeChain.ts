import type { Address } from "../../base/brand.ts";
import { bytesToHex, textToDigestOrNull } from "../../base/bytes.ts";
import type { PoolId } from "../../ledger/pool.ts";
import type { SignedVoucher, VoucherChain } from "../../ledger/voucher.ts";
import type { LedgerClient } from "../client.ts";
import { ProtocolError } from "../errors.ts";
import { LightClient, type LightClientParts } from "../light/client.ts";
import { nativeGasMax, signReserveFund, type SignedTransaction, type Signer } from "../wallet.ts";
import { PayPeerError } from "./errors.ts";
import type { PayerPool } from "./payerBook.ts";
import type { PayChain, PoolView, SettlementOrder } from "./pool.ts";
import {
  poolProofKeys,
  readPoolView,
  readSplitRule,
  splitProofKeys,
  verifyModuleProof,
  type ProvenValues,
} from "./poolProof.ts";
import { batchGasOf, poolGas, signSettleBatch, signSlash } from "./poolTransactions.ts";
import { isRecord } from "./x402.ts";

/** What a chain behind a node is made of. */
export type NodeChainParts = {
  readonly client: Pick<
    LedgerClient,
    "call" | "nextSequence" | "suggestedFee" | "broadcast" | "transaction"
  >;
  /** Signs settlements and proofs, and pays for them. */
  readonly signer: Signer;
  /** How to tell the chain from a node's inventions; see `LightClient`. */
  readonly trust?: Pick<LightClientParts, "store" | "anchor" | "onFirstContact" | "now">;
};

/** The chain, asked through a node; height and pools are taken by proof only. */
export class NodeChain implements PayChain {
  readonly names: VoucherChain;
  readonly #client: NodeChainParts["client"];
  readonly #signer: Signer;
  readonly #light: LightClient;

  constructor({ client, signer, trust }: NodeChainParts, names: VoucherChain) {
    this.names = names;
    this.#client = client;
    this.#signer = signer;
    this.#light = new LightClient({ ...trust, node: client, genesisHash: names.genesisHash });
  }

  height(): Promise<number> {
    return this.#light.height();
  }

  async pool(id: PoolId, receiver: Address, resourceId: string): Promise<PoolView | null> {
    const pool = await this.#prove("reserve", poolProofKeys(id, receiver, resourceId));
    const rule = readSplitRule(await this.#prove("split", splitProofKeys(resourceId)));
    return readPoolView(id, pool, { rule, receiver });
  }

  async settle(orders: readonly SettlementOrder[]): Promise<void> {
    const { address } = this.#signer;
    const sequence = await this.#client.nextSequence(address);
    const fee = await this.#client.suggestedFee(batchGasOf(orders));
    const { genesisHash } = this.names;
    await this.#hand(signSettleBatch(this.#signer, { genesisHash, sequence, fee, orders }));
  }

  async slash(id: PoolId, proof: readonly SignedVoucher[]): Promise<void> {
    const gas = poolGas.slash + poolGas.slashPerVoucher * BigInt(proof.length);
    const fee = await this.#client.suggestedFee(gas);
    const terms = { chain: this.names.name, fee, pool: id, proof };
    await this.#hand(signSlash(this.#signer, terms));
  }

  /**
   * Opens a pool of the signer. `onSigned` is awaited before the transaction goes out: a payer that
   * is killed in between must know of its pool.
   */
  async open(
    terms: {
      readonly fund: bigint;
      readonly collateral: bigint;
      readonly resourceIds: readonly string[];
      readonly durationBlocks: number;
    },
    onSigned: (pool: PayerPool) => Promise<void>,
  ): Promise<PayerPool> {
    const { fund, collateral, resourceIds, durationBlocks } = terms;
    const { reserve, reservePerResource } = nativeGasMax;
    const gas = reserve + reservePerResource * BigInt(resourceIds.length);
    const fee = await this.#client.suggestedFee(gas);
    const sequence = await this.#client.nextSequence(this.#signer.address);
    const chain = this.names.name;
    const duration = BigInt(durationBlocks);
    const signed = signReserveFund(this.#signer, {
      chain,
      sequence,
      fee,
      fund,
      collateral,
      resourceIds,
      durationBlocks: duration,
    });
    await onSigned({ sequence, fund, collateral, resourceIds, endHeight: 0 });
    await this.#hand(signed);
    const id = { owner: this.#signer.address, sequence };
    const view = await this.pool(id, this.#signer.address, resourceIds[0] ?? "");
    if (view === null)
      throw new PayPeerError("E_POOL_GONE", `pool ${sequence} is not there after it was opened`);
    return { sequence, fund, collateral, resourceIds, endHeight: view.endHeight };
  }

  async #prove(module: string, keys: readonly Uint8Array[]): Promise<ProvenValues> {
    const parameters = { module, keys: keys.map(bytesToHex) };
    const proven = await this.#light.ask("ledger.getModuleProof", parameters, "commitProof");
    return verifyModuleProof(proven, { module, keys });
  }

  /** Hands a transaction in and waits for its block; throws if it failed there. */
  async #hand(signed: SignedTransaction): Promise<void> {
    await this.#client.broadcast(signed.raw, "committed");
    const { failure } = await this.#client.transaction(signed.hash);
    if (failure !== null)
      throw new PayPeerError("E_TX_FAILED", `transaction ${signed.hash} failed: ${failure}`);
  }
}

/** Learns the chain's names and makes a `NodeChain`. */
export async function connectChain(parts: NodeChainParts): Promise<NodeChain> {
  const chain = await parts.client.call("ledger.chain");
  const { name, id, genesisHash } = isRecord(chain) ? chain : {};
  const hash = typeof genesisHash === "string" ? textToDigestOrNull(genesisHash) : null;
  if (typeof name !== "string" || typeof id !== "number" || hash === null)
    throw new ProtocolError("the answer to ledger.chain lacks a name");
  return new NodeChain(parts, { name, id, genesisHash: hash });
}
