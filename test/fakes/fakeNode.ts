import { Registry } from "prom-client";

import type { Address, Digest } from "../../base/brand.ts";
import { emptyBytes, zeroAddress, zeroDigest } from "../../base/bytes.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import { evidenceSlot, isContradiction } from "../../consensus/evidence.ts";
import { rootCertificate } from "../../consensus/rules.ts";
import type { Evidence } from "../../consensus/types.ts";
import { emptyKeccak, keccakDigest } from "../../crypto/keccak.ts";
import { signersOf } from "../../crypto/verify.ts";
import { emptyAccount } from "../../ledger/accounts.ts";
import { evidenceHash } from "../../ledger/blockEvidence.ts";
import type { CommitProof, Header } from "../../ledger/blockTypes.ts";
import { decodeEthereum, decodeNative } from "../../ledger/decode.ts";
import { decodeEthereumEnvelope } from "../../ledger/ethereumCodec.ts";
import { blockContextOf, type AccountView } from "../../ledger/execute.ts";
import { blockHash, headerVersion } from "../../ledger/header.ts";
import { emptyRoot } from "../../ledger/orderedRoot.ts";
import type { ParameterValue } from "../../ledger/parameters.ts";
import type { Receipt } from "../../ledger/receiptTypes.ts";
import type { Refusal } from "../../ledger/refusal.ts";
import { coreRegistry } from "../../ledger/runtime.ts";
import type { Json } from "../../ledger/schema.ts";
import type { StateReader } from "../../ledger/state.ts";
import {
  runStateTask,
  type StateTaskAnswer,
  type StateTaskName,
  type StateTaskRequest,
} from "../../ledger/stateTasks.ts";
import { decodeThetaTransaction } from "../../ledger/thetaCodec.ts";
import type { Transaction } from "../../ledger/transaction.ts";
import type { StateProof } from "../../store/stateTree.ts";
import type {
  AccountInfo,
  AccountProof,
  BlockHead,
  BlockView,
  EpochStart,
  CommittedTransaction,
  FoundLog,
  Health,
  LogFilter,
  NodeApi,
  PendingEvidence,
  QueryRefusal,
  StateRefusal,
  Submission,
  Submitted,
  SubmitRefusal,
  SyncStatus,
  TaskRefusal,
  TransactionLookup,
  WaitRefusal,
} from "../../rpc/api.ts";

const gasPerTransfer = 21_000n;
const certificate = rootCertificate({ epoch: 0, root: zeroDigest });

type Coins = { nonce: bigint; tfuelWei: bigint; thetaWei: bigint };

/**
 * A node in memory: it checks signatures and sequences, moves coins, and commits when the test says
 * so. Transfers only; no fees, no consensus, every height's state kept.
 */
export class FakeNode implements NodeApi {
  readonly chain: NodeApi["chain"];
  readonly build = { version: "0.1.0", commit: "unknown", builtAt: "2024-01-01" };
  readonly metrics = new Registry();
  readonly address = zeroAddress;
  readonly peerId = "fake";
  readonly development = null;
  epochStarts: readonly EpochStart[] = [];
  /** How often `submit` was called: groups, not transactions. */
  submitCalls = 0;
  healthy: Health = { ok: true, reason: null };
  /** Refuses every submission when set. */
  submitRefusal: SubmitRefusal | null = null;
  /** Of the blocks to come. */
  baseFee = 1_000_000_000n;
  /** What the headers of the blocks to come say instead. */
  headerParts: Partial<Header> = {};
  /** The hash of the blocks to come, where a test brings a foreign chain's head. */
  foreignHash: Digest | null = null;
  /** Chain parameters in force, the others have their defaults. */
  readonly parameterValues = new Map<string, ParameterValue>();
  /** The state after the head, where a test brings one. */
  headState: StateReader | null = null;
  /** What `logs` finds. */
  foundLogs: FoundLog[] = [];
  /** Heights below are pruned. */
  heightMin = 0;
  readonly #states: Map<Address, Coins>[];
  readonly #blocks: BlockView[] = [];
  readonly #pending = new Map<Digest, Transaction>();
  readonly #committed = new Map<Digest, CommittedTransaction>();
  readonly #waiting = new Set<() => void>();
  readonly #onCommitted = new Set<(block: BlockHead) => void>();
  readonly #onPending = new Set<(hash: Digest) => void>();

