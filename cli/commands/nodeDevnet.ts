import { UsageError } from "../failure.ts";
import { chainParameters, nodeOptions } from "../nodeFlags.ts";
import type { NodeAction } from "../nodeProgram.ts";

/**
 * `ledger devnet`: runs a private network of one validator or several; its data is temporary unless
 * `--data` names a folder.
 */
export const devnetCommand: NodeAction = async (world, flags) => {
  const { runDevnet } = await import("../../node/main.ts");
  const text = flags.text("validators") ?? "1";
  if (!/^\d{1,2}$/.test(text)) throw new UsageError(`--validators ${text} is not a small number`);
  const parameters = chainParameters(flags);
  await runDevnet({ ...nodeOptions(world, flags), validators: Number(text), parameters });
};
