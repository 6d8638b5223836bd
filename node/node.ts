import { join } from "node:path";
import { NodeError } from "../base/nodeError.ts";
import type { Digest } from "../base/brand.ts";
import { zeroAddress } from "../base/bytes.ts";
import { Guard } from "../consensus/guard.ts";
import { Replica } from "../consensus/replica.ts";
import { soundRules } from "../consensus/rules.ts";
import type { EpochInfo } from "../consensus/types.ts";
import { aggregate, blsBackend, blsSign } from "../crypto/bls.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { RecoverPool } from "../crypto/recoverPool.node.ts";
import { secp256k1Backend } from "../crypto/secp256k1.ts";
import { createExecutor, type Executor } from "../ledger/execute.ts";
import { Mempool, mempoolLimits } from "../ledger/mempool.ts";
import { coreRegistry } from "../ledger/runtime.ts";
import type { BlockHead, NodeApi } from "../rpc/api.ts";
import { rpcLimitsDefault } from "../rpc/limits.ts";
import { RpcServer } from "../rpc/server.ts";
import { createApi } from "./api.ts";
import { buildInfo } from "./build.ts";
import { Chain, type CommittedBlock } from "./chain.ts";
import type { Config } from "./config.ts";
import { DiskStore, storeFolder } from "./diskStore.ts";
import type { GenesisNames, GenesisSource } from "./genesis.ts";
import { HeadState } from "./headState.ts";
import { Health } from "./health.ts";
import { Host, hostFailure } from "./host.ts";
import type { ValidatorKeys } from "./keys.ts";
import type { Log } from "./log.ts";
import { NodeMetrics } from "./metrics.ts";
import { connectionsMaxOf, openFilesMax } from "./openFiles.ts";
import { Reads } from "./reads.ts";
import { openSafety, type OpenedSafety } from "./safety.ts";
import { StateThreads } from "./stateThreads.ts";
import { startPoint } from "./startPoint.ts";
import { TransactionJournal } from "./transactionJournal.ts";
import { TransactionPool } from "./transactionPool.ts";
import { Waiters } from "./waiters.ts";
import { NodeWorld, noOutbound, warnOfOtherKey, type Signing, type WorldOptions } from "./world.ts";

/** View timers: a network of one never needs them, but a stalled disk does. */
const viewTimeoutMsShort = 2_000;
const viewTimeoutMsMax = 60_000;

/** What a running node tells of itself when something happens. */
export type NodeEvents = {
  readonly onCommitted: (block: CommittedBlock) => void;
  /** Called once, when the node cannot go on; the process is to end. */
  readonly onFailure: (error: NodeError) => void;
};

/** A whole node in one process. `start` and `stop` may be called twice. */
export class LedgerNode {
  readonly genesis: GenesisNames;
  readonly api: NodeApi;
  readonly metrics: NodeMetrics;
  readonly #config: Config;
  readonly #log: Log;
  readonly #parts: Parts;
  readonly #server: RpcServer | null;
  readonly #unsubmitted: readonly Uint8Array[];
  #isRunning = false;
  #stopping: Promise<void> | null = null;

  private constructor(opened: Opened) {
    this.#config = opened.config;
    this.#log = opened.log;
    this.#parts = opened.parts;
    this.#unsubmitted = opened.unsubmitted;
    this.genesis = opened.genesis;
    this.metrics = opened.metrics;
    this.api = opened.api;
    const { rpc } = opened.config;
    const second = { port: rpc.secondPort, optional: opened.secondPortOptional };
    const ports = [{ port: rpc.port, optional: false }, ...(rpc.secondPort === 0 ? [] : [second])];
    this.#server = rpc.enabled
      ? new RpcServer(opened.api, {
          listen: ports.map((port) => ({ host: rpc.address, ...port })),
          hosts: rpc.allowedHosts,
          origins: rpc.allowedOrigins,
          log: opened.log.child("rpc"),
          onThrow: opened.onThrow,
          limits: {
            connectionsMax: connectionsMaxOf(openFilesMax(), rpcLimitsDefault.connectionsMax),
          },
        })
      : null;
  }

