import { readFile } from "node:fs/promises";
import type { Registry as MetricsRegistry } from "prom-client";
import type { Address, Digest } from "../base/brand.ts";
import { bytesToBigInt, emptyBytes } from "../base/bytes.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import type { KeyHolder } from "../consensus/committee.ts";
import type { ReplicaStatus } from "../consensus/replicaOptions.ts";
import { emptyAccount } from "../ledger/accounts.ts";
import { blockContextOf, type Executor } from "../ledger/execute.ts";
import type { ReadContext } from "../ledger/module.ts";
import type { Registry } from "../ledger/registry.ts";
import type { Json } from "../ledger/schema.ts";
import type { StateReader } from "../ledger/state.ts";
import type { StateTaskAnswer, StateTaskName, StateTaskRequest } from "../ledger/stateTasks.ts";
import type {
  AccountInfo,
  AccountProof,
  BlockHead,
  BuildInfo,
  CommittedTransaction,
  Health,
  ModuleInfo,
  NodeApi,
  PeerInfo,
  QueryRefusal,
  StateRefusal,
  SyncStatus,
  TaskPlace,
  TaskRefusal,
  TransactionLookup,
  WaitRefusal,
} from "../rpc/api.ts";
import type { Network } from "../p2p/network.ts";
import { PrunedError } from "../store/failures.ts";
import type { Chain } from "./chain.ts";
import type { DiskStore } from "./diskStore.ts";
import type { EvidencePool } from "./evidencePool.ts";
import { headContext, type HeadState } from "./headState.ts";
import { readLogs } from "./logReads.ts";
import type { Reads } from "./reads.ts";
import type { StateThreads } from "./stateThreads.ts";
import { pendingAccount, type TransactionPool } from "./transactionPool.ts";
import type { Waiters } from "./waiters.ts";

/** What the API answers from. */
export type ApiParts = {
  readonly executor: Executor;
  readonly registry: Registry;
  readonly store: DiskStore;
  readonly chain: Chain;
  readonly head: HeadState;
  readonly reads: Reads;
  readonly pool: TransactionPool;
  readonly evidence: EvidencePool;
  readonly waiters: Waiters;
  readonly threads: StateThreads;
  /** Called with each transaction that becomes pending. */
  readonly pendingListeners: Set<(hash: Digest) => void>;
  readonly metrics: MetricsRegistry;
  readonly build: BuildInfo;
  readonly address: Address;
  readonly status: () => ReplicaStatus;
  /** `null` where the node is alone. */
  readonly network: Pick<Network, "self" | "peers"> | null;
  readonly genesisPath: string;
  /** Addresses of the network for new nodes. */
  readonly addresses: () => readonly string[];
  /** Whether a validator's node is connected, or is this one. */
  readonly isConnected: (validator: KeyHolder) => boolean;
  /** How far the node is on its way to the others; `null` when it follows. */
  readonly catchUp: () => { readonly height: number; readonly target: number } | null;
  /** Why the node should not be sent work; `null` if it should. */
  readonly unhealthy: () => string | null;
};

/** Listeners for new blocks, at most: each WebSocket server has one. */
const listenersMax = 64;

