import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { callRpc } from "./rpcClient.ts";

/*
 * The processes that are measured: each on a free port of loopback, with a folder of its own, ended
 * by its process id. Their output goes to a file, so that a full pipe slows nobody.
 */

/** The project's root. */
export const projectRoot: string = resolve(import.meta.dirname, "..");

/** A server that runs and answers. */
export type Server = {
  readonly pid: number;
  /** Where JSON-RPC is posted. */
  readonly url: string;
  readonly port: number;
  readonly startedAtMs: number;
  /** Ends the process and waits for that. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<void>;
};

const children = new Set<ChildProcess>();
const folders = new Set<string>();

process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

/** A folder that goes when the benchmark ends. `LEDGER_BENCH_FOLDER` chooses the disk. */
export function temporaryFolder(): string {
  const parent = process.env["LEDGER_BENCH_FOLDER"] ?? tmpdir();
  const folder = mkdtempSync(join(parent, "ledger-bench-"));
  folders.add(folder);
  return folder;
}

/** Removes a folder before the end, to give its disk space back. */
export function removeFolder(folder: string): void {
  folders.delete(folder);
  rmSync(folder, { recursive: true, force: true });
}

/** A port that nothing listened on a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once("error", fail);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => done(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/**
 * Starts a program that will answer JSON-RPC at `url`; resolves when it has exited or `ready`
 * holds.
 */
export async function startServer(options: {
  readonly command: string;
  readonly argv: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Where it works; default: the project's root. */
  readonly folder?: string;
  readonly port: number;
  readonly path: string;
  readonly logPath: string;
  readonly startMsMax: number;
}): Promise<Server> {
  const log = openSync(options.logPath, "a");
  const startedAtMs = Date.now();
  const child = spawn(options.command, options.argv, {
    cwd: options.folder ?? projectRoot,
    env: { ...process.env, NO_COLOR: "1", ...options.environment },
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  children.add(child);
  const exited = new Promise<void>((done) => child.once("close", () => done()));
  child.once("exit", () => children.delete(child));
  const { pid } = child;
  if (pid === undefined) throw new Error(`${options.command} did not start`);
  const url = `http://127.0.0.1:${options.port}${options.path}`;
  const server = {
    pid,
    url,
    port: options.port,
    startedAtMs,
    stop: async (signal: NodeJS.Signals = "SIGTERM") => {
      child.kill(signal);
      const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
      await exited;
      clearTimeout(timer);
    },
  };
  await answering(server, {
    hasExited: () => child.exitCode !== null || child.signalCode !== null,
    logPath: options.logPath,
    deadlineMs: startedAtMs + options.startMsMax,
  });
  return server;
}

async function answering(
  server: Server,
  until: {
    readonly hasExited: () => boolean;
    readonly logPath: string;
    readonly deadlineMs: number;
  },
): Promise<void> {
  for (;;) {
    try {
      await callRpc(server.url, { method: "eth_blockNumber", params: [] });
      return;
    } catch (error) {
      if (until.hasExited() || Date.now() > until.deadlineMs) {
        const output = existsSync(until.logPath) ? readFileSync(until.logPath, "utf8") : "";
        throw new Error(`the server does not answer:\n${output.slice(-4_000)}`, { cause: error });
      }
    }
    await pause(10);
  }
}

/** Waits; for pacing measurements, never in place of a condition. */
export function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
