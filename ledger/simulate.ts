import type { Address, Digest } from "../base/brand.ts";
import { bigIntToBytes } from "../base/bytes.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import { emptyKeccak, keccakDigest } from "../crypto/keccak.ts";
import type { EvmResult, EvmWatch, PrecompileMoves } from "../vm/evm.ts";
import { gasLimitMin } from "../vm/transactionGas.ts";
import { emptyAccount, withBalance } from "./accounts.ts";
import { Journal } from "./journal.ts";
import type { BlockContext, Chain, ModuleContext } from "./module.ts";
import { recoverAuthorization } from "./modules/evm.ts";
import { forkOf, runTransaction } from "./modules/evmRun.ts";
import type { Parameters } from "./parameters.ts";
import type { Refusal } from "./refusal.ts";
import type { Registry } from "./registry.ts";
import type { StateChanges, StateReader } from "./state.ts";
import type { EthereumTransaction } from "./thetaTypes.ts";
import { Workspace } from "./workspace.ts";

/*
 * Messages that run as transactions would, in a journal over a committed state that nothing is
 * written to. What goes in and comes out is plain data, so that it can cross to another thread.
 */

/** A state to ask, and the block in which messages find themselves. */
export type TaskScene = {
  readonly registry: Registry;
  readonly chain: Chain;
  readonly parameters: Parameters;
  readonly reader: StateReader;
  readonly block: BlockContext;
  /** The root that changes would give the state; there wherever whole blocks are simulated. */
  readonly rootAfter?: (changes: StateChanges) => Digest;
};

/** What an account is said to be; what is absent stays as it is. */
export type AccountOverride = {
  readonly nonce?: bigint;
  /** TFuelWei. */
  readonly balance?: bigint;
  readonly code?: Uint8Array;
  /** `replace`: all other slots are zero. Words of 32 bytes at most. */
  readonly storage?: {
    readonly mode: "replace" | "change";
    readonly words: ReadonlyMap<Digest, bigint>;
  };
  /** Where the precompile that is here is instead. */
  readonly movesTo?: Address;
};

/** Accounts that are said to be otherwise than the state has them. */
export type StateOverrides = ReadonlyMap<Address, AccountOverride>;

/** What contracts are told of their block instead of the truth. */
export type BlockOverrides = Partial<
  Pick<BlockContext, "height" | "timestampMs" | "proposer" | "gasLimit" | "baseFee" | "randomness">
>;

/** A message from a caller whose signature nobody asks for. */
export type SimulatedMessage = Pick<
  EthereumTransaction,
  "to" | "value" | "data" | "maxFeePerGas" | "maxPriorityFeePerGas" | "accessList"
> & {
  readonly caller: Address;
  /** `null`: as much as the simulation allows. */
  readonly gasLimit: bigint | null;
  /** Recovered only once the gas is known to suffice for them. */
  readonly authorizations: EthereumTransaction["authorizations"];
};

/** What became of a message. */
export type SimulatedResult = EvmResult;

/** One simulated message. */
export type SimulationRequest = {
  readonly message: SimulatedMessage;
  readonly state: StateOverrides;
  readonly block: BlockOverrides;
  /** Bounds the work: gas that the message may use. */
  readonly gasMax: bigint;
};

/** A journal over the scene's state. Messages run in it one after another, each sees those before. */
export type Simulation = {
  readonly journal: Journal;
  readonly context: ModuleContext;
};

/** Opens a state for messages; `journal` of an earlier one goes on in another block. */
export function openSimulation(
  scene: TaskScene,
  block: BlockOverrides,
  journal: Journal = new Journal(scene.reader),
): Simulation {
  const { registry, chain, parameters } = scene;
  const facts = { chain, parameters, block: { ...scene.block, ...block } };
  return { journal, context: new Workspace(journal, registry, facts) };
}

