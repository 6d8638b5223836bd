import type { Address, Digest } from "../base/brand.ts";
import { emptyBytes } from "../base/bytes.ts";
import type { Outcome } from "../base/outcome.ts";
import type { Committee } from "../consensus/types.ts";
import type { GenesisContent } from "./genesisTypes.ts";
import type { ParameterDefinition, Parameters } from "./parameters.ts";
import type { Refusal } from "./refusal.ts";
import type { Json, Schema } from "./schema.ts";
import type { PrecompileFrame } from "../vm/precompiles.ts";
import type { StateAccess } from "../vm/stateAccess.ts";
import type { EvmTracer } from "../vm/tracer.ts";
import type { Account, StateReader } from "./state.ts";
import type { Signer, Transaction } from "./transaction.ts";

/*
 * What a module is. Everything a block can do is written as one (DESIGN 4): it sees its own key
 * prefix and, through typed functions, the modules it was built with. An operation is atomic: a
 * refused one leaves no trace. The core's own modules use nothing that a later module could not
 * use.
 */

/** The chain that a block belongs to. */
export type Chain = {
  /** Theta's text name, part of Theta sign bytes. */
  readonly name: string;
  /** EIP-155 number, at most 2^53. */
  readonly id: number;
  readonly genesisHash: Digest;
};

/** What an operation may know of its block. Nothing here is read from a clock or from dice. */
export type BlockContext = {
  readonly height: number;
  readonly epoch: number;
  readonly view: number;
  /** Milliseconds since 1970. */
  readonly timestampMs: number;
  readonly parentHash: Digest;
  readonly proposer: Address;
  readonly gasLimit: bigint;
  /** TFuelWei per gas. */
  readonly baseFee: bigint;
  /** The parent's randomness: what PREVRANDAO shows. */
  readonly randomness: Digest;
};

/**
 * The right to a module's part of the state: identity is the capability, so only who holds the
 * object that the registry knows can read or write under that name. Made by `createModuleKey`.
 */
export type ModuleKey = { readonly name: string };

/** A module's own pairs, uncommitted writes included. */
export interface ModuleReader {
  get(key: Uint8Array): Uint8Array | null;
  /** At most `limit` pairs with `from <= key < to`, in byte order, as of this call. */
  range(range: {
    readonly from: Uint8Array;
    readonly to: Uint8Array;
    readonly limit?: number;
  }): readonly (readonly [key: Uint8Array, value: Uint8Array])[];
}

/**
 * A module's own pairs, to be written. Neither keys nor values may be changed by the caller
 * afterwards.
 */
export interface ModuleState extends ModuleReader {
  /** `null` removes. */
  set(key: Uint8Array, value: Uint8Array | null): void;
}

/** Ethereum accounts: only for modules whose definition says `ownsAccounts`. */
export interface AccountReader {
  get(address: Address): Account | null;
}

/** Accounts as operations see them. */
export interface ContractReader extends AccountReader {
  /** Whether code lives there that is not a person's delegation [EIP-7702]. */
  isContract(address: Address): boolean;
}

/** Accounts to be written: `nonce`, `balance` and `codeHash`; the tree computes storage roots. */
export interface AccountState extends ContractReader {
  set(address: Address, account: Account | null): void;
}

/** What queries and checks see. */
export interface ReadContext {
  readonly chain: Chain;
  readonly block: BlockContext;
  readonly parameters: Parameters;
  readonly state: (key: ModuleKey) => ModuleReader;
  readonly accounts: (key: ModuleKey) => ContractReader;
  /** Of all modules of this runtime. */
  readonly precompiles: readonly PrecompileDefinition[];
}

/** What applying code sees: the view (DESIGN 4) of one block under construction. */
export interface ModuleContext extends ReadContext {
  readonly state: (key: ModuleKey) => ModuleState;
  readonly accounts: (key: ModuleKey) => AccountState;
  /** All that contracts run on: only for modules that own accounts. */
  readonly contracts: (key: ModuleKey) => StateAccess;
  /** Who looks into contracts as they run; nobody in a block. */
  readonly tracer: EvmTracer | null;
  /** Becomes a committed log of the module's reserved address, unless the operation is refused. */
  emit<T>(event: EventDefinition<T>, value: T): void;
  /**
   * Runs the job in the first block at `heightMin` or later whose timestamp is `timestampMsMin` or
   * later.
   */
  schedule<T>(job: JobDefinition<T>, body: T, due: JobDue): void;
}

/** When a job is due: both conditions, because blocks have two speeds (DESIGN 3). */
export type JobDue = { readonly heightMin: number; readonly timestampMsMin: number };

/** A typed event; made by `createEvent`. */
export type EventDefinition<T> = {
  readonly module: string;
  readonly name: string;
  readonly schema: Schema<T>;
  /** keccak of `module.Name`: the first topic. */
  readonly signature: Digest;
  /** Topics after the first, at most three, from the value. */
  topics(value: T): readonly Digest[];
};

/**
 * Work that a module left for a later height. A job cannot be refused: what it does must be
 * possible.
 */
export type JobDefinition<T> = {
  readonly module: string;
  readonly name: string;
  readonly schema: Schema<T>;
  run(context: ModuleContext, body: T): void;
};

/** One call of an operation. */
export type Call<Body> = {
  readonly body: Body;
  readonly payer: Address;
  readonly signers: readonly Signer[];
  /**
   * TFuelWei that the payer was charged for the whole transaction (native), 0 in other envelopes.
   */
  readonly fee: bigint;
  /** Gas that may be used. */
  readonly gasLimit: bigint;
  /** TFuelWei per gas. */
  readonly gasPrice: bigint;
  readonly transaction: Transaction;
};

