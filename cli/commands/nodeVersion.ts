import type { NodeAction } from "../nodeProgram.ts";
import { packageVersion, versionLine } from "../version.ts";

/** `ledger version`. */
export const nodeVersion: NodeAction = async (world) => {
  if (!world.json) world.print(versionLine("ledger"));
  else
    world.print(
      JSON.stringify({
        program: "ledger",
        version: packageVersion(),
        node: process.versions.node,
        platform: `${process.platform} ${process.arch}`,
      }),
    );
};