  /** Opens data folder, safety file and journal; nothing runs yet. */
  static async open(options: {
    readonly config: Config;
    readonly genesis: GenesisSource;
    readonly keys: ValidatorKeys | null;
    readonly allowMissingSafetyFile: boolean;
    /** Run without `rpc.secondPort` if another program listens there. */
    readonly secondPortOptional: boolean;
    readonly log: Log;
    readonly events: NodeEvents;
  }): Promise<LedgerNode> {
    const { config, genesis, log } = options;
    log.info("cryptography", { secp256k1: secp256k1Backend, bls: blsBackend });
    const store = await DiskStore.open({
      folder: config.dataFolder,
      genesis,
      archive: config.storage.archive,
      retainedHeights: config.storage.retainedHeights,
    });
    try {
      genesis.remember();
      return new LedgerNode(await assemble({ ...options, genesis: genesis.names, store }));
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** Addresses of the RPC server, ports filled in. */
  get listening(): readonly { readonly host: string; readonly port: number }[] {
    return this.#server?.addresses ?? [];
  }

  /** Restores pending transactions, begins consensus, opens the port. */
  async start(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const { pool, host, recoverPool, chain } = this.#parts;
    recoverPool.start();
    host.deliver({ type: "started", point: this.#parts.point });
    const restored = await pool.restore(this.#unsubmitted);
    if (restored > 0) this.#log.info("pending transactions restored", { count: restored });
    await this.#server?.start();
    this.#log.info("node started", {
      chain: this.genesis.chain.name,
      chainId: this.genesis.chain.id,
      height: chain.head.header.height,
      data: this.#config.dataFolder,
    });
  }

  /** Answers what is under way, stops proposing, closes files. */
  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop());
  }

  async #stop(): Promise<void> {
    const { host, world, waiters, recoverPool, journal, store, safety, threads } = this.#parts;
    waiters.stop();
    await this.#server?.stop();
    await threads.stop();
    world.stop();
    await host.stop();
    await recoverPool.stop();
    await journal.close();
    await safety?.close();
    await store.close();
    this.#log.info("node stopped", { height: this.#parts.chain.head.header.height });
    this.#log.flush();
  }
}

type Parts = {
  readonly store: DiskStore;
  readonly chain: Chain;
  readonly pool: TransactionPool;
  readonly host: Host;
  readonly world: NodeWorld;
  readonly waiters: Waiters;
  readonly recoverPool: RecoverPool;
  readonly threads: StateThreads;
  readonly journal: TransactionJournal;
  readonly safety: OpenedSafety | null;
  readonly point: ReturnType<typeof startPoint>;
};

type Opened = {
  readonly config: Config;
  readonly secondPortOptional: boolean;
  readonly log: Log;
  readonly genesis: GenesisNames;
  readonly metrics: NodeMetrics;
  readonly api: NodeApi;
  readonly unsubmitted: readonly Uint8Array[];
  /** Told what an RPC method threw. */
  readonly onThrow: (error: unknown) => void;
  readonly parts: Parts;
};

type AssembleOptions = {
  readonly config: Config;
  readonly keys: ValidatorKeys | null;
  readonly allowMissingSafetyFile: boolean;
  readonly secondPortOptional: boolean;
  readonly log: Log;
  readonly events: NodeEvents;
  readonly genesis: GenesisNames;
  readonly store: DiskStore;
};

/** The parts that know nothing of consensus. */
type Base = {
  readonly metrics: NodeMetrics;
  readonly executor: Executor;
  readonly chain: Chain;
  readonly headState: HeadState;
  readonly reads: Reads;
  readonly waiters: Waiters;
  readonly recoverPool: RecoverPool;
  readonly threads: StateThreads;
  readonly pendingListeners: Set<(hash: Digest) => void>;
};

