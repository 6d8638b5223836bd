import { nodeFolder, nodeOptions } from "../nodeFlags.ts";
import type { NodeAction } from "../nodeProgram.ts";

/** `ledger check`: checks the data folder of a stopped node. */
export const checkCommand: NodeAction = async (world, flags) => {
  const { runCheck } = await import("../../node/check.ts");
  await runCheck({ ...nodeOptions(world, flags), folder: nodeFolder(world, flags) });
};
