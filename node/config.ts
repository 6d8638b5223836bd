import { existsSync, readFileSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { parseDocument } from "yaml";
import { z } from "zod";
import { NodeError } from "../base/nodeError.ts";

/** Most addresses in one setting. */
const addressesMax = 256;

/** A list; one address or several separated by spaces where a flag or the environment names them. */
const addressList = z.preprocess(
  (value) => (typeof value === "string" ? value.split(/\s+/).filter((part) => part !== "") : value),
  z.array(z.string().startsWith("/")).max(addressesMax).default([]),
);

/**
 * A node's configuration: `config.yaml` in the folder given by `--config`. Precedence, highest
 * first: command-line flag, environment `LEDGER_<SECTION>_<KEY>`, file, default.
 */
const schema = z.strictObject({
  genesis: z
    .strictObject({
      /** Genesis file, relative to the configuration folder. */
      file: z.string().default("genesis.json"),
      /** Refuse to start unless the genesis file has this hash; empty for no check. */
      hash: z.string().default(""),
    })
    .prefault({}),
  data: z
    .strictObject({
      path: z.string().default("data"),
      /** Where the machine remembers safety files until it ends; empty: in its shared memory. */
      witness: z.string().default(""),
    })
    .prefault({}),
  rpc: z
    .strictObject({
      enabled: z.boolean().default(true),
      address: z.string().default("127.0.0.1"),
      port: z.number().int().min(0).max(65_535).default(16_888),
      /** A second port with the same methods; Ethereum tools look at 8545 first. 0 for none. */
      secondPort: z.number().int().min(0).max(65_535).default(0),
      allowedOrigins: z.array(z.string()).default([]),
      allowedHosts: z.array(z.string()).default([]),
    })
    .prefault({}),
  p2p: z
    .strictObject({
      /** Addresses to listen at for other nodes, e.g. `/ip4/0.0.0.0/tcp/16890`. */
      listen: addressList,
      /** Addresses that others are told, where they differ: behind a router, say. */
      announce: addressList,
      /** Nodes that are dialled for ever. Without these and `listen` there is no network. */
      peers: addressList,
      /** Look for nodes on the local network. */
      mdns: z.boolean().default(false),
      /** Most connections, inbound ones included. */
      connectionsMax: z.number().int().min(1).max(10_000).default(128),
    })
    .prefault({}),
  consensus: z
    .strictObject({
      /**
       * Least time between blocks while transactions are pending or uncommitted, in milliseconds.
       */
      blockIntervalMsMin: z.number().int().min(0).max(60_000).default(100),
      /**
       * What that grows to with the transactions in a block and the time that agreement on one
       * takes, in milliseconds.
       */
      blockIntervalMsBusy: z.number().int().min(0).max(60_000).default(500),
      /** Time between blocks when nothing is pending, in milliseconds. */
      blockIntervalMsIdle: z.number().int().min(0).max(600_000).default(5_000),
      /**
       * How far a block's timestamp may lie beyond this node's clock for it to vote, in
       * milliseconds.
       */
      clockDriftMsMax: z.number().int().min(0).max(600_000).default(10_000),
      /**
       * This node's key is its network's only validator: a missing safety file is taken for an
       * empty one. Refused where the committee has other members.
       */
      soleValidator: z.boolean().default(false),
      /**
       * The operator's word that neither data folder nor machine was put back to an older state
       * since this node's key signed last: it speaks without waiting for others to confirm that.
       */
      trustSafetyFile: z.boolean().default(false),
    })
    .prefault({}),
  storage: z
    .strictObject({
      /** Keep the state of every height. */
      archive: z.boolean().default(false),
      /** How many recent heights keep their state, unless `archive`. */
      retainedHeights: z.number().int().min(2).max(10_000_000).default(1_024),
    })
    .prefault({}),
  mempool: z
    .strictObject({
      transactionsMax: z.number().int().min(1).max(10_000_000).default(65_536),
      sizeBytesMax: z.number().int().min(1_024).max(1_073_741_824).default(67_108_864),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z.enum(["error", "warn", "info", "debug", "trace", "silent"]).default("info"),
      /** `text` for people, `json` for machines, `auto`: text on a terminal. */
      format: z.enum(["auto", "text", "json"]).default("auto"),
    })
    .prefault({}),
});

type Settings = z.infer<typeof schema>;

/** A validated configuration with its folders resolved to absolute paths. */
export type Config = Settings & {
  readonly folder: string;
  readonly dataFolder: string;
  readonly genesisPath: string;
};

/** Largest `config.yaml` that is read, in bytes. */
const configBytesMax = 1_048_576;

function readSettings(path: string): unknown {
  if (!existsSync(path)) return {};
  const text = readFileSync(path, "utf8");
  if (text.length > configBytesMax)
    throw new NodeError("E_CONFIG", `${path} is larger than ${configBytesMax} bytes`);
  const document = parseDocument(text, { uniqueKeys: true });
  const repeated = document.errors.find(({ code }) => code === "DUPLICATE_KEY");
  if (repeated !== undefined) {
    const [key = ""] = /^[^:\n]*/.exec(text.slice(repeated.pos[0])) ?? [];
    const line = repeated.linePos?.[0].line ?? 0;
    throw new NodeError("E_CONFIG", `${path} has the key "${key.trim()}" twice, in line ${line}`);
  }
  const problem = document.errors[0];
  if (problem !== undefined)
    throw new NodeError("E_CONFIG", `${path} is not valid YAML: ${problem.message.split("\n")[0]}`);
  return document.toJS({ maxAliasCount: 0 }) ?? {};
}

function coerce(text: string): unknown {
  if (text === "true" || text === "false") return text === "true";
  return /^\d{1,15}$/.test(text) ? Number(text) : text;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Sets `section.key` in a copy; flags and environment variables override the file by this. */
function override(settings: unknown, path: string, value: unknown): unknown {
  const [section = "", key = ""] = path.split(".");
  const copy: Record<string, unknown> = isRecord(settings) ? { ...settings } : {};
  const inner = copy[section];
  copy[section] = { ...(isRecord(inner) ? inner : {}), [key]: value };
  return copy;
}

function environmentOverrides(environment: NodeJS.ProcessEnv): [string, unknown][] {
  const found: [string, unknown][] = [];
  for (const [section, inner] of Object.entries(schema.shape)) {
    for (const key of Object.keys(inner.unwrap().shape)) {
      const name = `LEDGER_${section}_${key.replace(/[A-Z]/g, (letter) => `_${letter}`)}`;
      const value = environment[name.toUpperCase()];
      if (value !== undefined) found.push([`${section}.${key}`, coerce(value)]);
    }
  }
  return found;
}

/** Every setting's full name, `section.key`, for error messages and the documentation. */
export function settingNames(): readonly string[] {
  return Object.entries(schema.shape).flatMap(([section, inner]) =>
    Object.keys(inner.unwrap().shape).map((key) => `${section}.${key}`),
  );
}

/**
 * Reads `folder/config.yaml`. An unknown key, a wrong type and an out-of-range number each throw a
 * `NodeError` that names the setting and what was given.
 */
export function loadConfig(options: {
  readonly folder: string;
  readonly overrides: readonly (readonly [name: string, value: unknown])[];
  readonly environment: NodeJS.ProcessEnv;
}): Config {
  const folder = resolve(options.folder);
  if (!existsSync(folder))
    throw new NodeError("E_CONFIG", `there is no configuration folder ${folder}`, {
      hint: `ledger init --config=${options.folder}`,
    });
  const path = join(folder, "config.yaml");
  let settings = readSettings(path);
  for (const [name, value] of environmentOverrides(options.environment))
    settings = override(settings, name, value);
  for (const [name, value] of options.overrides) settings = override(settings, name, value);
  const parsed = schema.safeParse(settings);
  if (!parsed.success) throw configError(path, parsed.error);
  const config = parsed.data;
  const { port, secondPort } = config.rpc;
  if (port !== 0 && port === secondPort)
    throw new NodeError("E_CONFIG", `rpc.port and rpc.secondPort are both ${port} in ${path}`);
  const from = (name: string): string => (isAbsolute(name) ? name : join(folder, name));
  return {
    ...config,
    folder,
    dataFolder: from(config.data.path),
    genesisPath: from(config.genesis.file),
  };
}

function configError(path: string, error: z.ZodError): NodeError {
  const issue = error.issues[0];
  const where = issue === undefined ? "" : issue.path.join(".");
  if (issue?.code === "unrecognized_keys") {
    const name = [where, issue.keys[0]].filter((part) => part !== "").join(".");
    return new NodeError("E_CONFIG", `unknown setting ${name} in ${path}`, {
      hint: `known settings: ${settingNames().join(", ")}`,
    });
  }
  return new NodeError("E_CONFIG", `setting ${where} in ${path}: ${issue?.message ?? "invalid"}`);
}