/** Wires the parts in the order of the arrows. */
async function assemble(options: AssembleOptions): Promise<Opened> {
  const { config, keys, log, genesis, store } = options;
  const base = createBase(options, (encoded) => pool.recoverBlock(encoded));
  const { metrics, chain, waiters, recoverPool, threads } = base;
  const failed = once((error: unknown) => options.events.onFailure(hostFailure(error)));
  const { pool, journal, payloads } = await openPool(options, base, {
    change: (pending) => {
      host.deliver({ type: "workChanged", pending });
      if (!pending) return;
      health.onWork();
      world.onWork();
    },
    failure: failed,
  });
  const safety = await openOwnSafety(options);
  const replica = createReplica({ config, keys, epoch: store.epoch });
  const health = new Health(
    () => performance.now(),
    () => pool.size > 0,
  );
  const world = new NodeWorld({
    ...worldFacts(options, base),
    pool,
    signing: signingOf(keys, genesis, safety),
    onCommitted: (blocks) => {
      for (const block of blocks) onCommitted(options, { ...base, pool, announce }, block);
      health.onCommitted();
      pool.compactJournal().catch(failed);
    },
    onAlarm: (reason) => {
      health.onAlarm(reason);
      log.error("the chain cannot be followed any more", { reason });
    },
    onFailure: failed,
  });
  const host = new Host(replica, world, failed);
  world.attach(host);
  const { api, announce } = createApi({
    ...base,
    registry: coreRegistry,
    store,
    head: base.headState,
    pool,
    metrics: metrics.registry,
    build: buildInfo(),
    address: keys?.address ?? zeroAddress,
    status: () => replica.status,
    unhealthy: () => health.reason(),
  });
  watchParts(metrics, { pool, waiters, host, recoverPool, store, threads });
  const point = startPoint({ store, chain, record: safety?.record ?? null });
  const running = { host, world, waiters, recoverPool, threads };
  const parts = { ...running, store, chain, pool, journal, safety, point };
  const onThrow = (error: unknown): void => {
    if (isDiskFailure(error)) failed(error);
  };
  const { secondPortOptional } = options;
  const opened = { config, secondPortOptional, log, genesis, metrics, api, onThrow, parts };
  return { ...opened, unsubmitted: payloads };
}

function createBase(
  { config, genesis, store, log }: AssembleOptions,
  recover: TransactionPool["recoverBlock"],
): Base {
  const metrics = new NodeMetrics();
  const executor = createExecutor(coreRegistry, genesis.chain);
  const { head, epoch, epochRoot } = store;
  const chain = new Chain({ executor, store, metrics, recover, head, epoch, epochRoot });
  return {
    metrics,
    executor,
    chain,
    headState: new HeadState(chain, executor),
    reads: new Reads(store, genesis.chain),
    waiters: new Waiters(),
    pendingListeners: new Set(),
    threads: new StateThreads({ folder: storeFolder(config.dataFolder) }),
    recoverPool: new RecoverPool({
      onFailure: (error) => log.warn("a signature thread died", { error: error.message }),
    }),
  };
}

async function openPool(
  { config, genesis, store, log }: AssembleOptions,
  { recoverPool, headState, metrics, waiters, pendingListeners }: Base,
  on: {
    readonly change: (pending: boolean) => void;
    readonly failure: (error: unknown) => void;
  },
): Promise<{
  readonly pool: TransactionPool;
  readonly journal: TransactionJournal;
  readonly payloads: readonly Uint8Array[];
}> {
  const path = join(config.dataFolder, "pending.journal");
  const { journal, payloads, droppedBytes } = await TransactionJournal.open(path, on.failure);
  if (droppedBytes > 0) {
    log.warn("the journal of pending transactions ends in a damaged record, which is dropped", {
      file: path,
      droppedBytes,
    });
  }
  const pool = new TransactionPool({
    chain: genesis.chain,
    mempool: new Mempool({
      limits: { ...mempoolLimits, ...config.mempool },
      height: store.head.header.height,
    }),
    recoverPool,
    journal,
    view: {
      admission: () => headState.admission(),
      accounts: () => headState.accounts(),
      isCommitted: (hash) => store.transactionPosition(hash) !== null,
    },
    metrics,
    onChange: on.change,
    onAbandoned: (hash, reason) => waiters.settle(hash, { code: "abandoned", reason }),
    onPending: (hash) => {
      for (const listener of pendingListeners) listener(hash);
    },
  });
  return { pool, journal, payloads };
}

async function openOwnSafety(options: AssembleOptions): Promise<OpenedSafety | null> {
  const { config, genesis, keys, store, log, allowMissingSafetyFile } = options;
  if (keys === null) return null;
  const { epoch } = store;
  warnOfOtherKey(log, epoch, { address: keys.address, blsKey: keys.blsPublicKey });
  const allowMissing = allowMissingSafetyFile;
  return openSafety(config, { genesis, keys, store, epoch, log, allowMissing });
}

function worldFacts(
  { config, genesis, log }: AssembleOptions,
  { chain, reads }: Base,
): Pick<
  WorldOptions,
  "genesis" | "chain" | "outbound" | "pace" | "transactionsMax" | "epochProof" | "log"
