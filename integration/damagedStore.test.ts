import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Digest } from "../base/brand.ts";
import { hexToBytes, zeroDigest } from "../base/bytes.ts";
import { Load, printedKeys } from "./crash/load.ts";
import { cleanUp, ledger, startLedger, temporaryFolder, waitFor } from "./harness.ts";

/*
 * Goal: a node never serves or signs from a store that is not what was written. Method: a node
 * fills its store and stops; in copies of its files one bit is flipped.
 */

let kept = "";
/** A committed transaction that only a table file holds. */
let oldest: Digest = zeroDigest;

const argv = (folder: string): string[] => ["devnet", `--data=${folder}`, "--eth-port=0"];

beforeAll(async () => {
  kept = join(temporaryFolder(), "node");
  const first = await startLedger(argv(kept));
  const load = new Load(printedKeys(first.out()).slice(0, 2), "privatenet");
  load.start(first.url);
  await waitFor("transfers are committed", () => load.told.committed.size > 5, 30_000);
  await load.stop();
  expect(await first.stop()).toBe(0);
  for (const hash of load.told.committed) {
    oldest = hash;
    break;
  }
  // The second start turns the log of the first into a table, and writes a log of its own.
  const second = await startLedger(argv(kept));
  expect(await second.stop()).toBe(0);
});
afterAll(cleanUp);

function copyOf(): { readonly folder: string; readonly path: (ending: string) => string } {
  const folder = join(temporaryFolder(), "node");
  cpSync(kept, folder, { recursive: true });
  const store = join(folder, "data", "store");
  const path = (ending: string): string =>
    join(store, readdirSync(store).find((name) => name.endsWith(ending)) ?? "");
  return { folder, path };
}

function read(path: string): Uint8Array {
  return new Uint8Array(readFileSync(path));
}

function flip(path: string, places: readonly number[]): void {
  const file = read(path);
  for (const at of places) file[at] = (file[at] ?? 0) ^ 0x08;
  writeFileSync(path, file);
}

test.each([
  ["a log", ".log", /^error\[E_DATA_CORRUPT\]: The store's log does not match its checksum/m],
  [
    "the list of files",
    "MANIFEST-000005",
    /^error\[E_DATA_CORRUPT\]: The store's files are damaged/m,
  ],
])("D5 a flipped bit in %s: neither start nor check, exit 6", async (_, ending, sentence) => {
  const { folder, path } = copyOf();
  const file = ending.startsWith("MANIFEST") ? path(manifestOf(folder)) : path(ending);
  flip(file, [Math.floor(read(file).length / 2)]);
  for (const command of [argv(folder), ["check", `--config=${folder}`]]) {
    const ran = await ledger([...command, ...(command[0] === "devnet" ? ["--rpc-port=0"] : [])]);
    expect(ran.err).toMatch(sentence);
    expect([ran.exit, ran.out]).toEqual([6, ""]);
  }
});

function manifestOf(folder: string): string {
  return readFileSync(join(folder, "data", "store", "CURRENT"), "utf8").trim();
}

test("D5 a flipped bit in a table is found by the check: exit 6", async () => {
  const { folder, path } = copyOf();
  const table = path(".ldb");
  flip(table, [Math.floor(read(table).length / 3)]);
  const ran = await ledger(["check", `--config=${folder}`]);
  expect(ran.exit, ran.err).toBe(6);
  expect(ran.err).toMatch(/^error\[E_DATA_CORRUPT\]: /m);
});

test("D5 damage that a question meets stops the node: exit 6", async () => {
  const { folder, path } = copyOf();
  const table = path(".ldb");
  const places = placesAfter(read(table), hexToBytes(oldest).subarray(8));
  expect(places.length).toBeGreaterThan(0);
  flip(table, places);
  const node = await startLedger([...argv(folder), "--set=consensus.soleValidator=true"]);
  const answer = await node.client.transaction(oldest).catch((error: unknown) => String(error));
  expect(answer).toContain("E_DATA_CORRUPT");
  await waitFor("the node ends", () => node.isEnded(), 10_000);
  expect(await node.ended, node.err()).toBe(6);
  expect(node.err()).toMatch(/^error\[E_DATA_CORRUPT\]: /m);
});

/** Where these bytes end in a file. */
function placesAfter(file: Uint8Array, part: Uint8Array): readonly number[] {
  const text = new TextDecoder("latin1").decode(file);
  const wanted = new TextDecoder("latin1").decode(part);
  const places: number[] = [];
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
    places.push(at + part.length);
  }
  return places;
}

test("the untouched files are whole", async () => {
  const ran = await ledger(["check", `--config=${copyOf().folder}`]);
  expect([ran.exit, ran.err]).toEqual([0, ""]);
});
