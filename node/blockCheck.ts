import type { Digest } from "../base/brand.ts";
import { concatBytes, equalBytes, hexToBytes } from "../base/bytes.ts";
import { encodeStatement } from "../base/statement.ts";
import { randomnessStatement } from "../consensus/statements.ts";
import type { Committee } from "../consensus/types.ts";
import { parseBlsPublicKey } from "../crypto/bls.ts";
import type { BlsClaim } from "../crypto/blsBackend.ts";
import { keccakDigest } from "../crypto/keccak.ts";
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

/** Blocks in memory whose body was found to be the one that their header names. */
const wholeBlocks = new WeakSet<Block>();

/** `bodyFault`, computed once for a block: the roots over a large one cost milliseconds. */
export function bodyFaultOnce(block: Block): string | null {
  if (wholeBlocks.has(block)) return null;
  const fault = bodyFault(block);
  if (fault === null) wholeBlocks.add(block);
  return fault;
}

/** What is wrong with a block as such, before anything is known of its parent; or `null`. */
export function formFault(block: Block, genesisHash: Digest): string | null {
  if (block.header.genesisHash !== genesisHash) return "genesisHash";
  if (block.body.checkpointCertificate !== null) return "checkpoints are not taken by this version";
  return bodyFaultOnce(block);
}

/** Randomness of a block: H(parent randomness || the proposer's signature over it) (DESIGN 5). */
export function randomnessOf(parentRandomness: Digest, signature: Uint8Array): Digest {
  return keccakDigest(concatBytes(hexToBytes(parentRandomness), signature));
}

/**
 * What must hold for a block's randomness to be what its proposer's key makes of the parent's in
 * its slot: only one value is, so nobody can choose it. `null` where it cannot hold.
 */
export function randomnessClaim(
  { header, body }: Block,
  parent: Header,
  { committee }: { readonly committee: Committee },
): BlsClaim | null {
  const { randomnessSignature: signature } = body;
  if (header.randomness !== randomnessOf(parent.randomness, signature)) return null;
  const proposer = committee.validators.find(({ address }) => address === header.proposer);
  const key = proposer === undefined ? null : parseBlsPublicKey(proposer.blsKey);
  if (key === null) return null;
  const scope = { genesis: header.genesisHash, scope: "" };
  const message = encodeStatement(randomnessStatement(scope, header, parent.randomness));
  return { key, message, signature };
}
