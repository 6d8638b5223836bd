import { join } from "node:path";
import { NodeError } from "../base/nodeError.ts";
import type { Digest } from "../base/brand.ts";
import { zeroAddress } from "../base/bytes.ts";
import { blsBackend } from "../crypto/bls.ts";
import { RecoverPool } from "../crypto/recoverPool.node.ts";
import { secp256k1Backend } from "../crypto/secp256k1.ts";
import { createExecutor, type Executor } from "../ledger/execute.ts";
import { Mempool, mempoolLimits } from "../ledger/mempool.ts";
import { coreRegistry } from "../ledger/runtime.ts";
import type { BlockHead, NodeApi } from "../rpc/api.ts";
import { rpcLimitsDefault } from "../rpc/limits.ts";
import { RpcServer } from "../rpc/server.ts";
import { createApi, type ApiParts } from "./api.ts";
import { BlockClock } from "./blockClock.ts";
import { buildInfo } from "./build.ts";
import { Chain, type CommittedBlock } from "./chain.ts";
import type { Config } from "./config.ts";
import { openDevelopment } from "./development.ts";
import type { DevnetAccount } from "./devnet.ts";
import { DiskStore, storeFolder } from "./diskStore.ts";
import { EvidenceFile } from "./evidenceFile.ts";
import { EvidencePool, type Judge } from "./evidencePool.ts";
import type { GenesisNames, GenesisSource } from "./genesis.ts";
import { Engine } from "./engine.ts";
import { headContext, HeadState } from "./headState.ts";
import { Health } from "./health.ts";
import { hostFailure } from "./host.ts";
import type { ValidatorKeys } from "./keys.ts";
import type { Log } from "./log.ts";
import { NodeMetrics } from "./metrics.ts";
import { connectionsMaxOf, openFilesMax } from "./openFiles.ts";
import type { Peering } from "./peering.ts";
import { Reads } from "./reads.ts";
import { replicaOptionsOf, viewTimeoutMsShort } from "./replicaOptions.ts";
import { realTimer, ReviewStage, type Reviewer } from "./review.ts";
import { Signer } from "./signer.ts";
import { restoreBlocks, startPoint } from "./startPoint.ts";
import { StateThreads } from "./stateThreads.ts";
import { TransactionJournal } from "./transactionJournal.ts";
import { TransactionPool } from "./transactionPool.ts";
import { Waiters } from "./waiters.ts";
import { countCommit, watchParts } from "./watch.ts";
import { noOutbound, type WorldOptions } from "./world.ts";

/** All reviews of a block together: a vote that is late by this is still in time for its view. */
const reviewBudgetMs = Math.floor(viewTimeoutMsShort / 3);

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
  readonly #unsubmitted: Uint8Array[];
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
    /** Funded accounts of a devnet, which also answers development methods; else `null`. */
    readonly devnet: readonly DevnetAccount[] | null;
    readonly log: Log;
    readonly events: NodeEvents;
    /** Asked before this validator votes; none by default. */
    readonly reviewers?: readonly Reviewer[];
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

  /** Where other nodes reach this one; none where there is no network. */
  get peerAddresses(): readonly string[] {
    return this.#parts.peering?.peers.network.addresses() ?? [];
  }

  /** Restores pending transactions, begins consensus, opens the port. */
  async start(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const { pool, recoverPool, chain, peering } = this.#parts;
    recoverPool.start();
    if (peering === null) await beginConsensus(this.#parts);
    else await peering.start();
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
    const { engine, peering, waiters, recoverPool, journal, store, signer, threads } = this.#parts;
    waiters.stop();
    await this.#server?.stop();
    await threads.stop();
    await peering?.stop();
    await engine.stop();
    await recoverPool.stop();
    await journal.close();
    await signer.close();
    await store.close();
    this.#log.info("node stopped", { height: this.#parts.chain.head.header.height });
    this.#log.flush();
  }
}

type Parts = {
  readonly store: DiskStore;
  readonly chain: Chain;
  readonly pool: TransactionPool;
  readonly engine: Engine;
  /** `null` where no network is configured. */
  readonly peering: Peering | null;
  readonly waiters: Waiters;
  readonly recoverPool: RecoverPool;
  readonly threads: StateThreads;
  readonly journal: TransactionJournal;
  readonly signer: Signer;
};

/** Begins consensus where the chain is now. */
async function beginConsensus(
  parts: Pick<Parts, "engine" | "signer" | "store" | "chain">,
): Promise<void> {
  const { engine, signer, store, chain } = parts;
  await signer.open();
  const record = signer.recordAt(chain.epoch);
  const { doubtUntilMs } = signer;
  engine.start(startPoint({ store, chain, record, doubtUntilMs }), signer.signing);
}

