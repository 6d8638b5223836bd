import { bytesToHex, zeroAddress } from "../../base/bytes.ts";
import type { Digest } from "../../base/brand.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import { decodeEvidence, encodeEvidence, evidenceSlot } from "../../consensus/evidence.ts";
import { decodeReport, evidenceHash, type EvidenceReport } from "../../ledger/blockEvidence.ts";
import type { Json } from "../../ledger/schema.ts";
import type { NodeApi } from "../api.ts";
import { method, type Method } from "../dispatch.ts";
import { errorCodes, invalidParams, type RpcError } from "../errors.ts";
import type { JsonValue } from "../json.ts";
import { hexBytes, optional, thetaAddress, thetaDigest } from "../parameters.ts";
import { queryError, thetaSubmitError } from "../refusals.ts";

type Found = EvidenceReport & { readonly state: "pending" | "committed"; readonly height: number };

function reportJson({ evidence, reporter }: EvidenceReport): {
  readonly [name: string]: JsonValue;
} {
  const { epoch, view } = evidenceSlot(evidence);
  return {
    hash: evidenceHash(evidence),
    kind: evidence.type,
    epoch,
    view,
    reporter,
    evidence: bytesToHex(encodeEvidence(evidence)),
  };
}

function queryStake(node: NodeApi, query: string, parameters: unknown): Outcome<Json, RpcError> {
  const answer = node.queryModule({ module: "stake", query, parameters, height: null });
  return answer.ok ? answer : refuse(queryError(answer.refusal));
}

function list(node: NodeApi): Outcome<JsonValue, RpcError> {
  const punished = queryStake(node, "offences", {});
  if (!punished.ok) return punished;
  const pending = node
    .pendingEvidence()
    .map((entry) => ({ ...reportJson(entry), accused: entry.accused }));
  return accept({ pending, punished: punished.value });
}

/** The height of the block that holds it, as the stakes remember it; `null` if they do not. */
function heightOf(offences: Json, hash: Digest): number | null {
  const entries: readonly unknown[] = Array.isArray(offences) ? offences : [];
  for (const entry of entries) {
    if (typeof entry !== "object" || entry === null) continue;
    const fields = new Map<string, unknown>(Object.entries(entry));
    const height = fields.get("height");
    if (fields.get("evidence") === hash && typeof height === "number") return height;
  }
  return null;
}

async function find(node: NodeApi, hash: Digest): Promise<Found | null> {
  const waiting = node.pendingEvidence().find((entry) => entry.hash === hash);
  if (waiting !== undefined) {
    const { evidence, reporter } = waiting;
    return { evidence, reporter, state: "pending", height: 0 };
  }
  const offences = queryStake(node, "offences", {});
  const height = offences.ok ? heightOf(offences.value, hash) : null;
  const block = height === null ? null : await node.blockAtHeight(height);
  for (const encoded of block?.body.evidence ?? []) {
    const report = decodeReport(encoded);
    if (!report.ok || evidenceHash(report.value.evidence) !== hash) continue;
    return { ...report.value, state: "committed", height: height ?? 0 };
  }
  return null;
}

async function show(node: NodeApi, hash: Digest): Promise<Outcome<JsonValue, RpcError>> {
  const found = await find(node, hash);
  if (found === null) {
    const message = `no evidence ${hash} waits here or was punished lately`;
    return refuse({ code: errorCodes.resourceNotFound, message });
  }
  const { epoch } = evidenceSlot(found.evidence);
  const committee = queryStake(node, "committeeOf", { epoch });
  const { state, height } = found;
  return accept({
    ...reportJson(found),
    state,
    ...(state === "committed" ? { height } : {}),
    genesisHash: node.chain.genesisHash,
    committee: committee.ok ? committee.value : null,
  });
}

/** `ledger.*` on evidence against validators (DESIGN 5). */
export function evidenceMethods(node: NodeApi): readonly Method[] {
  const style = "object";
  return [
    method({
      name: "ledger.submitEvidence",
      summary: "Takes evidence against a validator; reporter is paid if it is punished.",
      style,
      heavy: true,
      parameters: { evidence: hexBytes, reporter: optional(thetaAddress, null) },
      call: ({ evidence, reporter }) => {
        const decoded = decodeEvidence(evidence);
        if (!decoded.ok) return refuse(invalidParams(`evidence: ${decoded.refusal.code}`));
        const added = node.submitEvidence(decoded.value, reporter ?? zeroAddress);
        return added.ok ? accept({ hash: added.value }) : refuse(thetaSubmitError(added.refusal));
      },
    }),
    method({
      name: "ledger.listEvidence",
      summary: "Evidence that waits for a block, and whom the stakes remember as punished.",
      style,
      parameters: {},
      call: () => list(node),
    }),
    method({
      name: "ledger.getEvidence",
      summary: "One piece of evidence with the committee it is verified against.",
      style,
      parameters: { hash: thetaDigest },
      call: ({ hash }) => show(node, hash),
    }),
  ];
}
