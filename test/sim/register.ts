import { assert } from "../../base/assert.ts";
import type { Committee, Validator } from "../../consensus/types.ts";
import type { Prng } from "./prng.ts";
import { identityOf, stubAddress, stubKey } from "./stubs.ts";
import type { Role, Swarm } from "./swarm.ts";

/*
 * Stakes as blocks change them: who joins, leaves, moves stake or is jailed by an operation in a
 * committed block is in the next epoch's committee, or not. One rule is the simulator's own: no
 * operation lets those who are not honest have a third of the stake.
 */

/** Stake of each identity, 0 for none, and who is jailed. */
export type Register = {
  readonly stakes: readonly bigint[];
  readonly jailed: ReadonlySet<number>;
};

/** The register that leads to a committee. */
export function registerOf({ roles }: Pick<Swarm, "roles">, committee: Committee): Register {
  const stakes = roles.map(() => 0n);
  for (const validator of committee.validators) stakes[identityOf(validator)] = validator.stake;
  return { stakes, jailed: new Set() };
}

/** The committee that a register names: everyone with stake who is not jailed. */
export function selectFrom({ stakes, jailed }: Register): readonly Validator[] {
  return stakes.flatMap((stake, identity) =>
    stake === 0n || jailed.has(identity)
      ? []
      : [{ address: stubAddress(identity), blsKey: stubKey(identity), stake }],
  );
}

/** An operation for a proposer's block: what it has evidence for first, then also its own leaving. */
export function drawOperation(
  { roles }: Pick<Swarm, "roles">,
  proposer: { readonly identity: number; readonly accused: Set<number> },
  dice: Prng,
): string {
  const [accused] = proposer.accused;
  if (accused !== undefined) {
    proposer.accused.delete(accused);
    return `jail ${accused} 0`;
  }
  const who = dice.chance(1, 3) ? proposer.identity : dice.below(roles.length);
  return `${dice.pick(["join", "leave", "move"])} ${who} ${dice.between(1, 300)}`;
}

/** The register after a block: its last three words may be an operation, an identity, an amount. */
export function applyOperation(
  register: Register,
  payload: string,
  roles: readonly Role[],
): Register {
  const [operation, who, amount] = payload.split(" ").slice(-3);
  const identity = Number(who);
  const role = roles[identity];
  if (role === undefined) return register;
  const after = changed(register, { operation, identity, amount: Number(amount) }, roles);
  return isSafe(after, roles) ? after : register;
}

function changed(
  register: Register,
  order: {
    readonly operation: string | undefined;
    readonly identity: number;
    readonly amount: number;
  },
  roles: readonly Role[],
): Register {
  const { operation, identity, amount } = order;
  const { stakes, jailed } = register;
  const given = BigInt(amount);
  switch (operation) {
    case "join":
      return { ...register, stakes: stakes.with(identity, (stakes[identity] ?? 0n) + given) };
    case "leave":
      return { ...register, stakes: stakes.with(identity, 0n) };
    case "move": {
      const to = (identity + amount) % stakes.length;
      const part = (stakes[identity] ?? 0n) / 2n;
      const less = stakes.with(identity, (stakes[identity] ?? 0n) - part);
      return { ...register, stakes: less.with(to, (less[to] ?? 0n) + part) };
    }
    case "jail":
      // What proves a liar guilty proves nobody else: the checker of evidence sees to that.
      return roles[identity]?.type === "liar"
        ? { ...register, jailed: new Set([...jailed, identity]) }
        : register;
    default:
      return register;
  }
}

function isSafe(register: Register, roles: readonly Role[]): boolean {
  let honest = 0n;
  let faulty = 0n;
  for (const validator of selectFrom(register)) {
    const isHonest = roles[identityOf(validator)]?.type === "honest";
    if (isHonest) honest += validator.stake;
    else faulty += validator.stake;
  }
  assert(honest >= 0n && faulty >= 0n, "no stake is negative");
  return faulty * 2n < honest;
}
