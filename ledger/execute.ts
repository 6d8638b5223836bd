import { assert } from "../base/assert.ts";
import type { Address, Digest, Verified } from "../base/brand.ts";
import { equalBytes, zeroAddress, zeroDigest } from "../base/bytes.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import { blockEvidenceMax } from "./block.ts";
import { BlockExecution } from "./blockExecution.ts";
import { nextBaseFee } from "./fees.ts";
import { Journal } from "./journal.ts";
import { judge } from "./judge.ts";
import { balanceOf } from "./modules/bank.ts";
import { chainKey, chainParametersKey, decodeParameters } from "./modules/chain.ts";
import type { Registry } from "./registry.ts";
import { Workspace } from "./workspace.ts";
import type { Committee } from "../consensus/types.ts";
import type { EvidenceReport } from "./blockEvidence.ts";
import type { Header } from "./blockTypes.ts";
import type { BlockContext, Chain, Offence, ReadContext } from "./module.ts";
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
  /** What evidence and jobs logged, if anything; follows the others in the receipts root. */
  readonly jobReceipt: Receipt | null;
  readonly gasUsed: bigint;
  /** Of all receipts, 256 bytes. */
  readonly logsBloom: Uint8Array;
  /** TFuelWei of fees that nobody gets. */
  readonly burned: bigint;
  /** The next epoch's committee, at an epoch's last block; else `null`. */
  readonly nextCommittee: Committee | null;
};

/**
 * Why a block may not be executed; `index` of the transaction, -1 for the block itself or its
 * evidence.
 */
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
  /** Encoded reports of the body. */
  readonly evidence: readonly Uint8Array[];
  readonly result: ExecutionResult;
};

/** What the mempool must know of an admitted transaction. */
export type Admitted = {
  /** Gas that it may use in a block. */
  readonly gas: bigint;
  /** TFuelWei that its payer may lose by it: highest fee and value. */
  readonly cost: bigint;
  /** What only one pending transaction may be about, where no sequence says so. */
  readonly subject: string | null;
};

/** Checks transactions against one state. */
export interface Admission {
  /**
   * Whether it could be in the next block with success, sequences aside: those are the mempool's.
   */
  check(transaction: Verified<Transaction>): Outcome<Admitted, Refusal>;
  /**
   * The same of one that was admitted before a restart: it goes on waiting where the base fee rose
   * meanwhile, and where its operation would fail now.
   */
  checkAgain(transaction: Verified<Transaction>): Outcome<Admitted, Refusal>;
  account(address: Address): AccountView;
}

/**
 * The ledger's rules as a pure function of state and block. Safe to share; holds no state of any
 * chain.
 */
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
    /** Encoded reports, in the order of the body. */
    readonly evidence: readonly Uint8Array[];
  }): Promise<Outcome<ExecutionResult, BlockRefusal>>;
  /**
   * Takes candidates in order until gas, bytes or `transactionsMax` are used up; leaves out the
   * invalid.
   */
  buildBlock(input: {
    readonly reader: StateReader;
    readonly block: BlockContext;
    readonly candidates: Iterable<Verified<Transaction>>;
    readonly transactionsMax: number;
    /** Encoded reports; those that are refused now are left out. */
    readonly evidence: readonly Uint8Array[];
  }): Promise<BuiltBlock>;
  /** Whether a report could be in the next block; `block` is that block as far as it is known. */
  judge(
    reader: StateReader,
    block: BlockContext,
    report: EvidenceReport,
  ): Outcome<readonly Offence[], Refusal>;
  /**
   * Opens a state for the admission of many transactions. `block` is the coming block as far as it
   * is known.
   */
  admission(reader: StateReader, block: BlockContext): Admission;
  /** A committed state, opened for module queries. */
  open(reader: StateReader, block: BlockContext): ReadContext;
  /**
   * The committee that this state names: of the current epoch, after an epoch's last block of the
   * next.
   */
  committee(reader: StateReader): Committee;
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

