import type { Action } from "../commandTree.ts";
import { printDocument } from "../context.ts";
import { packageVersion, versionLine } from "../version.ts";

/** Prints a program's version; with `--json` its parts. */
export function versionCommand(program: string): Action {
  return async (context) => {
    if (!context.json) context.print(versionLine(program));
    else
      printDocument(context, {
        program,
        version: packageVersion(),
        node: process.versions.node,
        platform: `${process.platform} ${process.arch}`,
      });
  };
}
