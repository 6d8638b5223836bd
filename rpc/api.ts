import type { Registry } from "prom-client";

import type { Address, Digest } from "../base/brand.ts";
import type { Outcome } from "../base/outcome.ts";
import type { Committee, Evidence } from "../consensus/types.ts";
import type { EvidenceReport } from "../ledger/blockEvidence.ts";
import type { Body, CommitProof, Header } from "../ledger/blockTypes.ts";
import type { Account, StateReader } from "../ledger/state.ts";
import type { AccountView } from "../ledger/execute.ts";
import type { Json } from "../ledger/schema.ts";
import type { StateTaskAnswer, StateTaskName, StateTaskRequest } from "../ledger/stateTasks.ts";
import type { Refusal } from "../ledger/refusal.ts";
import type { Transaction, TransactionRefusal } from "../ledger/transaction.ts";
import type { DevelopmentApi } from "./developmentApi.ts";
import type { Log, Receipt } from "../ledger/receiptTypes.ts";
import type { StateProof } from "../store/stateTree.ts";
import type { TraceOptions } from "../ledger/tracing/tracer.ts";

// What the server needs of a node. `node/api.ts` implements it, tests use a small node in memory.
// Whatever is read here is committed, unless the name says pending: no client sees a
// reorganisation. Lookups return promises, because a store may be on another machine; the head and
// state are synchronous, because execution reads them that way too.

/** The names of the chain that this node follows. */
export type ChainNames = {
  /** Theta's text name, e.g. `privatenet`; part of Theta sign bytes. */
  readonly name: string;
  /** EIP-155 number, at most 2^53. */
  readonly id: number;
  readonly genesisHash: Digest;
};

/** What program answers. */
export type BuildInfo = {
  /** `0.1.0`. */
  readonly version: string;
  /** Commit of the source, 40 hex digits, or `unknown`. */
  readonly commit: string;
  /** Date of the build or of the package, for people. */
  readonly builtAt: string;
};

/** A committed block's name and header: what most answers start from. */
export type BlockHead = { readonly hash: Digest; readonly header: Header };

/** `sealed`: a guardian certificate covers it. Blocks that are not committed are never shown. */
export type BlockStatus = "committed" | "sealed";

/** A committed block with everything about it; `transactions[i]` has `receipts[i]`. */
export type BlockView = BlockHead & {
  readonly body: Body;
  readonly transactions: readonly Transaction[];
  readonly receipts: readonly Receipt[];
  /** What the block's scheduled work logged, if anything. */
  readonly jobReceipt: Receipt | null;
  readonly status: BlockStatus;
};

/** Where and how a transaction was committed. */
export type CommittedTransaction = {
  readonly block: BlockHead;
  readonly status: BlockStatus;
  /** 0-based position in the block. */
  readonly index: number;
  readonly transaction: Transaction;
  readonly receipt: Receipt;
  /** Logs of the transactions before it in the block. */
  readonly logIndexFirst: number;
};

/** What the node knows of a transaction's hash. */
export type TransactionLookup =
  | { readonly state: "notFound" }
  | { readonly state: "pending"; readonly transaction: Transaction }
  | { readonly state: "committed"; readonly committed: CommittedTransaction }
  /** It was here and can never commit; `reason` is for people. */
  | { readonly state: "abandoned"; readonly reason: string };

/** State at that height exists no longer, or not yet; with the range that can be read. */
export type StateRefusal = {
  readonly code: "pruned" | "notYet";
  readonly height: number;
  readonly heightMin: number;
  readonly heightMax: number;
};

/** An account of committed state, with the coins that the bank module keeps. */
export type AccountInfo = Account & { readonly thetaWei: bigint };

/** One transaction to admit. `raw` is as its sender broadcast it, without the `0x7e` of blocks. */
export type Submission = {
  /**
   * Native: a Theta transaction or a module operation. The method's name says which, no decoder
   * guesses.
   */
  readonly envelope: "native" | "ethereum";
  readonly raw: Uint8Array;
};

/**
 * What became of a submission: it is new, it was pending already, or it is committed already. The
 * promise of `submit` resolves only after new ones are in the journal, so none is lost by a crash.
 */
export type Submitted = {
  readonly hash: Digest;
  readonly state: "new" | "pending" | "committed";
};

/** Why a transaction was not admitted; `rpc/refusals.ts` gives each code its numbers and words. */
export type SubmitRefusal = Refusal | TransactionRefusal;

/** Evidence that waits for a block. */
export type PendingEvidence = EvidenceReport & {
  readonly hash: Digest;
  readonly epoch: number;
  readonly view: number;
  /** Holders who will be punished. */
  readonly accused: readonly Address[];
};

