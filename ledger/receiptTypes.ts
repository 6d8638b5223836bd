import type { Address, Digest } from "../base/brand.ts";

/** What a contract or a module reported. */
export type Log = {
  readonly address: Address;
  /** At most four. */
  readonly topics: readonly Digest[];
  readonly data: Uint8Array;
};

/** What became of one transaction of a block. */
export type Receipt = {
  /** Zero digest for the receipt of the block's jobs, which is the last one if there is one. */
  readonly transactionHash: Digest;
  /** 1: done. 0: failed, only fee and sequences remain. */
  readonly status: 0 | 1;
  readonly gasUsed: bigint;
  /** Gas of this transaction and those before it in the block. */
  readonly cumulativeGasUsed: bigint;
  /** TFuelWei per gas; a whole fee divided by its gas, rounded down. */
  readonly gasPrice: bigint;
  /** TFuelWei taken from the payer for the transaction, burned or not. */
  readonly fee: bigint;
  readonly logs: readonly Log[];
  /** Bloom filter of `logs`, 256 bytes. */
  readonly logsBloom: Uint8Array;
  readonly contractAddress: Address | null;
  /** What a contract call returned, or its revert data. */
  readonly returnData: Uint8Array;
  /** Empty when done, else the refusal's code (`ledger/refusal.ts`). */
  readonly failure: string;
};
