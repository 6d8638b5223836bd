import { spawnSync } from "node:child_process";

/*
 * Hosts of a network that exists only here: each a network namespace with one link to a bridge,
 * which is a namespace of its own. The test process has a link to it too, so that it can ask every
 * host whatever is cut between them. Needs root, iproute2 and nftables (`integration/requires.ts`).
 */

/** Most hosts of one network. */
const hostsMax = 31;

/** Longest run of one of the programs that make hosts and links. */
const commandMsMax = 10_000;

function sh(command: string, ...argv: readonly string[]): void {
  const { status, stderr } = spawnSync(command, argv, { encoding: "utf8", timeout: commandMsMax });
  if (status !== 0) throw new Error(`${command} ${argv.join(" ")}: ${stderr.trim()}`);
}

/** A network of hosts; `close` removes all of it. */
export class LabNetwork {
  readonly #name: string;
  readonly #subnet: string;
  readonly #bridge: string;
  #count = 0;
  /** From whom each host takes nothing. */
  readonly #dropped = new Map<number, Set<number>>();

  /** The process id keeps two networks on one machine apart, in names and in addresses. */
  constructor() {
    this.#name = `lab${process.pid}`;
    this.#subnet = `10.77.${process.pid % 256}`;
    this.#bridge = `${this.#name}s`;
    sh("ip", "netns", "add", this.#bridge);
    this.#inBridge("ip", "link", "add", "br0", "type", "bridge");
    this.#inBridge("ip", "link", "set", "br0", "up");
    const own = `l${process.pid}r`;
    this.#plug(own);
    sh("ip", "addr", "add", `${this.#subnet}.254/24`, "dev", own);
    sh("ip", "link", "set", own, "up");
  }

  /** Adds a host and gives its number, from 0. */
  add(): number {
    const host = this.#count;
    if (host >= hostsMax) throw new Error(`a lab has at most ${hostsMax} hosts`);
    this.#count += 1;
    const space = this.#space(host);
    const link = `l${process.pid}h${host}`;
    sh("ip", "netns", "add", space);
    this.#plug(link);
    sh("ip", "link", "set", link, "netns", space, "name", "eth0");
    this.#in(host, "ip", "addr", "add", `${this.address(host)}/24`, "dev", "eth0");
    this.#in(host, "ip", "link", "set", "eth0", "up");
    this.#in(host, "ip", "link", "set", "lo", "up");
    this.#in(host, "nft", "add", "table", "inet", "lab");
    const chain = "{ type filter hook input priority 0; }";
    this.#in(host, "nft", "add", "chain", "inet", "lab", "input", chain);
    return host;
  }

  /** IPv4 address of a host. */
  address(host: number): string {
    return `${this.#subnet}.${host + 1}`;
  }

  /** The command line that runs another one on a host: it keeps its process id. */
  on(host: number, command: string, argv: readonly string[]): readonly string[] {
    return ["ip", "netns", "exec", this.#space(host), command, ...argv];
  }

  /** `to` gets nothing from `from` any more; the other way is open. */
  cutOneWay(from: number, to: number): void {
    const dropped = this.#dropped.get(to) ?? new Set();
    this.#dropped.set(to, dropped.add(from));
    this.#applyDrops(to);
  }

  /** Nothing passes between a host of one group and a host of another. */
  partition(...groups: readonly (readonly number[])[]): void {
    this.heal();
    for (const group of groups) {
      const others = groups.filter((other) => other !== group).flat();
      for (const host of group) {
        this.#dropped.set(host, new Set(others));
        this.#applyDrops(host);
      }
    }
  }

  /** Everything passes everywhere again. */
  heal(): void {
    const cut = [...this.#dropped.keys()];
    this.#dropped.clear();
    for (const host of cut) this.#applyDrops(host);
  }

  /** Removes hosts and links; what still runs on them loses its network. */
  close(): void {
    for (let host = 0; host < this.#count; host += 1) {
      spawnSync("ip", ["netns", "del", this.#space(host)], { timeout: commandMsMax });
    }
    spawnSync("ip", ["netns", "del", this.#bridge], { timeout: commandMsMax });
    spawnSync("ip", ["link", "del", `l${process.pid}r`], { timeout: commandMsMax });
  }

  #applyDrops(host: number): void {
    this.#in(host, "nft", "flush", "chain", "inet", "lab", "input");
    const from = [...(this.#dropped.get(host) ?? [])].map((other) => this.address(other));
    if (from.length === 0) return;
    const set = `{ ${from.join(", ")} }`;
    const rule = ["ip", "saddr", set, "drop"];
    this.#in(host, "nft", "add", "rule", "inet", "lab", "input", ...rule);
  }

  /** Makes a pair of links, one end of it on the bridge; the other is named `link`. */
  #plug(link: string): void {
    const peer = `${link}b`;
    sh("ip", "link", "add", link, "type", "veth", "peer", "name", peer);
    sh("ip", "link", "set", peer, "netns", this.#bridge);
    this.#inBridge("ip", "link", "set", peer, "master", "br0");
    this.#inBridge("ip", "link", "set", peer, "up");
  }

  #space(host: number): string {
    return `${this.#name}h${host}`;
  }

  #in(host: number, command: string, ...argv: readonly string[]): void {
    const [first = "", ...rest] = this.on(host, command, argv);
    sh(first, ...rest);
  }

  #inBridge(command: string, ...argv: readonly string[]): void {
    sh("ip", "netns", "exec", this.#bridge, command, ...argv);
  }
}
