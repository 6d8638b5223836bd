import { zeroDigest } from "../base/bytes.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import { validatorAt } from "../consensus/committee.ts";
import { accusedBy, checkEvidence, evidenceSlot } from "../consensus/evidence.ts";
import { verifyGroups } from "../crypto/bls.ts";
import { evidenceHash, type EvidenceReport } from "./blockEvidence.ts";
import type { Module, Offence, ReadContext } from "./module.ts";
import type { Refusal } from "./refusal.ts";

/*
 * Whether a report may be in a block (DESIGN 5): evidence of an epoch whose stakes can still be
 * slashed, against a member who was not punished for that epoch yet, with every signature right.
 * What costs nothing is looked at before the signatures.
 */

/** The offences that a report proves and that nobody was punished for yet; at least one. */
export function judge(
  modules: readonly Module[],
  context: ReadContext,
  { evidence, reporter }: EvidenceReport,
): Outcome<readonly Offence[], Refusal> {
  const { epoch, view } = evidenceSlot(evidence);
  const hooks = modules.find((module) => module.hooks?.committeeOf !== undefined)?.hooks;
  const committee = hooks?.committeeOf?.(context, epoch) ?? null;
  if (committee === null) {
    return refuse({ code: "evidenceEpoch", got: epoch, expected: "one whose stakes are held" });
  }
  const size = committee.validators.length;
  const accused = accusedBy(evidence);
  const stranger = accused.find((index) => index >= size);
  if (stranger !== undefined || accused.length === 0) {
    const got = `validator ${stranger ?? "none"}`;
    return refuse({ code: "evidenceFalse", got, expected: `one of ${size}` });
  }
  const isNew = (index: number): boolean => {
    const offender = validatorAt(committee, index).address;
    return hooks?.isPunished?.(context, { offender, epoch }) !== true;
  };
  if (!accused.some(isNew)) {
    return refuse({ code: "evidenceKnown", got: `epoch ${epoch}`, expected: "a new offence" });
  }
  const scope = { genesis: context.chain.genesisHash, scope: "" };
  const facts = { scope, epoch: { epoch, committee, root: zeroDigest }, verify: verifyGroups };
  const proved = checkEvidence(facts, evidence);
  if (!proved.ok) {
    return refuse({ code: "evidenceFalse", got: proved.refusal.code, expected: "a contradiction" });
  }
  const hash = evidenceHash(evidence);
  return accept(
    proved.value.filter(isNew).map((index) => ({
      offender: validatorAt(committee, index).address,
      epoch,
      view,
      reporter,
      evidence: hash,
    })),
  );
}
