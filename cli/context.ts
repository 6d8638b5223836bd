import type { Settings } from "./settings.ts";

/** What a command may use of the world. Results go to `print`, everything else to `warn`. */
export type Context = {
  readonly settings: Settings;
  readonly json: boolean;
  /** Standard output: one line of text, its newline added. */
  readonly print: (line: string) => void;
  /** Standard error: progress and warnings. */
  readonly warn: (line: string) => void;
  readonly environment: NodeJS.ProcessEnv;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
};

/** Prints a document: indented for people as Theta does, on one line with `--json`. */
export function printDocument(context: Context, document: unknown): void {
  context.print(JSON.stringify(document, null, context.json ? undefined : 4));
}
