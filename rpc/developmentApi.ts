import type { Address, Digest } from "../base/brand.ts";
import type { Outcome } from "../base/outcome.ts";
import type { AccountWrite } from "../ledger/modules/dev.ts";
import type { EthereumTransaction } from "../ledger/thetaTypes.ts";
import type { SubmitRefusal } from "./api.ts";

/** A call in the name of an account that signs nothing. */
export type ImpersonatedCall = {
  readonly from: Address;
  readonly to: Address | null;
  readonly value: bigint;
  readonly data: Uint8Array;
  readonly gasLimit: bigint;
};

/** What a devnet does for test frameworks; all of it by operations in blocks, or by its clock. */
export interface DevelopmentApi {
  /** Funded accounts whose keys the node holds, because everybody does. */
  readonly accounts: readonly Address[];
  /** Raw bytes signed with the key of one of them; `null` for any other account. */
  sign(from: Address, transaction: EthereumTransaction): Uint8Array | null;
  /** A digest signed with the key of one of them, 65 bytes; `null` for any other account. */
  signDigest(from: Address, digest: Uint8Array): Uint8Array | null;
  /** What is signed of typed data [EIP-712]; the refusal says what is wrong with it. */
  typedDataDigest(data: unknown): Promise<Outcome<Uint8Array, string>>;
  isImpersonated(address: Address): boolean;
  /** False if there are too many already. */
  impersonate(address: Address): boolean;
  stopImpersonating(address: Address): boolean;
  /** Hands in a transaction that its sender did not sign; answers its hash. */
  transactAs(call: ImpersonatedCall): Promise<Outcome<Digest, SubmitRefusal>>;
  /** Resolves when the accounts are as written in a committed block. */
  write(accounts: readonly AccountWrite[]): Promise<Outcome<null, string>>;
  /** Resolves when so many more blocks are committed. */
  mine(blocks: number): Promise<Outcome<null, string>>;
  isAutomining(): boolean;
  setAutomining(on: boolean): void;
  /** Time of the next block that is mined or has transactions, in seconds. */
  setNextTimestamp(seconds: number): Outcome<null, string>;
  /** Moves the clock on; answers by how many seconds it is ahead now. */
  increaseTime(seconds: number): number;
  /** Remembers the state after the head. */
  snapshot(): Outcome<number, string>;
  /** Writes the remembered state back; false if there is no such snapshot. It is used up by that. */
  revert(snapshot: number): Promise<Outcome<boolean, string>>;
}