/** The executor of a chain with these modules. */
export function createExecutor(registry: Registry, chain: Chain): Executor {
  const parameters = createParametersReader(registry);
  const begin = (reader: StateReader, block: BlockContext): Execution => {
    const values = parameters(reader);
    const facts = { reader, chain, block, parameters: values };
    return { execution: new BlockExecution(registry, facts), block, parameters: values };
  };
  let hashed: { readonly parameters: Parameters; readonly hash: Digest } | null = null;
  const runtimeHash = (values: Parameters): Digest => {
    if (hashed?.parameters !== values) {
      hashed = { parameters: values, hash: registry.runtimeHash(values) };
    }
    return hashed.hash;
  };
  const open = (reader: StateReader, block: BlockContext): Workspace =>
    new Workspace(new Journal(reader), registry, { chain, block, parameters: parameters(reader) });
  const nextRules: Executor["nextRules"] = (reader, parent, epoch) => {
    const values = parameters(reader);
    return rulesAfter({ runtimeHash: runtimeHash(values), parameters: values }, parent, epoch);
  };
  return {
    chain,
    runtimeHash: (reader) => runtimeHash(parameters(reader)),
    parameters,
    nextRules,
    checkHeader: (reader, parent, header) =>
      headerFault(nextRules(reader, parent, header.epoch), header),
    executeBlock: ({ reader, block, transactions, evidence }) =>
      executeWhole(begin(reader, block), transactions, evidence),
    buildBlock: ({ reader, block, ...offered }) => buildFrom(begin(reader, block), offered),
    judge: (reader, block, report) => judge(registry.modules, open(reader, block), report),
    admission: (reader, block) => {
      const { execution } = begin(reader, block);
      const context = open(reader, block);
      return {
        check: (transaction) => execution.admit(transaction, { again: false }),
        checkAgain: (transaction) => execution.admit(transaction, { again: true }),
        account: (address) => ({
          address,
          nonce: reader.account(address)?.nonce ?? 0n,
          ...balanceOf(context, address),
        }),
      };
    },
    open,
    committee: (reader) => committeeOf(registry, open(reader, noBlock)),
  };
}

/** A block under construction and what it follows. */
type Execution = {
  readonly execution: BlockExecution;
  readonly block: BlockContext;
  readonly parameters: Parameters;
};

async function executeWhole(
  started: Execution,
  transactions: readonly Verified<Transaction>[],
  evidence: readonly Uint8Array[],
): Promise<Outcome<ExecutionResult, BlockRefusal>> {
  const { execution, block, parameters } = started;
  const count = transactions.length + evidence.length;
  if (count > 0 && isEpochEnded(block, parameters)) {
    return refuse({ index: -1, refusal: { code: "epochEnded", got: count, expected: 0 } });
  }
  for (const [index, transaction] of transactions.entries()) {
    const answer = execution.tryTransaction(transaction);
    const receipt = answer instanceof Promise ? await answer : answer;
    if (!receipt.ok) return refuse({ index, refusal: receipt.refusal });
  }
  for (const encoded of evidence) {
    const punished = execution.tryEvidence(encoded);
    if (!punished.ok) return refuse({ index: -1, refusal: punished.refusal });
  }
  return accept(finish(started));
}

async function buildFrom(
  started: Execution,
  offered: {
    readonly candidates: Iterable<Verified<Transaction>>;
    readonly transactionsMax: number;
    readonly evidence: readonly Uint8Array[];
  },
): Promise<BuiltBlock> {
  const { execution, block, parameters } = started;
  const { candidates, transactionsMax } = offered;
  const included: Verified<Transaction>[] = [];
  const dropped: { transaction: Verified<Transaction>; refusal: Refusal }[] = [];
  const countMax = isEpochEnded(block, parameters) ? 0 : transactionsMax;
  let misfits = 0;
  for (const transaction of countMax === 0 ? [] : candidates) {
    const answer = execution.tryTransaction(transaction);
    const receipt = answer instanceof Promise ? await answer : answer;
    if (receipt.ok) {
      included.push(transaction);
      misfits = 0;
    } else {
      dropped.push({ transaction, refusal: receipt.refusal });
      // What only waits for one that was left out cost no more than a look at its sequence.
      if (receipt.refusal.code !== "sequenceTooHigh") misfits += 1;
    }
    if (included.length >= countMax || isFull(execution) || misfits > misfitsMax) break;
  }
  const reports = isEpochEnded(block, parameters) ? [] : offered.evidence;
  const evidence = reports
    .slice(0, blockEvidenceMax)
    .filter((encoded) => execution.tryEvidence(encoded).ok);
  return { included, dropped, evidence, result: finish(started) };
}

function finish({ execution, block, parameters }: Execution): ExecutionResult {
  return execution.finish({
    epochLast: isEpochLast(block, parameters),
    jobsMax: parameters.count("chain.jobsPerBlockMax"),
  });
}

