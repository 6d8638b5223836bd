import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Load, printedKeys } from "./crash/load.ts";
import {
  cleanUp,
  launchLedger,
  ledger,
  root,
  run,
  startLedger,
  temporaryFolder,
  waitFor,
  type LaunchedNode,
} from "./harness.ts";
import { requires } from "./requires.ts";

/*
 * Goal: a disk that is full, read-only, failing or damaged stops the node with one clear sentence,
 * and nothing that clients were told is lost. Method: transfers run while the fault strikes; then
 * the fault goes away, the folder is checked, and the node starts again by itself.
 */

const mounts: string[] = [];

afterAll(async () => {
  await cleanUpMounts();
  await cleanUp();
});

/** A small disk in memory. */
async function smallDisk(options: string): Promise<string> {
  const folder = temporaryFolder();
  const mounted = await run("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder]);
  expect(mounted.exit, mounted.err).toBe(0);
  mounts.push(folder);
  return folder;
}

async function cleanUpMounts(): Promise<void> {
  for (const folder of mounts) await run("umount", ["--lazy", folder]);
}

const quick = ["--eth-port=0", "--set=log.format=json,consensus.blockIntervalMsMin=20"];

/** The node ended by itself: one sentence, the exit code, no stack trace. */
async function expectEnded(node: LaunchedNode, exit: number, sentence: RegExp): Promise<void> {
  await waitFor("the node ends", () => node.isEnded(), 60_000);
  expect(await node.ended, node.err()).toBe(exit);
  const lines = node.err().split("\n");
  expect(lines.filter((line) => line.startsWith("error[")).length, node.err()).toBe(1);
  expect(lines.find((line) => line.startsWith("error["))).toMatch(sentence);
  expect(node.err()).not.toContain("    at ");
}

/** Everything that clients were told is there after the next start, and more is committed. */
async function expectNothingLost(folder: string, load: Load): Promise<void> {
  const checked = await ledger(["check", `--config=${folder}`, "--json"]);
  expect(checked.exit, checked.err).toBe(0);
  expect((JSON.parse(checked.out) as { height: number }).height).toBeGreaterThanOrEqual(
    load.told.height,
  );
  const node = await startLedger(["devnet", `--data=${folder}`, ...quick]);
  const isCommitted = async (hash: Parameters<typeof node.client.transaction>[0]) =>
    (await node.client.transaction(hash)).status === "finalized";
  for (const hash of load.told.committed) expect(await isCommitted(hash), hash).toBe(true);
  for (const hash of load.told.accepted)
    await waitFor(`${hash} is committed`, () => isCommitted(hash), 30_000);
  expect(load.told.accepted.size).toBeGreaterThan(10);
  expect(await node.stop()).toBe(0);
}

test("D4 a disk that fills up under load stops the node; freed, it goes on", async (context) => {
  requires(context, "mount");
  const disk = await smallDisk("size=12m");
  const folder = join(disk, "node");
  const ballast = join(disk, "ballast");
  const node = await startLedger(["devnet", `--data=${folder}`, ...quick]);
  const load = new Load(printedKeys(node.out()).slice(0, 5), "privatenet");
  load.start(node.url);
  await waitFor("transfers run", () => load.told.committed.size > 20, 30_000);
  const free = 12 * 1_048_576 - usedBytes(folder);
  writeFileSync(ballast, new Uint8Array(free - 400_000));
  await expectEnded(node, 1, /^error\[E_STORAGE\]: .*: The disk is full\.$/);
  await load.stop();
  // Still full: it does not start, and says why.
  const again = await launchLedger(["devnet", `--data=${folder}`, ...quick]);
  await expectEnded(again, 1, /^error\[E_STORAGE\]: .*: The disk is full\.$/);
  rmSync(ballast);
  await expectNothingLost(folder, load);
});

function usedBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

describe("D14 a disk that takes nothing", () => {
  let kept = "";
  beforeAll(async () => {
    kept = join(temporaryFolder(), "kept");
    const node = await startLedger(["devnet", `--data=${kept}`, ...quick]);
    expect(await node.stop()).toBe(0);
  });

  test("for want of inodes", async (context) => {
    requires(context, "mount");
    const disk = await smallDisk("size=32m,nr_inodes=100");
    const folder = join(disk, "node");
    cpSync(kept, folder, { recursive: true });
    mkdirSync(join(disk, "many"));
    fillInodes(join(disk, "many"));
    const node = await launchLedger(["devnet", `--data=${folder}`, ...quick]);
    await expectEnded(node, 1, /^error\[E_STORAGE\]: .*: The disk is full\.$/);
    rmSync(join(disk, "many"), { recursive: true });
    expect((await ledger(["check", `--config=${folder}`])).exit).toBe(0);
  });

  test("because it is read-only", async (context) => {
    requires(context, "mount");
    const disk = await smallDisk("size=32m");
    const folder = join(disk, "node");
    cpSync(kept, folder, { recursive: true });
    const remounted = await run("mount", ["-o", "remount,ro", disk]);
    expect(remounted.exit, remounted.err).toBe(0);
    const node = await launchLedger(["devnet", `--data=${folder}`, ...quick]);
    await expectEnded(node, 1, /^error\[E_STORAGE\]: .*: The file system is read-only\.$/);
  });
});

function fillInodes(folder: string): void {
  for (let i = 0; i < 200; i += 1) {
    try {
      writeFileSync(join(folder, `${i}`), "");
    } catch {
      return; // Full, as it should be.
    }
  }
}

/**
 * A devnet under strace, which makes the n-th sync of each of its threads fail once. With `-D` the
 * child is the node itself, and ends as one.
 */
async function startWithFailingSync(
  folder: string,
  error: "EIO" | "EROFS",
  when: number,
): Promise<{ readonly node: LaunchedNode; readonly trace: string }> {
  const trace = join(temporaryFolder(), "trace");
  const fault = `inject=fsync,fdatasync:error=${error}:when=${when}`;
  const tracing = ["-D", "-f", "-o", trace, "-e", "trace=fsync,fdatasync", "-e", fault];
  const node = await startLedger(
    [...tracing, join(root, "bin", "ledger"), "devnet", `--data=${folder}`, ...quick],
    { command: "strace" },
  );
  return { node, trace };
}

describe("a sync that fails once and would succeed again", () => {
  test.for([
    ["D3", "EIO", /: The disk reports an input\/output error\.$/],
    ["D14", "EROFS", /: The file system is read-only\.$/],
  ] as const)("%s %s stops the node at once", async ([, error, sentence], context) => {
    requires(context, "strace");
    const folder = join(temporaryFolder(), "node");
    const { node, trace } = await startWithFailingSync(folder, error, 40);
    const load = new Load(printedKeys(node.out()).slice(0, 5), "privatenet");
    load.start(node.url);
    await expectEnded(node, 1, sentence);
    await load.stop();
    const syncs = readFileSync(trace, "utf8").split("\n");
    const failed = syncs.findIndex((line) => line.includes("INJECTED"));
    expect(failed).toBeGreaterThan(0);
    await expectNothingLost(folder, load);
  });
});
