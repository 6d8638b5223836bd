import { refusalMeanings } from "../ledger/refusal.ts";
import { evidenceBytesMax } from "../ledger/block.ts";
import type { Network } from "../p2p/network.ts";
import type { Verdict } from "../p2p/transport.ts";
import type { EvidencePool } from "./evidencePool.ts";

/** Bytes of a report: evidence and its reporter. */
const reportBytesMax = evidenceBytesMax + 32;

/**
 * Evidence goes to everyone, as it stands in a block, so that any proposer may include it. What was
 * known already is not passed on: a report differs by its reporter alone, whom anyone may name.
 */
export function gossipEvidence(
  network: Network,
  scope: string,
  parts: { readonly evidence: EvidencePool; readonly isFollowing: () => boolean },
): void {
  const { evidence, isFollowing } = parts;
  const validate = (bytes: Uint8Array): Verdict => {
    if (!isFollowing()) return "ignore";
    const added = evidence.addEncoded(bytes);
    if (!added.ok) return refusalMeanings[added.refusal.code].verdict;
    return added.value.isNew ? "accept" : "ignore";
  };
  const topic = network.topic(scope, "evidence", {
    bytesMax: reportBytesMax,
    rate: { perSecond: 5, burst: 50 },
    validate,
  });
  evidence.watch((encoded) => void topic.publish(encoded));
}
