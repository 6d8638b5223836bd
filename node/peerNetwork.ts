import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AssertionError } from "../base/assert.ts";
import { hexToBytes } from "../base/bytes.ts";
import { NodeError } from "../base/nodeError.ts";
import { isQuorum, stakeTotal } from "../consensus/committee.ts";
import type { Observe } from "../p2p/events.ts";
import { createP2pHost } from "../p2p/host.ts";
import type { Network } from "../p2p/network.ts";
import { textToPeerId } from "../p2p/peerId.ts";
import type { Ban } from "../p2p/peers.ts";
import type { Chain } from "./chain.ts";
import type { Config } from "./config.ts";
import type { GenesisNames } from "./genesis.ts";
import type { ValidatorKeys } from "./keys.ts";
import type { Log } from "./log.ts";
import { openNodeKey } from "./nodeKey.ts";
import { decodeIdentity, encodeIdentity, ValidatorPeers } from "./validatorPeers.ts";

/** Name of the file in the data folder that keeps good addresses and bans over a restart. */
const peersName = "peers.json";

/** How often it is written, in milliseconds. */
const keepIntervalMs = 60_000;

/**
 * How long after its start a node does not complain that others are missing, in milliseconds: they
 * may be starting too.
 */
const graceMs = 5_000;

/** Largest such file that is read, in bytes. */
const peersBytesMax = 4 * 1024 * 1024;

/** What a node's network is opened with. */
export type PeerNetworkOptions = {
  readonly config: Config;
  readonly genesis: GenesisNames;
  readonly keys: ValidatorKeys | null;
  readonly chain: Chain;
  /** Names the rules that this program follows at the head, 32 bytes. */
  readonly runtime: () => Uint8Array;
  readonly log: Log;
  readonly onFailure: (error: unknown) => void;
};

/** The network of one node with who is who in it; topics and protocols are opened by others. */
export class PeerNetwork {
  readonly network: Network;
  readonly validators = new ValidatorPeers();
  readonly #options: PeerNetworkOptions;
  #timer: NodeJS.Timeout | null = null;
  #grace: NodeJS.Timeout | null = null;
  /** Until others had time to connect, and from the stop on, nobody is missed. */
  #missesNobody = true;
  #hasQuorum = true;

  private constructor(options: PeerNetworkOptions, network: Network) {
    this.#options = options;
    this.network = network;
    const { genesis } = options;
    network.watch({
      joined: (peer, hello) => {
        const key = decodeIdentity(genesis.hash, peer, hello.status);
        if (key !== null) this.validators.add(peer, key);
        this.#tellQuorum();
      },
      left: (peer) => {
        this.validators.remove(peer);
        this.#tellQuorum();
      },
    });
  }

  /** Makes the host; it neither listens nor dials yet. */
  static async open(options: PeerNetworkOptions): Promise<PeerNetwork> {
    const { config, genesis, keys, runtime } = options;
    const seed = openNodeKey(config.dataFolder);
    const kept = readKept(config.dataFolder);
    let status: Uint8Array = new Uint8Array(0);
    const { connectionsMax } = config.p2p;
    const network = await createP2pHost({
      seed,
      listen: config.p2p.listen,
      announce: config.p2p.announce,
      mdns: config.p2p.mdns,
      bootstrap: config.p2p.peers,
      anchors: kept.anchors,
      bans: kept.bans,
      connectionsMax,
      inboundConnectionsMax: Math.max(1, Math.floor((connectionsMax * 3) / 4)),
      chain: { genesis: hexToBytes(genesis.hash), runtime, status: () => status },
      observe: createObserver(options),
    });
    if (keys !== null) status = encodeIdentity(genesis.hash, network.self, keys);
    return new PeerNetwork(options, network);
  }