/** Why a wait ended without a committed block. */
export type WaitRefusal =
  | { readonly code: "timeout" }
  | { readonly code: "aborted" }
  | { readonly code: "abandoned"; readonly reason: string };

/** Whether the node follows its chain, and how far behind it is. */
export type SyncStatus = {
  readonly syncing: boolean;
  /** Newest height that a peer has shown; own head if there is none. */
  readonly heightHighest: number;
  readonly epoch: number;
  readonly view: number;
  /** Uncommitted tip, or the head. */
  readonly tipHash: Digest;
  readonly tipHeight: number;
};

/** A connected peer. */
export type PeerInfo = {
  readonly id: string;
  /** Multiaddress or host and port. */
  readonly address: string;
  readonly direction: "inbound" | "outbound";
};

/** Who votes in the running epoch. */
export type CommitteeInfo = {
  readonly epoch: number;
  /** Height of the epoch's last block. */
  readonly lastHeight: number;
  readonly validators: readonly {
    readonly address: Address;
    readonly blsKey: Uint8Array;
    /** ThetaWei. */
    readonly stake: bigint;
    /** Whether its node is connected to this one, or is this one. */
    readonly connected: boolean;
  }[];
};

/** Whether the node may be sent work: `ok` false makes `/healthz` answer 503. */
export type Health = {
  readonly ok: boolean;
  /** `null` when ok, else one sentence. */
  readonly reason: string | null;
};

/** A module of the active runtime, for lists. */
export type ModuleInfo = {
  readonly name: string;
  readonly version: number;
  readonly operations: readonly string[];
  /** Addresses of its code that contracts can call. */
  readonly precompiles: readonly Address[];
  readonly queries: readonly { readonly name: string; readonly description: string }[];
};

/** Why a task has no answer. */
export type TaskRefusal =
  | StateRefusal
  /** `detail` names the limit. */
  | { readonly code: "busy" | "tooLong"; readonly detail: string };

/** Where a task runs, and for whom. */
export type TaskPlace = {
  /** `null`: the head. */
  readonly height: number | null;
  /** Aborts when the client goes away: a task that still waits is dropped then. */
  readonly signal: AbortSignal;
};

/** Why a module's query has no answer. */
export type QueryRefusal =
  | StateRefusal
  | {
      readonly code: "unknownModule" | "unknownQuery" | "parametersInvalid" | "refused";
      readonly detail: string;
    };

/** Logs that are wanted, of committed blocks of these heights, both ends included. */
export type LogFilter = {
  readonly from: number;
  readonly to: number;
  /** Any of these; empty: all. */
  readonly addresses: readonly Address[];
  /** By place, at most four; any of those listed, empty: all, but the log must have a topic there. */
  readonly topics: readonly (readonly Digest[])[];
};

/** Bounds of one search for logs. */
export type LogLimits = {
  readonly logsMax: number;
  /** Receipts looked into: common terms may lead to many that do not fit. */
  readonly receiptsMax: number;
};

/** A search that a limit ended; `height` is how far it came. */
export type LogRefusal = {
  readonly code: "logsMax" | "receiptsMax";
  readonly max: number;
  readonly height: number;
};

/** A committed log and its place. Logs of a block's jobs have the zero digest as transaction. */
export type FoundLog = {
  readonly log: Log;
  /** 0-based position among the logs of its block. */
  readonly index: number;
  readonly block: BlockHead;
  readonly transactionHash: Digest;
  readonly transactionIndex: number;
};

/** An account with what proves it, and slots of its storage, under a block's state root. */
export type AccountProof = {
  /** `null`: the proof shows that there is none. */
  readonly account: Account | null;
  /** Nodes from the root down, RLP. */
  readonly accountProof: readonly Uint8Array[];
  /** In the order of the slots; a zero word is one that is not there. */
  readonly slots: readonly { readonly word: bigint; readonly proof: readonly Uint8Array[] }[];
};

/** What an epoch begins with: all that a client needs to follow the committees. */
export type EpochStart = {
  /** Its root, the block that ended the epoch before: it names the committee. */
  readonly root: BlockHead;
  readonly committee: Committee;
  /** Of the root; `null` at genesis, which nothing proves. */
  readonly proof: CommitProof | null;
};

/** A node as its JSON-RPC server sees it. */
export interface NodeApi {
  readonly chain: ChainNames;
  readonly build: BuildInfo;
  /** Metrics of the whole process; the server adds its own and serves them all. */
  readonly metrics: Registry;
  /** Address of this node's validator key, or the zero address; GetStatus shows it. */
  readonly address: Address;
  readonly peerId: string;

