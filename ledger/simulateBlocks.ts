import { assert } from "../base/assert.ts";
import type { Address, Digest } from "../base/brand.ts";
import { zeroDigest } from "../base/bytes.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import { keccakDigest } from "../crypto/keccak.ts";
import type { EvmResult } from "../vm/evm.ts";
import { initCodeBytesMax } from "../vm/transactionGas.ts";
import { emptyAccount, withBalance } from "./accounts.ts";
import type { Header } from "./blockTypes.ts";
import { encodeEthereum } from "./ethereumCodec.ts";
import { nextBaseFee } from "./fees.ts";
import { encodeHeader, blockHash } from "./header.ts";
import { Journal } from "./journal.ts";
import type { BlockContext } from "./module.ts";
import { evmKey } from "./modules/evmBudget.ts";
import { recordParent } from "./modules/evmHistory.ts";
import { forkOf, isPrecompile } from "./modules/evmRun.ts";
import { emptyRoot, orderedRoot } from "./orderedRoot.ts";
import { bloomOf, emptyBloom, mergeBloom, receiptsRoot } from "./receipt.ts";
import type { Log, Receipt } from "./receiptTypes.ts";
import type { Refusal } from "./refusal.ts";
import {
  gasPriceOf,
  openSimulation,
  overrideState,
  runSimulated,
  type BlockOverrides,
  type SimulatedMessage,
  type Simulation,
  type StateOverrides,
  type TaskScene,
} from "./simulate.ts";
import type { EthereumTransaction } from "./thetaTypes.ts";
import { TransferTracer } from "./tracing/transferTracer.ts";

/*
 * Blocks that could follow a committed one, full of messages that nobody signed: eth_simulateV1 of
 * the execution API's specification. Where that leaves something open, go-ethereum's way is taken.
 */

/** Blocks from the base to the last simulated one, at most; those left out between count too. */
export const simulatedBlocksMax = 256;

/** Between two blocks where no time is given: Ethereum's slot, on which tools rely. */
export const simulatedBlockMs = 12_000;

/** Characters of the answer, about. */
export const simulatedSizeMax = 16 * 1_024 * 1_024;

/** A message as the transaction that it stands for. */
export type SimulatedCall = {
  readonly message: SimulatedMessage;
  readonly type: EthereumTransaction["type"];
  /** `null`: the account's. */
  readonly nonce: bigint | null;
};

/** One block to come. */
export type BlockInput = {
  readonly block: BlockOverrides;
  readonly state: StateOverrides;
  readonly calls: readonly SimulatedCall[];
};

/** What is to be simulated. */
export type BlocksRequest = {
  /** The committed block whose state is asked. */
  readonly base: { readonly hash: Digest; readonly header: Header };
  readonly blocks: readonly BlockInput[];
  /** `strict`: a message must be what a transaction must be, its signature aside. */
  readonly rules: "strict" | "loose";
  /** `logged`: transfers of TFuel are shown as logs. */
  readonly transfers: "logged" | "hidden";
  /** Bounds the work: gas of all messages together. */
  readonly gasMax: bigint;
};

/** A message that ran, as a transaction of its block. */
export type CallAnswer = {
  readonly from: Address;
  readonly transaction: EthereumTransaction;
  readonly hash: Digest;
  readonly result: EvmResult;
  /** With transfers, if those are asked for. */
  readonly logs: readonly Log[];
};

/** A simulated block. */
export type BlockAnswer = {
  readonly hash: Digest;
  readonly header: Header;
  readonly sizeBytes: number;
  readonly calls: readonly CallAnswer[];
};

/** Why nothing is simulated; the words are for the caller. */
export type BlocksRefusal =
  | { readonly code: "heightOrder"; readonly got: number; readonly previous: number }
  | { readonly code: "timeOrder"; readonly gotSeconds: number; readonly previousSeconds: number }
  | { readonly code: "blocksTooMany" | "answerTooLarge"; readonly max: number }
  | {
      readonly code: "precompileUnknown" | "precompileOverridden" | "precompileToItself";
      readonly address: Address;
    }
  | { readonly code: "call"; readonly refusal: Refusal };