/** Creates what the JSON-RPC server asks. `announce` is to be called after each commit. */
export function createApi(parts: ApiParts): {
  readonly api: NodeApi;
  readonly announce: (block: BlockHead) => void;
} {
  const { head, reads, pool, waiters, executor } = parts;
  const listeners = new Set<(block: BlockHead) => void>();
  const api: NodeApi = {
    ...identity(parts),
    ...blockReads(parts),
    ...stateReads(parts),
    transaction: (hash) => Promise.resolve(lookUp(parts, hash)),
    pendingHashes: (limit) => pool.hashes(limit),
    pendingTransactions: (limit) => pool.transactions(limit),
    proof: (address, slots, height) => proofOf(parts, address, slots, height),
    logs: (filter, limits) => readLogs(parts, filter, limits),
    nextBaseFee: () => head.baseFee(),
    pendingAccount: (address) => {
      const account = head.admission().account(address);
      return { address, ...pendingAccount(account, pool.pendingOf(address, account.nonce)) };
    },
    modules: () => moduleList(parts.registry),
    runTask: (name, request, at) => runTask(parts, name, request, at),
    parameters: () =>
      Object.fromEntries(
        executor
          .parameters(head.reader())
          .entries()
          .map(([name, value]) => [name, value.toString()]),
      ),
    submit: (submissions) => pool.submit(submissions, "local"),
    waitCommitted: (hash, options) => waitCommitted({ reads, pool, waiters }, hash, options),
    traceBlock: (hash, request) => traceBlock(parts, hash, request),
    pendingEvidence: () => parts.evidence.pending(),
    submitEvidence: (evidence, reporter) => parts.evidence.add(evidence, reporter),
    development: null,
    syncStatus: () => syncStatus(parts),
    ...networkReads(parts),
    health: (): Health => {
      const reason = parts.unhealthy();
      return { ok: reason === null, reason };
    },
    onCommitted: (listener) => added(listeners, listener),
    onPending: (listener) => added(parts.pendingListeners, listener),
  };
  const announce = (block: BlockHead): void => {
    for (const listener of listeners) listener(block);
  };
  return { api, announce };
}

function syncStatus({ status, catchUp, chain }: ApiParts): SyncStatus {
  const { epoch, view, highCertificate } = status();
  const joining = catchUp();
  const tip = chain.heldHeader(highCertificate.block);
  return {
    syncing: joining !== null,
    heightHighest: Math.max(chain.head.header.height, joining?.target ?? 0),
    epoch,
    view,
    tipHash: tip === null ? chain.head.hash : highCertificate.block,
    tipHeight: tip?.height ?? chain.head.header.height,
  };
}

function networkReads(
  parts: ApiParts,
): Pick<NodeApi, "peers" | "addresses" | "committee" | "genesisFile"> {
  return {
    peers: () =>
      (parts.network?.peers() ?? []).map(({ peer, address, direction }): PeerInfo => ({
        id: peer,
        address,
        direction,
      })),
    addresses: () => parts.addresses(),
    committee: () => {
      const { epoch, lastHeight, committee } = parts.chain.epoch;
      const validators = committee.validators.map((validator) => ({
        ...validator,
        connected: parts.isConnected(validator),
      }));
      return { epoch, lastHeight, validators };
    },
    genesisFile: () => readFile(parts.genesisPath, "utf8"),
  };
}

function added<T>(listeners: Set<T>, listener: T): () => void {
  if (listeners.size < listenersMax) listeners.add(listener);
  return () => listeners.delete(listener);
}

function proofOf(
  parts: ApiParts,
  address: Address,
  slots: readonly Digest[],
  height: number | null,
): Outcome<AccountProof, StateRefusal> {
  const { store, head } = parts;
  const state = height === null ? accept(head.reader()) : stateAt(parts, height);
  if (!state.ok) return state;
  const { value: reader } = state;
  const read = (): AccountProof => {
    const { accountProof, storageProofs } = store.proof(reader.root, address, slots);
    return {
      account: reader.account(address),
      accountProof,
      slots: slots.map((slot, i) => ({
        word: bytesToBigInt(reader.storage(address, slot) ?? emptyBytes),
        proof: storageProofs[i] ?? [],
      })),
    };
  };
  return readOrPruned(parts, height, () => accept(read()));
}

/** Reads that run into a height being pruned answer that it is gone, never half. */
function readOrPruned<T, R>(
  parts: ApiParts,
  height: number | null,
  read: () => Outcome<T, R>,
): Outcome<T, R | StateRefusal> {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof PrunedError)) throw error;
    return refuse(stateRefusal(parts, "pruned", height ?? parts.chain.head.header.height));
  }
}

