import { hexToBytes } from "../base/bytes.ts";
import type { Executor } from "../ledger/execute.ts";
import type { PeerId } from "../p2p/peerId.ts";
import type { Protocol, Served } from "../p2p/protocols.ts";
import type { Verdict } from "../p2p/transport.ts";
import { BlockFetcher } from "./blockFetcher.ts";
import type { CommittedBlock } from "./chain.ts";
import type { DiskStore } from "./diskStore.ts";
import type { Engine } from "./engine.ts";
import { gossipEvidence } from "./evidenceGossip.ts";
import type { EvidencePool } from "./evidencePool.ts";
import { Follower } from "./follower.ts";
import { Inbound, type InboundParts } from "./inbound.ts";
import { emptyCodec, peerMessageCodec, type PeerMessage } from "./messages.ts";
import { PeerOutbound } from "./outbound.ts";
import { PeerNetwork, type PeerNetworkOptions } from "./peerNetwork.ts";
import { Ranges } from "./ranges.ts";
import type { Reads } from "./reads.ts";
import { RollCall } from "./rollCall.ts";
import type { Signer } from "./signer.ts";
import { TransactionGossip } from "./transactionGossip.ts";
import type { TransactionPool } from "./transactionPool.ts";
import { Verifier } from "./verifier.ts";

/** Bytes of a vote or a timeout with its certificates, for the largest committee. */
const statementBytesMax = 16 * 1024;

/** Bytes of a proposal or a proof: what fits a frame. */
const proposalBytesMax = 4 * 1024 * 1024 - 4_096;

/** One-way messages have no answer to wait for; the protocol wants a number. */
const timeoutMs = 5_000;

/** What the network side of a node is made of. */
export type PeeringOptions = Omit<PeerNetworkOptions, "runtime"> & {
  readonly store: DiskStore;
  readonly executor: Executor;
  readonly reads: Reads;
  readonly pool: TransactionPool;
  readonly evidence: EvidencePool;
  /** Told how many signatures of consensus were verified, in how many milliseconds. */
  readonly onChecked: (claims: number, elapsedMs: number) => void;
  readonly onUnused: InboundParts["onUnused"];
};

/** The node that the network is tied to. */
export type NodeBehind = {
  readonly engine: Engine;
  readonly signer: Signer;
  /** Begins consensus where the chain is. */
  readonly begin: () => Promise<void>;
  /** Blocks were committed by following the chain, without consensus. */
  readonly onCommitted: (blocks: readonly CommittedBlock[]) => void;
};

/** A node among others: everything that goes over the network, and the ends of it. */
export class Peering {
  readonly peers: PeerNetwork;
  readonly outbound: PeerOutbound;
  readonly #options: PeeringOptions;
  readonly #fetcher: BlockFetcher;
  readonly #verifier: Verifier;
  readonly #transactions: TransactionGossip;
  readonly #follower: Follower;
  readonly #rollCall: RollCall;
  #inbound: Inbound | null = null;
  #node: NodeBehind | null = null;

