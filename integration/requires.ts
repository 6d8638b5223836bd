import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/*
 * The one place that asks for what only some machines have. Debian packages are installed on the
 * way where that is allowed. What stays missing fails under `CI=true`; elsewhere it skips its test
 * and says which command would run it.
 */

/**
 * `mount`: root on Linux, allowed to mount a tmpfs. `strace`: Linux with that program.
 * `namespaces`: root on Linux, allowed to make network namespaces, with `ip` and `nft`.
 */
export type Need = "mount" | "strace" | "namespaces";

/** The part of vitest's test context that is used here. */
type Skipping = { readonly skip: (note?: string) => never };

/** Longest installation of a package, in milliseconds, with one that it waits for. */
const installMsMax = 120_000;

const found = new Map<Need, string | null>();

function works(command: string, argv: readonly string[], timeoutMs = 10_000): boolean {
  return spawnSync(command, argv, { stdio: "ignore", timeout: timeoutMs }).status === 0;
}

/** What is missing and how to get it; `null` if nothing is. */
function missing(need: Need): string | null {
  if (process.platform !== "linux") return "needs Linux: run it there, or in a container";
  switch (need) {
    case "mount":
      return mayMount() ? null : "needs root and mounts: sudo env PATH=$PATH npm run integration";
    case "strace":
      return hasProgram("strace", "-V", "strace")
        ? null
        : "needs strace: sudo apt-get install -y strace";
    case "namespaces":
      return mayMakeHosts()
        ? null
        : "needs root, iproute2 and nftables: sudo env PATH=$PATH npm run campaign -- lab";
  }
}

function mayMakeHosts(): boolean {
  if (process.getuid?.() !== 0) return false;
  if (!hasProgram("ip", "-V", "iproute2") || !hasProgram("nft", "-v", "nftables")) return false;
  const name = `lab${process.pid}t`;
  const made = works("ip", ["netns", "add", name]);
  if (made) works("ip", ["netns", "del", name]);
  return made;
}

function mayMount(): boolean {
  if (process.getuid?.() !== 0) return false;
  const folder = mkdtempSync(join(tmpdir(), "ledger-mount-"));
  const mounted = works("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]);
  if (mounted) works("umount", [folder]);
  rmdirSync(folder);
  return mounted;
}

/** Whether a program runs, installed from its Debian package if need be. */
function hasProgram(program: string, versionFlag: string, debianPackage: string): boolean {
  if (works(program, [versionFlag])) return true;
  if (process.getuid?.() !== 0) return false;
  // One after another: files of tests run side by side, and apt-get refuses a second one of itself.
  const install = `apt-get update; apt-get install -y ${debianPackage}`;
  works("flock", [join(tmpdir(), "ledger-install.lock"), "sh", "-c", install], installMsMax);
  return works(program, [versionFlag]);
}

/** Ends a test here unless the machine has what it needs. */
export function requires(context: Skipping, need: Need): void {
  const known = found.get(need);
  const reason = known === undefined ? missing(need) : known;
  found.set(need, reason);
  if (reason === null) return;
  if (process.env["CI"] === "true") throw new Error(reason);
  context.skip(reason);
}
