import { zeroAddress } from "../base/bytes.ts";
import { checksumAddress } from "../crypto/address.ts";
import { NodeError } from "../base/nodeError.ts";
import { loadConfig, type Config } from "./config.ts";
import {
  devnetAccounts,
  devnetRetainedHeights,
  ethereumPort,
  openDevnetFolder,
  printDevnetAccounts,
  printDevnetCommands,
  type DevnetAccount,
} from "./devnet.ts";
import { openGenesis } from "./genesis.ts";
import { openValidatorKeys } from "./keys.ts";
import { createLog, type Log } from "./log.ts";
import { LedgerNode } from "./node.ts";
import type { DevnetOptions, NodeOptions } from "./options.ts";

export { initJoined, initNode } from "./init.ts";

/** How to start the node of a folder. */
export type StartOptions = NodeOptions & {
  readonly folder: string;
  /** Sign although no record of earlier votes exists; only for a network of one. */
  readonly allowMissingSafetyFile: boolean;
};

/** `ledger start`: runs until `signal` aborts or the node fails. */
export async function startNode(options: StartOptions): Promise<void> {
  const config = loadConfig(options);
  await runNode({
    ...options,
    config,
    afterStart: (url) => {
      if (options.json) return;
      const remote = url === "http://127.0.0.1:16888" ? "" : ` --remote=${url}/rpc`;
      options.print("");
      options.print(`  next: bin/ledgercli query status${remote}`);
      options.print("  stop with Ctrl-C");
    },
  });
}

/**
 * `ledger devnet`: a private network with funded accounts, of one validator in this process or of
 * several in their own; temporary unless named.
 */
export async function runDevnet(options: DevnetOptions): Promise<void> {
  const named = options.overrides.find(([name]) => name === "data.path")?.[1];
  if (options.validators !== 1) {
    const { runCluster } = await import("./cluster.ts");
    return runCluster({ ...options, folder: named === undefined ? null : String(named) });
  }
  const { folder, password, remove } = await openDevnetFolder(
    named === undefined ? null : String(named),
    options.parameters,
  );
  try {
    const isChosen = (setting: string): boolean =>
      options.overrides.some(([name]) => name === setting);
    const defaults: NodeOptions["overrides"] = [
      ["rpc.secondPort", ethereumPort],
      ["consensus.blockIntervalMsIdle", 1_000],
      ["consensus.blockIntervalMsMin", 0],
      ["storage.retainedHeights", devnetRetainedHeights],
      ["log.level", "warn"],
    ].flatMap(([name = "", value = ""]) =>
      isChosen(String(name)) ? [] : [[String(name), value] as const],
    );
    const overrides = [...defaults, ...options.overrides.filter(([name]) => name !== "data.path")];
    const config = loadConfig({ ...options, folder, overrides });
    await runNode({
      ...options,
      config,
      folder,
      password: () => Promise.resolve(password),
      allowMissingSafetyFile: false,
      secondPortOptional: !isChosen("rpc.secondPort"),
      devnet: devnetAccounts(),
      afterStart: (url) => {
        if (options.json) return;
        printDevnetAccounts(options.print);
        printDevnetCommands(options.print, `${url}/rpc`);
      },
    });
  } finally {
    remove();
  }
}

