import { resolve } from "node:path";
import { UsageError } from "../failure.ts";
import { chainParameters, nodeOptions } from "../nodeFlags.ts";
import type { NodeAction } from "../nodeProgram.ts";

/** `ledger testnet`: writes the folders of a new network, one for each validator. */
export const testnetCommand: NodeAction = async (world, flags) => {
  const output = flags.text("output");
  if (output === undefined) throw new UsageError("--output is missing", { hint: "--output=./net" });
  const { makeTestnet } = await import("../../node/testnet.ts");
  await makeTestnet({
    ...nodeOptions(world, flags),
    output: resolve(output),
    validators: smallNumber("--validators", flags.text("validators")),
    chain: flags.text("chain") ?? "testledger",
    hosts: (flags.text("hosts") ?? "")
      .split(",")
      .map((host) => host.trim())
      .filter((host) => host !== ""),
    p2pPort: smallNumber("--p2p-port", flags.text("p2pPort")),
    parameters: chainParameters(flags),
  });
};

function smallNumber(flag: string, text = ""): number {
  if (!/^\d{1,5}$/.test(text)) throw new UsageError(`${flag} ${text} is not a small number`);
  return Number(text);
}
