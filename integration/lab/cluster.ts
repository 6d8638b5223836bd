import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LedgerClient } from "../../sdk/client.ts";
import { childEnvironment, endProcess, launchLedger, ledger, root, waitFor } from "../harness.ts";
import { LabNetwork } from "./hosts.ts";
import type { LinkRule } from "./linkProxy.ts";
import { SmallDisk } from "./smallDisk.ts";

/*
 * A ledger network on hosts of its own: one real process on each, which the others know by the
 * host's address. What a test does to a node it does to the process or to its links.
 */

const peerPort = 16_890;
/** Where a node listens behind the proxy that delays what reaches it. */
const hiddenPort = 16_891;
const rpcPort = 16_888;

/** Longest time until a node answers, in milliseconds: several derive keys on one machine. */
const answerMsMax = 120_000;

/** How the links of a cluster are made. */
export type ClusterOptions = {
  readonly folder: string;
  readonly validators: number;
  /** A proxy before each node's port; needed for `delay`. */
  readonly withProxies?: boolean;
  /** Settings of every node, as for `--set`. */
  readonly settings?: readonly string[];
};

/** One node of a cluster. */
export class LabNode {
  readonly name: string;
  readonly host: number;
  readonly folder: string;
  readonly url: string;
  readonly client: LedgerClient;
  readonly #network: LabNetwork;
  readonly #settings: readonly string[];
  #child: ChildProcess | null = null;
  #disk: SmallDisk | null = null;
  #log = "";

  constructor(options: {
    readonly name: string;
    readonly host: number;
    readonly folder: string;
    readonly network: LabNetwork;
    readonly settings: readonly string[];
  }) {
    this.name = options.name;
    this.host = options.host;
    this.folder = options.folder;
    this.#network = options.network;
    this.#settings = options.settings;
    this.url = `http://${options.network.address(options.host)}:${rpcPort}/rpc`;
    this.client = new LedgerClient({ url: this.url, timeoutMs: 5_000 });
  }

  /** All that it has logged, over its restarts. */
  get log(): string {
    return this.#log;
  }

  get isRunning(): boolean {
    return this.#child !== null;
  }