/** Whether nothing more fits: the smallest transaction has about 100 bytes and needs some gas. */
function isFull(execution: BlockExecution): boolean {
  const { gas, bytes } = execution.room;
  return gas < transactionGasMin || bytes < transactionBytesMin;
}

/** Candidates in a row that may be left out before the proposer stops: its time is bounded. */
export const misfitsMax = 1_024;

const transactionGasMin = 5_000n;
const transactionBytesMin = 100;

/** Where only the state is asked and no block is. */
const noBlock: BlockContext = {
  height: 0,
  epoch: 0,
  view: 0,
  timestampMs: 0,
  parentHash: zeroDigest,
  proposer: zeroAddress,
  gasLimit: 0n,
  baseFee: 0n,
  randomness: zeroDigest,
};

function committeeOf(registry: Registry, context: ReadContext): Committee {
  const naming = registry.modules.find((module) => module.hooks?.committee !== undefined);
  const committee = naming?.hooks?.committee?.(context);
  assert(committee !== undefined, "no module names committees");
  return committee;
}

/** Reads the parameters of a state; the last answer is kept, because they rarely change. */
export function createParametersReader(registry: Registry): (reader: StateReader) => Parameters {
  let lastRecord: Uint8Array | null = null;
  let last: Parameters | null = null;
  return (reader) => {
    const record = reader.moduleValue(chainKey.name, chainParametersKey);
    const same =
      record === null || lastRecord === null
        ? record === lastRecord
        : equalBytes(record, lastRecord);
    if (last === null || !same) {
      last = registry.parametersWith(decodeParameters(record));
      lastRecord = record?.slice() ?? null;
    }
    return last;
  };
}

type BlockPlace = { readonly height: number; readonly epoch: number };

/** Genesis is the root of epoch 0, so epoch e ends with height (e + 1) * epochBlocks. */
function epochLastHeight(epoch: number, parameters: Parameters): number {
  return (epoch + 1) * parameters.count("chain.epochBlocks");
}

function isEpochLast(block: BlockPlace, parameters: Parameters): boolean {
  return block.height === epochLastHeight(block.epoch, parameters);
}

function isEpochEnded(block: BlockPlace, parameters: Parameters): boolean {
  return block.height > epochLastHeight(block.epoch, parameters);
}

function rulesAfter(
  facts: { readonly runtimeHash: Digest; readonly parameters: Parameters },
  parent: Header,
  epoch: number,
): NextBlockRules {
  const { runtimeHash, parameters } = facts;
  const place = { height: parent.height + 1, epoch };
  return {
    height: place.height,
    timestampMsMin: parent.timestampMs + 1,
    gasLimit: parameters.amount("chain.blockGasLimit"),
    baseFee: nextBaseFee(parent, parameters),
    runtimeHash,
    bytesMax: parameters.count("chain.blockBytesMax"),
    epochEnded: isEpochEnded(place, parameters),
    epochLast: isEpochLast(place, parameters),
    parameters,
  };
}

/**
 * Highest timestamp of a block, in milliseconds: what falls due later than a block, as a withdrawn
 * stake does, still has a time below 2^53. A block is executed before its clock is judged.
 */
export const timestampMsMax = 2 ** 52;

function headerFault(rules: NextBlockRules, header: Header): Refusal | null {
  const { height, timestampMs, baseFee, gasLimit, runtimeHash } = header;
  if (height !== rules.height) return { code: "heightWrong", got: height, expected: rules.height };
  if (!(timestampMs >= rules.timestampMsMin)) {
    const expected = `at least ${rules.timestampMsMin}`;
    return { code: "timestampTooLow", got: timestampMs, expected };
  }
  if (!Number.isSafeInteger(timestampMs) || timestampMs > timestampMsMax) {
    const expected = `a whole number up to ${timestampMsMax}`;
    return { code: "timestampTooHigh", got: timestampMs, expected };
  }
  if (gasLimit !== rules.gasLimit) {
    return { code: "gasLimitWrong", got: gasLimit, expected: rules.gasLimit };
  }
  if (baseFee !== rules.baseFee) {
    return { code: "baseFeeWrong", got: baseFee, expected: rules.baseFee };
  }
  return runtimeHash === rules.runtimeHash
    ? null
    : { code: "runtimeWrong", got: runtimeHash, expected: rules.runtimeHash };
}
