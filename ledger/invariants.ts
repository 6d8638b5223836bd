import type { CountableState, ReadContext } from "./module.ts";
import { add, noCoins, suppliedBy } from "./modules/bank.ts";
import type { Registry } from "./registry.ts";
import type { StateChanges, StateReader } from "./state.ts";

/** What is wrong with a whole state, by a recount of all that modules count, or `null`. */
export function invariantFault(
  registry: Registry,
  context: ReadContext,
  state: CountableState,
): string | null {
  for (const module of registry.modules) {
    for (const invariant of module.invariants) {
      const fault = invariant.check(context, state);
      if (fault !== null) return `${module.name}: ${invariant.name}: ${fault}`;
    }
  }
  return null;
}

/**
 * Whether a block's changes conserve coins: what accounts and modules gained is what was minted
 * less what was burned. Follows only what changed, so it can be asked after every block.
 */
export function conservationFault(before: StateReader, changes: StateChanges): string | null {
  let gained = noCoins;
  for (const [address, account] of changes.accounts) {
    const old = before.account(address)?.balance ?? 0n;
    gained = add(gained, { thetaWei: 0n, tfuelWei: (account?.balance ?? 0n) - old });
  }
  const { held, supplied } = suppliedBy(before, changes);
  const { thetaWei, tfuelWei } = add(gained, held);
  if (thetaWei === supplied.thetaWei && tfuelWei === supplied.tfuelWei) return null;
  const got = `${thetaWei} ThetaWei and ${tfuelWei} TFuelWei`;
  return `gained ${got}, minted less burned is ${supplied.thetaWei} and ${supplied.tfuelWei}`;
}
