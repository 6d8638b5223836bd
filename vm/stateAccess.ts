import type { Address, Digest } from "../base/brand.ts";

/*
 * What the EVM needs of a state, declared by the one who needs it: `ledger/journal.ts` has all of
 * it. Everything is synchronous; a read sees every write before it that was not reverted.
 */

/** An account as Ethereum has it. `storageRoot` only tells whether storage lay there before. */
export type EvmAccount = {
  readonly nonce: bigint;
  /** TFuelWei. */
  readonly balance: bigint;
  readonly storageRoot: Digest;
  /** keccak of the code; that of the empty string where there is none. */
  readonly codeHash: Digest;
};

/** What a contract reported. */
export type EvmLog = {
  readonly address: Address;
  /** At most four. */
  readonly topics: readonly Digest[];
  readonly data: Uint8Array;
};

/** A state that contracts run on. `Mark` is a point to revert to; marks nest. */
export interface StateAccess<Mark = unknown> {
  account(address: Address): EvmAccount | null;
  /** `null` removes the account; its storage is cleared by `clearStorage`. */
  setAccount(address: Address, account: EvmAccount | null): void;
  /** `null` for the hash of no code. */
  code(codeHash: Digest): Uint8Array | null;
  setCode(codeHash: Digest, code: Uint8Array): void;
  /** A word without leading zeros; `null` for zero. */
  storage(address: Address, slot: Digest): Uint8Array | null;
  setStorage(address: Address, slot: Digest, word: Uint8Array | null): void;
  clearStorage(address: Address): void;
  /** From here on `originalStorage` answers what storage is now [EIP-2200]. */
  beginTransaction(): void;
  /** The word at the last `beginTransaction`. */
  originalStorage(address: Address, slot: Digest): Uint8Array | null;
  log(log: EvmLog): void;
  checkpoint(): Mark;
  revert(mark: Mark): void;
  /** Takes out the logs since the mark: the EVM keeps those of its frames itself. */
  takeLogs(mark: Mark): readonly EvmLog[];
}