  /** Listens and dials. */
  async start(): Promise<void> {
    await this.network.start();
    this.#timer = setInterval(() => this.#keep(), keepIntervalMs);
    this.#options.log.info("listening for nodes", { addresses: this.network.addresses() });
    this.#grace = setTimeout(() => {
      this.#missesNobody = false;
      this.#tellQuorum();
    }, graceMs);
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    if (this.#grace !== null) clearTimeout(this.#grace);
    this.#timer = null;
    this.#missesNobody = true;
    this.#keep();
    await this.network.stop();
  }

  /** One sentence while connected validators are too few to commit; `null` otherwise. */
  quorumFault(): string | null {
    const { validators } = this.#options.chain.epoch.committee;
    if (this.#connectedStake() === null) return null;
    const connected = this.#connected().length;
    return `${connected} of ${validators.length} validators are connected, too few to commit`;
  }

  #connected(): readonly bigint[] {
    const { chain, keys } = this.#options;
    return chain.epoch.committee.validators.flatMap(({ blsKey, address, stake }) =>
      address === keys?.address || this.validators.of(blsKey).length > 0 ? [stake] : [],
    );
  }

  /** The stake that can be reached if it is no quorum. Who only follows need not reach any. */
  #connectedStake(): bigint | null {
    const { chain, keys } = this.#options;
    const { committee } = chain.epoch;
    if (!committee.validators.some(({ address }) => address === keys?.address)) return null;
    const stake = this.#connected().reduce((sum, each) => sum + each, 0n);
    return isQuorum(stake, stakeTotal(committee)) ? null : stake;
  }

  #tellQuorum(): void {
    if (this.#missesNobody) return;
    const { log, chain } = this.#options;
    const fault = this.quorumFault();
    if ((fault === null) === this.#hasQuorum) return;
    this.#hasQuorum = fault === null;
    const height = chain.head.header.height;
    // Whoever was told that it stands is told the end of it, at any level that showed the former.
    if (fault === null) log.warn("enough validators are connected: the chain goes on", { height });
    else log.warn(`${fault}: the chain stands until more are there`, { height });
  }

  #keep(): void {
    const { config, log } = this.#options;
    const path = join(config.dataFolder, peersName);
    const text = JSON.stringify({ anchors: this.network.anchors(), bans: this.network.bans() });
    try {
      writeFileSync(`${path}.new`, `${text}\n`, { mode: 0o600 });
      renameSync(`${path}.new`, path);
    } catch (error) {
      log.warn("the list of peers cannot be kept", { error });
    }
  }
}

/** Makes lines of the log of what the network tells. */
function createObserver({ log, onFailure }: PeerNetworkOptions): Observe {
  let isClockTold = false;
  return (event) => {
    switch (event.type) {
      case "peerJoined":
        return log.info("peer joined", { peer: event.peer, address: event.address });
      case "peerLeft":
        return log.info("peer left", { peer: event.peer });
      case "peerBanned":
        return log.warn("peer banned", { peer: event.peer });
      case "peerMisbehaved": {
        const { peer, misbehaviour, detail } = event;
        return log.warn("peer misbehaved", { peer, misbehaviour, detail });
      }
      case "handlerThrew":
        // A bug, or a disk that fails: nothing here may be relied on any more.
        if (event.error instanceof AssertionError || event.error instanceof NodeError) {
          return onFailure(event.error);
        }
        return log.error("a message was dropped on a bug", {
          name: event.name,
          error: event.error,
        });
      case "messageDropped":
        return log.debug("message dropped", { name: event.name, reason: event.reason });
      case "peerConnected":
        return log.debug("peer connected", { peer: event.peer, direction: event.direction });
      case "dialFailed": {
        const { address } = event;
        const why = reasonsOf(event.error);
        if (why.includes("not valid yet") && !isClockTold) {
          isClockTold = true;
          log.warn("a peer's clock is an hour ahead of this machine's, so they cannot connect", {
            address,
          });
        }
        return log.debug("nobody answers", { address, why });
      }
    }
  };
}

/** Errors that are looked through for the reason of one. */
const reasonsMax = 6;

/** What an error says with its causes. */
function reasonsOf(error: unknown): string {
  const reasons: string[] = [];
  for (let at = error; at instanceof Error && reasons.length < reasonsMax; at = at.cause)
    reasons.push(at.message, ...(at instanceof AggregateError ? at.errors.map(String) : []));
  return reasons.join(": ");
}

type Kept = { readonly anchors: readonly string[]; readonly bans: readonly Ban[] };

const nothingKept: Kept = { anchors: [], bans: [] };

/** What an earlier run kept; a file that is damaged is as good as none. */
function readKept(dataFolder: string): Kept {
  const path = join(dataFolder, peersName);
  if (!existsSync(path)) return nothingKept;
  try {
    const text = readFileSync(path, "utf8");
    if (text.length > peersBytesMax) return nothingKept;
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return nothingKept;
    const { anchors, bans } = value as { readonly anchors?: unknown; readonly bans?: unknown };
    return { anchors: listOf(anchors, readAddress), bans: listOf(bans, readBan) };
  } catch {
    return nothingKept; // Cut off by a crash.
  }
}

function listOf<T>(value: unknown, read: (item: unknown) => T | null): readonly T[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((item: unknown) => {
    const found = read(item);
    return found === null ? [] : [found];
  });
}

function readAddress(item: unknown): string | null {
  return typeof item === "string" && item.startsWith("/") ? item : null;
}

function readBan(item: unknown): Ban | null {
  if (typeof item !== "object" || item === null) return null;
  if (!("peer" in item && "leftMs" in item && "count" in item)) return null;
  const { peer, leftMs, count } = item;
  if (typeof peer !== "string" || peer === "" || peer.length > 128) return null;
  if (typeof leftMs !== "number" || typeof count !== "number") return null;
  return { peer: textToPeerId(peer), leftMs, count };
}