type Opened = {
  readonly config: Config;
  readonly secondPortOptional: boolean;
  readonly log: Log;
  readonly genesis: GenesisNames;
  readonly metrics: NodeMetrics;
  readonly api: NodeApi;
  readonly unsubmitted: Uint8Array[];
  /** Told what an RPC method threw. */
  readonly onThrow: (error: unknown) => void;
  readonly parts: Parts;
};

type AssembleOptions = {
  readonly config: Config;
  readonly keys: ValidatorKeys | null;
  readonly allowMissingSafetyFile: boolean;
  readonly secondPortOptional: boolean;
  readonly devnet: readonly DevnetAccount[] | null;
  readonly log: Log;
  readonly events: NodeEvents;
  readonly genesis: GenesisNames;
  readonly store: DiskStore;
  readonly reviewers?: readonly Reviewer[];
};

/** The parts that know nothing of consensus. */
type Base = {
  readonly metrics: NodeMetrics;
  readonly executor: Executor;
  readonly chain: Chain;
  readonly headState: HeadState;
  readonly evidence: EvidencePool;
  readonly reads: Reads;
  readonly waiters: Waiters;
  readonly recoverPool: RecoverPool;
  readonly threads: StateThreads;
  readonly clock: BlockClock;
  readonly pendingListeners: Set<(hash: Digest) => void>;
};

/** Wires the parts in the order of the arrows. */
async function assemble(options: AssembleOptions): Promise<Opened> {
  const { keys, log, store } = options;
  const base = createBase(options, (encoded) => pool.recoverBlock(encoded));
  const { metrics, chain, waiters, recoverPool, threads } = base;
  const failed = once((error: unknown) => options.events.onFailure(hostFailure(error)));
  const { pool, journal, payloads } = await openPool(options, base, {
    change: (pending) => {
      engine.onWork(pending);
      if (pending) health.onWork();
    },
    accepted: (hashes) => peering?.announce(hashes),
    failure: failed,
  });
  const health = new Health(
    () => performance.now(),
    () => pool.size > 0,
  );
  const committed = (blocks: readonly CommittedBlock[]): void => {
    for (const block of blocks) onCommitted(options, { ...base, pool, announce }, block);
    development?.onCommitted(blocks);
    health.onCommitted();
    pool.compactJournal().catch(failed);
  };
  const peering = await openPeering(options, { ...base, pool, failed });
  const engine = new Engine({
    replica: replicaOptionsOf(options),
    world: {
      ...worldFacts(options, base),
      outbound: peering?.outbound ?? noOutbound,
      pool,
      holdsWork: () => development?.holdsWork ?? false,
      onCommitted: committed,
      onAlarm: (reason) => {
        health.onAlarm(reason);
        log.error("the chain cannot be followed any more", { reason });
      },
      onFailure: failed,
    },
  });
  const signer = new Signer({
    ...options,
    allowMissing: options.allowMissingSafetyFile,
    nowMs: () => Date.now(),
  });
  const begin = (): Promise<void> => beginConsensus({ engine, signer, store, chain });
  peering?.attach({ engine, signer, begin, onCommitted: committed });
  // With others the chain is followed first: what may be signed depends on how far it is.
  if (peering === null) await signer.open();
  const { api, announce } = createApi({
    ...base,
    registry: coreRegistry,
    store,
    head: base.headState,
    pool,
    metrics: metrics.registry,
    build: buildInfo(),
    address: keys?.address ?? zeroAddress,
    status: () => engine.status,
    unhealthy: () => peering?.fault() ?? health.reason(),
    ...networkFacts(options, peering),
  });
  const onWork = (): void => engine.onWork(pool.size > 0);
  const development = openDevelopment(options, { ...base, api, onWork });
  watchParts(metrics, { pool, waiters, engine, recoverPool, store, threads });
  restoreBlocks(store, chain);
  const services = { pool, waiters, recoverPool, threads, journal, signer, store, chain };
  const parts = { ...services, engine, peering };
  const onThrow = (error: unknown): void => void (isDiskFailure(error) && failed(error));
  const served = { metrics, api: { ...api, development }, unsubmitted: payloads };
  return { ...options, onThrow, parts, ...served };
}

