import type { Digest } from "../base/brand.ts";
import type { EpochInfo } from "../consensus/types.ts";
import type { Block, CommitProof, Header } from "../ledger/blockTypes.ts";
import type { ExecutionResult } from "../ledger/execute.ts";
import type { Transaction } from "../ledger/transaction.ts";
import type { StateChanges, StateReader } from "../ledger/state.ts";

/** What one atomic write commits. */
export type CommitWrite = {
  readonly hash: Digest;
  readonly block: Block;
  readonly transactions: readonly Transaction[];
  readonly result: ExecutionResult;
  readonly proof: CommitProof;
  /** The epoch that it begins, if it ends one. */
  readonly epoch: EpochInfo | null;
  /** Whether `putBlock` wrote it before; a block that was not voted for here was not. */
  readonly isStored: boolean;
};

/** What the chain needs of a store; `node/diskStore.ts` is it. */
export interface ChainStore {
  reader(root: Digest): StateReader;
  /** Header of a committed block; `null` if there is none of this hash. */
  committedHeader(hash: Digest): Header | null;
  /** The root after `changes`; new nodes stay in memory until a commit. */
  apply(parent: Digest, changes: StateChanges): Digest;
  /** Forgets the state of one dead block; those that build on it first. */
  discard(step: { readonly parent: Digest; readonly root: Digest }): void;
  /** Resolves when the block would survive a power cut. */
  putBlock(hash: Digest, block: Block): Promise<void>;
  /** A stored block that can never be committed may be removed. */
  forgetBlock(hash: Digest, height: number): void;
  /** Resolves when all of it would survive a power cut. */
  commit(write: CommitWrite): Promise<void>;
}