/** What became of an operation after its check: done, or reverted. */
export type Applied =
  | {
      readonly ok: true;
      /** `null`: what `gas` said. */
      readonly gasUsed: bigint | null;
      readonly contractAddress: Address | null;
      readonly returnData: Uint8Array;
    }
  | {
      readonly ok: false;
      readonly refusal: Refusal;
      /** `null`: what `gas` said. */
      readonly gasUsed: bigint | null;
      readonly returnData: Uint8Array;
      /** The operation undid itself what must go; the rest stays: delegations [EIP-7702]. */
      readonly undone?: true;
    };

/** The usual answer of an operation. */
export const applied: Applied = {
  ok: true,
  gasUsed: null,
  contractAddress: null,
  returnData: emptyBytes,
};

/** An operation that was refused while it ran; all that it did is reverted. */
export function notApplied(refusal: Refusal): Applied {
  return { ok: false, refusal, gasUsed: null, returnData: emptyBytes };
}

/** How an operation is read, priced and carried out. Methods, so that lists of operations type. */
export interface OperationDefinition<Body> {
  readonly description: string;
  /** Body of a module operation; `null` if it is reached only through an envelope of its own. */
  readonly schema: Schema<Body> | null;
  /** Gas, from body and parameters alone. */
  gas(body: Body, parameters: Parameters): bigint;
  /** Accounts that must have signed a module operation. */
  signers(body: Body, payer: Address): readonly Address[];
  /**
   * TFuelWei that it takes from the payer beside the fee: the mempool adds up what is pending.
   * Default 0.
   */
  spends?(body: Body, payer: Address): bigint;
  /**
   * TFuelWei that it will give the payer, who may lack the fee until then: it is taken afterwards.
   * What `validate` lets pass must then succeed. Default 0.
   */
  yields?(context: ReadContext, call: Call<Body>): bigint;
  /**
   * What only one pending transaction may be about where no sequence says so; a later one replaces
   * an earlier one by a higher bid. Default: nothing.
   */
  subject?(body: Body): string | null;
  /** Whether it may be in a block at all; a refusal makes the transaction invalid. */
  validate?(context: ReadContext, call: Call<Body>): Refusal | null;
  /** Whether it would succeed now; a refusal makes the transaction a failed one. Read only. */
  check(context: ReadContext, call: Call<Body>): Refusal | null;
  /** Carries it out after `check`; a refusal reverts all of it. Only what runs code answers later. */
  apply(context: ModuleContext, call: Call<Body>): Applied | Promise<Applied>;
}

/** A question that clients may ask of a committed state. */
export type QueryDefinition = {
  readonly description: string;
  /** Schema of the parameters, for help texts and checks. */
  readonly parameters: Schema<unknown>;
  answer(context: ReadContext, parameters: unknown): Outcome<Json, string>;
};

/** State whose accounts can be walked: for recounts in tests and audits. */
export interface CountableState extends StateReader {
  /** Every account, in any order. */
  accountValues(): Iterable<Account>;
}

/** Something that must hold after each block. */
export type Invariant = {
  readonly name: string;
  /** What is wrong, or `null`. `state` is what `context` reads from. */
  check(context: ReadContext, state: CountableState): string | null;
};

/** Proven misbehaviour of a validator (DESIGN 5). */
export type Offence = {
  readonly offender: Address;
  readonly epoch: number;
  readonly view: number;
  /** Who is paid for it; the zero address for nobody. */
  readonly reporter: Address;
  /** Hash of the evidence. */
  readonly evidence: Digest;
};

/** A contract that is code of this program (DESIGN 4). */
export type PrecompileDefinition = {
  readonly address: Address;
  gas(input: Uint8Array): bigint;
  /** State-changing ones refuse static and delegated frames. */
  run(context: ModuleContext, frame: PrecompileFrame): Outcome<Uint8Array, Refusal>;
};

/** A module, as the registry composes it. */
export type Module = {
  readonly key: ModuleKey;
  /** 1 to 13 of a-z and 0-9; names the state prefix and the address of its logs. */
  readonly name: string;
  /** Raised with every change of results. */
  readonly version: number;
  readonly ownsAccounts?: boolean;
  /** Names without the module's: `validatorsMax` is read as `stake.validatorsMax`. */
  readonly parameters: Readonly<Record<string, ParameterDefinition>>;
  readonly operations: Readonly<Record<string, OperationDefinition<unknown>>>;
  readonly queries: Readonly<Record<string, QueryDefinition>>;
  readonly events: readonly EventDefinition<unknown>[];
  readonly jobs: readonly JobDefinition<unknown>[];
  readonly genesis: {
    init(context: ModuleContext, content: GenesisContent): void;
    /** What `init` would need to make this state again, as JSON. */
    export?(context: ReadContext): Json;
  };
  readonly invariants: readonly Invariant[];
  readonly precompiles?: readonly PrecompileDefinition[];
  readonly hooks?: {
    /** Before the first transaction of a block. What it does cannot be refused. */
    onBlockBegin?(context: ModuleContext): void;
    /** At the end of the block that holds the evidence, before jobs. It cannot be refused. */
    onEvidence?(context: ModuleContext, offence: Offence): void;
    /** The committee of an epoch while its stakes can be slashed; else `null`. */
    committeeOf?(context: ReadContext, epoch: number): Committee | null;
    /** Whether somebody was punished for this epoch already: once is enough. */
    isPunished?(context: ReadContext, offence: Pick<Offence, "offender" | "epoch">): boolean;
    /**
     * Names and remembers the committee of `epoch`, at the end of the one before; one module has
     * it.
     */
    selectCommittee?(context: ModuleContext, epoch: number): Committee;
    /** The committee that was selected last. */
    committee?(context: ReadContext): Committee;
  };
};
