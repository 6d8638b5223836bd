import { existsSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { UsageError } from "./failure.ts";

/**
 * Where a wallet lives and which node it asks. Precedence: flag, environment, `config.yaml`,
 * default.
 */
export type Settings = {
  /** The folder with `config.yaml` and `keys/`. */
  readonly folder: string;
  readonly rpcUrl: string;
  /** Chain name to sign for; `null`: ask the node. */
  readonly chain: string | null;
};

/** The node that is asked unless told otherwise. */
export const rpcUrlDefault = "http://localhost:16888/rpc";

/** Largest `config.yaml` that is read, in bytes. */
const configBytesMax = 65_536;

const fileKeys = new Set(["remoteRPCEndpoint", "chain", "debug"]);

/** Resolves the settings of one call of `ledgercli`. */
export async function loadSettings(
  flags: {
    readonly config: string | undefined;
    readonly rpc: string | undefined;
    readonly remote: string | undefined;
    readonly chain: string | undefined;
  },
  environment: NodeJS.ProcessEnv,
): Promise<Settings> {
  const named = flags.config ?? environment["LEDGERCLI_CONFIG"];
  const folder = resolve(named ?? join(homedir(), ".ledgercli"));
  if (named !== undefined && existsSync(folder) && !statSync(folder).isDirectory())
    throw new UsageError(`--config ${named} is not a folder`, { code: "E_CONFIG" });
  const file = await readFile(join(folder, "config.yaml"));
  const rpcUrl =
    flags.rpc ??
    flags.remote ??
    environment["LEDGERCLI_RPC"] ??
    environment["LEDGERCLI_REMOTERPCENDPOINT"] ??
    file.get("remoteRPCEndpoint") ??
    rpcUrlDefault;
  if (!URL.canParse(rpcUrl) || !/^https?:$/.test(new URL(rpcUrl).protocol))
    throw new UsageError(`${rpcUrl} is not an http URL`, {
      code: "E_CONFIG",
      hint: `--rpc ${rpcUrlDefault}`,
    });
  const chain = flags.chain ?? environment["LEDGERCLI_CHAIN"] ?? file.get("chain") ?? null;
  return { folder, rpcUrl, chain };
}

async function readFile(path: string): Promise<ReadonlyMap<string, string>> {
  if (!existsSync(path)) return new Map();
  if (statSync(path).size > configBytesMax)
    throw new UsageError(`${path} is larger than ${configBytesMax} bytes`, { code: "E_CONFIG" });
  const { parseDocument } = await import("yaml");
  const document = parseDocument(readFileSync(path, "utf8"), { uniqueKeys: true });
  const problem = document.errors[0]?.message.split("\n")[0];
  if (problem !== undefined)
    throw new UsageError(`${path} is not valid YAML: ${problem}`, { code: "E_CONFIG" });
  const content: unknown = document.toJS({ maxAliasCount: 0 }) ?? {};
  if (typeof content !== "object" || content === null || Array.isArray(content))
    throw new UsageError(`${path} does not hold settings`, { code: "E_CONFIG" });
  const entries = Object.entries(content).map(([key, value]) => [key, String(value)] as const);
  const unknown = entries.find(([key]) => !fileKeys.has(key));
  if (unknown !== undefined)
    throw new UsageError(`unknown setting ${unknown[0]} in ${path}`, {
      code: "E_CONFIG",
      hint: `known settings: ${[...fileKeys].join(", ")}`,
    });
  return new Map(entries);
}
