import type { SafetyRecord, StartPoint } from "../consensus/types.ts";
import type { Chain } from "./chain.ts";
import type { DiskStore } from "./diskStore.ts";
import { blockSummary } from "./summaries.ts";

/**
 * Takes the stored blocks that descend from the head into the chain, once, after the store was
 * opened; the others are of no use and are forgotten.
 */
export function restoreBlocks(store: DiskStore, chain: Chain): void {
  for (const { hash, block } of store.uncommittedBlocks()) {
    const { epoch, parentHash } = block.header;
    if (epoch !== chain.epoch.epoch || chain.heldHeader(parentHash) === null) continue;
    chain.add(block);
    chain.markStored(hash);
  }
}

/**
 * Where consensus takes up its work: the committed blocks of the running epoch, the stored ones
 * after them, and the certificate of the newest commit.
 */
export function startPoint(options: {
  readonly store: DiskStore;
  readonly chain: Chain;
  readonly record: SafetyRecord | null;
  readonly doubtUntilMs: number;
}): StartPoint {
  const { store, chain, record, doubtUntilMs } = options;
  const { epoch, head } = chain;
  const committed = store.committedSince(epoch.rootHeight + 1);
  const blocks = [...committed, ...chain.storedBlocks()].map(({ hash, block }) =>
    blockSummary(hash, block),
  );
  const proof = store.headProof();
  const certificates =
    proof !== null && proof.certificate.epoch === epoch.epoch ? [proof.certificate] : [];
  return { epoch, committed: head.hash, blocks, certificates, record, doubtUntilMs };
}
