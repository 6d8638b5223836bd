import { NodeError } from "../../base/nodeError.ts";
import { LedgerClient } from "../../sdk/client.ts";
import { UnreachableError } from "../../sdk/errors.ts";
import { UsageError } from "../failure.ts";
import { nodeFolder, nodeOptions } from "../nodeFlags.ts";
import type { NodeAction } from "../nodeProgram.ts";

/**
 * `ledger init`: makes a node folder with new keys and the genesis of a network of one, or with
 * `--join` one that follows an existing network.
 */
export const initCommand: NodeAction = async (world, flags) => {
  const options = { ...nodeOptions(world, flags), folder: nodeFolder(world, flags) };
  const url = flags.text("join");
  if (url !== undefined) {
    const { initJoined } = await import("../../node/main.ts");
    const isValidator = flags.has("validator");
    return initJoined({ ...options, ...(await askNetwork(url, world.signal)), isValidator });
  }
  if (flags.has("validator")) throw new UsageError("--validator goes with --join");
  const { initNode } = await import("../../node/main.ts");
  await initNode({ ...options, chain: flags.text("chain") ?? "privatenet" });
};

/** What a running node says of its network. */
async function askNetwork(
  text: string,
  signal: AbortSignal,
): Promise<{ readonly genesisText: string; readonly peers: readonly string[] }> {
  if (!URL.canParse(text)) throw new UsageError(`--join ${text.slice(0, 80)} is not a URL`);
  const url = new URL(text);
  if (url.pathname === "/") url.pathname = "/rpc";
  const client = new LedgerClient({ url: url.href });
  const network = await client.call("ledger.network", {}, { signal }).catch((error: unknown) => {
    if (!(error instanceof UnreachableError)) throw error;
    // The client's own advice is of a flag that this command has not.
    const hint = "--join takes the RPC URL of a node that runs and can be reached from here";
    throw new NodeError(error.code, error.message, { hint, cause: error });
  });
  const file = await client.call("ledger.genesis", {}, { signal });
  const addresses = fieldOf(network, "addresses");
  const genesisText = fieldOf(file, "genesis");
  const peers = Array.isArray(addresses) ? addresses.map(String) : [];
  if (typeof genesisText !== "string" || peers.length === 0)
    throw new UsageError(`the node at ${url.host} is alone: there is nothing to join`, {
      hint: "start that node with p2p.listen, then try again",
    });
  return { genesisText, peers };
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
