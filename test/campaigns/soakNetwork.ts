import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { assert } from "../../base/assert.ts";
import type { Digest } from "../../base/brand.ts";
import { hexToBytes } from "../../base/bytes.ts";
import { scryptLight } from "../../crypto/kdf.ts";
import { loadConfig, type Config } from "../../node/config.ts";
import { openGenesis } from "../../node/genesis.ts";
import { chainIdOf } from "../../node/init.ts";
import { openValidatorKeys, type ValidatorKeys } from "../../node/keys.ts";
import type { Log } from "../../node/log.ts";
import { nodeName, writeNetwork } from "../../node/networkFolders.ts";
import { LedgerNode } from "../../node/node.ts";
import { pause, systemClock } from "../../p2p/clock.ts";
import { keySigner, signEthereumTransfer, type Signer } from "../../sdk/wallet.ts";
import { memoryAddress, processNet, transportOf } from "../fakes/memoryHost.ts";

/*
 * Four validators in one process, each a whole node with its store on disk: what is not the program
 * is the network and the signatures (test/campaigns/soakHooks.ts).
 */

const chainName = "soak";
const password = "soak";
const coin = 10n ** 18n;

/** Heights whose state stays: few, so that pruning is at work all the time. */
export const retainedHeights = 64;

/** Blocks behind the highest at which a node is back among the others. */
const togetherBlocksMax = 32;

/** How often it is looked whether all are together, in milliseconds. */
const lookMs = 50;

/** Committed hashes that are compared between nodes; who is further behind is not compared. */
const comparedMax = 20_000;

/** A network whose nodes are stopped, cut off and started again while it goes on. */
export class SoakNetwork {
  readonly #nodes: SoakNode[];
  readonly #hashes = new Map<number, Digest>();
  readonly #waiting = new Set<{ readonly height: number; readonly resolve: () => void }>();
  #height = 0;
  #failure: Error | null = null;

  private constructor(nodes: SoakNode[]) {
    this.#nodes = nodes;
  }

  /** Makes keys, genesis and folders, and starts every node. */
  static async start(folder: string, count: number): Promise<SoakNetwork> {
    const signers = Array.from({ length: count }, (_, i) =>
      keySigner(new Uint8Array(32).fill(i + 1)),
    );
    await writeNetwork(folder, {
      chainName,
      kind: "development",
      timestampMs: Date.now() - 60_000,
      funded: signers.map(({ address }) => ({
        address,
        coins: { thetaWei: 0n, tfuelWei: 1_000_000n * coin },
      })),
      places: signers.map((_, i) => ({
        dialled: memoryAddress(nodeName(i)),
        listen: memoryAddress(nodeName(i)),
        rpcPort: 0,
      })),
      password,
      cost: scryptLight,
      keepPassword: false,
      isPortable: false,
    });
    const nodes: SoakNode[] = [];
    const network = new SoakNetwork(nodes);
    for (const [i, signer] of signers.entries()) {
      const name = nodeName(i);
      const peers = signers.flatMap((_, other) =>
        other === i ? [] : [memoryAddress(nodeName(other))],
      );
      const keys = await openValidatorKeys(join(folder, name), () => Promise.resolve(password));
      assert(keys !== null, "a validator has keys");
      const config = loadConfig({
        folder: join(folder, name),
        overrides: [
          ["rpc.enabled", false],
          ["p2p.peers", peers],
          ["consensus.blockIntervalMsMin", 0],
          ["consensus.blockIntervalMsIdle", 0],
          ["storage.retainedHeights", retainedHeights],
        ],
        environment: {},
      });
      nodes.push(new SoakNode({ name, config, keys, signer, network }));
    }
    await Promise.all(nodes.map((node) => node.start()));
    return network;
  }

  get nodes(): readonly SoakNode[] {
    return this.#nodes;
  }

  /** Highest height that some node has committed. */
  get height(): number {
    return this.#height;
  }

