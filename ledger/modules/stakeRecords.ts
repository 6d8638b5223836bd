import { assert } from "../../base/assert.ts";
import type { Address } from "../../base/brand.ts";
import { bigIntToBytes, bytesToAddress, bytesToBigInt, emptyBytes } from "../../base/bytes.ts";
import { keccak256 } from "../../crypto/keccak.ts";
import type { Committee } from "../../consensus/types.ts";
import { createModuleKey } from "../definitions.ts";
import { stateKey, stateKeysWith } from "../keys.ts";
import type { ModuleContext, ReadContext } from "../module.ts";
import {
  addressField,
  amountField,
  bytesField,
  decodeOwn,
  encodeWith,
  flagField,
  listField,
  numberField,
  recordField,
  type Json,
  type ValueOf,
} from "../schema.ts";

/*
 * What the module `stake` keeps.
 *
 *   tag 1 | holder | source    one stake: what a source gave to a holder
 *   tag 2 | holder             candidate: sums over its stakes
 *   tag 3 | holder             the holder's BLS key
 *   tag 4 | keccak(BLS key)    the holder that the key belongs to, for ever
 *   tag 5                      the committee that was selected last
 *   tag 6 | source             ThetaWei of the source's active stakes, big-endian
 *   tags 7 to 10               see stakeHistory.ts and stakeSlashing.ts
 */

/** The right to the state of `stake`. */
export const stakeKey = createModuleKey("stake");

const stakeTag = 1;
const candidateTag = 2;
const blsKeyTag = 3;
const keyHolderTag = 4;
const committeeKey = stateKey(5);
const sourceTag = 6;

/** Most validators of one committee: what certificates have bits for. */
export const committeeSizeMax = 256;

const stakeSchema = recordField({
  amount: amountField,
  withdrawn: flagField,
  /** Height and time of return; 0 while it is active. */
  returnHeight: numberField,
  returnTimestampMs: numberField,
  /** The first epoch in whose committee it counted, and the last; that is 0 while it is active. */
  epochFirst: numberField,
  epochLast: numberField,
});

const candidateSchema = recordField({
  /** ThetaWei of stakes that are not withdrawn. */
  active: amountField,
  /** Stakes, withdrawn ones included. */
  sources: numberField,
});

/** Members of a committee, in its order. */
export const validatorsField = listField(
  recordField({ address: addressField, blsKey: bytesField(48), stake: amountField }),
  committeeSizeMax,
);

const committeeSchema = recordField({ epoch: numberField, validators: validatorsField });

/** What a source gave to a holder. */
export type Stake = ValueOf<typeof stakeSchema>;

/** The sums of a holder's stakes. */
export type Candidate = ValueOf<typeof candidateSchema>;

/** Which stake. */
export type StakeName = { readonly holder: Address; readonly source: Address };

/** One stake, or `null`. */
export function readStake(context: ReadContext, name: StakeName): Stake | null {
  const at = stateKey(stakeTag, name.holder, name.source);
  const bytes = context.state(stakeKey).get(at);
  return bytes === null ? null : decodeOwn(stakeSchema, bytes);
}

/** Writes a stake; `null` removes it. */
export function writeStake(context: ModuleContext, name: StakeName, stake: Stake | null): void {
  const at = stateKey(stakeTag, name.holder, name.source);
  addToSource(context, name.source, activeAmount(stake) - activeAmount(readStake(context, name)));
  const value = stake === null ? null : encodeWith(stakeSchema, stake);
  context.state(stakeKey).set(at, value);
}

function activeAmount(stake: Stake | null): bigint {
  return stake === null || stake.withdrawn ? 0n : stake.amount;
}

function addToSource(context: ModuleContext, source: Address, change: bigint): void {
  if (change === 0n) return;
  const sum = stakedBy(context, source) + change;
  assert(sum >= 0n, `the active stake of ${source} would be ${sum}`);
  const value = sum === 0n ? null : bigIntToBytes(sum);
  context.state(stakeKey).set(stateKey(sourceTag, source), value);
}

/** ThetaWei that a source has in stakes that are not withdrawn. */
export function stakedBy(context: ReadContext, source: Address): bigint {
  return bytesToBigInt(context.state(stakeKey).get(stateKey(sourceTag, source)) ?? emptyBytes);
}

/** All stakes of a holder, in ascending order of their sources. */
export function stakesOf(
  context: ReadContext,
  holder: Address,
): readonly { readonly source: Address; readonly stake: Stake }[] {
  const pairs = context.state(stakeKey).range(stateKeysWith(stakeTag, holder));
  return pairs.map(([at, value]) => ({
    source: addressAt(at, 21),
    stake: decodeOwn(stakeSchema, value),
  }));
}

/** A holder's sums; zeros if it has no stake. */
export function readCandidate(context: ReadContext, holder: Address): Candidate {
  const bytes = context.state(stakeKey).get(stateKey(candidateTag, holder));
  return bytes === null ? { active: 0n, sources: 0 } : decodeOwn(candidateSchema, bytes);
}

/** Writes a holder's sums; without sources it is no candidate any more. */
export function writeCandidate(
  context: ModuleContext,
  holder: Address,
  candidate: Candidate,
): void {
  const value = candidate.sources === 0 ? null : encodeWith(candidateSchema, candidate);
  context.state(stakeKey).set(stateKey(candidateTag, holder), value);
}

/** All holders, in ascending address order. */
export function candidates(
  context: ReadContext,
): readonly { readonly holder: Address; readonly candidate: Candidate }[] {
  const pairs = context.state(stakeKey).range(stateKeysWith(candidateTag));
  return pairs.map(([at, value]) => ({
    holder: addressAt(at, 1),
    candidate: decodeOwn(candidateSchema, value),
  }));
}

/** The holder's key, 48 bytes, or `null`. */
export function readBlsKey(context: ReadContext, holder: Address): Uint8Array | null {
  return context.state(stakeKey).get(stateKey(blsKeyTag, holder));
}

/** Who the key belongs to, or `null`. */
export function keyHolder(context: ReadContext, blsKey: Uint8Array): Address | null {
  const bytes = context.state(stakeKey).get(stateKey(keyHolderTag, keccak256(blsKey)));
  return bytes === null ? null : decodeOwn(addressField, bytes);
}

/** Makes the key the holder's: for the next selection, and of no other holder for ever. */
export function writeBlsKey(context: ModuleContext, holder: Address, blsKey: Uint8Array): void {
  const state = context.state(stakeKey);
  state.set(stateKey(blsKeyTag, holder), blsKey);
  state.set(stateKey(keyHolderTag, keccak256(blsKey)), encodeWith(addressField, holder));
}

/** The committee that was selected last, or `null` before genesis is complete. */
export function readCommittee(context: ReadContext): Committee | null {
  const bytes = context.state(stakeKey).get(committeeKey);
  return bytes === null ? null : decodeOwn(committeeSchema, bytes);
}

/** A committee as queries show it. */
export function committeeJson(committee: Committee): Json {
  return committeeSchema.toJson(committee);
}

/** Remembers a selection. */
export function writeCommittee(context: ModuleContext, committee: Committee): void {
  context.state(stakeKey).set(committeeKey, encodeWith(committeeSchema, committee));
}

function addressAt(key: Uint8Array, at: number): Address {
  return bytesToAddress(key.subarray(at, at + 20));
}
