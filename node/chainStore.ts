import type { Digest } from "../base/brand.ts";
import type { EpochInfo } from "../consensus/types.ts";
import type { Block, CommitProof } from "../ledger/blockTypes.ts";
import type { ExecutionResult } from "../ledger/execute.ts";
import type { StateChanges, StateReader } from "../ledger/state.ts";

/** What one atomic write commits. */
export type CommitWrite = {
  /** Oldest first; children of one another. */
  readonly blocks: readonly {
    readonly hash: Digest;
    readonly block: Block;
    readonly result: ExecutionResult;
  }[];
  /** Of the last of them. */
  readonly proof: CommitProof;
  /** The epoch that the last of them begins, if it ends one. */
  readonly epoch: EpochInfo | null;
};

/** What the chain needs of a store; `node/diskStore.ts` is it. */
export interface ChainStore {
  reader(root: Digest): StateReader;
  /** The root after `changes`; new nodes stay in memory until a commit. */
  apply(parent: Digest, changes: StateChanges): Digest;
  /** Forgets an uncommitted root. */
  discard(root: Digest): void;
  /** Resolves when the block would survive a power cut. */
  putBlock(hash: Digest, block: Block): Promise<void>;
  /** A stored block that can never be committed may be removed. */
  forgetBlock(hash: Digest): void;
  /** Resolves when all of it would survive a power cut. */
  commit(write: CommitWrite): Promise<void>;
}