  /** Resolves when some node has committed that height; throws once a node has failed. */
  async reaches(height: number): Promise<void> {
    if (this.#failure === null && this.#height < height) {
      await new Promise<void>((resolve) => this.#waiting.add({ height, resolve }));
    }
    if (this.#failure !== null) throw this.#failure;
  }

  /** Resolves when every node is where the others are; throws if one is not in time. */
  async together(deadlineMs: number): Promise<void> {
    const untilMs = performance.now() + deadlineMs;
    for (;;) {
      if (this.#failure !== null) throw this.#failure;
      const away = this.#nodes.find(({ height }) => height < this.#height - togetherBlocksMax);
      if (away === undefined) return;
      if (performance.now() > untilMs)
        throw new Error(`${away.name} stays at ${away.height}, the others are at ${this.#height}`);
      await pause(systemClock, lookMs, new AbortController().signal);
    }
  }

  /** Parts groups of nodes from each other, until `heal`. */
  partition(groups: readonly (readonly SoakNode[])[]): void {
    for (const group of groups) {
      for (const other of groups) {
        if (other === group) continue;
        for (const a of group) {
          for (const b of other) processNet.cut(transportOf(a.name), transportOf(b.name));
        }
      }
    }
  }

  heal(): void {
    for (const a of this.#nodes) {
      for (const b of this.#nodes) {
        if (a !== b) processNet.heal(transportOf(a.name), transportOf(b.name));
      }
    }
  }

  /** Bytes of all nodes' caches of trie nodes, which fill up to a limit of their own. */
  async cacheBytes(): Promise<number> {
    let sum = 0;
    for (const node of this.#nodes) sum += await node.cacheBytes();
    return sum;
  }

  /** Bytes of all files of all nodes. */
  diskBytes(): number {
    return this.#nodes.reduce((sum, { folder }) => sum + bytesBelow(folder), 0);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()));
  }

  /** A node has committed a block: every other has, or will have, the same there. */
  onCommitted(height: number, hash: Digest): void {
    const known = this.#hashes.get(height);
    if (known !== undefined && known !== hash)
      return this.fail(new Error(`two blocks at height ${height}: ${known} and ${hash}`));
    this.#hashes.set(height, hash);
    this.#hashes.delete(height - comparedMax);
    if (height <= this.#height) return;
    this.#height = height;
    this.#nodes[height % this.#nodes.length]?.pay();
    this.#wake();
  }

  fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  #wake(): void {
    for (const waiting of this.#waiting) {
      if (this.#failure === null && this.#height < waiting.height) continue;
      this.#waiting.delete(waiting);
      waiting.resolve();
    }
  }
}

/** One validator, and a client of it that sends a transfer when its turn comes. */
export class SoakNode {
  readonly name: string;
  readonly folder: string;
  readonly #config: Config;
  readonly #keys: ValidatorKeys;
  readonly #signer: Signer;
  readonly #network: SoakNetwork;
  #node: LedgerNode | null = null;
  #isPaying = false;

  constructor(options: {
    readonly name: string;
    readonly config: Config;
    readonly keys: ValidatorKeys;
    readonly signer: Signer;
    readonly network: SoakNetwork;
  }) {
    this.name = options.name;
    this.folder = options.config.folder;
    this.#config = options.config;
    this.#keys = options.keys;
    this.#signer = options.signer;
    this.#network = options.network;
  }

  async start(): Promise<void> {
    assert(this.#node === null, "a node is started once");
    this.#node = await LedgerNode.open({
      config: this.#config,
      genesis: openGenesis(this.#config),
      keys: this.#keys,
      allowMissingSafetyFile: false,
      secondPortOptional: false,
      devnet: null,
      log: quietLog((message) => this.#network.fail(new Error(`${this.name}: ${message}`))),
      events: {
        onCommitted: ({ hash, block }) => this.#network.onCommitted(block.header.height, hash),
        onFailure: (error) => this.#network.fail(error),
      },
    });
    await this.#node.start();
  }

  /** Nobody is told: its links break first, in the midst of whatever it does. */
  async stop(): Promise<void> {
    const node = this.#node;
    this.#node = null;
    if (node === null) return;
    await transportOf(this.name).stop();
    await node.stop();
    // What observes this process for its metrics stays, and would keep the whole node.
    node.metrics.registry.clear();
  }

  /** Committed height; 0 while it is stopped. */
  get height(): number {
    return this.#node?.api.head().header.height ?? 0;
  }

  /** 0 while it is stopped. */
  async cacheBytes(): Promise<number> {
    const gauge = this.#node?.metrics.registry.getSingleMetric("ledger_state_cache_bytes");
    const read = await gauge?.get();
    return read?.values[0]?.value ?? 0;
  }

  /** Sends a transfer, unless one is on its way into the pool. */
  pay(): void {
    const node = this.#node;
    if (node === null || this.#isPaying) return;
    this.#isPaying = true;
    void this.#send(node).then(
      () => (this.#isPaying = false),
      () => (this.#isPaying = false), // It stops; the next start pays on.
    );
  }

  async #send({ api }: LedgerNode): Promise<void> {
    const { address } = this.#signer;
    const { raw } = signEthereumTransfer(this.#signer, {
      chainId: chainIdOf(chainName),
      nonce: api.pendingAccount(address).nonce,
      to: address,
      value: 1n,
      maxFeePerGas: 10n ** 12n,
      maxPriorityFeePerGas: 0n,
    });
    await api.submit([{ envelope: "ethereum", raw: hexToBytes(raw) }], { local: true });
  }
}

/** Says nothing but that something is broken. */
function quietLog(onError: (message: string) => void): Log {
  const log: Log = {
    error: (message, values) => onError(`${message} ${JSON.stringify(values ?? {})}`),
    warn: () => {},
    info: () => {},
    debug: () => {},
    child: () => log,
    status: () => false,
    flush: () => {},
  };
  return log;
}

function bytesBelow(folder: string): number {
  let sum = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    // A file that the engine has just removed counts nothing.
    sum += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0;
  }
  return sum;
}
