import { assert } from "../../base/assert.ts";
import type { Address, Digest } from "../../base/brand.ts";
import { moduleAddress } from "../../base/moduleAddress.ts";
import type {
  Evm,
  EvmConfig,
  EvmResult,
  EvmScene,
  EvmTransaction,
  EvmWatch,
} from "../../vm/evm.ts";
import { EvmPool } from "../../vm/evmPool.ts";
import { forkOrNull, type ForkName } from "../../vm/forks.ts";
import type { PrecompileHost } from "../../vm/precompiles.ts";
import type { StateAccess } from "../../vm/stateAccess.ts";
import type { EvmTracer } from "../../vm/tracer.ts";
import type { ModuleContext, ModuleKey, PrecompileDefinition, ReadContext } from "../module.ts";
import type { Parameters } from "../parameters.ts";
import { refusalSentence, type Refusal } from "../refusal.ts";
import { recordBurned } from "./bank.ts";
import { evmKey, spendBudget } from "./evmBudget.ts";
import { ancestorHash } from "./evmHistory.ts";

/*
 * The one way from modules to the EVM: transactions, and calls of the system into contracts.
 */

/** The last answer of `forkOf`: it is asked several times per transfer. */
let lastFork: { readonly parameters: Parameters; readonly fork: ForkName } | null = null;

/** The rules of this chain at this height. */
export function forkOf(parameters: Parameters): ForkName {
  if (lastFork?.parameters === parameters) return lastFork.fork;
  const fork = forkOrNull(parameters.text("evm.fork"));
  assert(fork !== null, "the parameter evm.fork names a known fork");
  lastFork = { parameters, fork };
  return fork;
}

/** One set of precompiles: EVMs that know them, and how to find one. */
type Engine = {
  readonly pool: EvmPool;
  readonly precompiles: ReadonlyMap<Address, PrecompileDefinition>;
};

/** EVMs are dear to make and hold nothing between runs: each runtime's are shared. */
const engines = new WeakMap<readonly PrecompileDefinition[], Engine>();

function engineOf(definitions: readonly PrecompileDefinition[]): Engine {
  const known = engines.get(definitions);
  if (known !== undefined) return known;
  const precompiles = new Map(definitions.map((definition) => [definition.address, definition]));
  const engine = { pool: new EvmPool(definitions), precompiles };
  engines.set(definitions, engine);
  return engine;
}

/** Addresses that start so are, or may become, precompiles of Ethereum or of Theta. */
const lowPrefix = `0x${"0".repeat(36)}`;

/** Whether a call to an account without code may still run something. */
export function mayBePrecompile(context: ReadContext, address: Address): boolean {
  return address.startsWith(lowPrefix) || engineOf(context.precompiles).precompiles.has(address);
}

/** Whether code of the program is at this address. */
export function isPrecompile(context: ModuleContext, address: Address): Promise<boolean> {
  const { pool } = engineOf(context.precompiles);
  return pool.use(wantedOf(context, { traced: false }), (evm) =>
    Promise.resolve(evm.isPrecompile(address)),
  );
}

function wantedOf(
  { parameters, chain }: ModuleContext,
  { traced }: Pick<EvmConfig, "traced">,
): Pick<EvmConfig, "fork" | "chainId" | "traced"> {
  return { fork: forkOf(parameters), chainId: chain.id, traced };
}

/** Runs a transaction; its logs are not in the journal yet. */
export function runTransaction(
  context: ModuleContext,
  transaction: EvmTransaction,
  watch: EvmWatch & Pick<EvmScene, "moves"> = {},
): Promise<EvmResult> {
  const tracer = watch.tracer ?? context.tracer;
  return withEvm({ context, tracer }, (evm, scene) => {
    return evm.run({ ...scene, ...watch }, transaction);
  });
}

/** A call of the system into a contract, which nobody pays for by gas. */
export type ContractCall = {
  readonly to: Address;
  readonly input: Uint8Array;
  /** At most the parameter `evm.systemCallGasMax` is given. */
  readonly gasLimit: bigint;
};