function createBase(
  { config, genesis, store, log }: AssembleOptions,
  recover: TransactionPool["recoverBlock"],
): Base {
  const metrics = new NodeMetrics();
  const executor = createExecutor(coreRegistry, genesis.chain);
  const { head, epoch, epochRoot } = store;
  const chain = new Chain({ executor, store, metrics, recover, head, epoch, epochRoot });
  const judge: Judge = (report) =>
    executor.judge(chain.headState(), headContext(chain.head), report);
  return {
    metrics,
    executor,
    chain,
    headState: new HeadState(chain, executor),
    evidence: EvidencePool.open(judge, new EvidenceFile(config.dataFolder, log), log),
    reads: new Reads(store, genesis.chain),
    waiters: new Waiters(),
    clock: new BlockClock(() => Date.now()),
    pendingListeners: new Set(),
    threads: new StateThreads({ folder: storeFolder(config.dataFolder) }),
    recoverPool: new RecoverPool({
      onFailure: (error) => log.warn("a signature thread died", { error: error.message }),
    }),
  };
}

async function openPool(
  { config, genesis, store, log }: AssembleOptions,
  { recoverPool, headState, metrics, waiters, reads, pendingListeners }: Base,
  on: {
    readonly change: (pending: boolean) => void;
    readonly accepted: (hashes: readonly Digest[]) => void;
    readonly failure: (error: unknown) => void;
  },
): Promise<{
  readonly pool: TransactionPool;
  readonly journal: TransactionJournal;
  readonly payloads: Uint8Array[];
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
      isCommitted: (hash) => reads.position(hash) !== null,
    },
    metrics,
    onChange: on.change,
    onAbandoned: (hash, reason) => waiters.settle(hash, { code: "abandoned", reason }),
    onPending: (hash) => {
      for (const listener of pendingListeners) listener(hash);
    },
    onAccepted: on.accepted,
  });
  return { pool, journal, payloads };
}

function worldFacts(
  { config, genesis, log, reviewers = [] }: AssembleOptions,
  { chain, reads, evidence, clock }: Base,
): Pick<
  WorldOptions,
  | "genesis"
  | "chain"
  | "clock"
  | "evidence"
  | "review"
  | "pace"
  | "transactionsMax"
  | "epochProof"
  | "log"
> {
  const stage = { budgetMs: reviewBudgetMs, setTimer: realTimer, log: log.child("review") };
  return {
    genesis: genesis.hash,
    chain,
    clock,
    evidence,
    review: reviewers.length === 0 ? null : new ReviewStage(reviewers, stage),
    pace: {
      intervalMsMin: config.consensus.blockIntervalMsMin,
      intervalMsBusy: config.consensus.blockIntervalMsBusy,
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
  const holdsEvidence = block.body.evidence.length > 0;
  parts.evidence.onCommitted({ epoch: block.header.epoch, holdsEvidence });
  for (const transaction of transactions) {
    parts.waiters.settle(transaction.hash, { code: "committed" });
  }
  countCommit(parts.metrics, committed);
  parts.announce({ hash, header: block.header });
  events.onCommitted(committed);
}

/** Most transactions of a block that this node builds; gas and bytes bound it too. */
const blockTransactionsMax = 20_000;

/** What the API tells of the network. */
function networkFacts(
  { config, keys }: AssembleOptions,
  peering: Peering | null,
): Pick<ApiParts, "network" | "catchUp" | "genesisPath" | "addresses" | "isConnected"> {
  const own = (): readonly string[] => peering?.peers.network.addresses() ?? [];
  return {
    network: peering?.peers.network ?? null,
    catchUp: () => peering?.progress ?? null,
    genesisPath: config.genesisPath,
    addresses: () => [...own(), ...config.p2p.peers],
    isConnected: ({ address, blsKey }) =>
      address === keys?.address || (peering?.peers.validators.of(blsKey).length ?? 0) > 0,
  };
}

/** The network, where one is configured; its code is loaded only then. */
async function openPeering(
  { config, genesis, keys, log, store }: AssembleOptions,
  base: Base & {
    readonly pool: TransactionPool;
    readonly failed: (error: unknown) => void;
  },
): Promise<Peering | null> {
  const { listen, peers, mdns } = config.p2p;
  if (listen.length === 0 && peers.length === 0 && !mdns) return null;
  const { Peering: Network } = await import("./peering.ts");
  const { metrics, failed } = base;
  return Network.open({
    ...base,
    config,
    genesis,
    keys,
    store,
    log: log.child("p2p"),
    onFailure: failed,
    onChecked: (claims, elapsedMs) => metrics.checked(claims, elapsedMs),
    onUnused: () => {},
  });
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
