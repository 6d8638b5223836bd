import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Address } from "../base/brand.ts";
import { scryptLight } from "../crypto/kdf.ts";
import type { ParameterValue } from "../ledger/parameters.ts";
import { chainIdOf, soleValidatorGenesis, writeNodeFolder } from "../node/init.ts";
import { createValidatorKeys } from "../node/keys.ts";
import { nodeName, writeNetwork } from "../node/networkFolders.ts";
import type { Signer } from "../sdk/wallet.ts";
import { callRpc } from "./rpcClient.ts";
import { benchChainName, senderTfuelWei, senderThetaWei } from "./senders.ts";
import {
  freePort,
  pause,
  projectRoot,
  startServer,
  temporaryFolder,
  type Server,
} from "./server.ts";

/** Password of the benchmark's throw-away keys. */
const password = "bench";

/** Longest wait for the first answer; a genesis of a million accounts takes its time. */
const startMsMax = 600_000;

/** Lines of `config.yaml` with which our node is measured: the defaults, without the access log. */
const nodeConfig: readonly string[] = ["log:", "  level: warn"];

/** Writes the folder of a network of one validator in which every address owns the same coins. */
export async function makeNode(addresses: readonly Address[]): Promise<string> {
  const keys = createValidatorKeys();
  const coins = { thetaWei: senderThetaWei, tfuelWei: senderTfuelWei };
  const genesis = soleValidatorGenesis({
    chainName: benchChainName,
    kind: "development",
    keys,
    timestampMs: Date.now() - 60_000,
    funded: addresses.map((address) => ({ address, coins })),
  });
  const folder = join(temporaryFolder(), "node");
  await writeNodeFolder(folder, { genesis, keys, password, cost: scryptLight, config: nodeConfig });
  return folder;
}

/** Runs `bin/ledger start` on a node's folder. */
export async function startNode(
  folder: string,
  options: { readonly password?: string; readonly flags?: readonly string[] } = {},
): Promise<Server> {
  const port = await freePort();
  return startServer({
    command: join(projectRoot, "bin", "ledger"),
    argv: ["start", `--config=${folder}`, `--rpc-port=${port}`, ...(options.flags ?? [])],
    environment: { LEDGER_PASSWORD: options.password ?? password, ...profiling() },
    port,
    path: "/rpc",
    logPath: join(folder, "output.log"),
    startMsMax,
  });
}

/** A process of a network, which may be started again. */
export type NetworkServer = Server & { readonly again: () => Promise<NetworkServer> };

/**
 * Starts the processes of a network of validators on free ports of this machine; resolves when they
 * commit.
 */
export async function startNetwork(
  count: number,
  options: {
    readonly senders: readonly Signer[];
    /** Chain parameters beside the defaults. */
    readonly parameters?: ReadonlyMap<string, ParameterValue>;
    /** Flags of every node. */
    readonly settings?: readonly string[];
  },
): Promise<readonly NetworkServer[]> {
  const { senders, parameters, settings = [] } = options;
  const folder = temporaryFolder();
  const places = [];
  for (let i = 0; i < count; i += 1) {
    const address = `/ip4/127.0.0.1/tcp/${await freePort()}`;
    places.push({ dialled: address, listen: address, rpcPort: await freePort() });
  }
  const coins = { thetaWei: senderThetaWei, tfuelWei: senderTfuelWei };
  await writeNetwork(folder, {
    chainName: benchChainName,
    kind: "development",
    timestampMs: Date.now() - 60_000,
    funded: senders.map(({ address }) => ({ address, coins })),
    ...(parameters === undefined ? {} : { parameters }),
    places,
    password,
    cost: scryptLight,
    keepPassword: false,
    isPortable: false,
  });
  // One alone needs no network, and is measured without.
  const alone = count === 1 ? ["--set", "p2p.listen="] : [];
  const flags = ["--log-level=warn", ...alone, ...settings];
  const startOne = async (i: number): Promise<NetworkServer> => {
    const server = await startNode(join(folder, nodeName(i)), { password, flags });
    return { ...server, again: () => startOne(i) };
  };
  const servers = await Promise.all(places.map((_, i) => startOne(i)));
  const [first] = servers;
  if (first === undefined) throw new Error("a network has nodes");
  while ((await heightOf(first)) < 4) await pause(50);
  return servers;
}

/** Height of the newest committed block. */
export async function heightOf(server: Server): Promise<number> {
  return Number(await callRpc(server.url, { method: "eth_blockNumber", params: [] }));
}

/**
 * With `LEDGER_BENCH_PROFILE=DIR` the node writes a processor profile of each thread when it stops.
 */
function profiling(): Readonly<Record<string, string>> {
  const folder = process.env["LEDGER_BENCH_PROFILE"];
  if (folder === undefined) return {};
  return { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${folder}` };
}

/** Anvil's flags, each row a setting of the sweep; the first is what the comparison uses. */
export const anvilSettings: Readonly<Record<string, readonly string[]>> = {
  "fifo, pruned": ["--order", "fifo", "--prune-history", "--transaction-block-keeper", "64"],
  "as shipped": [],
  fifo: ["--order", "fifo"],
  "one thread": ["--order", "fifo", "--prune-history", "--threads", "1"],
};

/** Runs anvil with one block a second and the same accounts. */
export async function startAnvil(
  addresses: readonly Address[],
  flags: readonly string[],
): Promise<Server> {
  const folder = temporaryFolder();
  const chainId = chainIdOf(benchChainName);
  const balance = `0x${senderTfuelWei.toString(16)}`;
  const genesis = {
    config: { chainId },
    difficulty: "0x0",
    gasLimit: "0x77359400",
    alloc: Object.fromEntries(addresses.map((address) => [address, { balance }])),
  };
  writeFileSync(join(folder, "genesis.json"), JSON.stringify(genesis));
  const port = await freePort();
  const binary = join("node_modules", "@foundry-rs", "anvil-linux-amd64", "bin", "anvil");
  return startServer({
    command: join(projectRoot, binary),
    argv: [
      `--port=${port}`,
      "--block-time=1",
      "--gas-limit=2000000000",
      `--chain-id=${chainId}`,
      "--accounts=0",
      "--quiet",
      `--init=${join(folder, "genesis.json")}`,
      ...flags,
    ],
    port,
    path: "/",
    logPath: join(folder, "output.log"),
    startMsMax,
  });
}

/** Every sample of `/metrics` by its name and labels; empty for a server that has none. */
export async function readMetrics(server: Server): Promise<ReadonlyMap<string, number>> {
  const samples = new Map<string, number>();
  const response = await fetch(`http://127.0.0.1:${server.port}/metrics`);
  if (!response.ok) return samples;
  for (const line of (await response.text()).split("\n")) {
    if (line.startsWith("#")) continue;
    const space = line.lastIndexOf(" ");
    if (space > 0) samples.set(line.slice(0, space), Number(line.slice(space + 1)));
  }
  return samples;
}
