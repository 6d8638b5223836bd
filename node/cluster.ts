import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NodeError } from "../base/nodeError.ts";
import { bytesToHexDigits } from "../base/bytes.ts";
import { randomBytes, scryptLight } from "../crypto/kdf.ts";
import { privatenet } from "../ledger/genesis.ts";
import { devnetAccounts, devnetCoins, printDevnetAccounts, printDevnetCommands } from "./devnet.ts";
import { networkSizeMax, nodeName, writeNetwork, type NodePlace } from "./networkFolders.ts";
import type { DevnetOptions, NodeOptions, Override } from "./options.ts";

/*
 * `ledger devnet --validators N`: one process for each validator, as on as many machines, with one
 * that starts them, shows where they are, and ends them.
 */

/** Longest start of a node, key derivation included, in milliseconds. */
const startMsMax = 60_000;

/** Longest clean end of a node, in milliseconds; then it is killed. */
const stopMsMax = 15_000;

/** One node of a devnet, running. */
type Member = {
  readonly name: string;
  readonly child: ChildProcess;
  readonly rpc: string;
  readonly p2p: string;
};

/** Runs a devnet of several validators until `signal` aborts. */
export async function runCluster(
  options: DevnetOptions & { readonly folder: string | null },
): Promise<void> {
  const { validators, signal } = options;
  if (!Number.isInteger(validators) || validators < 1 || validators > networkSizeMax)
    throw new NodeError("E_CONFIG", `a devnet has 1 to ${networkSizeMax} validators`);
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "ledger-devnet-"));
  const children: ChildProcess[] = [];
  try {
    await makeFolders(folder, options);
    const members: Member[] = [];
    const starting = Array.from({ length: validators }, (_, i) => {
      const child = startMember(join(folder, nodeName(i)), options, i === 0);
      children.push(child);
      return ready(nodeName(i), child);
    });
    for (const member of starting) members.push(await member);
    show(members, options);
    for (const { name, child } of members) {
      child.once("exit", (code, by) => {
        if (signal.aborted) return;
        const how = by ?? `exit code ${code}`;
        const again = `ledger start --config=${join(folder, name)}`;
        const password = `--password-file=${join(folder, name, "key", "password")}`;
        process.stderr.write(`${name} ended (${how}); start it again: ${again} ${password}\n`);
      });
    }
    await aborted(signal);
  } finally {
    await Promise.all(children.map(endMember));
    if (options.folder === null) rmSync(folder, { recursive: true, force: true });
  }
}

async function makeFolders(
  folder: string,
  { validators, overrides, parameters }: DevnetOptions,
): Promise<void> {
  const found = existsSync(folder)
    ? readdirSync(folder).filter((name) => /^node\d+$/.test(name)).length
    : 0;
  if (found === validators) return;
  if (found > 0)
    throw new NodeError("E_FOLDER", `${folder} holds a devnet of ${found} validators`, {
      hint: `take --validators=${found}, or another folder with --data`,
    });
  const chosen = overrides.find(([name]) => name === "rpc.port")?.[1];
  const firstPort = chosen === undefined ? 16_888 : Number(chosen);
  const places: NodePlace[] = [];
  const taken = new Set<number>();
  for (let i = 0; i < validators; i += 1) {
    const port = await freePort(0, taken);
    const address = `/ip4/127.0.0.1/tcp/${port}`;
    const rpcPort = await freePort(firstPort === 0 ? 0 : firstPort + i, taken);
    places.push({ dialled: address, listen: address, rpcPort });
  }
  await writeNetwork(folder, {
    chainName: privatenet.chainName,
    kind: "private",
    timestampMs: Date.now(),
    funded: devnetAccounts().map(({ address }) => ({ address, coins: devnetCoins })),
    parameters,
    places,
    password: bytesToHexDigits(randomBytes(16)),
    cost: scryptLight,
    keepPassword: true,
    isPortable: false,
  });
}

