import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Address } from "../base/brand.ts";
import { installTool } from "../integration/tools.ts";
import { chainIdOf } from "../node/init.ts";
import { callBatch, callRpc } from "./rpcClient.ts";
import { benchChainName, senderTfuelWei } from "./senders.ts";
import { freePort, startServer, temporaryFolder, type Server } from "./server.ts";

/** Longest wait for the first answer: it loads a compiler's and a network's worth of modules. */
const startMsMax = 120_000;

/** Calls in one batch. */
const batchCalls = 200;

/**
 * Runs Hardhat's own network with one block a second, the same accounts and room for all that is
 * sent, without the log of every request that it writes otherwise.
 */
export async function startHardhat(addresses: readonly Address[]): Promise<Server> {
  const folder = await installTool("hardhat");
  const config = join(folder, "bench.config.js");
  const network = {
    type: "edr-simulated",
    chainId: chainIdOf(benchChainName),
    blockGasLimit: 2_000_000_000,
    mining: { auto: false, interval: 1_000 },
    loggingEnabled: false,
  };
  writeFileSync(config, `export default { networks: { node: ${JSON.stringify(network)} } };\n`);
  const port = await freePort();
  const program = join(folder, "node_modules", "hardhat", "dist", "src", "cli.js");
  const server = await startServer({
    command: process.execPath,
    argv: [program, "--config", config, "node", "--hostname", "127.0.0.1", "--port", `${port}`],
    environment: { HARDHAT_DISABLE_TELEMETRY_PROMPT: "true" },
    folder,
    port,
    path: "/",
    logPath: join(temporaryFolder(), "output.log"),
    startMsMax,
  });
  await callRpc(server.url, { method: "hardhat_setLoggingEnabled", params: [false] });
  const balance = `0x${senderTfuelWei.toString(16)}`;
  for (let at = 0; at < addresses.length; at += batchCalls) {
    const some = addresses.slice(at, at + batchCalls);
    const calls = some.map((address) => {
      return { method: "hardhat_setBalance", params: [address, balance] };
    });
    await callBatch(server.url, calls);
  }
  return server;
}
