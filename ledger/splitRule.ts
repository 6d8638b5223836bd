import type { Address } from "../base/brand.ts";
import { stateKey, stateKeysWith } from "./keys.ts";
import { resourceHash } from "./pool.ts";
import {
  addressField,
  listField,
  numberField,
  recordField,
  textField,
  type ValueOf,
} from "./schema.ts";
import { resourceIdBytesMax, thetaAccountsMax } from "./thetaCodec.ts";

/*
 * Split rules (theta.md 3.9): who shares in the payments for a resource. A rule's record holds the
 * shares that are in force and those announced to follow them, so that a receiver can prove both by
 * one key.
 *
 *   tag 1 | keccak(resource id)   the rule
 */

const ruleTag = 1;

/** Shares that hold for a span of blocks. */
export const splitTermSchema = recordField({
  shares: listField(
    recordField({ address: addressField, percentage: numberField }),
    thetaAccountsMax,
  ),
  /** First and last parent height of the payments that they divide. */
  startHeight: numberField,
  endHeight: numberField,
});

/** Shares that hold for a span of blocks, as they are stored. */
export type SplitTerm = ValueOf<typeof splitTermSchema>;

/** A rule: the terms of one initiator for one resource, the earlier first; at most two. */
export const splitRuleSchema = recordField({
  resourceId: textField(resourceIdBytesMax),
  initiator: addressField,
  terms: listField(splitTermSchema, 2),
});

/** A rule, as it is stored. */
export type SplitRule = ValueOf<typeof splitRuleSchema>;

/** Key of a resource's rule. */
export function splitRuleKey(resourceId: string): Uint8Array {
  return stateKey(ruleTag, resourceHash(resourceId));
}

/** Keys of all rules. */
export const splitRuleKeys: ReturnType<typeof stateKeysWith> = stateKeysWith(ruleTag);

/** The shares of the payments in a block with this parent height; none if nobody else shares. */
export function sharesAt(rule: SplitRule | null, parentHeight: number): SplitTerm["shares"] {
  // An announced term replaces the one before it from its own start.
  const term = rule?.terms.findLast(({ startHeight }) => startHeight <= parentHeight);
  return term === undefined || parentHeight > term.endHeight ? [] : term.shares;
}

/** The last parent height at which a rule holds: the later term replaces the earlier one. */
export function lastHeightOf(rule: SplitRule): number {
  return rule.terms.at(-1)?.endHeight ?? 0;
}

/** What each party gets of an amount. */
export type Division = {
  /** To others than the target, in the order of the rule, none twice, none of nothing. */
  readonly shares: readonly { readonly address: Address; readonly amount: bigint }[];
  /** To the target: the rest, and its own shares. */
  readonly net: bigint;
};

/** Divides an amount: each share is rounded down, the target gets what remains (theta.md 3.9). */
export function divide(amount: bigint, target: Address, terms: SplitTerm["shares"]): Division {
  const shares = new Map<Address, bigint>();
  let net = amount;
  for (const { address, percentage } of terms) {
    const part = (amount * BigInt(percentage)) / 100n;
    if (address === target || part === 0n) continue;
    shares.set(address, (shares.get(address) ?? 0n) + part);
    net -= part;
  }
  return { shares: [...shares].map(([address, part]) => ({ address, amount: part })), net };
}
