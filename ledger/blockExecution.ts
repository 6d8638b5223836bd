import { assert } from "../base/assert.ts";
import type { Address, Digest, Verified } from "../base/brand.ts";
import { zeroDigest } from "../base/bytes.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import { emptyAccount, hasCode, nonceMax, withBalance } from "./accounts.ts";
import { decodeReport } from "./blockEvidence.ts";
import { chargeOf, costMaxOf, type Charge } from "./fees.ts";
import { runDueJobs } from "./jobs.ts";
import { Journal, type Checkpoint } from "./journal.ts";
import { JournalReader } from "./journalReader.ts";
import { judge } from "./judge.ts";
import type { Applied, BlockContext, Call, Chain, OperationDefinition } from "./module.ts";
import { notApplied } from "./module.ts";
import { recordBurned } from "./modules/bank.ts";
import type { ExecutionResult } from "./execute.ts";
import type { Parameters } from "./parameters.ts";
import { bloomOf, bloomSizeBytes, emptyBloom, mergeBloom } from "./receipt.ts";
import type { Receipt } from "./receiptTypes.ts";
import type { Refusal } from "./refusal.ts";
import type { Registry } from "./registry.ts";
import { decodeWith } from "./schema.ts";
import type { StateChanges, StateReader } from "./state.ts";
import type { Transaction } from "./transaction.ts";
import { Workspace } from "./workspace.ts";
import type { EvmTracer } from "../vm/tracer.ts";

/** A transaction that may be in the block, read and priced. */
type Prepared = {
  readonly operation: OperationDefinition<unknown>;
  readonly call: Call<unknown>;
  readonly charge: Charge;
  /** Gas that it may use. */
  readonly gas: bigint;
};

/** What the mempool must know of a transaction that may be in a block. */
type Admissible = {
  readonly gas: bigint;
  readonly cost: bigint;
  readonly subject: string | null;
};

/**
 * One block under construction. Transactions are tried one after another: an invalid one leaves no
 * trace, a failed one leaves fee and sequences (DESIGN 3). Proposer and validator run the same
 * code.
 */
export class BlockExecution {
  readonly #registry: Registry;
  readonly #journal: Journal;
  readonly #workspace: Workspace;
  readonly #receipts: Receipt[] = [];
  readonly #hashes = new Set<Digest>();
  readonly #bloom = new Uint8Array(bloomSizeBytes);
  readonly #bytesMax: number;
  readonly #transactionBytesMax: number;
  readonly #transactionGasMax: bigint;
  readonly #tipShare: bigint;
  readonly #root: Digest;
  #bytes = 0;
  #gasUsed = 0n;
  #burned = 0n;
  #tips = 0n;
  #begun: boolean;
  /** Where what follows the transactions began: evidence and jobs. */
  #closing: Checkpoint | null = null;
  #finished = false;

  constructor(
    registry: Registry,
    facts: {
      readonly reader: StateReader;
      readonly chain: Chain;
      readonly block: BlockContext;
      readonly parameters: Parameters;
      readonly tracer?: EvmTracer;
      /** The state is of within the block already: its beginning is not to be done again. */
      readonly begun?: true;
    },
  ) {
    const { parameters } = facts;
    this.#root = facts.reader.root;
    this.#begun = facts.begun === true;
    this.#registry = registry;
    this.#journal = new Journal(facts.reader);
    this.#workspace = new Workspace(this.#journal, registry, facts);
    this.#bytesMax = parameters.count("chain.blockBytesMax");
    this.#transactionBytesMax = parameters.count("chain.transactionBytesMax");
    this.#transactionGasMax = parameters.amount("chain.transactionGasMax");
    this.#tipShare = parameters.amount("chain.tipShareBasisPoints");
  }

  get count(): number {
    return this.#receipts.length;
  }

  /** Gas and bytes left: a proposer stops when there is no room for anything. */
  get room(): { readonly gas: bigint; readonly bytes: number } {
    return {
      gas: this.#workspace.block.gasLimit - this.#gasUsed,
      bytes: this.#bytesMax - this.#bytes,
    };
  }

