import type { Digest } from "../base/brand.ts";
import { equalBytes } from "../base/bytes.ts";
import { bodyFault } from "../ledger/block.ts";
import type { Block, Header } from "../ledger/blockTypes.ts";
import type { ExecutionResult } from "../ledger/execute.ts";
import { receiptsRoot } from "../ledger/receipt.ts";
import { committeeHash } from "./epochs.ts";

/** What executing a block found, to be compared with what its header promised. */
export type Executed = {
  readonly result: ExecutionResult;
  readonly stateRoot: Digest;
  /** Encoded transactions of the body. */
  readonly encoded: readonly Uint8Array[];
};

/** The first field of the header that is not what execution found, or `null`. */
export function executedFault(
  header: Header,
  { result, stateRoot, encoded }: Executed,
): string | null {
  if (header.stateRoot !== stateRoot) return "stateRoot";
  if (header.gasUsed !== result.gasUsed) return "gasUsed";
  if (!equalBytes(header.logsBloom, result.logsBloom)) return "logsBloom";
  const { receipts, jobReceipt, nextCommittee } = result;
  if (header.receiptsRoot !== receiptsRoot(receipts, encoded, jobReceipt)) return "receiptsRoot";
  const named = nextCommittee === null ? null : committeeHash(nextCommittee);
  return header.nextCommitteeHash === named ? null : "nextCommitteeHash";
}

/** What is wrong with a block as such, before anything is known of its parent; or `null`. */
export function formFault(block: Block, genesisHash: Digest): string | null {
  if (block.header.genesisHash !== genesisHash) return "genesisHash";
  if (block.body.evidence.length > 0) return "evidence is not taken by this version";
  if (block.body.checkpointCertificate !== null) return "checkpoints are not taken by this version";
  return bodyFault(block);
}