/** Writes overrides into a simulation. */
export function overrideState(journal: Journal, overrides: StateOverrides): void {
  for (const [address, { nonce, balance, code, storage }] of overrides) {
    const before = journal.account(address) ?? emptyAccount;
    const codeHash =
      code === undefined ? before.codeHash : code.length === 0 ? emptyKeccak : keccakDigest(code);
    if (code !== undefined && code.length > 0) journal.setCode(codeHash, code);
    journal.setAccount(address, {
      ...before,
      nonce: nonce ?? before.nonce,
      balance: balance ?? before.balance,
      codeHash,
    });
    if (storage === undefined) continue;
    if (storage.mode === "replace") journal.clearStorage(address);
    for (const [slot, word] of storage.words) {
      journal.setStorage(address, slot, word === 0n ? null : bigIntToBytes(word));
    }
  }
}

/** What a message pays per gas: nothing if it offers nothing, as nobody asks it to. */
export function gasPriceOf(
  message: SimulatedMessage,
  block: BlockContext,
): Outcome<bigint, Refusal> {
  const { maxFeePerGas, maxPriorityFeePerGas, caller } = message;
  const { baseFee } = block;
  if (maxFeePerGas === 0n) return accept(0n);
  if (maxFeePerGas < baseFee) {
    return refuse({ code: "feeTooLow", got: maxFeePerGas, expected: baseFee, address: caller });
  }
  if (maxPriorityFeePerGas > maxFeePerGas) {
    const [got, expected] = [maxPriorityFeePerGas, maxFeePerGas];
    return refuse({ code: "tipAboveFee", got, expected, address: caller });
  }
  const offered = baseFee + maxPriorityFeePerGas;
  return accept(offered < maxFeePerGas ? offered : maxFeePerGas);
}

/**
 * Runs a message as a transaction: the caller pays its gas at its price, its nonce is raised.
 * Refused where no transaction of the kind could run; a failed one is an answer.
 */
export async function runSimulated(
  { journal, context }: Simulation,
  message: SimulatedMessage,
  gasMax: bigint,
  watch: EvmWatch & { readonly moves?: PrecompileMoves } = {},
): Promise<Outcome<EvmResult, Refusal>> {
  const { caller, value } = message;
  const asked = message.gasLimit ?? gasMax;
  const gasLimit = asked > gasMax ? gasMax : asked;
  const gasMin = gasLimitMin(message, forkOf(context.parameters));
  if (gasLimit < gasMin) return refuse({ code: "gasLimitTooLow", got: gasLimit, expected: gasMin });
  const price = gasPriceOf(message, context.block);
  if (!price.ok) return price;
  const gasPrice = price.value;
  const sender = journal.account(caller) ?? emptyAccount;
  const needed = gasLimit * gasPrice + value;
  if (sender.balance < needed) {
    const { balance } = sender;
    return refuse({ code: "balanceTooLow", got: balance, expected: needed, address: caller });
  }
  const paid = sender.balance - gasLimit * gasPrice;
  journal.setAccount(caller, { ...sender, balance: paid, nonce: sender.nonce + 1n });
  const authorizations = message.authorizations.map(recoverAuthorization);
  const transaction = { ...message, gasLimit, gasPrice, authorizations };
  const result = await runTransaction(context, transaction, watch);
  const left = (gasLimit - result.gasUsed) * gasPrice;
  if (left > 0n) {
    const after = journal.account(caller) ?? emptyAccount;
    journal.setAccount(caller, withBalance(after, after.balance + left));
  }
  return accept(result);
}

/**
 * The block that a lone message is told of: one that offers no price finds a base fee of zero, so
 * that no contract sees a price below it. Ethereum's nodes do the same.
 */
export function blockFor(message: SimulatedMessage, block: BlockOverrides): BlockOverrides {
  return message.maxFeePerGas === 0n ? { baseFee: 0n, ...block } : block;
}

/** Runs one message on a state with overrides. */
export function simulate(
  scene: TaskScene,
  { message, state, block, gasMax }: SimulationRequest,
): Promise<Outcome<EvmResult, Refusal>> {
  const simulation = openSimulation(scene, blockFor(message, block));
  overrideState(simulation.journal, state);
  return runSimulated(simulation, message, gasMax);
}