function identity({
  executor,
  build,
  metrics,
  address,
  network,
}: ApiParts): Pick<NodeApi, "chain" | "build" | "metrics" | "address" | "peerId"> {
  const { name, id, genesisHash } = executor.chain;
  return { chain: { name, id, genesisHash }, build, metrics, address, peerId: network?.self ?? "" };
}

function blockReads({
  chain,
  reads,
  store,
}: ApiParts): Pick<
  NodeApi,
  | "head"
  | "finalizedHeight"
  | "headAtHeight"
  | "blockAtHeight"
  | "blockByHash"
  | "commitProof"
  | "epochStart"
  | "moduleProof"
> {
  return {
    head: () => chain.head,
    finalizedHeight: () => chain.head.header.height,
    headAtHeight: (height) => Promise.resolve(reads.headAtHeight(height)),
    blockAtHeight: (height) => Promise.resolve(reads.blockAtHeight(height)),
    blockByHash: (hash) => Promise.resolve(reads.blockByHash(hash)),
    commitProof: (hash) => Promise.resolve(reads.commitProof(hash)),
    epochStart: (epoch) => {
      const info = store.epochInfo(epoch);
      const root = info === null ? null : reads.headAtHeight(info.rootHeight);
      if (info === null || root === null) return Promise.resolve(null);
      const { committee } = info;
      return Promise.resolve({ root, committee, proof: reads.commitProof(root.hash) });
    },
    moduleProof: (module, keys) => store.moduleProof(chain.head.header.stateRoot, module, keys),
  };
}

function stateReads(
  parts: ApiParts,
): Pick<NodeApi, "state" | "stateAt" | "account" | "queryModule"> {
  const { head, executor, reads, registry, chain } = parts;
  const at = (height: number | null): Outcome<StateReader, StateRefusal> =>
    height === null ? accept(head.reader()) : stateAt(parts, height);
  return {
    state: () => head.reader(),
    stateAt: at,
    account: (address, height) => {
      const state = at(height);
      if (!state.ok) return state;
      return readOrPruned(parts, height, () => {
        const account = state.value.account(address);
        const block = height === null ? chain.head : reads.headAtHeight(height);
        const context = headContext(block ?? chain.head);
        const { thetaWei } = executor.admission(state.value, context).account(address);
        if (account === null && thetaWei === 0n) return accept<AccountInfo | null>(null);
        return accept<AccountInfo | null>({ ...(account ?? emptyAccount), thetaWei });
      });
    },
    queryModule: (request) => {
      const { height } = request;
      const state = at(height);
      if (!state.ok) return state;
      return readOrPruned<Json, QueryRefusal>(parts, height, () => {
        const block = height === null ? chain.head : reads.headAtHeight(height);
        const open = (): ReadContext =>
          executor.open(state.value, headContext(block ?? chain.head));
        return answerQuery(registry, request, open);
      });
    },
  };
}

/** A module's answer; its parameters are the caller's JSON, which the query itself decodes. */
export function answerQuery(
  registry: Registry,
  { module, query, parameters }: Omit<Parameters<NodeApi["queryModule"]>[0], "height">,
  open: () => ReadContext,
): Outcome<Json, QueryRefusal> {
  if (registry.module(module) === null) {
    return refuse({ code: "unknownModule", detail: `no module ${module}` });
  }
  const definition = registry.query(module, query);
  if (definition === null) {
    return refuse({ code: "unknownQuery", detail: `module ${module} has no query ${query}` });
  }
  if (definition.parameters.fromJson(parameters) === null) {
    const detail = `expected ${definition.parameters.description}`;
    return refuse({ code: "parametersInvalid", detail });
  }
  const answer = definition.answer(open(), parameters);
  return answer.ok ? answer : refuse({ code: "refused", detail: answer.refusal });
}