  /** Starts the process; with `command` another program than `bin/ledger start`. */
  start(): void {
    if (this.#child !== null) throw new Error(`${this.name} runs already`);
    const argv = [
      "start",
      `--config=${this.folder}`,
      `--password-file=${join(this.folder, "key", "password")}`,
      ...this.#settings.flatMap((setting) => ["--set", setting]),
    ];
    const [command = "", ...rest] = this.#network.on(this.host, join(root, "bin", "ledger"), argv);
    const child = spawn(command, rest, {
      stdio: ["ignore", "pipe", "pipe"],
      env: childEnvironment(),
    });
    const keep = (data: Uint8Array): void => {
      this.#log += new TextDecoder().decode(data);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.once("exit", () => {
      if (this.#child === child) this.#child = null;
    });
    this.#child = child;
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const child = this.#child;
    if (child !== null) await endProcess(child, signal);
    this.#child = null;
  }

  /** `SIGSTOP`: the process stands still with its connections open, until `resume`. */
  pause(): void {
    this.#child?.kill("SIGSTOP");
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  /** Puts the store of this node, which is stopped, on a disk of its own until `removeDisk`. */
  moveStore(sizeBytes: number): SmallDisk {
    if (this.isRunning) throw new Error(`${this.name} runs`);
    this.#disk ??= new SmallDisk(join(this.folder, "data", "store"), sizeBytes);
    return this.#disk;
  }

  /** The disk goes, with what is on it; for the end of a cluster. */
  removeDisk(): void {
    this.#disk?.remove();
    this.#disk = null;
  }

  /** Committed height; -1 if it does not answer. */
  async height(): Promise<number> {
    return this.client.status().then(
      ({ height }) => height,
      () => -1,
    );
  }

  /** Resolves when its committed height is at least this. */
  async reaches(height: number, deadlineMs = answerMsMax): Promise<void> {
    try {
      await waitFor(
        `${this.name} at height ${height}`,
        async () => (await this.height()) >= height,
        deadlineMs,
      );
    } catch (error) {
      const tail = this.#log.split("\n").slice(-12).join("\n");
      throw new Error(`${String(error)}; it is at ${await this.height()}\n${tail}`, {
        cause: error,
      });
    }
  }
}

/** A network of validators on their hosts, running once `start` has resolved. */
export class LabCluster {
  readonly network: LabNetwork;
  readonly nodes: LabNode[];
  readonly #proxies: ChildProcess[] = [];
  readonly #options: ClusterOptions;

  private constructor(network: LabNetwork, nodes: LabNode[], options: ClusterOptions) {
    this.network = network;
    this.nodes = nodes;
    this.#options = options;
  }

  /** Makes keys, genesis, hosts and folders, and starts every node. */
  static async start(options: ClusterOptions): Promise<LabCluster> {
    await makeFolders(options);
    const network = new LabNetwork();
    const nodes = Array.from({ length: options.validators }, (_, i) => {
      const host = network.add();
      const name = `node${i + 1}`;
      const folder = join(options.folder, name);
      return new LabNode({ name, host, folder, network, settings: options.settings ?? [] });
    });
    const cluster = new LabCluster(network, nodes, options);
    try {
      moveToHosts(nodes, network, options.withProxies === true);
      if (options.withProxies === true) await cluster.#startProxies();
      for (const node of nodes) node.start();
      for (const node of nodes) await node.reaches(1);
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  /** The node of that number, from 0. */
  node(index: number): LabNode {
    const node = this.nodes[index];
    if (node === undefined) throw new Error(`there is no node ${index}`);
    return node;
  }

  /** Resolves when each of them has committed `blocks` more than the highest has now. */
  async goOn(nodes: readonly LabNode[] = this.nodes, blocks = 3): Promise<void> {
    const heights = await Promise.all(nodes.map((node) => node.height()));
    const goal = Math.max(...heights) + blocks;
    for (const node of nodes) await node.reaches(goal);
  }

  /** A new validator without stake that joins by `ledger init`; not started yet. */
  async addJoining(via: LabNode, password: string): Promise<{ node: LabNode; address: string }> {
    const host = this.network.add();
    const name = `joined${host + 1}`;
    const folder = join(this.#options.folder, name);
    const argv = ["init", `--join=${via.url}`, "--validator", `--config=${folder}`, "--json"];
    const made = await ledger(argv, { environment: { LEDGER_PASSWORD: password } });
    if (made.exit !== 0) throw new Error(made.err);
    const { address } = JSON.parse(made.out) as { readonly address: string };
    writeFileSync(join(folder, "key", "password"), password);
    const path = join(folder, "config.yaml");
    const rpc = `rpc:\n  address: "0.0.0.0"\n  port: ${rpcPort}\n`;
    writeFileSync(path, `${readFileSync(path, "utf8")}${rpc}`);
    const settings = this.#options.settings ?? [];
    const node = new LabNode({ name, host, folder, network: this.network, settings });
    this.nodes.push(node);
    return { node, address };
  }

  /** A copy of a stopped or running node's folder on a host of its own; not started yet. */
  addCopyOf(original: LabNode): LabNode {
    const host = this.network.add();
    const name = `copy${host + 1}`;
    const folder = join(this.#options.folder, name);
    cpSync(original.folder, folder, { recursive: true });
    // Its keys are the same, its address and its name among nodes are not.
    rmSync(join(folder, "data", "node.key"), { force: true });
    const path = join(folder, "config.yaml");
    const own = `/ip4/${this.network.address(host)}/tcp/${peerPort}`;
    writeFileSync(
      path,
      readFileSync(path, "utf8").replace(/listen: \[[^\]]*\]/, `listen: ["${own}"]`),
    );
    const settings = this.#options.settings ?? [];
    const node = new LabNode({ name, host, folder, network: this.network, settings });
    this.nodes.push(node);
    return node;
  }

  /** Sets the rules of what reaches every node. */
  delay(rules: readonly LinkRule[]): void {
    if (this.#options.withProxies !== true) throw new Error("this cluster has no proxies");
    for (const proxy of this.#proxies) proxy.send(rules);
  }

  async close(): Promise<void> {
    for (const node of this.nodes) node.resume();
    await Promise.all(this.nodes.map((node) => node.stop("SIGKILL")));
    for (const node of this.nodes) node.removeDisk();
    for (const proxy of this.#proxies) proxy.kill("SIGKILL");
    this.network.close();
  }

  async #startProxies(): Promise<void> {
    const program = join(root, "integration", "lab", "linkProxy.ts");
    for (const { host } of this.nodes) {
      const address = this.network.address(host);
      const ports = [`${peerPort}`, `${hiddenPort}`];
      const argv = this.network.on(host, process.execPath, [program, address, ...ports]);
      const [command = "", ...rest] = argv;
      const stdio = ["ignore", "inherit", "inherit", "ipc"] as const;
      const proxy = spawn(command, rest, { stdio: [...stdio], env: childEnvironment() });
      this.#proxies.push(proxy);
      await once(proxy, "message");
    }
  }
}

/** Lets `ledger devnet` make the folders of a network, and ends it before it has done more. */
async function makeFolders({ folder, validators }: ClusterOptions): Promise<void> {
  const argv = [`--validators=${validators}`, `--data=${folder}`, "--rpc-port=0", "--eth-port=0"];
  const devnet = await launchLedger(["devnet", ...argv, "--json"]);
  const isMade = (): boolean => devnet.isEnded() || devnet.out().split("\n").length > validators;
  await waitFor("the folders are made", isMade, answerMsMax);
  if (devnet.isEnded()) throw new Error(devnet.err());
  await devnet.stop("SIGINT");
}

/** Writes the hosts' addresses where the folders name ports of one machine. */
function moveToHosts(nodes: readonly LabNode[], network: LabNetwork, isProxied: boolean): void {
  const paths = nodes.map(({ folder }) => join(folder, "config.yaml"));
  const texts = paths.map((path) => readFileSync(path, "utf8"));
  const listens = texts.map((text) => /listen: \["([^"]+)"\]/.exec(text)?.[1] ?? "");
  for (const [i, text] of texts.entries()) {
    let moved = text;
    for (const [other, listen] of listens.entries()) {
      const address = `/ip4/${network.address(other)}/tcp/${peerPort}`;
      moved = moved
        .replaceAll(`${listen}/`, `${address}/`)
        .replaceAll(`"${listen}"`, `"${address}"`);
    }
    if (isProxied) {
      const hidden = `/ip4/127.0.0.1/tcp/${hiddenPort}`;
      const own = `/ip4/${network.address(i)}/tcp/${peerPort}`;
      moved = moved.replace(/listen: \[[^\]]*\]/, `listen: ["${hidden}"]\n  announce: ["${own}"]`);
    }
    moved = moved.replace(/^( +)port: \d+/m, `$1port: ${rpcPort}\n$1address: "0.0.0.0"`);
    writeFileSync(paths[i] ?? "", moved);
  }
}
