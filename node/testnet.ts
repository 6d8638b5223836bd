import { isIP } from "node:net";
import { join } from "node:path";
import { NodeError } from "../base/nodeError.ts";
import type { ParameterValue } from "../ledger/parameters.ts";
import { networkSizeMax, nodeName, writeNetwork, type NodePlace } from "./networkFolders.ts";
import type { NodeOptions } from "./options.ts";

/** Where the RPC server of every node listens, on its own machine. */
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
  if (p2pPort < 1 || p2pPort + validators > portMax)
    throw new NodeError("E_CONFIG", `--p2p-port ${p2pPort} is not a port`);
  const places = Array.from({ length: validators }, (_, i) => placeOf(hosts[i], p2pPort, i));
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
  for (const [i, { dialled }] of places.entries()) {
    const folder = join(output, nodeName(i));
    const { hash } = genesis;
    if (json) print(JSON.stringify({ name: nodeName(i), folder, p2p: dialled, genesis: hash }));
    else print(`${nodeName(i).padEnd(8)}${dialled.padEnd(36)}${folder}`);
  }
  if (json) return;
  print(`genesis ${genesis.hash}`);
  print("next: carry each folder to its machine, and there: ledger start --config=FOLDER");
}

function placeOf(host: string | undefined, firstPort: number, index: number): NodePlace {
  if (host === undefined) {
    const address = `/ip4/127.0.0.1/tcp/${firstPort + index}`;
    return { dialled: address, listen: address, rpcPort: rpcPort + index };
  }
  const kinds = { 0: "dns", 4: "ip4", 6: "ip6" } as const;
  const kind = kinds[isIP(host) as keyof typeof kinds];
  const any = kind === "ip6" ? "/ip6/::" : "/ip4/0.0.0.0";
  return {
    dialled: `/${kind}/${host}/tcp/${firstPort}`,
    listen: `${any}/tcp/${firstPort}`,
    rpcPort,
  };
}