> {
  return {
    genesis: genesis.hash,
    chain,
    outbound: noOutbound,
    pace: {
      intervalMsMin: config.consensus.blockIntervalMsMin,
      intervalMsIdle: config.consensus.blockIntervalMsIdle,
    },
    transactionsMax: blockTransactionsMax,
    epochProof: () => Promise.resolve(reads.commitProof(chain.epoch.root)),
    log: log.child("consensus"),
  };
}

/** What follows a commit: readers, the pool, and whoever waits learn of it in this order. */
function onCommitted(
  { events }: AssembleOptions,
  parts: Base & {
    readonly pool: TransactionPool;
    readonly announce: (block: BlockHead) => void;
  },
  committed: CommittedBlock,
): void {
  const { hash, block, transactions } = committed;
  parts.reads.onCommitted(committed);
  parts.pool.onCommitted({ height: block.header.height, transactions });
  for (const transaction of transactions) {
    parts.waiters.settle(transaction.hash, { code: "committed" });
  }
  countCommit(parts.metrics, committed);
  parts.announce({ hash, header: block.header });
  events.onCommitted(committed);
}

/** Most transactions of a block that this node builds; gas and bytes bound it too. */
const blockTransactionsMax = 20_000;

function createReplica(options: {
  readonly config: Config;
  readonly keys: ValidatorKeys | null;
  readonly epoch: EpochInfo;
}): Replica {
  const { keys } = options;
  const { consensus } = options.config;
  return new Replica(
    {
      self: keys === null ? null : { address: keys.address, blsKey: keys.blsPublicKey },
      rules: soundRules,
      timing: {
        shortMs: viewTimeoutMsShort,
        longMs: viewTimeoutMsShort + 2 * consensus.blockIntervalMsIdle,
        msMax: viewTimeoutMsMax + 2 * consensus.blockIntervalMsIdle,
      },
      clockDriftMsMax: consensus.clockDriftMsMax,
      hash: keccak256,
      aggregate,
    },
    options.epoch,
  );
}

function signingOf(
  keys: ValidatorKeys | null,
  genesis: GenesisNames,
  safety: OpenedSafety | null,
): Signing | null {
  if (keys === null || safety === null) return null;
  const guard = new Guard({ genesis: genesis.hash, scope: "" }, keys.blsPublicKey, (message) =>
    blsSign(message, keys.blsSecretKey),
  );
  if (safety.record !== null) guard.onPersisted(safety.record);
  return {
    address: keys.address,
    blsSecretKey: keys.blsSecretKey,
    blsPublicKey: keys.blsPublicKey,
    guard,
    records: safety,
  };
}

function countCommit(metrics: NodeMetrics, { block, transactions }: CommittedBlock): void {
  metrics.committedBlocks.inc();
  metrics.committedTransactions.inc(transactions.length);
  metrics.headHeight.set(block.header.height);
  metrics.view.set(block.header.view);
  metrics.commitDelay.observe(Math.max(0, Date.now() - block.header.timestampMs) / 1_000);
}

function watchParts(
  metrics: NodeMetrics,
  parts: Pick<Parts, "pool" | "waiters" | "host" | "recoverPool" | "store" | "threads">,
): void {
  const { pool, waiters, host, recoverPool, store, threads } = parts;
  metrics.watch("ledger_mempool_transactions", "Pending transactions.", () => pool.size);
  metrics.watch("ledger_mempool_bytes", "Bytes of pending transactions.", () => pool.sizeBytes);
  metrics.watch("ledger_waiting_clients", "Clients that wait for a commit.", () => waiters.count);
  metrics.watch("ledger_consensus_inputs_queued", "Waiting inputs.", () => host.queuedCount);
  metrics.watch(
    "ledger_signatures_queued",
    "Signatures that wait to be recovered.",
    () => recoverPool.claimsQueued,
  );
  metrics.watch("ledger_state_jobs", "Calls that run or wait.", () => threads.count);
  metrics.watch("ledger_state_cache_bytes", "Cached trie nodes.", () => store.usage().cacheBytes);
}

const diskFailures: ReadonlySet<string> = new Set(["E_STORAGE", "E_DATA_CORRUPT"]);

/** Whether the disk failed or what it holds is damaged: nothing may be served from it any more. */
function isDiskFailure(error: unknown): boolean {
  return error instanceof NodeError && diskFailures.has(error.code);
}

function once(act: (error: unknown) => void): (error: unknown) => void {
  let done = false;
  return (error) => {
    if (done) return;
    done = true;
    act(error);
  };
}
