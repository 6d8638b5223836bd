import type { Address, Digest, Verified } from "../base/brand.ts";
import type { Outcome } from "../base/outcome.ts";
import type { Committee } from "../consensus/types.ts";
import type { Header } from "./blockTypes.ts";
import type { BlockContext, Chain, ReadContext } from "./module.ts";
import type { Parameters } from "./parameters.ts";
import type { Receipt } from "./receiptTypes.ts";
import type { Refusal } from "./refusal.ts";
import type { StateChanges, StateReader } from "./state.ts";
import type { Transaction } from "./transaction.ts";

/** What a block did. */
export type ExecutionResult = {
  readonly changes: StateChanges;
  /** One per transaction, in order. */
  readonly receipts: readonly Receipt[];
  /** What jobs logged, if anything; its receipt follows the others in the receipts root. */
  readonly jobReceipt: Receipt | null;
  readonly gasUsed: bigint;
  /** Of all receipts, 256 bytes. */
  readonly logsBloom: Uint8Array;
  /** TFuelWei of fees that nobody gets. */
  readonly burned: bigint;
  /** The next epoch's committee, at an epoch's last block; else `null`. */
  readonly nextCommittee: Committee | null;
};

/** Why a block may not be executed; `index` of the transaction, -1 for the block itself. */
export type BlockRefusal = { readonly index: number; readonly refusal: Refusal };

/** What a header must say, from its parent and the parent's state. */
export type NextBlockRules = {
  readonly height: number;
  /** Timestamps below this are refused. */
  readonly timestampMsMin: number;
  readonly gasLimit: bigint;
  readonly baseFee: bigint;
  readonly runtimeHash: Digest;
  /** Encoded transactions of the block together. */
  readonly bytesMax: number;
  /** Whether this block is beyond its epoch's last: then it carries no transactions. */
  readonly epochEnded: boolean;
  /** Whether this block is its epoch's last: then it names the next committee. */
  readonly epochLast: boolean;
  readonly parameters: Parameters;
};

/** What a proposer got into a block, and what it left out. */
export type BuiltBlock = {
  readonly included: readonly Verified<Transaction>[];
  /** Invalid now: to be dropped from the mempool or kept as the code says. */
  readonly dropped: readonly {
    readonly transaction: Verified<Transaction>;
    readonly refusal: Refusal;
  }[];
  readonly result: ExecutionResult;
};

/** The ledger's rules as a pure function of state and block. Safe to share; holds no state of any chain. */
export interface Executor {
  readonly chain: Chain;
  /** Runtime in force in this state. */
  runtimeHash(reader: StateReader): Digest;
  parameters(reader: StateReader): Parameters;
  /** Rules for the child of `parent`, whose state is `reader`; `epoch` is the child's. */
  nextRules(reader: StateReader, parent: Header, epoch: number): NextBlockRules;
  /** Whether a header's execution fields fit its parent; `reader` is the parent's state. */
  checkHeader(reader: StateReader, parent: Header, header: Header): Refusal | null;
  /** Executes a whole block on its parent's state; any invalid transaction refuses all of it. */
  executeBlock(input: {
    readonly reader: StateReader;
    readonly block: BlockContext;
    readonly transactions: readonly Verified<Transaction>[];
  }): Promise<Outcome<ExecutionResult, BlockRefusal>>;
  /** Takes candidates in order until gas, bytes or `transactionsMax` are used up; leaves out the invalid. */
  buildBlock(input: {
    readonly reader: StateReader;
    readonly block: BlockContext;
    readonly candidates: Iterable<Verified<Transaction>>;
    readonly transactionsMax: number;
  }): Promise<BuiltBlock>;
  /**
   * Whether a transaction could be in the next block with success, sequences aside: those are the
   * mempool's. `block` is the coming block as far as it is known.
   */
  admit(
    reader: StateReader,
    block: BlockContext,
    transaction: Verified<Transaction>,
  ): Refusal | null;
  /** A committed state, opened for module queries. */
  open(reader: StateReader, block: BlockContext): ReadContext;
  /** The committee of `epoch` that this state names. */
  committee(reader: StateReader, block: BlockContext, epoch: number): Committee;
}

/** Execution context of a block from its header and the parent's randomness. */
export function blockContextOf(header: Header, parent: Header): BlockContext {
  return {
    height: header.height,
    epoch: header.epoch,
    view: header.view,
    timestampMs: header.timestampMs,
    parentHash: header.parentHash,
    proposer: header.proposer,
    gasLimit: header.gasLimit,
    baseFee: header.baseFee,
    randomness: parent.randomness,
  };
}

/** An account that mempool and queries ask about: coins and next nonce. */
export type AccountView = {
  readonly address: Address;
  readonly nonce: bigint;
  readonly tfuelWei: bigint;
  readonly thetaWei: bigint;
};
