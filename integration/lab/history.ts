import { waitFor, ledger } from "../harness.ts";
import { Load } from "../crash/load.ts";
import type { LabCluster, LabNode } from "./cluster.ts";

/*
 * What clients did while things went wrong, held against what every node has in the end: whatever a
 * node accepted is in one block, the same on all nodes, and all nodes have the same chain.
 */

/** Longest until everything accepted is committed once all is well again, in milliseconds. */
const settleMsMax = 120_000;

/** Private keys of the accounts that every devnet funds, in their order. */
export type Keys = readonly string[];

/** Clients of several nodes at once. */
export class History {
  readonly #loads: readonly Load[];

  /** One client for each of these nodes, each with an account of its own. */
  constructor(nodes: readonly LabNode[], keys: Keys, chain: string) {
    this.#loads = nodes.map((node, i) => {
      const load = new Load(keys.slice(i, i + 1), chain, "committed");
      load.start(node.url);
      return load;
    });
  }

  /** Transfers that were accepted so far. */
  get accepted(): number {
    return this.#loads.reduce((sum, { told }) => sum + told.accepted.size, 0);
  }

  /**
   * Ends the clients and compares. Gives how many transfers it found in every node's chain.
   */
  async check(cluster: LabCluster): Promise<number> {
    await Promise.all(this.#loads.map((load) => load.stop()));
    const running = cluster.nodes.filter((node) => node.isRunning);
    let found = 0;
    for (const { told } of this.#loads) {
      for (const hash of told.accepted) {
        const blocks = new Set<string>();
        for (const { name, client } of running) {
          await waitFor(
            `${name} has committed ${hash}`,
            async () => {
              const { status, blockHash, failure } = await client.transaction(hash);
              if (status === "finalized") blocks.add(`${blockHash} ${failure}`);
              return status === "finalized";
            },
            settleMsMax,
          );
        }
        if (blocks.size !== 1) throw new Error(`${hash} is in ${[...blocks].join(" and ")}`);
        found += 1;
      }
    }
    await sameChain(running);
    return found;
  }
}

/** Throws if two nodes have different blocks at a height that both have. */
async function sameChain(nodes: readonly LabNode[]): Promise<void> {
  const heights = await Promise.all(nodes.map((node) => node.height()));
  const height = `0x${Math.min(...heights).toString(16)}`;
  const seen = new Map<string, string>();
  for (const { name, client } of nodes) {
    const block: unknown = await client.call("eth_getBlockByNumber", [height, false]);
    const hash = typeof block === "object" && block !== null && "hash" in block ? block.hash : null;
    seen.set(name, String(hash));
  }
  if (new Set(seen.values()).size !== 1)
    throw new Error(`different blocks at ${height}: ${JSON.stringify([...seen])}`);
}

/** Recounts what a stopped node has on disk; throws with what is wrong. */
export async function checkFolder(node: LabNode): Promise<void> {
  const { exit, out, err } = await ledger(["check", "--config", node.folder, "--json"]);
  if (exit !== 0) throw new Error(`${node.name}: ${out}${err}`);
}
