import { isIP } from "node:net";
import { join } from "node:path";
import { NodeError } from "../base/nodeError.ts";
import type { ParameterValue } from "../ledger/parameters.ts";
import { networkSizeMax, nodeName, writeNetwork, type NodePlace } from "./networkFolders.ts";
import type { NodeOptions } from "./options.ts";

/** Where the RPC server of every node listens, on its own machine; on one machine, the first's. */
const rpcPort = 16_888;

/** Highest port there is. */
const portMax = 65_535;

/**
 * `ledger testnet`: one folder for each validator of a new network. With `hosts` each node has a
 * machine of its own; without, all have this one, on ports that follow each other.
 */
export async function makeTestnet(
  options: NodeOptions & {
    readonly output: string;
    readonly validators: number;
    readonly chain: string;
    /** Names or addresses of the machines, in the order of the folders; none: this machine. */
    readonly hosts: readonly string[];
    readonly p2pPort: number;
    /** Chain parameters that are not to have their defaults. */
    readonly parameters: ReadonlyMap<string, ParameterValue>;
  },
): Promise<void> {
  const { output, validators, hosts, p2pPort, json, print } = options;
  if (validators < 1 || validators > networkSizeMax)
    throw new NodeError("E_CONFIG", `a testnet has 1 to ${networkSizeMax} validators`);
  if (hosts.length > 0 && hosts.length !== validators)
    throw new NodeError("E_CONFIG", `${hosts.length} hosts for ${validators} validators`, {
      hint: "name each machine once, in the order of the folders: --hosts=a,b,c",
    });
  for (const [i, host] of hosts.entries()) {
    if (!/^[\w.:-]{1,253}$/.test(host))
      throw new NodeError("E_CONFIG", `--hosts: "${host.slice(0, 80)}" is no name or address`);
    if (hosts.indexOf(host) !== i)
      throw new NodeError("E_CONFIG", `--hosts names ${host} twice: their ports would be the same`);
  }
  if (p2pPort < 1 || p2pPort + validators > portMax)
    throw new NodeError("E_CONFIG", `--p2p-port ${p2pPort} is not a port`);
  const places = hosts.length === 0 ? placesHere(validators, p2pPort) : placesOf(hosts, p2pPort);
  const genesis = await writeNetwork(output, {
    chainName: options.chain,
    kind: "private",
    timestampMs: Date.now(),
    funded: [],
    parameters: options.parameters,
    places,
    password: await options.password("Password for the new keys"),
    keepPassword: false,
    isPortable: true,
  });
  const nodes = places.map(({ dialled, rpcPort: port }, i) => {
    const [name, rpc] = [nodeName(i), `http://127.0.0.1:${port}/rpc`];
    return { name, folder: join(output, name), p2p: dialled, rpc };
  });
  if (json) {
    for (const node of nodes) print(JSON.stringify({ ...node, genesis: genesis.hash }));
    return;
  }
  const width = Math.max(...nodes.map(({ p2p }) => p2p.length)) + 2;
  print(`${"node".padEnd(8)}${"peers at".padEnd(width)}${"RPC, there".padEnd(29)}folder`);
  for (const { name, p2p, rpc, folder } of nodes)
    print(`${name.padEnd(8)}${p2p.padEnd(width)}${rpc.padEnd(29)}${folder}`);
  print(`genesis ${genesis.hash}`);
  const next =
    hosts.length === 0
      ? "start each in a terminal of its own"
      : "carry each folder to its machine, never to two, and start it there";
  print(`next: ${next}: ledger start --config=FOLDER`);
  print("  each asks for the password; LEDGER_PASSWORD or --password-file answers for you");
  print("  blocks come as soon as more than two thirds of them run");
}

/** All on this machine: ports that follow each other, those for RPC beside those for peers. */
export function placesHere(count: number, firstPort: number): readonly NodePlace[] {
  const places: NodePlace[] = [];
  for (let port = rpcPort; places.length < count; port += 1) {
    if (port >= firstPort && port < firstPort + count) continue;
    const address = `/ip4/127.0.0.1/tcp/${firstPort + places.length}`;
    places.push({ dialled: address, listen: address, rpcPort: port });
  }
  return places;
}

/** Each on a machine of its own, on the same ports. */
function placesOf(hosts: readonly string[], port: number): readonly NodePlace[] {
  return hosts.map((host) => {
    const kinds = { 0: "dns", 4: "ip4", 6: "ip6" } as const;
    const kind = kinds[isIP(host) as keyof typeof kinds];
    const any = kind === "ip6" ? "/ip6/::" : "/ip4/0.0.0.0";
    return { dialled: `/${kind}/${host}/tcp/${port}`, listen: `${any}/tcp/${port}`, rpcPort };
  });
}