/** This port if it is free, else any that is; each once. */
async function freePort(wanted: number, taken: Set<number>): Promise<number> {
  const found = await new Promise<number>((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(0));
    server.listen(wanted, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
  if (found === 0 || taken.has(found)) return freePort(0, taken);
  taken.add(found);
  return found;
}

/** Settings of the whole devnet; where each node listens is its own affair. */
function sharedSettings(overrides: readonly Override[], isFirst: boolean): readonly Override[] {
  const own = new Set(["rpc.port", "data.path", "rpc.secondPort"]);
  const chosen = new Set(overrides.map(([name]) => name));
  const defaults: readonly Override[] = [
    ["consensus.blockIntervalMsIdle", 1_000],
    ["log.level", "warn"],
    ["log.format", "text"],
  ];
  return [
    ...defaults.filter(([name]) => !chosen.has(name)),
    ...overrides.filter(([name]) => !own.has(name) || (isFirst && name === "rpc.secondPort")),
  ];
}

function startMember(folder: string, options: NodeOptions, isFirst: boolean): ChildProcess {
  const program = process.argv[1] ?? "";
  const settings = sharedSettings(options.overrides, isFirst).flatMap(([name, value]) => [
    "--set",
    `${name}=${value}`,
  ]);
  const password = `--password-file=${join(folder, "key", "password")}`;
  const argv = ["start", `--config=${folder}`, password, "--json", ...settings];
  return spawn(process.execPath, [...process.execArgv, program, ...argv], {
    // The channel tells a node when this process has gone, whatever ended it.
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: withoutSettings(options.environment),
    // Ctrl-C is for this process, which ends them in turn.
    detached: true,
  });
}

/** Settings in the environment are of one node, and here are several. */
function withoutSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !/^LEDGER_(RPC|P2P|DATA)_/.test(name)),
  );
}

/** Resolves when a node has printed where it is. */
function ready(name: string, child: ChildProcess): Promise<Member> {
  return new Promise((resolve, reject) => {
    let out = "";
    let err = "";
    const fail = (why: string): void => {
      clearTimeout(timer);
      reject(new NodeError("E_DEVNET", `${name} ${why}`, { hint: err.trim().slice(-400) }));
    };
    const timer = setTimeout(() => fail(`did not start in ${startMsMax / 1_000} s`), startMsMax);
    child.once("error", (error) => fail(`does not start: ${error.message}`));
    child.once("exit", (code) => fail(`ended at its start with ${code}`));
    child.stderr?.on("data", (data: Uint8Array) => {
      const text = new TextDecoder().decode(data);
      err = `${err}${text}`.slice(-4_096);
      for (const line of text.trimEnd().split("\n")) process.stderr.write(`${name} | ${line}\n`);
    });
    child.stdout?.on("data", (data: Uint8Array) => {
      out = `${out}${new TextDecoder().decode(data)}`.slice(0, 65_536);
      const end = out.indexOf("\n");
      if (end < 0) return;
      clearTimeout(timer);
      resolve({ name, child, ...readPlace(out.slice(0, end)) });
    });
  });
}

function readPlace(line: string): { readonly rpc: string; readonly p2p: string } {
  const value: unknown = JSON.parse(line);
  const record = typeof value === "object" && value !== null ? value : {};
  const rpc = "rpc" in record && typeof record.rpc === "string" ? record.rpc : "";
  const p2p = "p2p" in record && Array.isArray(record.p2p) ? String(record.p2p[0] ?? "") : "";
  return { rpc, p2p };
}

function show(members: readonly Member[], { print, json }: NodeOptions): void {
  if (json) {
    for (const { name, child, rpc, p2p } of members)
      print(JSON.stringify({ name, pid: child.pid, rpc, p2p }));
    return;
  }
  print(`  devnet of ${members.length} validators, one process each`);
  print("");
  print(`  ${"node".padEnd(8)}${"pid".padEnd(9)}${"RPC".padEnd(33)}peers at`);
  for (const { name, child, rpc, p2p } of members)
    print(`  ${name.padEnd(8)}${String(child.pid).padEnd(9)}${rpc.padEnd(33)}${p2p}`);
  printDevnetAccounts(print);
  printDevnetCommands(print, members[0]?.rpc ?? "");
}

/** Asks a node to end, and ends it if it does not. */
function endMember(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill("SIGKILL"), stopMsMax);
    child.once("exit", () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill("SIGTERM");
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