/** Hands a task to the threads; of a state that is being pruned nothing half is told. */
async function runTask<N extends StateTaskName>(
  parts: ApiParts,
  name: N,
  request: StateTaskRequest<N>,
  { height, signal }: TaskPlace,
): Promise<Outcome<StateTaskAnswer<N>, TaskRefusal>> {
  const { executor, reads, chain, threads } = parts;
  const state = height === null ? null : stateAt(parts, height);
  if (state !== null && !state.ok) return state;
  const { header } = (height === null ? null : reads.headAtHeight(height)) ?? chain.head;
  const parent = reads.headAtHeight(header.height - 1)?.header ?? header;
  const block = blockContextOf(header, parent);
  const job = { name, request, root: header.stateRoot, chain: executor.chain, block };
  const outcome = await threads.run(job, signal);
  if (outcome.ok) return outcome;
  const { refusal } = outcome;
  return refuse(refusal.code === "pruned" ? stateRefusal(parts, "pruned", header.height) : refusal);
}

/** On the state of the block's parent, where it was executed first. */
async function traceBlock(
  parts: ApiParts,
  hash: Digest,
  { only, options, signal }: Parameters<NodeApi["traceBlock"]>[1],
): ReturnType<NodeApi["traceBlock"]> {
  const { executor, reads, threads } = parts;
  const found = reads.verifiedBlock(hash);
  if (found === null) return null;
  const { header, transactions } = found;
  const parent = reads.headAtHeight(header.height - 1);
  if (parent === null) return accept(accept([])); // Genesis.
  const state = stateAt(parts, parent.header.height);
  if (!state.ok) return state;
  const request = { transactions, only, options };
  const block = blockContextOf(header, parent.header);
  const root = parent.header.stateRoot;
  const job = { name: "traceBlock", request, root, chain: executor.chain, block } as const;
  const outcome = await threads.run(job, signal);
  if (outcome.ok) return outcome;
  const { refusal } = outcome;
  const { height } = parent.header;
  return refuse(refusal.code === "pruned" ? stateRefusal(parts, "pruned", height) : refusal);
}

function stateAt(parts: ApiParts, height: number): Outcome<StateReader, StateRefusal> {
  const { chain, reads, store } = parts;
  if (height > chain.head.header.height) return refuse(stateRefusal(parts, "notYet", height));
  const block = reads.headAtHeight(height);
  if (block === null || !store.hasState(block.header.stateRoot)) {
    return refuse(stateRefusal(parts, "pruned", height));
  }
  return accept(store.reader(block.header.stateRoot));
}

function stateRefusal(
  { store, chain }: ApiParts,
  code: StateRefusal["code"],
  height: number,
): StateRefusal {
  return {
    code,
    height,
    heightMin: store.retainedHeightMin(),
    heightMax: chain.head.header.height,
  };
}

function lookUp({ reads, pool }: ApiParts, hash: Digest): TransactionLookup {
  const committed = reads.transaction(hash);
  if (committed !== null) return { state: "committed", committed };
  const transaction = pool.get(hash);
  if (transaction !== null) return { state: "pending", transaction };
  const reason = pool.abandonedReason(hash);
  return reason === null ? { state: "notFound" } : { state: "abandoned", reason };
}

async function waitCommitted(
  parts: Pick<ApiParts, "reads" | "pool" | "waiters">,
  hash: Digest,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<Outcome<CommittedTransaction, WaitRefusal>> {
  const already = parts.reads.transaction(hash);
  if (already !== null) return accept(already);
  const reason = parts.pool.get(hash) === null ? parts.pool.abandonedReason(hash) : null;
  if (reason !== null) return refuse({ code: "abandoned", reason });
  const end = await parts.waiters.wait(hash, options);
  if (end.code !== "committed") return refuse(end);
  const committed = parts.reads.transaction(hash);
  return committed === null ? refuse({ code: "timeout" }) : accept(committed);
}

function moduleList(registry: Registry): readonly ModuleInfo[] {
  return registry.modules.map((module) => ({
    name: module.name,
    version: module.version,
    operations: Object.keys(module.operations),
    precompiles: (module.precompiles ?? []).map(({ address: at }) => at),
    queries: Object.entries(module.queries).map(([name, { description }]) => ({
      name,
      description,
    })),
  }));
}