/** A block with height and time settled. */
type Planned = BlockInput & { readonly height: number; readonly timestampMs: number };

/** Simulates blocks one after another, each on the state that those before it left. */
export async function simulateBlocks(
  scene: TaskScene,
  request: BlocksRequest,
): Promise<Outcome<readonly BlockAnswer[], BlocksRefusal>> {
  const plan = planOf(request);
  if (!plan.ok) return plan;
  const simulation = new ChainSimulation(scene, request);
  for (const planned of plan.value) {
    const refusal = await simulation.add(planned);
    if (refusal !== null) return refuse(refusal);
  }
  return accept(simulation.answers);
}

/** Settles heights and times; blocks that were left out are there, empty. */
function planOf({ base, blocks }: BlocksRequest): Outcome<readonly Planned[], BlocksRefusal> {
  const planned: Planned[] = [];
  let { height, timestampMs } = base.header;
  const add = (input: BlockInput, atMs: number): void => {
    height += 1;
    timestampMs = atMs;
    planned.push({ ...input, height, timestampMs });
  };
  for (const input of blocks) {
    const wanted = input.block.height ?? height + 1;
    if (wanted <= height) return refuse({ code: "heightOrder", got: wanted, previous: height });
    if (wanted - base.header.height > simulatedBlocksMax) {
      return refuse({ code: "blocksTooMany", max: simulatedBlocksMax });
    }
    while (height + 1 < wanted) add(emptyInput, timestampMs + simulatedBlockMs);
    const atMs = input.block.timestampMs ?? timestampMs + simulatedBlockMs;
    const gotSeconds = Math.floor(atMs / 1_000);
    const previousSeconds = Math.floor(timestampMs / 1_000);
    if (gotSeconds <= previousSeconds) {
      return refuse({ code: "timeOrder", gotSeconds, previousSeconds });
    }
    add(input, atMs);
  }
  return accept(planned);
}

const emptyInput: BlockInput = { block: {}, state: new Map(), calls: [] };

/** Characters of an answer's names, numbers and brackets. */
const sizes = { block: 3_000, call: 1_500, log: 700 } as const;

/** A block under way. */
type OpenBlock = {
  readonly context: BlockContext;
  readonly simulation: Simulation;
  readonly calls: CallAnswer[];
  readonly encoded: Uint8Array[];
  readonly receipts: Receipt[];
  gasUsed: bigint;
  /** TFuelWei above the base fee. */
  tips: bigint;
};

/** The chain that grows on the base. */
class ChainSimulation {
  readonly answers: BlockAnswer[] = [];
  readonly #scene: TaskScene;
  readonly #request: BlocksRequest;
  readonly #journal: Journal;
  readonly #moves = new Map<Address, Address | null>();
  #parent: { readonly hash: Digest; readonly header: Header };
  #gasLeft: bigint;
  #sizeLeft = simulatedSizeMax;

  constructor(scene: TaskScene, request: BlocksRequest) {
    this.#scene = scene;
    this.#request = request;
    this.#journal = new Journal(scene.reader);
    this.#parent = request.base;
    this.#gasLeft = request.gasMax;
  }