/** What a contract answered. A failed call has changed nothing. */
export type ContractAnswer =
  | { readonly ok: true; readonly output: Uint8Array; readonly gasUsed: bigint }
  | {
      readonly ok: false;
      readonly refusal: Refusal;
      readonly output: Uint8Array;
      readonly gasUsed: bigint;
    };

/**
 * Calls a contract in the name of a module: `msg.sender` is the module's reserved address. The
 * operation that does so answers later, and accounts for the gas.
 */
export async function callContract(
  context: ModuleContext,
  caller: ModuleKey,
  call: ContractCall,
): Promise<ContractAnswer> {
  context.state(caller); // Only the module itself may speak in its name.
  const gasMax = context.parameters.amount("evm.systemCallGasMax");
  const message = {
    caller: moduleAddress(caller.name),
    to: call.to,
    value: 0n,
    data: call.input,
    gasLimit: call.gasLimit < gasMax ? call.gasLimit : gasMax,
    gasPrice: 0n,
  };
  const { tracer } = context;
  const result = await withEvm({ context, tracer }, (evm, scene) => evm.call(scene, message));
  const { gasUsed, returnData: output } = result;
  spendBudget(context, gasUsed);
  if (!result.ok) return { ok: false, refusal: executionRefusal(result), output, gasUsed };
  writeLogs(context, result);
  return { ok: true, output, gasUsed };
}

/** Puts a transaction's logs into the journal, where the receipt finds them. */
export function writeLogs(context: ModuleContext, result: EvmResult): void {
  const state = context.contracts(evmKey);
  for (const log of result.logs) state.log(log);
}

/** Why a message failed. */
export function executionRefusal(result: EvmResult): Refusal {
  const code = result.failure === "revert" ? "executionReverted" : "executionFailed";
  return { code, got: result.failure, expected: "an end without error" };
}

async function withEvm(
  { context, tracer }: { readonly context: ModuleContext; readonly tracer: EvmTracer | null },
  work: (evm: Evm, scene: EvmScene) => Promise<EvmResult>,
): Promise<EvmResult> {
  const { pool, precompiles } = engineOf(context.precompiles);
  const wanted = wantedOf(context, { traced: tracer !== null });
  const state = context.contracts(evmKey);
  const scene = {
    ...sceneOf(context, state, hostOf(context, state, precompiles)),
    ...(tracer === null ? {} : { tracer }),
  };
  const result = await pool.use(wanted, (evm) => work(evm, scene));
  if (result.burned > 0n) recordBurned(context, { thetaWei: 0n, tfuelWei: result.burned });
  return result;
}

function sceneOf(context: ModuleContext, state: StateAccess, host: PrecompileHost): EvmScene {
  const { block } = context;
  const hashes = new Map<number, Digest | null>(); // Only the block's beginning writes them.
  return {
    state,
    precompiles: host,
    block: {
      number: block.height,
      timestampSeconds: Math.floor(block.timestampMs / 1_000),
      coinbase: block.proposer,
      gasLimit: block.gasLimit,
      baseFee: block.baseFee,
      randomness: block.randomness,
      hashOf: (height) => {
        const known = hashes.get(height);
        if (known !== undefined) return known;
        const hash = ancestorHash(state, block, height);
        hashes.set(height, hash);
        return hash;
      },
    },
  };
}

function hostOf(
  context: ModuleContext,
  state: StateAccess,
  precompiles: ReadonlyMap<Address, PrecompileDefinition>,
): PrecompileHost {
  return (address, frame) => {
    const definition = precompiles.get(address);
    assert(definition !== undefined, `the EVM knows a precompile that no module has: ${address}`);
    const mark = state.checkpoint();
    const outcome = definition.run(context, frame);
    if (outcome.ok)
      return { ok: true, value: { output: outcome.value, logs: state.takeLogs(mark) } };
    state.revert(mark);
    return { ok: false, refusal: refusalSentence(outcome.refusal) };
  };
}
