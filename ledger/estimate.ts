import { accept, type Outcome } from "../base/outcome.ts";
import type { EvmResult } from "../vm/evm.ts";
import { gasLimitMin } from "../vm/transactionGas.ts";
import { forkOf } from "./modules/evmRun.ts";
import type { Refusal } from "./refusal.ts";
import {
  blockFor,
  openSimulation,
  overrideState,
  runSimulated,
  type Simulation,
  type SimulatedMessage,
  type SimulationRequest,
  type TaskScene,
} from "./simulate.ts";

/*
 * How much gas a message needs: found by trying, because a contract may do less with less gas and
 * refunds come after it is spent. Go-ethereum searches the same way, so answers agree.
 */

/** The gas a message needs, or why it fails with the most that it may have. */
export type GasEstimate =
  | { readonly type: "gas"; readonly gas: bigint }
  | { readonly type: "failed"; readonly result: EvmResult; readonly gasMax: bigint };

/** What a frame below may keep of a call with value, given free of charge. */
const callStipend = 2_300n;

/** The search ends when what is left to find is this part of the answer: 15 of 1,000. */
const errorPart = { numerator: 15n, denominator: 1_000n };

/** Finds the least gas limit with which a message succeeds, up to a few per cent above it. */
export async function estimateGas(
  scene: TaskScene,
  { message, state, block, gasMax }: SimulationRequest,
): Promise<Outcome<GasEstimate, Refusal>> {
  const simulation = openSimulation(scene, blockFor(message, block));
  overrideState(simulation.journal, state);
  const most = affordable(simulation, message, gasMax);
  const run = (gasLimit: bigint): Promise<Outcome<EvmResult, Refusal>> =>
    attempt(simulation, message, gasLimit);
  const gasMin = gasLimitMin(message, forkOf(scene.parameters));
  if (message.data.length === 0 && message.to !== null && gasMin <= most) {
    // Coins for an account without code need the least that there is.
    const plain = await run(gasMin);
    if (plain.ok && plain.value.ok) return accept({ type: "gas", gas: gasMin });
  }
  const first = await run(most);
  if (!first.ok) return first;
  if (!first.value.ok) return accept({ type: "failed", result: first.value, gasMax: most });
  const { gasUsed } = first.value;
  return accept({ type: "gas", gas: await search(run, { most, gasUsed }) });
}

/** The most gas that the message may have: what it asks for, and what its caller can pay. */
function affordable(simulation: Simulation, message: SimulatedMessage, gasMax: bigint): bigint {
  const asked = message.gasLimit ?? gasMax;
  const most = asked < gasMax ? asked : gasMax;
  if (message.maxFeePerGas === 0n) return most;
  const balance = simulation.journal.account(message.caller)?.balance ?? 0n;
  if (balance < message.value) return most; // Which is refused, with both amounts.
  const paid = (balance - message.value) / message.maxFeePerGas;
  return paid < most ? paid : most;
}

/** Runs the message and undoes it. */
async function attempt(
  simulation: Simulation,
  message: SimulatedMessage,
  gasLimit: bigint,
): Promise<Outcome<EvmResult, Refusal>> {
  const mark = simulation.journal.checkpoint();
  const outcome = await runSimulated(simulation, { ...message, gasLimit }, gasLimit);
  simulation.journal.revert(mark);
  return outcome;
}

async function search(
  run: (gasLimit: bigint) => Promise<Outcome<EvmResult, Refusal>>,
  known: { readonly most: bigint; readonly gasUsed: bigint },
): Promise<bigint> {
  const succeeds = async (gasLimit: bigint): Promise<boolean> => {
    const outcome = await run(gasLimit);
    return outcome.ok && outcome.value.ok;
  };
  let low = known.gasUsed - 1n; // Fails.
  let high = known.most; // Succeeds.
  // A call passes on at most 63 of 64 parts: most messages need just that much more.
  const likely = ((known.gasUsed + callStipend) * 64n) / 63n;
  if (likely < high) {
    if (await succeeds(likely)) high = likely;
    else low = likely;
  }
  const { numerator, denominator } = errorPart;
  while (low + 1n < high && (high - low) * denominator >= high * numerator) {
    const half = (high + low) / 2n;
    // Most messages need little more than they use: the lower end is looked at first.
    const middle = half > low * 2n && low > 0n ? low * 2n : half;
    if (await succeeds(middle)) high = middle;
    else low = middle;
  }
  return high;
}
