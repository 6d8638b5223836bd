import { createModuleKey } from "../definitions.ts";
import { stateKey } from "../keys.ts";
import type { ModuleContext, ReadContext } from "../module.ts";
import type { Refusal } from "../refusal.ts";
import { amountField, decodeOwn, encodeWith, numberField, recordField } from "../schema.ts";

/*
 * How much code a block may run. A transfer costs microseconds for its 21,000 gas, code up to a
 * hundred times as much: a limit for both would bound neither.
 *
 *   tag 0   gas that code used in the newest block that ran any
 */

/** The right to accounts and contracts. */
export const evmKey = createModuleKey("evm");

const usedKey = stateKey(0);
const usedSchema = recordField({ height: numberField, gas: amountField });

/** Gas that code used in this block so far. */
function usedIn(context: ReadContext): bigint {
  const bytes = context.state(evmKey).get(usedKey);
  if (bytes === null) return 0n;
  const { height, gas } = decodeOwn(usedSchema, bytes);
  return height === context.block.height ? gas : 0n;
}

/** Why no code with this gas limit may run any more in this block, or `null`. */
export function budgetFault(context: ReadContext, gasLimit: bigint): Refusal | null {
  const max = context.parameters.amount("evm.blockGasMax");
  if (gasLimit > max) return { code: "gasLimitTooHigh", got: gasLimit, expected: max };
  const left = max - usedIn(context);
  return gasLimit <= left ? null : { code: "blockGasFull", got: gasLimit, expected: left };
}

/** Counts what code used. */
export function spendBudget(context: ModuleContext, gasUsed: bigint): void {
  const { height } = context.block;
  const gas = usedIn(context) + gasUsed;
  context.state(evmKey).set(usedKey, encodeWith(usedSchema, { height, gas }));
}
