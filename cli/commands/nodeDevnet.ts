import { nodeOptions } from "../nodeFlags.ts";
import type { NodeAction } from "../nodeProgram.ts";

/**
 * `ledger devnet`: runs a private network of one validator; its data is temporary unless `--data`
 * names a folder.
 */
export const devnetCommand: NodeAction = async (world, flags) => {
  const { runDevnet } = await import("../../node/main.ts");
  await runDevnet(nodeOptions(world, flags));
};
