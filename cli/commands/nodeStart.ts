import { nodeFolder, nodeOptions } from "../nodeFlags.ts";
import type { NodeAction } from "../nodeProgram.ts";

/** `ledger start`: runs the node of a folder until it is told to stop. */
export const startCommand: NodeAction = async (world, flags) => {
  const { startNode } = await import("../../node/main.ts");
  await startNode({
    ...nodeOptions(world, flags),
    folder: nodeFolder(world, flags),
    allowMissingSafetyFile: flags.has("allowMissingSafetyFile"),
  });
};