  private constructor(options: PeeringOptions, peers: PeerNetwork) {
    const { chain, store, genesis, pool, log, reads, keys } = options;
    const { network, validators } = peers;
    const scope = genesis.hash;
    this.peers = peers;
    this.#options = options;
    this.#verifier = new Verifier(genesis.hash, options.onChecked);
    this.#fetcher = new BlockFetcher(network, { chain, store });
    const isFollowing = (): boolean => this.#node?.engine.isRunning ?? false;
    const parts = { pool, log: log.child("transactions"), isFollowing };
    this.#transactions = new TransactionGossip(network, scope, parts);
    gossipEvidence(network, scope, { evidence: options.evidence, isFollowing });
    this.outbound = new PeerOutbound({
      network,
      chain,
      store,
      reads,
      validators,
      verifier: this.#verifier,
      fetcher: this.#fetcher,
      self: keys?.blsPublicKey ?? null,
      statements: this.#direct("statements", statementBytesMax),
      proposals: this.#direct("proposals", proposalBytesMax),
      gossip: network.topic(scope, "consensus", {
        bytesMax: proposalBytesMax,
        rate: { perSecond: 400, burst: 800 },
        validate: (bytes, from) => this.#onGossip(bytes, from),
      }),
    });
    this.#follower = new Follower({
      genesis,
      network,
      chain,
      store,
      pool,
      verifier: this.#verifier,
      ranges: new Ranges(network, { store, reads }),
      onCommitted: (blocks) => this.#behind().onCommitted(blocks),
      log: log.child("sync"),
      outbound: this.outbound,
      inbound: () => this.#ready(),
      engine: () => this.#behind().engine,
      begin: async () => {
        await this.#behind().begin();
        for (const { peer } of network.peers()) void this.#transactions.onJoined(peer);
      },
      isSole: () => {
        const { validators: members } = chain.epoch.committee;
        return members.length === 1 && members[0]?.address === keys?.address;
      },
      onFailure: options.onFailure,
    });
    this.#rollCall = new RollCall({
      network,
      validators,
      chain,
      self: keys?.blsPublicKey ?? null,
      signer: () => this.#behind().signer,
      beginAgain: (prepare) => this.#follower.beginAgain(prepare),
      log,
    });
    network.watch({ joined: (peer) => void this.#transactions.onJoined(peer) });
  }

  /** Opens the host; nothing listens yet. */
  static async open(options: PeeringOptions): Promise<Peering> {
    const { executor, chain } = options;
    const runtime = (): Uint8Array => hexToBytes(executor.runtimeHash(chain.headState()));
    return new Peering(options, await PeerNetwork.open({ ...options, runtime }));
  }

  /** Ties consensus to the network; once, before the start. */
  attach(node: NodeBehind): void {
    const { genesis, chain, store, pool, onUnused } = this.#options;
    const { engine } = node;
    this.#node = node;
    this.outbound.attach(engine);
    this.#inbound = new Inbound({
      genesis: genesis.hash,
      chain,
      store,
      engine,
      pool,
      verifier: this.#verifier,
      fetcher: this.#fetcher,
      onAhead: () => this.#follower.onAhead(),
      onUnused,
      nowMs: () => Date.now(),
    });
  }

  async start(): Promise<void> {
    await this.peers.start();
    this.#follower.start();
    this.#rollCall.start();
  }

  async stop(): Promise<void> {
    this.#rollCall.stop();
    await this.#follower.stop();
    this.#transactions.stop();
    await this.peers.stop();
  }

  /** How far the node is on its way to the others; `null` once it is there. */
  get progress(): Follower["progress"] {
    return this.#follower.progress;
  }

  /** Why the node should not be sent work; `null` if it follows and enough validators are there. */
  fault(): string | null {
    const { progress } = this;
    if (progress === null) return this.peers.quorumFault();
    return `following the chain: at block ${progress.height} of ${progress.target}`;
  }

  /** Transactions of own clients came in. */
  announce(hashes: Parameters<TransactionGossip["announce"]>[0]): void {
    this.#transactions.announce(hashes);
  }

  #direct(name: string, bytesMax: number): Protocol<PeerMessage, null> {
    return this.peers.network.protocol<PeerMessage, null>(name, {
      request: peerMessageCodec,
      response: emptyCodec,
      requestBytesMax: bytesMax,
      responseBytesMax: 16,
      timeoutMs,
      rate: { perSecond: 1_000, burst: 2_000 },
      concurrencyMax: 16,
      handle: (message, { peer }) => this.#onDirect(message, peer),
    });
  }

  #onDirect(message: PeerMessage, peer: PeerId): Served<null> | Promise<Served<null>> {
    const verdict = this.#ready().receive(message, peer);
    return verdict instanceof Promise
      ? verdict.then((each) => served(each, message))
      : served(verdict, message);
  }

  #onGossip(bytes: Uint8Array, from: PeerId): Verdict | Promise<Verdict> {
    const message = peerMessageCodec.decode(bytes);
    return message.ok ? this.#ready().receive(message.value, from) : "reject";
  }

  #behind(): NodeBehind {
    if (this.#node === null) throw new Error("the network is started after it is attached");
    return this.#node;
  }

  #ready(): Inbound {
    if (this.#inbound === null) throw new Error("the network is started after it is attached");
    return this.#inbound;
  }
}

function served(verdict: Verdict, { type }: PeerMessage): Served<null> {
  return verdict === "reject"
    ? { verdict, reason: `a ${type} that no honest node sends` }
    : { verdict: "ignore" };
}