  constructor(balances: readonly (readonly [Address, bigint])[] = [], chainId = 366) {
    this.chain = { name: "privatenet", id: chainId, genesisHash: keccakDigest(emptyBytes) };
    const coins = new Map<Address, Coins>();
    for (const [address, wei] of balances)
      coins.set(address, { nonce: 0n, tfuelWei: wei, thetaWei: wei });
    this.#states = [coins];
    this.#blocks.push(this.#block([], []));
  }

  /** Puts all pending transactions into a block. */
  commit(): BlockView {
    const before = this.#states.at(-1) ?? new Map<Address, Coins>();
    const coins = new Map([...before].map(([address, owned]) => [address, { ...owned }]));
    const transactions = [...this.#pending.values()];
    const receipts = transactions.map((transaction, i) => apply(coins, transaction, i));
    const block = this.#block(transactions, receipts);
    this.#states.push(coins);
    this.#blocks.push(block);
    this.#pending.clear();
    for (const [index, transaction] of transactions.entries()) {
      const receipt = receipts[index];
      if (receipt === undefined) continue;
      const { hash } = transaction;
      const place = { block, status: block.status, index, logIndexFirst: 0 };
      this.#committed.set(hash, { ...place, transaction, receipt });
    }
    for (const wake of this.#waiting) wake();
    for (const listener of this.#onCommitted) listener(block);
    return block;
  }

  #block(transactions: readonly Transaction[], receipts: readonly Receipt[]): BlockView {
    const parent = this.#blocks.at(-1);
    const height = this.#blocks.length;
    const header: Header = {
      version: headerVersion,
      genesisHash: this.chain.genesisHash,
      height,
      epoch: 0,
      view: height,
      parentHash: parent?.hash ?? zeroDigest,
      parentCertificate: { ...certificate, block: parent?.hash ?? zeroDigest },
      timeoutCertificateHash: null,
      timestampMs: 1_700_000_000_000 + height * 1_000,
      proposer: zeroAddress,
      transactionsRoot: emptyRoot,
      receiptsRoot: emptyRoot,
      logsBloom: new Uint8Array(256),
      stateRoot: emptyRoot,
      gasUsed: gasPerTransfer * BigInt(receipts.length),
      gasLimit: 30_000_000n,
      baseFee: this.baseFee,
      runtimeHash: zeroDigest,
      randomness: zeroDigest,
      nextCommitteeHash: null,
      evidenceRoot: emptyRoot,
      checkpointCertificateHash: null,
      ...this.headerParts,
    };
    const body = {
      transactions: transactions.map(({ encoded }) => encoded),
      timeoutCertificate: null,
      epochProof: null,
      randomnessSignature: new Uint8Array(96),
      evidence: [],
      checkpointCertificate: null,
    };
    const rest = { transactions, receipts, jobReceipt: null, status: "committed" } as const;
    return { hash: this.foreignHash ?? blockHash(header), header, body, ...rest };
  }

  head(): BlockHead {
    const block = this.#blocks.at(-1);
    if (block === undefined) throw new Error("a chain has a genesis");
    return block;
  }

  finalizedHeight(): number {
    return this.head().header.height;
  }

  headAtHeight(height: number): Promise<BlockHead | null> {
    return this.blockAtHeight(height);
  }

  blockAtHeight(height: number): Promise<BlockView | null> {
    return Promise.resolve(this.#blocks[height] ?? null);
  }

  blockByHash(hash: Digest): Promise<BlockView | null> {
    return Promise.resolve(this.#blocks.find((block) => block.hash === hash) ?? null);
  }

  commitProof(hash: Digest): Promise<CommitProof | null> {
    const block = this.#blocks.find((candidate) => candidate.hash === hash);
    return Promise.resolve(block === undefined ? null : { headers: [block.header], certificate });
  }

  epochStart = (epoch: number): Promise<EpochStart | null> =>
    Promise.resolve(this.epochStarts[epoch] ?? null);

  /** Its headers have the root of an empty tree, under which this proves that nothing is there. */
  moduleProof(_module: string, keys: readonly Uint8Array[]): StateProof {
    return { accountProof: [], storageProofs: keys.map(() => []) };
  }

  transaction(hash: Digest): Promise<TransactionLookup> {
    const pending = this.#pending.get(hash);
    if (pending !== undefined) return Promise.resolve({ state: "pending", transaction: pending });
    const committed = this.#committed.get(hash);
    if (committed !== undefined) return Promise.resolve({ state: "committed", committed });
    return Promise.resolve({ state: "notFound" });
  }

  pendingHashes(limit: number): readonly Digest[] {
    return [...this.#pending.keys()].slice(0, limit);
  }

  pendingTransactions(limit: number): readonly Transaction[] {
    return [...this.#pending.values()].slice(0, limit);
  }

  proof(
    address: Address,
    slots: readonly Digest[],
    height: number | null,
  ): Outcome<AccountProof, StateRefusal> {
    const state = this.stateAt(height ?? this.#states.length - 1);
    if (!state.ok) return state;
    return accept({
      account: state.value.account(address),
      accountProof: [],
      slots: slots.map(() => ({ word: 0n, proof: [] })),
    });
  }

  /** Logs that tests put into the newest blocks; all of them, whatever is asked. */
  logs({ from, to }: LogFilter): ReturnType<NodeApi["logs"]> {
    const found = this.foundLogs.filter(({ block: { header } }) => {
      return header.height >= from && header.height <= to;
    });
    return Promise.resolve(accept(found));
  }

  nextBaseFee(): bigint {
    return this.head().header.baseFee;
  }

  state(): StateReader {
    return this.headState ?? readerOf(this.#states.at(-1) ?? new Map<Address, Coins>());
  }

  stateAt(height: number): Outcome<StateReader, StateRefusal> {
    const coins = this.#states[height];
    const range = { height, heightMin: this.heightMin, heightMax: this.#states.length - 1 };
    if (coins === undefined) return refuse({ code: "notYet", ...range });
    if (height === this.#states.length - 1) return accept(this.state());
    if (height < this.heightMin) return refuse({ code: "pruned", ...range });
    return accept(readerOf(coins));
  }

  account(address: Address, height: number | null): Outcome<AccountInfo | null, StateRefusal> {
    const at = height ?? this.#states.length - 1;
    const state = this.stateAt(at);
    if (!state.ok) return state;
    const account = state.value.account(address);
    const thetaWei = this.#states[at]?.get(address)?.thetaWei ?? 0n;
    return accept(account === null ? null : { ...account, thetaWei });
  }

  pendingAccount(address: Address): AccountView {
    const owned = this.#states.at(-1)?.get(address);
    const waiting = [...this.#pending.values()].filter(({ payer }) => payer === address).length;
    return {
      address,
      nonce: (owned?.nonce ?? 0n) + BigInt(waiting),
      tfuelWei: owned?.tfuelWei ?? 0n,
      thetaWei: owned?.thetaWei ?? 0n,
    };
  }

  modules(): ReturnType<NodeApi["modules"]> {
    const queries = [{ name: "candidates", description: "validator candidates" }];
    return [{ name: "stake", version: 1, operations: [], precompiles: [], queries }];
  }

  queryModule(request: Parameters<NodeApi["queryModule"]>[0]): Outcome<Json, QueryRefusal> {
    const { module, query } = request;
    if (module !== "stake")
      return refuse({ code: "unknownModule", detail: `there is no module ${module}` });
    if (query === "offences") return accept([]);
    if (query !== "candidates")
      return refuse({ code: "unknownQuery", detail: `stake has no query ${query}` });
    return accept({ SortedCandidates: [] });
  }

  /** Its blocks cannot be executed again. */
  traceBlock(): Promise<null> {
    return Promise.resolve(null);
  }

  async runTask<N extends StateTaskName>(
    name: N,
    request: StateTaskRequest<N>,
    { height }: Parameters<NodeApi["runTask"]>[2],
  ): Promise<Outcome<StateTaskAnswer<N>, TaskRefusal>> {
    const at = height ?? this.#blocks.length - 1;
    const state = this.stateAt(at);
    const block = this.#blocks[at];
    if (!state.ok || block === undefined)
      return state.ok ? refuse({ code: "busy", detail: "" }) : state;
    const reader = state.value;
    const scene = {
      registry: coreRegistry,
      chain: this.chain,
      parameters: coreRegistry.parametersWith(this.parameterValues),
      reader,
      block: blockContextOf(block.header, this.#blocks[at - 1]?.header ?? block.header),
      rootAfter: () => emptyRoot,
    };
    return accept(await runStateTask(name, scene, request));
  }

  parameters(): ReturnType<NodeApi["parameters"]> {
    return { "chain.blockGasMax": "30000000" };
  }

  readonly #evidence: PendingEvidence[] = [];

  pendingEvidence(): readonly PendingEvidence[] {
    return this.#evidence;
  }

  /** Takes whatever contradicts itself: a node in memory has no committee. */
  submitEvidence(evidence: Evidence, reporter: Address): Outcome<Digest, Refusal> {
    if (!isContradiction(evidence)) {
      return refuse({ code: "evidenceFalse", got: "noContradiction", expected: "a contradiction" });
    }
    const hash = evidenceHash(evidence);
    this.#evidence.push({ hash, evidence, reporter, ...evidenceSlot(evidence), accused: [] });
    return accept(hash);
  }

  async submit(
    submissions: readonly Submission[],
  ): Promise<readonly Outcome<Submitted, SubmitRefusal>[]> {
    this.submitCalls += 1;
    // As a real node: the journal is synced before the answer.
    await new Promise((resolve) => setImmediate(resolve));
    return submissions.map((submission) => this.#admit(submission));
  }

  #admit({ envelope, raw }: Submission): Outcome<Submitted, SubmitRefusal> {
    if (this.submitRefusal !== null) return refuse(this.submitRefusal);
    const decoded =
      envelope === "native" ? decodeNative(raw, this.chain) : decodeEthereum(raw, this.chain);
    if (!decoded.ok) return decoded;
    const { hash, claims, complete } = decoded.value;
    if (this.#pending.has(hash)) return accept({ hash, state: "pending" });
    if (this.#committed.has(hash)) return accept({ hash, state: "committed" });
    const signers = signersOf(claims);
    if (signers === null) return refuse({ code: "signatureInvalid", detail: "no such signer" });
    const transaction = complete(signers);
    const { payer: address } = transaction;
    const expected = this.pendingAccount(address).nonce + 1n;
    const got = transaction.signers[0]?.sequence ?? expected;
    if (got < expected) return refuse({ code: "sequenceTooLow", got, expected, address });
    if (got > expected) return refuse({ code: "sequenceTooHigh", got, expected, address });
    this.#pending.set(hash, transaction);
    for (const listener of this.#onPending) listener(hash);
    return accept({ hash, state: "new" });
  }

  waitCommitted(
    hash: Digest,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<Outcome<CommittedTransaction, WaitRefusal>> {
    return new Promise((resolve) => {
      const finish = (outcome: Outcome<CommittedTransaction, WaitRefusal>): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve(outcome);
      };
      const look = (): void => {
        const committed = this.#committed.get(hash);
        if (committed !== undefined) finish(accept(committed));
      };
      const timer = setTimeout(() => finish(refuse({ code: "timeout" })), options.timeoutMs);
      options.signal.addEventListener("abort", () => finish(refuse({ code: "aborted" })));
      this.#waiting.add(look);
      look();
    });
  }

  /** How many calls wait for a commit. */
  get waiters(): number {
    return this.#waiting.size;
  }

  syncStatus(): SyncStatus {
    const { hash: tipHash, header } = this.head();
    const { height: tipHeight, epoch, view } = header;
    return { syncing: false, heightHighest: tipHeight, epoch, view, tipHash, tipHeight };
  }

  peers(): ReturnType<NodeApi["peers"]> {
    return [{ id: "peer1", address: "/ip4/127.0.0.1/tcp/12000", direction: "outbound" }];
  }

  addresses(): readonly string[] {
    return ["/ip4/127.0.0.1/tcp/12000"];
  }

  committee(): ReturnType<NodeApi["committee"]> {
    const known = { blsKey: new Uint8Array(48).fill(1), stake: 5n, connected: true };
    return { epoch: 0, lastHeight: 100, validators: [{ address: this.address, ...known }] };
  }

  genesisFile = (): Promise<string> => Promise.resolve("{}");

  health(): Health {
    return this.healthy;
  }

  onCommitted(listener: (block: BlockHead) => void): () => void {
    this.#onCommitted.add(listener);
    return () => this.#onCommitted.delete(listener);
  }

  onPending(listener: (hash: Digest) => void): () => void {
    this.#onPending.add(listener);
    return () => this.#onPending.delete(listener);
  }
}

function readerOf(coins: ReadonlyMap<Address, Coins>): StateReader {
  return {
    root: emptyRoot,
    account: (address) => {
      const owned = coins.get(address);
      if (owned === undefined) return null;
      return { ...emptyAccount, nonce: owned.nonce, balance: owned.tfuelWei };
    },
    storage: () => null,
    code: (codeHash) => (codeHash === emptyKeccak ? null : emptyBytes),
    moduleValue: () => null,
    moduleRange: () => [],
  };
}

function owner(coins: Map<Address, Coins>, address: Address): Coins {
  const owned = coins.get(address) ?? { nonce: 0n, tfuelWei: 0n, thetaWei: 0n };
  coins.set(address, owned);
  return owned;
}

function move(coins: Map<Address, Coins>, address: Address, tfuelWei: bigint, thetaWei = 0n): void {
  const owned = owner(coins, address);
  owned.tfuelWei += tfuelWei;
  owned.thetaWei += thetaWei;
}

function apply(coins: Map<Address, Coins>, transaction: Transaction, index: number): Receipt {
  for (const { address } of transaction.signers) owner(coins, address).nonce += 1n;
  if (transaction.envelope === "ethereum") {
    const decoded = decodeEthereumEnvelope(transaction.encoded);
    if (decoded.ok && decoded.value.transaction.to !== null) {
      const { to, value } = decoded.value.transaction;
      move(coins, transaction.payer, -value);
      move(coins, to, value);
    }
  } else {
    const decoded = decodeThetaTransaction(transaction.encoded.subarray(1));
    if (decoded.ok && decoded.value.type === "send") {
      for (const { address, coins: amount } of decoded.value.inputs)
        move(coins, address, -amount.tfuelWei, -amount.thetaWei);
      for (const { address, coins: amount } of decoded.value.outputs)
        move(coins, address, amount.tfuelWei, amount.thetaWei);
    }
  }
  return {
    transactionHash: transaction.hash,
    status: 1,
    gasUsed: gasPerTransfer,
    cumulativeGasUsed: gasPerTransfer * BigInt(index + 1),
    gasPrice: 1_000_000_000n,
    fee: gasPerTransfer * 1_000_000_000n,
    logs: [],
    logsBloom: new Uint8Array(256),
    contractAddress: null,
    returnData: emptyBytes,
    failure: "",
  };
}
