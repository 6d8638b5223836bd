import type { ParameterValue } from "../ledger/parameters.ts";

/** A setting of `config.yaml` that a flag overrides: `section.key` and the value. */
export type Override = readonly [name: string, value: string | number | boolean];

/** What every way of running a node is handed by the command line. */
export type NodeOptions = {
  readonly overrides: readonly Override[];
  readonly environment: NodeJS.ProcessEnv;
  /** Asks for the key's password; called only where a keystore has to be opened or made. */
  readonly password: (prompt: string) => Promise<string>;
  /** Standard output: the start screen. */
  readonly print: (line: string) => void;
  readonly json: boolean;
  /** Aborted by SIGINT or SIGTERM: stop cleanly. */
  readonly signal: AbortSignal;
};

/** How a private network is run that is made where there is none. */
export type DevnetOptions = NodeOptions & {
  readonly validators: number;
  /** Chain parameters that are not to have their defaults. */
  readonly parameters: ReadonlyMap<string, ParameterValue>;
};
