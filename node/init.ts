import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Address } from "../base/brand.ts";
import { NodeError } from "../base/nodeError.ts";
import { checksumAddress } from "../crypto/address.ts";
import { proveBlsPossession } from "../crypto/bls.ts";
import type { ScryptCost } from "../crypto/kdf.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { textToBytes } from "../base/bytes.ts";
import {
  createGenesis,
  genesisFault,
  genesisKeyDomain,
  genesisToJson,
  ownChainIds,
  privatenet,
  readGenesis,
  type Genesis,
} from "../ledger/genesis.ts";
import type { GenesisContent } from "../ledger/genesisTypes.ts";
import type { ParameterValue } from "../ledger/parameters.ts";
import { coreRegistry } from "../ledger/runtime.ts";
import type { Coins } from "../ledger/thetaTypes.ts";
import {
  accountKeyFolder,
  blsKeyFolder,
  createValidatorKeys,
  writeValidatorKeys,
  type ValidatorKeys,
} from "./keys.ts";
import { createSafetyFile } from "./safety.ts";
import type { NodeOptions } from "./options.ts";

const coin = 10n ** 18n;

/** What the validator of a new network of one stakes and owns beside it. */
const validatorStake = 50_000_000n * coin;
const validatorCoins: Coins = { thetaWei: 12_500_000n * coin, tfuelWei: 312_500_000n * coin };

/**
 * The EIP-155 number of a new network: Theta's for `privatenet`, else from our own range by its
 * name.
 */
export function chainIdOf(chainName: string): number {
  if (chainName === privatenet.chainName) return privatenet.chainId;
  const { first, last } = ownChainIds;
  const [high = 0, low = 0] = keccak256(textToBytes(chainName));
  return first + ((high * 256 + low) % (last - first + 1));
}

/** What a new network begins with. */
export type NewNetwork = {
  readonly chainName: string;
  readonly kind: GenesisContent["kind"];
  readonly timestampMs: number;
  readonly funded: readonly { readonly address: Address; readonly coins: Coins }[];
  readonly parameters?: ReadonlyMap<string, ParameterValue>;
};

/** The genesis of a network of one validator. */
export function soleValidatorGenesis(
  options: NewNetwork & { readonly keys: ValidatorKeys },
): Genesis {
  return validatorsGenesis({ ...options, validators: [options.keys] });
}

/** The genesis of a network of some validators; they share the stake that one would have. */
export function validatorsGenesis(
  options: NewNetwork & { readonly validators: readonly ValidatorKeys[] },
): Genesis {
  const { validators } = options;
  const count = BigInt(validators.length);
  // As much as one validator of a small network has, but no more in all than a large one needs.
  const amount = count <= 4n ? validatorStake : (4n * validatorStake) / count;
  const own = validators.map(({ address }) => ({ address, coins: validatorCoins }));
  const byAddress = <T extends { readonly address: Address }>(a: T, b: T): number =>
    a.address < b.address ? -1 : 1;
  const sorted = validators.toSorted(byAddress);
  const content = {
    chainName: options.chainName,
    chainId: chainIdOf(options.chainName),
    kind: options.kind,
    timestampMs: options.timestampMs,
    parameters: options.parameters ?? new Map<string, ParameterValue>(),
    balances: [...own, ...options.funded].sort(byAddress),
    stakes: sorted.map(({ address }) => ({ source: address, holder: address, amount })),
  };
  const keys = sorted.map(({ address, blsPublicKey, blsSecretKey }) => {
    const subject = { holder: address, genesis: genesisKeyDomain(content) };
    const proof = proveBlsPossession(subject, blsSecretKey);
    return { holder: address, blsKey: blsPublicKey, proof };
  });
  const whole = { ...content, keys };
  const fault = genesisFault(whole, coreRegistry);
  if (fault !== null)
    throw new NodeError("E_GENESIS", `the chain cannot be made: ${fault.place}: ${fault.detail}`);
  return createGenesis(whole);
}

/** The configuration file of a new node; every setting is optional. */
function configText(lines: readonly string[]): string {
  return ["# Settings and their defaults: docs/CONFIGURATION.md", ...lines, ""].join("\n");
}

/**
 * Writes a whole node folder: configuration, genesis, keys, and the first safety record of a new
 * key.
 */