  async add(planned: Planned): Promise<BlocksRefusal | null> {
    const context = this.#contextOf(planned);
    const simulation = openSimulation(this.#scene, context, this.#journal);
    const moved = await this.#override(simulation, planned.state);
    if (moved !== null) return moved;
    const fork = forkOf(this.#scene.parameters);
    recordParent(simulation.context.contracts(evmKey), context, fork);
    const open = { context, simulation, calls: [], encoded: [], receipts: [] };
    const block: OpenBlock = { ...open, gasUsed: 0n, tips: 0n };
    this.#sizeLeft -= sizes.block;
    for (const call of planned.calls) {
      const refusal = await this.#run(block, call);
      if (refusal !== null) return { code: "call", refusal };
      if (this.#sizeLeft < 0) break;
    }
    if (this.#sizeLeft < 0) return { code: "answerTooLarge", max: simulatedSizeMax };
    this.#payTips(block);
    this.#close(block);
    return null;
  }

  #contextOf({ block, height, timestampMs }: Planned): BlockContext {
    const { hash, header } = this.#parent;
    const { parameters } = this.#scene;
    const isStrict = this.#request.rules === "strict";
    return {
      height,
      epoch: header.epoch,
      view: header.view + 1,
      timestampMs,
      parentHash: hash,
      proposer: block.proposer ?? header.proposer,
      gasLimit: block.gasLimit ?? header.gasLimit,
      baseFee: block.baseFee ?? (isStrict ? nextBaseFee(header, parameters) : 0n),
      randomness: block.randomness ?? zeroDigest,
    };
  }

  async #override(
    { context }: Simulation,
    overrides: StateOverrides,
  ): Promise<BlocksRefusal | null> {
    const taken = new Set<Address>();
    for (const [address, { code, movesTo }] of overrides) {
      if (taken.has(address)) return { code: "precompileOverridden", address };
      if (code === undefined && movesTo === undefined) continue;
      const isHere = !this.#moves.has(address) && (await isPrecompile(context, address));
      if (movesTo === undefined) {
        if (isHere) this.#moves.set(address, null); // Its new code takes its place.
        continue;
      }
      if (!isHere) return { code: "precompileUnknown", address };
      if (movesTo === address) return { code: "precompileToItself", address };
      if (overrides.has(movesTo)) return { code: "precompileOverridden", address: movesTo };
      this.#moves.set(address, movesTo);
      taken.add(movesTo);
    }
    overrideState(this.#journal, overrides);
    return null;
  }

  async #run(block: OpenBlock, call: SimulatedCall): Promise<Refusal | null> {
    const { context } = block;
    const { caller } = call.message;
    const account = this.#journal.account(caller) ?? emptyAccount;
    const nonce = call.nonce ?? account.nonce;
    const room = context.gasLimit - block.gasUsed;
    const asked = call.message.gasLimit ?? room;
    const fault =
      (this.#request.rules === "strict" ? this.#strictFault(call, context, nonce) : null) ??
      faultOf(call.message, { asked, room });
    if (fault !== null) return fault;
    const gasLimit = asked < this.#gasLeft ? asked : this.#gasLeft;
    const message = { ...call.message, gasLimit };
    const price = gasPriceOf(message, context);
    if (!price.ok) return price.refusal;
    const tracer = this.#request.transfers === "logged" ? new TransferTracer() : null;
    const watch = { ...(tracer === null ? {} : { tracer }), moves: this.#moves };
    const outcome = await runSimulated(block.simulation, message, gasLimit, watch);
    if (!outcome.ok) return outcome.refusal;
    const result = outcome.value;
    this.#gasLeft -= result.gasUsed;
    if (price.value > context.baseFee) {
      block.tips += (price.value - context.baseFee) * result.gasUsed;
    }
    const transaction = transactionOf({ ...call, message }, { nonce, gasLimit });
    const logs = tracer?.logs ?? result.logs;
    this.#note(block, { transaction, result, logs, from: caller, gasPrice: price.value });
    return null;
  }

  /** What makes a transaction invalid and a loose message not. */
  #strictFault(
    { message, nonce: given }: SimulatedCall,
    { baseFee }: BlockContext,
    nonce: bigint,
  ): Refusal | null {
    const { caller: address, maxFeePerGas } = message;
    const expected = (this.#journal.account(address) ?? emptyAccount).nonce;
    if (given !== null && nonce !== expected) {
      const code = nonce < expected ? "sequenceTooLow" : "sequenceTooHigh";
      return { code, got: nonce, expected, address };
    }
    if (this.#journal.isContract(address)) {
      return { code: "senderHasCode", got: "a contract", expected: "an account", address };
    }
    if (maxFeePerGas >= baseFee) return null;
    return { code: "feeTooLow", got: maxFeePerGas, expected: baseFee, address };
  }

  #note(block: OpenBlock, ran: Omit<CallAnswer, "hash"> & { readonly gasPrice: bigint }): void {
    const { transaction, from, result, logs, gasPrice } = ran;
    const chainId = BigInt(this.#scene.chain.id);
    const encoded = encodeEthereum({ transaction, chainId, signature: unsigned });
    const hash = keccakDigest(encoded);
    const { gasUsed, contractAddress } = result;
    block.gasUsed += gasUsed;
    block.encoded.push(encoded);
    block.receipts.push({
      transactionHash: hash,
      status: result.ok ? 1 : 0,
      gasUsed,
      cumulativeGasUsed: block.gasUsed,
      gasPrice,
      fee: gasUsed * gasPrice,
      logs: result.logs,
      logsBloom: result.logs.length === 0 ? emptyBloom : bloomOf(result.logs),
      contractAddress,
      returnData: result.returnData,
      failure: result.failure,
    });
    // Its own copy: a view would take the whole memory of the contract along to another thread.
    const returnData = result.returnData.slice();
    block.calls.push({ from, transaction, hash, logs, result: { ...result, returnData } });
    this.#sizeLeft -= sizes.call + 2 * (returnData.length + transaction.data.length);
    for (const { data } of logs) this.#sizeLeft -= sizes.log + 2 * data.length;
  }

  #payTips({ context, tips }: OpenBlock): void {
    const share = this.#scene.parameters.amount("chain.tipShareBasisPoints");
    const paid = (tips * share) / 10_000n;
    if (paid === 0n) return;
    const account = this.#journal.account(context.proposer) ?? emptyAccount;
    this.#journal.setAccount(context.proposer, withBalance(account, account.balance + paid));
  }

  #close({ context, calls, encoded, receipts, gasUsed }: OpenBlock): void {
    const { rootAfter } = this.#scene;
    assert(rootAfter !== undefined, "whole blocks are simulated where roots can be computed");
    const logsBloom = emptyBloom.slice();
    for (const receipt of receipts) mergeBloom(logsBloom, receipt.logsBloom);
    const { height, view, timestampMs, parentHash, proposer } = context;
    const header: Header = {
      ...this.#parent.header,
      height,
      view,
      parentHash,
      timestampMs,
      proposer,
      timeoutCertificateHash: null,
      transactionsRoot: orderedRoot(encoded),
      receiptsRoot: receiptsRoot(receipts, encoded, null),
      logsBloom,
      stateRoot: rootAfter(this.#journal.changes()),
      gasUsed,
      gasLimit: context.gasLimit,
      baseFee: context.baseFee,
      randomness: context.randomness,
      nextCommitteeHash: null,
      evidenceRoot: emptyRoot,
      checkpointCertificateHash: null,
    };
    const hash = blockHash(header);
    const headerBytes = encodeHeader(header).length;
    const sizeBytes = encoded.reduce((sum, { length }) => sum + length, headerBytes);
    this.#parent = { hash, header };
    this.answers.push({ hash, header, sizeBytes, calls });
  }
}

/** No signature: r, s and v are zero. */
const unsigned = new Uint8Array(65);

/** What is wrong with a message whatever the rules. */
function faultOf(
  { to, data }: SimulatedMessage,
  { asked, room }: { readonly asked: bigint; readonly room: bigint },
): Refusal | null {
  if (asked > room) return { code: "blockGasFull", got: asked, expected: room };
  if (to !== null || data.length <= initCodeBytesMax) return null;
  return { code: "initCodeTooLarge", got: data.length, expected: initCodeBytesMax };
}

function transactionOf(
  { message, type }: SimulatedCall,
  { nonce, gasLimit }: Pick<EthereumTransaction, "nonce" | "gasLimit">,
): EthereumTransaction {
  const { to, value, data, accessList, authorizations } = message;
  const { maxFeePerGas, maxPriorityFeePerGas } = message;
  const fees = { maxFeePerGas, maxPriorityFeePerGas };
  return { type, nonce, gasLimit, ...fees, to, value, data, accessList, authorizations };
}
