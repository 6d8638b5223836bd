import { systemClock } from "./clock.ts";
import { createLibp2pTransport } from "./libp2pTransport.ts";
import type { Libp2pOptionsOfNode } from "./libp2pTransport.ts";
import { Network } from "./network.ts";
import type { NetworkOptions } from "./network.ts";

/** Everything a node's network needs; time and dice are the machine's unless handed in. */
export type P2pHostOptions = Libp2pOptionsOfNode &
  Omit<NetworkOptions, "clock" | "random"> &
  Partial<Pick<NetworkOptions, "clock" | "random">>;

/** The network of one node over libp2p: declare topics and protocols, then `start` it. */
export async function createP2pHost(options: P2pHostOptions): Promise<Network> {
  const transport = await createLibp2pTransport(options);
  return new Network(transport, { clock: systemClock, random: Math.random, ...options });
}
