import { spawn, type ChildProcess } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { LedgerClient } from "../sdk/client.ts";

/*
 * Real processes for black-box tests: each runs in a folder of its own under the system's temporary
 * folder, listens on a port that was free, and is ended by its process id. Waiting is on conditions
 * with a deadline, never on time.
 */

/** The project's root. */
export const root: string = resolve(import.meta.dirname, "..");

/** Password of every key in `integration/privatenet`. */
export const fixturePassword = "qwertyuiop";

/** Between two looks at a condition. */
const lookMs = 25;

/** Longest time from the start of a node to its first committed block, key derivation included. */
const startMsMax = 60_000;

/** Longest run of a command. */
const commandMsMax = 120_000;

const processes = new Set<ChildProcess>();
const folders = new Set<string>();

process.once("exit", () => {
  for (const child of processes) child.kill("SIGKILL");
});

/** A new folder that `cleanUp` removes. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "ledger-test-"));
  folders.add(folder);
  return folder;
}

/** Ends what this file's tests started and removes their folders. */
export async function cleanUp(): Promise<void> {
  await Promise.all([...processes].map((child) => endProcess(child, "SIGKILL")));
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  folders.clear();
}

/** Resolves when `condition` holds, and throws naming `what` when it does not in time. */
export async function waitFor(
  what: string,
  condition: () => Promise<boolean> | boolean,
  deadlineMs: number,
): Promise<void> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    if (await condition()) return;
    if (Date.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((done) => setTimeout(done, lookMs));
  }
}

/** The first of some ports in a row that nothing listened on a moment ago. */
export async function freePorts(count: number): Promise<number> {
  // Below those that systems give to connections, of which other tests have thousands.
  let first = 20_000 + ((process.pid * 16) % 10_000);
  let found = 0;
  while (found < count) {
    const isFree = await freePort(first + found).then(
      () => true,
      () => false,
    );
    if (!isFree) first += found + 1;
    found = isFree ? found + 1 : 0;
  }
  return first;
}

/** A port that nothing listened on a moment ago; fails if it is a wanted one, and taken. */
export function freePort(wanted = 0): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once("error", fail);
    server.listen(wanted, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => done(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/** What a finished command left. */
export type Ran = { readonly exit: number | null; readonly out: string; readonly err: string };

/** What a command is run with. */
export type RunOptions = {
  readonly folder?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Text on standard input; closed at once without it. */
  readonly input?: string;
};

/**
 * The environment of a child: ours without settings of a ledger, so that a developer's do not leak
 * in.
 */
export function childEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("LEDGER"));
  // Hundreds of starts of one program: halves the time that each takes.
  const cache = { NODE_COMPILE_CACHE: join(root, "node_modules", ".cache", "compile") };
  return { ...cache, ...Object.fromEntries(own), NO_COLOR: "1", ...extra };
}

/** Starts a program that `cleanUp` ends, if nothing did before. */
export function start(
  command: string,
  argv: readonly string[],
  options: RunOptions = {},
): ChildProcess {
  const child = spawn(command, argv, {
    cwd: options.folder ?? root,
    env: childEnvironment(options.environment),
    stdio: ["pipe", "pipe", "pipe"],
  });
  processes.add(child);
  child.once("exit", () => processes.delete(child));
  child.stdin?.on("error", () => undefined); // It may end without reading its input.
  child.stdin?.end(options.input ?? "");
  return child;
}

function collect(child: ChildProcess): { out: () => string; err: () => string } {
  let out = "";
  let err = "";
  child.stdout?.on("data", (data: Uint8Array) => (out += new TextDecoder().decode(data)));
  child.stderr?.on("data", (data: Uint8Array) => (err += new TextDecoder().decode(data)));
  return { out: () => out, err: () => err };
}

/** Runs a program to its end. */
export async function run(
  command: string,
  argv: readonly string[],
  options: RunOptions = {},
): Promise<Ran> {
  const child = start(command, argv, options);
  const text = collect(child);
  const timer = setTimeout(() => child.kill("SIGKILL"), commandMsMax);
  const exit = await new Promise<number | null>((done) => child.once("close", done));
  clearTimeout(timer);
  return { exit, out: text.out(), err: text.err() };
}

/** Runs `bin/ledgercli`. */
export function ledgercli(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return run(join(root, "bin", "ledgercli"), argv, options);
}

/** Runs `bin/ledger` to its end, for commands that do end. */
export function ledger(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return run(join(root, "bin", "ledger"), argv, options);
}