export async function writeNodeFolder(
  folder: string,
  options: {
    readonly genesis: Genesis;
    readonly keys: ValidatorKeys;
    readonly password: string;
    readonly cost?: ScryptCost;
    readonly config?: readonly string[];
    /** Its data folder may be carried to another machine before the first start. */
    readonly isPortable?: boolean;
  },
): Promise<void> {
  requireEmpty(folder);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const cost = options.cost === undefined ? {} : { cost: options.cost };
  await writeValidatorKeys(folder, options.keys, { password: options.password, ...cost });
  writeFileSync(join(folder, "genesis.json"), genesisToJson(options.genesis.content));
  const hash = [`genesis:`, `  hash: "${options.genesis.hash}"`];
  writeFileSync(join(folder, "config.yaml"), configText([...hash, ...(options.config ?? [])]));
  await createSafetyFile(join(folder, "data"), {
    genesis: options.genesis.hash,
    publicKey: options.keys.blsPublicKey,
    isPortable: options.isPortable ?? false,
  });
}

function requireEmpty(folder: string): void {
  if (!existsSync(folder) || readdirSync(folder).length === 0) return;
  throw new NodeError("E_FOLDER", `${folder} is not empty`, {
    hint: "choose another folder, or start the node that is in it: ledger start --config=DIR",
  });
}

/** `ledger init`: a node folder for a new network of one, with fresh keys. */
export async function initNode(
  options: NodeOptions & { readonly folder: string; readonly chain: string },
): Promise<void> {
  const keys = createValidatorKeys();
  const genesis = soleValidatorGenesis({
    chainName: options.chain,
    kind: "private",
    keys,
    timestampMs: Date.now(),
    funded: [],
  });
  const password = await options.password("Password for the new keys");
  await writeNodeFolder(options.folder, { genesis, keys, password });
  const address = checksumAddress(keys.address);
  if (options.json) {
    const { hash, chain } = genesis;
    const { folder } = options;
    options.print(
      JSON.stringify({ folder, chain: chain.name, chainId: chain.id, genesis: hash, address }),
    );
    return;
  }
  options.print(`made ${options.folder} for the network "${options.chain}" (${genesis.chain.id})`);
  options.print(`  validator ${address}`);
  options.print(`  genesis   ${genesis.hash}`);
  options.print(`next: ledger start --config=${options.folder}`);
}

/** Longest list of addresses taken from another node. */
const joinedPeersMax = 64;

/**
 * `ledger init --join`: a node folder that follows a network. It has no keys, unless it is to
 * become a validator: then new ones, with the first safety record, that wait for stake.
 */
export async function initJoined(
  options: NodeOptions & {
    readonly folder: string;
    readonly genesisText: string;
    readonly peers: readonly string[];
    readonly isValidator: boolean;
  },
): Promise<void> {
  const { folder, genesisText, isValidator, json, print } = options;
  requireEmpty(folder);
  const read = readGenesis(genesisText, coreRegistry);
  if (!read.ok) {
    const { place, detail } = read.refusal;
    throw new NodeError("E_GENESIS", `the network's genesis: ${place}: ${detail}`);
  }
  const { hash, chain } = read.value;
  const keys = isValidator ? createValidatorKeys() : null;
  const password = isValidator ? await options.password("Password for the new keys") : "";
  const peers = options.peers
    .filter((address) => /^\/[\w./:-]{1,256}$/.test(address))
    .slice(0, joinedPeersMax);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, "genesis.json"), genesisText);
  const lines = [
    "genesis:",
    `  hash: "${hash}"`,
    "p2p:",
    "  peers:",
    ...peers.map((address) => `    - "${address}"`),
  ];
  writeFileSync(join(folder, "config.yaml"), configText(lines));
  if (keys !== null) {
    await writeValidatorKeys(folder, keys, { password });
    const subject = { genesis: hash, publicKey: keys.blsPublicKey, isPortable: false };
    await createSafetyFile(join(folder, "data"), subject);
  }
  const address = keys === null ? null : checksumAddress(keys.address);
  if (json)
    return print(JSON.stringify({ folder, chain: chain.name, genesis: hash, peers, address }));
  print(`made ${folder} for the network "${chain.name}" (${chain.id}), with ${peers.length} peers`);
  if (address !== null) print(`  validator ${address}`);
  print(`  genesis   ${hash}`);
  print("  compare that hash with what its operators publish: it is all that you trust them for");
  print(`next: ledger start --config=${folder}`);
  if (address !== null) printJoinCommands(print, folder, address);
}

/** What makes a validator of a node that follows. */
function printJoinCommands(print: NodeOptions["print"], folder: string, address: string): void {
  const encrypted = join(folder, accountKeyFolder);
  const bls = join(folder, blsKeyFolder);
  print("then, once it has caught up, from an account with stake to give:");
  print(`  ledgercli tx deposit --source=ACCOUNT --holder=${address} --stake=200000 --purpose=0`);
  print(`  cp ${encrypted}/* ~/.ledgercli/keys/encrypted/`);
  print(`  ledgercli stake register-key --holder=${address} --bls-keystore=$(echo ${bls}/*.json)`);
  print("it votes from the next epoch on");
}
