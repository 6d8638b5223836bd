import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { genesisToJson, type Genesis } from "../ledger/genesis.ts";
import { loadConfig, type Config } from "./config.ts";
import { openGenesis } from "./genesis.ts";
import { soleValidatorGenesis } from "./init.ts";
import { createValidatorKeys } from "./keys.ts";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ledger-test-"));
  mkdirSync(join(folder, "data"));
});

afterEach(() => rmSync(folder, { recursive: true }));

function config(hash = ""): Config {
  return loadConfig({ folder, overrides: [["genesis.hash", hash]], environment: {} });
}

function writeGenesis(chainName: string): Genesis {
  const keys = createValidatorKeys();
  const genesis = soleValidatorGenesis({
    chainName,
    kind: "development",
    keys,
    timestampMs: 1_700_000_000_000,
    funded: [],
  });
  writeFileSync(join(folder, "genesis.json"), genesisToJson(genesis.content));
  return genesis;
}

function rememberedPath(): string {
  const [name = ""] = readdirSync(join(folder, "data"));
  return join(folder, "data", name);
}

test("a remembered file gives its names without being read again, its content when asked", () => {
  const genesis = writeGenesis("firstnet");
  openGenesis(config()).remember();
  const again = openGenesis(config());
  expect(again.names).toEqual({ hash: genesis.hash, chain: genesis.chain });
  expect(again.whole().hash).toBe(genesis.hash);
  expect(again.whole()).toBe(again.whole());
});

test("another file is read anew, whatever is remembered", () => {
  writeGenesis("firstnet");
  openGenesis(config()).remember();
  const second = writeGenesis("secondnet");
  expect(openGenesis(config()).names.chain).toEqual(second.chain);
  writeFileSync(join(folder, "genesis.json"), "{}");
  expect(() => openGenesis(config())).toThrow(/genesis.json/);
});

test("what is remembered is for one place only: cut off or foreign, it counts nothing", () => {
  const genesis = writeGenesis("firstnet");
  openGenesis(config()).remember();
  for (const text of ["", "{", "[]", "null", '{"file":"x"}']) {
    writeFileSync(rememberedPath(), text);
    expect(openGenesis(config()).names.hash).toBe(genesis.hash);
  }
});

test("D5: a flipped bit in what is remembered makes no other chain of it", () => {
  const genesis = writeGenesis("firstnet");
  openGenesis(config()).remember();
  const bytes = readFileSync(rememberedPath());
  for (let at = 0; at < bytes.length; at += 1) {
    const damaged = new Uint8Array(bytes);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    writeFileSync(rememberedPath(), damaged);
    expect(openGenesis(config()).names, `byte ${at}`).toEqual({
      hash: genesis.hash,
      chain: genesis.chain,
    });
  }
});

test("a hash in the configuration is compared with a remembered file too", () => {
  const genesis = writeGenesis("firstnet");
  openGenesis(config(genesis.hash)).remember();
  expect(openGenesis(config(genesis.hash.toUpperCase().replace("0X", "0x"))).names.hash).toBe(
    genesis.hash,
  );
  expect(() => openGenesis(config(`0x${"1".repeat(64)}`))).toThrow(/genesis.hash says/);
});
