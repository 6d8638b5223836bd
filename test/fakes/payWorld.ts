import type { Address } from "../../base/brand.ts";
import { addressOf } from "../../crypto/secp256k1.ts";
import type { ReceiverPolicy } from "../../sdk/pay/account.ts";
import { Payer, type PayerParts } from "../../sdk/pay/payer.ts";
import { Receiver, type RecordStore } from "../../sdk/pay/receiver.ts";
import { keySigner, type Signer } from "../../sdk/wallet.ts";
import { FakePayChain } from "./payChain.ts";

/** A journal in memory; `records` is what a restart finds. */
export class MemoryStore implements RecordStore {
  readonly records: Uint8Array[] = [];
  failure: Error | null = null;

  append(record: Uint8Array): Promise<void> {
    if (this.failure !== null) return Promise.reject(this.failure);
    this.records.push(record);
    return Promise.resolve();
  }

  write(record: Uint8Array): Promise<void> {
    return this.append(record);
  }
}

/** The signer with the private key of 32 times this byte. */
export function testSigner(byte: number): Signer {
  return keySigner(new Uint8Array(32).fill(byte));
}

/** Its address. */
export function testAddress(byte: number): Address {
  return addressOf(new Uint8Array(32).fill(byte));
}

/** What the pools of these tests pay for. */
export const resourceId = "video";

/** A payer with one pool, a receiver, and the chain that both look at. */
export class PayWorld {
  readonly chain = new FakePayChain();
  readonly payerStore = new MemoryStore();
  readonly receiverStore = new MemoryStore();
  nowMs = 1_000_000;

  /** Pool 1 of the payer with key 1: fund 1,000, collateral 1,600, so an exposure of 100. */
  constructor() {
    this.openPool(1n);
  }

  openPool(sequence: bigint, byte = 1): void {
    this.chain.open(testAddress(byte), {
      sequence,
      fund: 1_000n,
      collateral: 1_600n,
      resourceIds: [resourceId],
      endHeight: 500,
    });
  }

  async payer(
    parts: Partial<PayerParts> = {},
    sequences: readonly bigint[] = [1n],
  ): Promise<Payer> {
    const signer = testSigner(1);
    const payer = new Payer({ signer, chain: this.chain.names, store: this.payerStore, ...parts });
    payer.load(this.payerStore.records);
    for (const sequence of sequences)
      await payer.addPool({
        sequence,
        fund: 1_000n,
        collateral: 1_600n,
        resourceIds: [resourceId],
        endHeight: 500,
      });
    return payer;
  }

  async receiver(policy: Partial<ReceiverPolicy> = {}, byte = 2): Promise<Receiver> {
    const receiver = new Receiver({
      address: testAddress(byte),
      chain: this.chain,
      store: this.receiverStore,
      policy,
      now: () => this.nowMs,
    });
    receiver.load(this.receiverStore.records);
    await receiver.tick();
    return receiver;
  }
}
