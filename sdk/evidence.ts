import type { Address, Digest } from "../base/brand.ts";
import { hexToBytesOrNull, zeroDigest } from "../base/bytes.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import { accusedBy, checkEvidence, decodeEvidence, evidenceSlot } from "../consensus/evidence.ts";
import type { Committee, Evidence, Validator } from "../consensus/types.ts";
import { parseAddress } from "../crypto/address.ts";
import { verifyGroups } from "../crypto/bls.ts";
import { fieldsOf } from "./jsonFields.ts";

/** What a piece of evidence proves. */
export type ProvenOffence = {
  readonly kind: Evidence["type"];
  readonly epoch: number;
  readonly view: number;
  readonly offenders: readonly Address[];
};

/** Reads and verifies evidence against its epoch's committee; the refusal is one sentence. */
export function verifyEvidence(
  bytes: Uint8Array,
  { committee, genesis }: { readonly committee: Committee; readonly genesis: Digest },
): Outcome<ProvenOffence, string> {
  const decoded = decodeEvidence(bytes);
  if (!decoded.ok) return refuse(`the bytes are no evidence: ${decoded.refusal.detail}`);
  const evidence = decoded.value;
  const { epoch, view } = evidenceSlot(evidence);
  if (epoch !== committee.epoch) {
    return refuse(`it is of epoch ${epoch}, the committee of epoch ${committee.epoch}`);
  }
  const size = committee.validators.length;
  const accused = accusedBy(evidence);
  const stranger = accused.find((index) => index >= size);
  if (stranger !== undefined) {
    return refuse(`it names validator ${stranger}, the committee has ${size}`);
  }
  if (accused.length === 0) return refuse("its certificates have no signer in common");
  const facts = { epoch, committee, root: zeroDigest };
  const scope = { genesis, scope: "" };
  const proved = checkEvidence({ scope, epoch: facts, verify: verifyGroups }, evidence);
  if (!proved.ok) return refuse(sentences[proved.refusal.code]);
  const offenders = committee.validators
    .filter((_, index) => proved.value.includes(index))
    .map(({ address }) => address);
  return accept({ kind: evidence.type, epoch, view, offenders });
}

const sentences = {
  epochWrong: "its two statements are of different epochs",
  signersDiffer: "its two statements are of different validators",
  noContradiction: "its two statements do not contradict each other: an honest key may sign both",
  signatureInvalid: "a signature is not of that validator over that statement on this chain",
} as const;

/** A committee as `stake.committeeOf` and `ledger.getEvidence` give it; `null` if it is none. */
export function committeeFromJson(json: unknown): Committee | null {
  const fields = fieldsOf(json);
  const epoch = fields["epoch"];
  const list: unknown = fields["validators"];
  if (typeof epoch !== "number" || !Number.isSafeInteger(epoch) || !Array.isArray(list))
    return null;
  const validators = list.map(validatorFromJson).filter((validator) => validator !== null);
  return validators.length === list.length ? { epoch, validators } : null;
}

function validatorFromJson(json: unknown): Validator | null {
  const fields = fieldsOf(json);
  const [address, blsKey, stake] = ["address", "blsKey", "stake"].map((name) => fields[name]);
  if (typeof address !== "string" || typeof blsKey !== "string") return null;
  if (typeof stake !== "string" || !/^[0-9]{1,78}$/.test(stake)) return null;
  const parsed = parseAddress(address);
  const key = hexToBytesOrNull(blsKey);
  if (!parsed.ok || key?.length !== 48) return null;
  return { address: parsed.value, blsKey: key, stake: BigInt(stake) };
}