async function runNode(
  options: StartOptions & {
    readonly config: Config;
    readonly secondPortOptional?: boolean;
    readonly devnet?: readonly DevnetAccount[];
    readonly afterStart: (url: string) => void;
  },
): Promise<void> {
  const { config, signal } = options;
  const { level, format } = config.log;
  const { isTTY } = process.stderr;
  const asText = format === "text" || (format === "auto" && isTTY);
  const isTerminal = asText && isTTY && process.env["TERM"] !== "dumb";
  const log = createLog({ level, format: asText ? "text" : "json", isTerminal });
  // Before the keys: opening them takes seconds, and a password that nobody may be there to give.
  const genesis = openGenesis(config);
  const keys = await openValidatorKeys(config.folder, options.password);
  let fail: (error: NodeError) => void = () => {};
  const onUncaught = (error: unknown): void => fail(uncaughtFailure(error));
  const failure = new Promise<never>((_, reject) => (fail = reject));
  // Whoever awaits comes later; until then a failure must not count as unhandled.
  failure.catch(() => {});
  const node = await LedgerNode.open({
    config,
    genesis,
    keys,
    allowMissingSafetyFile: options.allowMissingSafetyFile,
    secondPortOptional: options.secondPortOptional ?? false,
    devnet: options.devnet ?? null,
    log,
    events: {
      onCommitted: ({ hash, block, transactions }) => {
        const { height, view } = block.header;
        const write = transactions.length === 0 ? "debug" : "info";
        log[write]("block committed", { height, view, transactions: transactions.length, hash });
      },
      onFailure: (error) => fail(error),
    },
  });
  process.on("uncaughtException", onUncaught);
  try {
    await node.start();
    options.afterStart(startScreen(options, node));
    await Promise.race([aborted(AbortSignal.any([signal, parentGone()])), failure]);
  } catch (error) {
    logFailure(log, error);
    // A failed disk also fails to close; the first failure is the one to tell.
    await node.stop().catch((later: unknown) => logFailure(log, later));
    throw error;
  } finally {
    process.off("uncaughtException", onUncaught);
  }
  await node.stop();
}

/** Aborts when the devnet that started this process ends; never for a node by itself. */
function parentGone(): AbortSignal {
  const gone = new AbortController();
  if (process.channel === undefined) return gone.signal;
  process.once("disconnect", () => gone.abort());
  process.channel.unref();
  return gone.signal;
}

/** What nobody caught is a bug: the state of the process is not known, so it stops. */
function uncaughtFailure(error: unknown): NodeError {
  const reason = error instanceof Error ? error.message : String(error);
  return new NodeError("E_HALT", `the node stopped on a bug: ${reason}`, {
    cause: error,
    hint: "start it again, and report this with --verbose and the log",
  });
}

function logFailure(log: Log, error: unknown): void {
  if (error instanceof NodeError) log.error(error.message, { code: error.code });
  else log.error("the node stopped on a bug", { error });
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Prints where the node is to be found; gives its first URL. */
function startScreen(
  options: StartOptions & { readonly config: Config },
  node: LedgerNode,
): string {
  const { api, genesis } = node;
  const urls = node.listening.map(({ host, port }) => {
    const name = host.includes(":") ? `[${host}]` : host;
    return `http://${name}:${port}`;
  });
  const [url = "off"] = urls;
  const head = api.head();
  if (options.json) {
    options.print(
      JSON.stringify({
        name: "node",
        pid: process.pid,
        chain: genesis.chain.name,
        chainId: genesis.chain.id,
        genesis: genesis.hash,
        rpc: `${url}/rpc`,
        urls,
        p2p: node.peerAddresses,
        address: checksumAddress(api.address),
        height: head.header.height,
      }),
    );
    return url;
  }
  const { print } = options;
  print(`  ledger ${api.build.version}  "${genesis.chain.name}"  chain id ${genesis.chain.id}`);
  print("");
  print(`  RPC        ${url}/rpc         theta.*, eth_*, ledger.*`);
  for (const other of urls.slice(1)) print(`  Ethereum   ${other}             the same methods`);
  const { secondPort } = options.config.rpc;
  if (secondPort !== 0 && urls.length < 2)
    print(`  Ethereum   port ${secondPort} is in use by another program: take ${url}`);
  print(`  Metrics    ${url}/metrics     health ${url}/healthz`);
  for (const address of node.peerAddresses) print(`  Peers at   ${address}`);
  const isFollower = api.address === zeroAddress;
  print(`  Validator  ${isFollower ? "none: it only follows" : checksumAddress(api.address)}`);
  print(`  Head       block ${head.header.height}`);
  return url;
}
