import { assert } from "../../base/assert.ts";
import { systemClock } from "../../p2p/clock.ts";
import type { Libp2pOptionsOfNode } from "../../p2p/libp2pTransport.ts";
import type { Transport } from "../../p2p/transport.ts";
import { MemoryNet, type MemoryTransport } from "./memoryTransport.ts";

/*
 * Whole nodes of one process on a network in memory: takes the place of `p2p/libp2pTransport.ts`
 * (test/campaigns/soakHooks.ts). A node that listens at `/memory/NAME` is called so.
 */

/** The network of this process. */
export const processNet = new MemoryNet(systemClock);

const transports = new Map<string, MemoryTransport>();

/** Where a node of that name listens. */
export function memoryAddress(name: string): string {
  return `/memory/${name}`;
}

/** The transport of the newest node of that name. */
export function transportOf(name: string): MemoryTransport {
  const transport = transports.get(name);
  assert(transport !== undefined, `no node was started as ${name}`);
  return transport;
}

/** Exported under the name of what it stands in for. */
export function createLibp2pTransport({ listen }: Libp2pOptionsOfNode): Promise<Transport> {
  const name = listen[0]?.slice(memoryAddress("").length) ?? "";
  const transport = processNet.transport(name);
  transports.set(name, transport);
  return Promise.resolve(transport);
}