/** A program that was started and may have ended since. */
export type Launched = {
  readonly pid: number;
  readonly out: () => string;
  readonly err: () => string;
  readonly isEnded: () => boolean;
  /** Resolves when it has ended: its exit code, `null` if a signal ended it. */
  readonly ended: Promise<number | null>;
  /** Sends the signal and waits for the end. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<number | null>;
};

/** Starts one of our programs and waits for nothing. */
export function launch(
  program: "ledger" | "ledgercli",
  argv: readonly string[],
  options: RunOptions = {},
): Launched {
  const child = start(join(root, "bin", program), argv, options);
  const text = collect(child);
  const ended = new Promise<number | null>((done) => child.once("close", done));
  const isEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const stop = (signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> =>
    endProcess(child, signal);
  return { pid: child.pid ?? 0, ...text, isEnded, ended, stop };
}

/** A node that runs. */
export type RunningNode = {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly client: LedgerClient;
  readonly out: () => string;
  readonly err: () => string;
  /** Sends the signal and waits for the end; the exit code, `null` if the signal ended it. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<number | null>;
};

/** A node that was started and may have ended since. */
export type LaunchedNode = RunningNode & {
  readonly isEnded: () => boolean;
  /** Resolves when it has ended: its exit code, `null` if a signal ended it. */
  readonly ended: Promise<number | null>;
};

type LaunchOptions = RunOptions & { readonly command?: string };

/** Starts `bin/ledger` with a free RPC port and waits for nothing. */
export async function launchLedger(
  argv: readonly string[],
  options: LaunchOptions = {},
): Promise<LaunchedNode> {
  const port = await freePort();
  const environment = { LEDGER_RPC_PORT: `${port}`, ...options.environment };
  const command = options.command ?? join(root, "bin", "ledger");
  const child = start(command, argv, { ...options, environment });
  const text = collect(child);
  const ended = new Promise<number | null>((done) => child.once("close", done));
  const url = `http://127.0.0.1:${port}/rpc`;
  const client = new LedgerClient({ url, timeoutMs: 5_000 });
  const stop = (signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> =>
    endProcess(child, signal);
  const isEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return { url, port, pid: child.pid ?? 0, client, ...text, stop, isEnded, ended };
}

/** Starts `bin/ledger` with a free RPC port and waits until it has committed a block. */
export async function startLedger(
  argv: readonly string[],
  options: LaunchOptions = {},
): Promise<LaunchedNode> {
  const node = await launchLedger(argv, options);
  const ready = async (): Promise<boolean> => {
    if (node.isEnded()) throw new Error(`the node ended with ${await node.ended}`);
    return node.client.status().then(
      (status) => status.height > 0,
      () => false,
    );
  };
  try {
    await waitFor("the node commits its first block", ready, startMsMax);
  } catch (error) {
    await node.stop("SIGKILL");
    throw new Error(`${String(error)}\n${node.out()}\n${node.err()}`, { cause: error });
  }
  return node;
}

/** Ends a process by a signal; its exit code. */
export function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((done) => {
    child.once("exit", (code) => done(code));
    child.kill(signal);
  });
}

/**
 * A folder that looks like a checkout to the commands of the documentation: `bin/` and a copy of
 * `integration/privatenet`, so that they run as they are printed and write only here. Its keys are
 * opened in a tenth of the time unless they are to be those of the fixture: each of a test's many
 * commands opens one.
 */
export function checkoutFolder(keys: "light" | "standard" = "light"): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "bin"));
  for (const name of ["ledger", "ledgercli"])
    symlinkSync(join(root, "bin", name), join(folder, "bin", name));
  const privatenet = join(folder, "integration", "privatenet");
  cpSync(join(root, "integration", "privatenet"), privatenet, {
    recursive: true,
    filter: (source) => !/(^|\/)(data|make\.ts)$/.test(source),
  });
  if (keys === "standard") return folder;
  const light = join(privatenet, "light");
  cpSync(light, join(privatenet, "node", "key"), { recursive: true });
  cpSync(join(light, "encrypted"), join(privatenet, "ledgercli", "keys", "encrypted"), {
    recursive: true,
  });
  return folder;
}

/** Starts the private-net fixture in a folder made by `checkoutFolder`. */
export function startPrivatenet(folder: string): Promise<RunningNode> {
  return startLedger(["start", "--config=integration/privatenet/node"], {
    folder,
    environment: { LEDGER_PASSWORD: fixturePassword },
  });
}