  /** The state at this point of the block. */
  get state(): StateReader {
    return new JournalReader(this.#journal, this.#root);
  }

  /** What the block has changed up to here. */
  get changes(): StateChanges {
    return this.#journal.changes();
  }

  /** Executes a transaction if it is valid here and now. */
  tryTransaction(
    transaction: Verified<Transaction>,
  ): Outcome<Receipt, Refusal> | Promise<Outcome<Receipt, Refusal>> {
    assert(this.#closing === null, "transactions come before evidence");
    this.begin();
    const prepared = this.#prepare(transaction, this.#workspace.block.baseFee);
    if ("code" in prepared) return refuse(prepared);
    const sequence = sequenceFault(this.#journal, transaction);
    if (sequence !== null) return refuse(sequence);
    const invalid = this.#validate(prepared);
    if (invalid !== null) return refuse(invalid);
    // Who lacks the fee now gets it by the operation (`yields`): taken afterwards.
    const owed = this.#lacks(prepared) > 0n ? prepared.charge.upfront : 0n;
    this.#begin(transaction, prepared.charge.upfront - owed);
    const checkpoint = this.#journal.checkpoint();
    const { operation, call } = prepared;
    const refusal = operation.check(this.#workspace, call);
    const answer = refusal === null ? operation.apply(this.#workspace, call) : notApplied(refusal);
    if (owed > 0n) {
      assert(
        !(answer instanceof Promise) && answer.ok,
        "an operation that yields its fee succeeds",
      );
      this.#takeFrom(transaction.payer, owed);
    }
    return answer instanceof Promise
      ? answer.then((later) => accept(this.#conclude(prepared, later, checkpoint)))
      : accept(this.#conclude(prepared, answer, checkpoint));
  }

  /**
   * Whether the transaction would succeed now, sequences aside; with what it may use and cost.
   * Leaves no trace. One that was admitted before waits whatever the base fee is now, and whatever
   * its operation would find.
   */
  admit(
    transaction: Verified<Transaction>,
    options: { readonly again: boolean },
  ): Outcome<Admissible, Refusal> {
    const { again } = options;
    const prepared = this.#prepare(transaction, again ? 0n : this.#workspace.block.baseFee);
    if ("code" in prepared) return refuse(prepared);
    const invalid = this.#validate(prepared);
    if (invalid !== null) return refuse(invalid);
    const lacks = this.#lacks(prepared);
    const refusal = again || lacks > 0n ? null : this.#checkAfterFee(prepared);
    if (refusal !== null) return refuse(refusal);
    const { operation, call, gas } = prepared;
    const spends = operation.spends?.(call.body, transaction.payer) ?? 0n;
    const cost = costMaxOf(transaction.feeBid, gas) + spends - lacks;
    return accept({ gas, cost, subject: operation.subject?.(call.body) ?? null });
  }

  /** TFuelWei of the highest fee that the payer does not have. */
  #lacks({ call, gas }: Prepared): bigint {
    const balance = this.#journal.account(call.payer)?.balance ?? 0n;
    const needed = costMaxOf(call.transaction.feeBid, gas);
    return needed > balance ? needed - balance : 0n;
  }

  /** What the operation would be refused for once the fee is paid; leaves no trace. */
  #checkAfterFee({ operation, call, charge }: Prepared): Refusal | null {
    const checkpoint = this.#journal.checkpoint();
    this.#takeFrom(call.payer, charge.upfront);
    const refusal = operation.check(this.#workspace, call);
    this.#journal.revert(checkpoint);
    return refusal;
  }

  /** Punishes whom a piece of evidence proves guilty; a refused one leaves no trace. */
  tryEvidence(encoded: Uint8Array): Outcome<null, Refusal> {
    assert(!this.#finished, "the block is finished");
    this.#close();
    const report = decodeReport(encoded);
    if (!report.ok) {
      return refuse({ code: "evidenceMalformed", got: report.refusal.code, expected: "a report" });
    }
    const { modules } = this.#registry;
    const judged = judge(modules, this.#workspace, report.value);
    if (!judged.ok) return judged;
    for (const offence of judged.value) {
      for (const module of modules) module.hooks?.onEvidence?.(this.#workspace, offence);
    }
    return accept(null);
  }

  #close(): Checkpoint {
    this.begin();
    this.#closing ??= this.#journal.checkpoint();
    return this.#closing;
  }

  /** Pays the proposer, runs jobs, names the next committee if `epochLast`. */
  finish(options: { readonly epochLast: boolean; readonly jobsMax: number }): ExecutionResult {
    assert(!this.#finished, "the block is finished");
    const checkpoint = this.#close();
    this.#finished = true;
    const { block } = this.#workspace;
    const toProposer = (this.#tips * this.#tipShare) / 10_000n;
    if (toProposer > 0n) this.#giveTo(block.proposer, toProposer);
    const burned = this.#burned + this.#tips - toProposer;
    if (burned > 0n) recordBurned(this.#workspace, { thetaWei: 0n, tfuelWei: burned });
    runDueJobs(this.#workspace, this.#registry, options.jobsMax);
    const nextCommittee = options.epochLast
      ? selectCommittee(this.#registry, this.#workspace, block.epoch + 1)
      : null;
    const jobReceipt = this.#jobReceipt(checkpoint);
    return {
      changes: this.#journal.changes(),
      receipts: this.#receipts,
      jobReceipt,
      gasUsed: this.#gasUsed,
      logsBloom: this.#bloom,
      burned,
      nextCommittee,
    };
  }

  /** Does what precedes the first transaction; not in the constructor, because admission is no block. */
  begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    for (const module of this.#registry.modules) module.hooks?.onBlockBegin?.(this.#workspace);
  }

  /** All that does not depend on sequences and balances. */
  #prepare(transaction: Verified<Transaction>, baseFee: bigint): Prepared | Refusal {
    const size = transaction.encoded.length;
    if (size > this.#transactionBytesMax) {
      return { code: "transactionTooLarge", got: size, expected: this.#transactionBytesMax };
    }
    const { bytes, gas: gasLeft } = this.room;
    if (size > bytes) return { code: "blockBytesFull", got: size, expected: bytes };
    const { height } = this.#workspace.block;
    if (transaction.expiryHeight !== null && height > transaction.expiryHeight) {
      return { code: "expired", got: transaction.expiryHeight, expected: height };
    }
    const read = readOperation(this.#registry, transaction);
    if ("code" in read) return read;
    const { operation, body } = read;
    const gasNeeded = operation.gas(body, this.#workspace.parameters);
    const gas = gasOf(transaction, gasNeeded);
    if (gas < gasNeeded) return { code: "gasLimitTooLow", got: gas, expected: gasNeeded };
    if (gas > this.#transactionGasMax) {
      return { code: "gasLimitTooHigh", got: gas, expected: this.#transactionGasMax };
    }
    if (gas > gasLeft) return { code: "blockGasFull", got: gas, expected: gasLeft };
    const priced = chargeOf(transaction.feeBid, gas, baseFee);
    if ("refusal" in priced) return priced.refusal;
    const { payer, signers, feeBid } = transaction;
    const fee = feeBid.type === "whole" ? feeBid.fee : 0n;
    const { gasPrice } = priced.charge;
    const call = { body, payer, signers, fee, gasLimit: gas, gasPrice, transaction };
    return { operation, call, charge: priced.charge, gas };
  }

  #validate(prepared: Prepared): Refusal | null {
    const { operation, call } = prepared;
    const { transaction, payer } = call;
    if (this.#hashes.has(transaction.hash)) {
      return { code: "transactionRepeated", got: transaction.hash, expected: "once" };
    }
    const lacks = this.#lacks(prepared);
    if (lacks > 0n && lacks > (operation.yields?.(this.#workspace, call) ?? 0n)) {
      const needed = costMaxOf(transaction.feeBid, prepared.gas);
      return { code: "balanceTooLow", got: needed - lacks, expected: needed, address: payer };
    }
    return operation.validate?.(this.#workspace, call) ?? null;
  }

  #conclude(prepared: Prepared, answer: Applied, checkpoint: Checkpoint): Receipt {
    const { transaction, payer, fee: wholeFee } = prepared.call;
    if (!answer.ok && answer.undone !== true) this.#journal.revert(checkpoint);
    const gasUsed = answer.gasUsed ?? prepared.gas;
    assert(gasUsed <= prepared.gas, `used ${gasUsed} gas of ${prepared.gas}`);
    const { upfront, tip, gasPrice } = prepared.charge;
    const fee = transaction.feeBid.type === "whole" ? wholeFee : gasUsed * gasPrice;
    if (fee < upfront) this.#giveTo(payer, upfront - fee);
    const tips = gasUsed * tip;
    this.#tips += tips;
    this.#burned += fee - tips;
    this.#gasUsed += gasUsed;
    this.#bytes += transaction.encoded.length;
    this.#hashes.add(transaction.hash);
    const logs = this.#journal.logsSince(checkpoint);
    const logsBloom = logs.length === 0 ? emptyBloom : bloomOf(logs);
    if (logs.length > 0) mergeBloom(this.#bloom, logsBloom);
    const receipt: Receipt = {
      transactionHash: transaction.hash,
      status: answer.ok ? 1 : 0,
      gasUsed,
      cumulativeGasUsed: this.#gasUsed,
      gasPrice,
      fee,
      logs,
      logsBloom,
      contractAddress: answer.ok ? answer.contractAddress : null,
      returnData: answer.returnData,
      failure: answer.ok ? "" : answer.refusal.code,
    };
    this.#receipts.push(receipt);
    return receipt;
  }

  #jobReceipt(checkpoint: Checkpoint): Receipt | null {
    const logs = this.#journal.logsSince(checkpoint);
    if (logs.length === 0) return null;
    const logsBloom = bloomOf(logs);
    mergeBloom(this.#bloom, logsBloom);
    return {
      transactionHash: zeroDigest,
      status: 1,
      gasUsed: 0n,
      cumulativeGasUsed: this.#gasUsed,
      gasPrice: 0n,
      fee: 0n,
      logs,
      logsBloom,
      contractAddress: null,
      returnData: new Uint8Array(0),
      failure: "",
    };
  }

  /** Raises the sequences and takes the fee. */
  #begin(transaction: Transaction, upfront: bigint): void {
    const { payer } = transaction;
    let due = upfront;
    for (const { address, sequence } of transaction.signers) {
      if (sequence === null) continue;
      const account = this.#journal.account(address) ?? emptyAccount;
      const { balance, storageRoot, codeHash } = account;
      const nonce = account.nonce + 1n;
      // One write for both where the payer signs, as nearly always.
      const taken = address === payer ? due : 0n;
      if (address === payer) due = 0n;
      const next = { nonce, balance: balance - taken, storageRoot, codeHash };
      this.#journal.setAccount(address, next);
    }
    if (due > 0n) this.#takeFrom(payer, due);
  }

  #takeFrom(address: Address, amount: bigint): void {
    const account = this.#journal.account(address) ?? emptyAccount;
    this.#journal.setAccount(address, withBalance(account, account.balance - amount));
  }

  #giveTo(address: Address, amount: bigint): void {
    const account = this.#journal.account(address) ?? emptyAccount;
    this.#journal.setAccount(address, withBalance(account, account.balance + amount));
  }
}

/** The committee of `epoch`, named by the module that does so. */
export function selectCommittee(
  registry: Registry,
  workspace: Workspace,
  epoch: number,
): ExecutionResult["nextCommittee"] {
  const selecting = registry.modules.find((module) => module.hooks?.selectCommittee !== undefined);
  return selecting?.hooks?.selectCommittee?.(workspace, epoch) ?? null;
}

/** Native types have the gas that their operation says; the others name a limit. */
function gasOf(transaction: Transaction, gasNeeded: bigint): bigint {
  if (transaction.envelope === "native" && transaction.feeBid.type === "whole") return gasNeeded;
  // A module operation is charged for what it needs, so a generous limit costs nothing.
  if (transaction.envelope === "operation" && transaction.gasLimit >= gasNeeded) return gasNeeded;
  return transaction.gasLimit;
}

function readOperation(
  registry: Registry,
  transaction: Transaction,
): { readonly operation: OperationDefinition<unknown>; readonly body: unknown } | Refusal {
  const { module, name, body } = transaction.op;
  const operation = registry.operation(module, name);
  if (operation === null) {
    const known = registry.module(module) !== null;
    return known
      ? { code: "operationUnknown", got: name, expected: `an operation of ${module}` }
      : { code: "moduleUnknown", got: module, expected: "a module of this runtime" };
  }
  if (transaction.envelope !== "operation") return { operation, body };
  if (operation.schema === null) {
    return { code: "operationUnknown", got: name, expected: "an operation without own envelope" };
  }
  assert(body instanceof Uint8Array, "the body of a module operation is not decoded yet");
  const decoded = decodeWith(operation.schema, body);
  if (!decoded.ok) return { code: "bodyInvalid", got: decoded.refusal, expected: "its schema" };
  const signed = new Set(transaction.signers.map(({ address }) => address));
  for (const address of operation.signers(decoded.value, transaction.payer)) {
    if (!signed.has(address)) {
      return { code: "signerMissing", got: "no signature", expected: "a signature", address };
    }
  }
  return { operation, body: decoded.value };
}

function sequenceFault(journal: Journal, transaction: Transaction): Refusal | null {
  const seen = transaction.signers.length > 1 ? new Set<Address>() : null;
  for (const { address, sequence } of transaction.signers) {
    if (sequence === null) continue;
    if (seen?.has(address) === true) {
      return { code: "signerRepeated", got: "twice", expected: "once", address };
    }
    seen?.add(address);
    const account = journal.account(address);
    if (hasCode(account) && journal.isContract(address)) {
      return { code: "senderHasCode", got: "code", expected: "no code [EIP-3607]", address };
    }
    const nonce = account?.nonce ?? 0n;
    const expected = nonce + 1n;
    if (sequence < expected) return { code: "sequenceTooLow", got: sequence, expected, address };
    if (sequence > expected) return { code: "sequenceTooHigh", got: sequence, expected, address };
    if (nonce >= nonceMax - 1n) {
      return { code: "sequenceTooHigh", got: sequence, expected: "below 2^64 - 1", address };
    }
  }
  return null;
}