  /** Newest committed block. Never goes back. */
  head(): BlockHead;
  /** Newest block that cannot go away: sealed where guardians are active, else the head. */
  finalizedHeight(): number;
  /** Hash and header alone: far cheaper than the block. */
  headAtHeight(height: number): Promise<BlockHead | null>;
  blockAtHeight(height: number): Promise<BlockView | null>;
  blockByHash(hash: Digest): Promise<BlockView | null>;
  /** Proof that the block is committed; `null` if it is unknown. */
  commitProof(hash: Digest): Promise<CommitProof | null>;
  /** `null`: that epoch has not begun here. */
  epochStart(epoch: number): Promise<EpochStart | null>;
  /** Proofs of keys of a module in the state after the head. */
  moduleProof(module: string, keys: readonly Uint8Array[]): StateProof;
  /** By canonical hash, which is the hash of the bytes that the sender broadcast. */
  transaction(hash: Digest): Promise<TransactionLookup>;
  /** At most `limit` hashes of pending transactions, oldest first. */
  pendingHashes(limit: number): readonly Digest[];
  /** At most `limit` pending transactions, oldest first. */
  pendingTransactions(limit: number): readonly Transaction[];

  /** Base fee of the block after the head, TFuelWei per gas. */
  nextBaseFee(): bigint;
  /** State after the head. */
  state(): StateReader;
  /** State after the block of that height. */
  stateAt(height: number): Outcome<StateReader, StateRefusal>;
  /** The account after the block of that height, `null`: the head; `null` if it does not exist. */
  account(address: Address, height: number | null): Outcome<AccountInfo | null, StateRefusal>;
  /** The account as it will be once its pending transactions are committed; nonce 0 if unknown. */
  pendingAccount(address: Address): AccountView;
  /** Proofs against the state root in the header of that height, `null`: the head's. */
  proof(
    address: Address,
    slots: readonly Digest[],
    height: number | null,
  ): Outcome<AccountProof, StateRefusal>;
  logs(filter: LogFilter, limits: LogLimits): Promise<Outcome<readonly FoundLog[], LogRefusal>>;
  modules(): readonly ModuleInfo[];
  /**
   * A module's query by its registered name; `height` `null` is the head. The value is plain JSON.
   */
  queryModule(request: {
    readonly module: string;
    readonly query: string;
    readonly parameters: unknown;
    readonly height: number | null;
  }): Outcome<Json, QueryRefusal>;
  /**
   * Runs a task against the state after the block of that height. The task finds itself in that
   * block; what it changes is thrown away.
   */
  runTask<N extends StateTaskName>(
    name: N,
    request: StateTaskRequest<N>,
    at: TaskPlace,
  ): Promise<Outcome<StateTaskAnswer<N>, TaskRefusal>>;
  /** Chain parameters at the head by name, as plain JSON (decimal strings for amounts). */
  parameters(): Readonly<Record<string, string | number | boolean>>;

  /**
   * Admits transactions; the answer has their order. One call for many, because signatures are
   * recovered in packages. `local`: from this node's own clients, so journalled.
   */
  submit(
    submissions: readonly Submission[],
    options: { readonly local: true },
  ): Promise<readonly Outcome<Submitted, SubmitRefusal>[]>;
  /** Resolves when the transaction is committed, or the deadline passes, or it is abandoned. */
  waitCommitted(
    hash: Digest,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<Outcome<CommittedTransaction, WaitRefusal>>;

  /**
   * Executes a committed block again to look into its transactions, or only the one at an index;
   * `null`: there is no such block.
   */
  traceBlock(
    hash: Digest,
    request: {
      readonly only: number | null;
      readonly options: TraceOptions;
      readonly signal: AbortSignal;
    },
  ): Promise<Outcome<StateTaskAnswer<"traceBlock">, TaskRefusal> | null>;
  /** Evidence that waits for a block, oldest first. */
  pendingEvidence(): readonly PendingEvidence[];
  /** Takes evidence that proves something new; gives its hash. */
  submitEvidence(evidence: Evidence, reporter: Address): Outcome<Digest, Refusal>;

  /** What only a devnet has. */
  readonly development: DevelopmentApi | null;

  syncStatus(): SyncStatus;
  peers(): readonly PeerInfo[];
  /** Multiaddresses at which a new node reaches the network: this one's own, and those it knows. */
  addresses(): readonly string[];
  /** The committee of the running epoch. */
  committee(): CommitteeInfo;
  /** The text of the genesis file. */
  genesisFile(): Promise<string>;
  health(): Health;
  /** Calls back after each newly committed block; the returned function ends that. */
  onCommitted(listener: (block: BlockHead) => void): () => void;
  /** Calls back with the hash of each transaction that becomes pending, until told to end. */
  onPending(listener: (hash: Digest) => void): () => void;
}
