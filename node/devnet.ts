import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Address } from "../base/brand.ts";
import { bytesToHexDigits } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";
import { accountPath, derivePath, mnemonicSeed } from "../crypto/mnemonic.ts";
import { checksumAddress } from "../crypto/address.ts";
import { randomBytes, scryptLight } from "../crypto/kdf.ts";
import { addressOf } from "../crypto/secp256k1.ts";
import { privatenet } from "../ledger/genesis.ts";
import type { ParameterValue } from "../ledger/parameters.ts";
import { soleValidatorGenesis, writeNodeFolder } from "./init.ts";
import { createValidatorKeys, writeSecret } from "./keys.ts";
import type { NodeOptions } from "./options.ts";

/** The mnemonic that Ethereum's development tools share: its keys are public. */
export const devnetMnemonic = "test test test test test test test test test test test junk";

/** Accounts of the mnemonic that a devnet funds. */
export const devnetAccountCount = 10;

/** Heights of which a devnet keeps the state: snapshots of test frameworks go back to them. */
export const devnetRetainedHeights = 100_000;

const coin = 10n ** 18n;

/** What each of them owns. */
export const devnetCoins = { thetaWei: 100_000n * coin, tfuelWei: 1_000_000n * coin };

/** A funded account whose key anybody can read. */
export type DevnetAccount = { readonly address: Address; readonly privateKey: Uint8Array };

let accounts: readonly DevnetAccount[] | null = null;

/** The funded accounts, in the order of their paths; derived once, as that takes half a second. */
export function devnetAccounts(): readonly DevnetAccount[] {
  return (accounts ??= deriveAccounts());
}

function deriveAccounts(): readonly DevnetAccount[] {
  const seed = mnemonicSeed(devnetMnemonic);
  return Array.from({ length: devnetAccountCount }, (_, index) => {
    const privateKey = derivePath(seed, accountPath(index));
    assert(privateKey !== null, "the path is one");
    return { address: addressOf(privateKey), privateKey };
  });
}

const passwordFile = "password";

/** A devnet's folder: made where there is none, and temporary where none is named. */
export async function openDevnetFolder(
  named: string | null,
  parameters: ReadonlyMap<string, ParameterValue>,
): Promise<{ readonly folder: string; readonly password: string; readonly remove: () => void }> {
  const folder = named ?? mkdtempSync(join(tmpdir(), "ledger-devnet-"));
  if (!existsSync(join(folder, "config.yaml"))) await makeDevnetFolder(folder, parameters);
  const password = readFileSync(join(folder, "key", passwordFile), "utf8").trim();
  const remove = (): void => {
    if (named === null) rmSync(folder, { recursive: true, force: true });
  };
  return { folder, password, remove };
}

async function makeDevnetFolder(
  folder: string,
  parameters: ReadonlyMap<string, ParameterValue>,
): Promise<void> {
  const keys = createValidatorKeys();
  const genesis = soleValidatorGenesis({
    chainName: privatenet.chainName,
    kind: "private",
    keys,
    timestampMs: Date.now(),
    funded: devnetAccounts().map(({ address }) => ({ address, coins: devnetCoins })),
    parameters: new Map([["dev.operations", "allowed"], ...parameters]),
  });
  const password = bytesToHexDigits(randomBytes(16));
  await writeNodeFolder(folder, { genesis, keys, password, cost: scryptLight });
  // A devnet starts unattended; its validator's key guards nothing.
  writeSecret(join(folder, "key"), passwordFile, password);
}

/** What `runDevnet` shows above a node's start screen: who owns what. */
export function printDevnetAccounts(print: NodeOptions["print"]): void {
  print("");
  print(`  Accounts (mnemonic "${devnetMnemonic}")`);
  for (const [i, { address, privateKey }] of devnetAccounts().entries()) {
    print(`   ${i}  ${checksumAddress(address)}  0x${bytesToHexDigits(privateKey)}`);
  }
  print(
    "   100,000 THETA and 1,000,000 TFUEL each. Their keys are public: never send real funds here.",
  );
}

/** What to type next, in another terminal. */
export function printDevnetCommands(print: NodeOptions["print"], rpcUrl: string): void {
  const [from, to] = devnetAccounts().map(({ address }) => checksumAddress(address));
  const remote = rpcUrl === rpcUrlDefault ? "" : ` --remote=${rpcUrl}`;
  const { chainName } = privatenet;
  print("");
  print("  next, in another terminal:");
  print("    export LEDGER_PASSWORD=devnet");
  print(`    echo "${devnetMnemonic}" | bin/ledgercli key import --mnemonic-file=-`);
  print(
    `    bin/ledgercli tx send --chain=${chainName} --from=${from} --to=${to} --tfuel=20${remote}`,
  );
  print(`    bin/ledgercli query account --address=${to}${remote}`);
  print("  stop with Ctrl-C");
}

/** Where the wallet looks unless told otherwise. */
const rpcUrlDefault = "http://127.0.0.1:16888/rpc";

/** Where Ethereum tools look first. */
export const ethereumPort = 8_545;
