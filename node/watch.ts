import type { RecoverPool } from "../crypto/recoverPool.node.ts";
import type { CommittedBlock } from "./chain.ts";
import type { DiskStore } from "./diskStore.ts";
import type { Engine } from "./engine.ts";
import type { NodeMetrics } from "./metrics.ts";
import type { StateThreads } from "./stateThreads.ts";
import type { TransactionPool } from "./transactionPool.ts";
import type { Waiters } from "./waiters.ts";

/** What is watched. */
export type WatchedParts = {
  readonly pool: TransactionPool;
  readonly waiters: Waiters;
  readonly engine: Engine;
  readonly recoverPool: RecoverPool;
  readonly store: DiskStore;
  readonly threads: StateThreads;
};

/** Counts a committed block. */
export function countCommit(metrics: NodeMetrics, { block, transactions }: CommittedBlock): void {
  metrics.committedBlocks.inc();
  metrics.committedTransactions.inc(transactions.length);
  metrics.headHeight.set(block.header.height);
  metrics.view.set(block.header.view);
  metrics.commitDelay.observe(Math.max(0, Date.now() - block.header.timestampMs) / 1_000);
}

/** Adds the gauges that are asked for when metrics are read. */
export function watchParts(
  metrics: NodeMetrics,
  { pool, waiters, engine, recoverPool, store, threads }: WatchedParts,
): void {
  metrics.watch("ledger_mempool_transactions", "Pending transactions.", () => pool.size);
  metrics.watch("ledger_mempool_bytes", "Bytes of pending transactions.", () => pool.sizeBytes);
  metrics.watch("ledger_waiting_clients", "Clients that wait for a commit.", () => waiters.count);
  metrics.watch("ledger_consensus_inputs_queued", "Waiting inputs.", () => engine.queuedCount);
  metrics.watch(
    "ledger_signatures_queued",
    "Signatures that wait to be recovered.",
    () => recoverPool.claimsQueued,
  );
  metrics.watch("ledger_state_jobs", "Calls that run or wait.", () => threads.count);
  metrics.watch("ledger_state_cache_bytes", "Cached trie nodes.", () => store.usage().cacheBytes);
}
