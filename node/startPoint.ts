import type { SafetyRecord, StartPoint } from "../consensus/types.ts";
import type { Chain } from "./chain.ts";
import type { DiskStore } from "./diskStore.ts";
import { blockSummary } from "./summaries.ts";

/**
 * Where consensus takes up its work after a start: the committed blocks of the running epoch, the
 * stored ones after them, and the certificate of the newest commit. Stored blocks that do not
 * descend
 * from the head are of no use and are forgotten.
 */
export function startPoint(options: {
  readonly store: DiskStore;
  readonly chain: Chain;
  readonly record: SafetyRecord | null;
}): StartPoint {
  const { store, chain, record } = options;
  const { epoch, head } = chain;
  const committed = store.committedSince(epoch.rootHeight + 1);
  const uncommitted = store
    .uncommittedBlocks()
    .filter(({ block }) => block.header.epoch === epoch.epoch)
    .filter(({ block }) => {
      const isHeld = chain.heldHeader(block.header.parentHash) !== null;
      if (isHeld) chain.add(block);
      return isHeld;
    });
  for (const { hash } of uncommitted) chain.markStored(hash);
  const blocks = [...committed, ...uncommitted].map(({ hash, block }) => blockSummary(hash, block));
  const proof = store.headProof();
  const certificates =
    proof !== null && proof.certificate.epoch === epoch.epoch ? [proof.certificate] : [];
  return { epoch, committed: head.hash, blocks, certificates, record };
}
