import type { Address } from "../../base/brand.ts";
import { bytesToAddress, bytesToBigInt } from "../../base/bytes.ts";
import type { Committee } from "../../consensus/types.ts";
import { keccak256 } from "../../crypto/keccak.ts";
import { createJob } from "../definitions.ts";
import { stateKey, stateKeysWith } from "../keys.ts";
import type { ModuleContext, ReadContext } from "../module.ts";
import {
  addressField,
  amountField,
  decodeOwn,
  digestField,
  encodeWith,
  numberField,
  recordField,
  type ValueOf,
} from "../schema.ts";
import { stakeKey, validatorsField } from "./stakeRecords.ts";

/*
 * What `stake` keeps to punish by: the committees whose stakes are still held, and who was punished
 * in them. Both are forgotten when the last stake of that epoch may have been returned, so evidence
 * lives as long as the bond (DESIGN 5).
 *
 *   tag 7 | epoch           hash of the committee's members
 *   tag 8 | hash            the members, and in how many epochs they are the committee
 *   tag 9 | epoch | holder  how a holder was punished for an offence in that epoch
 */

const epochTag = 7;
const membersTag = 8;
const punishmentTag = 9;

const membersSchema = recordField({ epochs: numberField, validators: validatorsField });

const punishmentSchema = recordField({
  /** Of the offence. */
  view: numberField,
  /** Hash of the evidence, and of the block that holds it. */
  evidence: digestField,
  height: numberField,
  reporter: addressField,
  slashed: amountField,
  rewarded: amountField,
});

/** How somebody was punished; amounts in ThetaWei. */
export type Punishment = ValueOf<typeof punishmentSchema>;

/** Drops an epoch whose stakes may all have been returned. */
export const forgetEpoch = createJob(
  stakeKey,
  "forgetEpoch",
  recordField({ epoch: numberField }),
  (context, { epoch }) => {
    const state = context.state(stakeKey);
    for (const [key] of state.range(stateKeysWith(punishmentTag, epoch))) state.set(key, null);
    const hash = state.get(stateKey(epochTag, epoch));
    if (hash === null) return;
    state.set(stateKey(epochTag, epoch), null);
    const members = readMembers(context, hash);
    if (members !== null) writeMembers(context, hash, { ...members, epochs: members.epochs - 1 });
  },
);

function readMembers(context: ReadContext, hash: Uint8Array): ValueOf<typeof membersSchema> | null {
  const bytes = context.state(stakeKey).get(stateKey(membersTag, hash));
  return bytes === null ? null : decodeOwn(membersSchema, bytes);
}

function writeMembers(
  context: ModuleContext,
  hash: Uint8Array,
  members: ValueOf<typeof membersSchema>,
): void {
  const value = members.epochs === 0 ? null : encodeWith(membersSchema, members);
  context.state(stakeKey).set(stateKey(membersTag, hash), value);
}

/** Remembers the committee of an epoch; equal ones of several epochs are stored once. */
export function rememberCommittee(context: ModuleContext, committee: Committee): void {
  const { validators } = committee;
  const hash = keccak256(encodeWith(validatorsField, validators));
  const epochs = (readMembers(context, hash)?.epochs ?? 0) + 1;
  writeMembers(context, hash, { epochs, validators });
  context.state(stakeKey).set(stateKey(epochTag, committee.epoch), hash);
}

/** The committee of an epoch, or `null` if its stakes may all have been returned. */
export function committeeOf(context: ReadContext, epoch: number): Committee | null {
  const hash = context.state(stakeKey).get(stateKey(epochTag, epoch));
  const members = hash === null ? null : readMembers(context, hash);
  return members === null ? null : { epoch, validators: members.validators };
}

/** How a holder was punished for an offence in an epoch, or `null`. */
export function readPunishment(
  context: ReadContext,
  { offender, epoch }: { readonly offender: Address; readonly epoch: number },
): Punishment | null {
  const bytes = context.state(stakeKey).get(stateKey(punishmentTag, epoch, offender));
  return bytes === null ? null : decodeOwn(punishmentSchema, bytes);
}

/** Notes a punishment. */
export function writePunishment(
  context: ModuleContext,
  { offender, epoch }: { readonly offender: Address; readonly epoch: number },
  punishment: Punishment,
): void {
  const key = stateKey(punishmentTag, epoch, offender);
  context.state(stakeKey).set(key, encodeWith(punishmentSchema, punishment));
}

/** All punishments for the epochs that are remembered, oldest epoch first, at most `limit`. */
export function punishments(
  context: ReadContext,
  limit: number,
): readonly {
  readonly epoch: number;
  readonly holder: Address;
  readonly punishment: Punishment;
}[] {
  const range = { ...stateKeysWith(punishmentTag), limit };
  return context
    .state(stakeKey)
    .range(range)
    .map(([key, value]) => ({
      epoch: Number(bytesToBigInt(key.subarray(1, 9))),
      holder: bytesToAddress(key.subarray(9, 29)),
      punishment: decodeOwn(punishmentSchema, value),
    }));
}
