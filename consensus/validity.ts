import type { BlockNode } from "./blockTree.ts";
import { validatorAt } from "./committee.ts";
import type { Rules } from "./rules.ts";
import type { BlockSummary, EpochInfo } from "./types.ts";

/** What a block is judged against. */
export type ValidityContext = {
  readonly epoch: EpochInfo;
  readonly rules: Rules;
  /** Index of the leader of a view for children of a block. */
  readonly leaderAfter: (parent: BlockNode, view: number) => number;
};

/**
 * The rules of validity that need no execution: the same verdict on every replica that holds the
 * parent.
 */
export function isWellFormed(
  block: BlockSummary,
  parent: BlockNode,
  context: ValidityContext,
): boolean {
  const { epoch, lastHeight, committee } = context.epoch;
  const { parentCertificate } = block;
  return (
    block.epoch === epoch &&
    block.view > parent.view &&
    parentCertificate.epoch === epoch &&
    parentCertificate.block === parent.hash &&
    parentCertificate.view === parent.view &&
    block.height === parent.height + 1 &&
    Number.isSafeInteger(block.timestampMs) &&
    block.timestampMs > parent.timestampMs &&
    block.proposer === validatorAt(committee, context.leaderAfter(parent, block.view)).address &&
    (block.nextCommitteeHash !== null) === (block.height === lastHeight) &&
    (block.isEmpty || !(parent.endsEpoch || parent.isPastEnd)) &&
    hasRightEpochProof(block, context) &&
    context.rules.extendsSafely(block)
  );
}

/**
 * The first blocks of an epoch above 0 prove that its root is committed; no other block carries a
 * proof.
 */
function hasRightEpochProof(block: BlockSummary, { epoch, rules }: ValidityContext): boolean {
  const { epochProof, parentCertificate } = block;
  const isRequired = parentCertificate.view === 0 && epoch.epoch > 0;
  if (epochProof === null) return !isRequired;
  const previous = { epoch: epoch.epoch - 1, lastHeight: epoch.rootHeight };
  return (
    isRequired &&
    epochProof.links[0]?.hash === epoch.root &&
    rules.isCommitProof(previous, epochProof)
  );
}
