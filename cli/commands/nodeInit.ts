import { nodeFolder, nodeOptions } from "../nodeFlags.ts";
import type { NodeAction } from "../nodeProgram.ts";

/** `ledger init`: makes a node folder with new keys and the genesis of a network of one. */
export const initCommand: NodeAction = async (world, flags) => {
  const { initNode } = await import("../../node/main.ts");
  await initNode({
    ...nodeOptions(world, flags),
    folder: nodeFolder(world, flags),
    chain: flags.text("chain") ?? "privatenet",
  });
};
