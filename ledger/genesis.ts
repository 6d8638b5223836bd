import { assert } from "../base/assert.ts";
import type { Digest } from "../base/brand.ts";
import { bytesToHex, hexToBytes, zeroAddress, zeroDigest } from "../base/bytes.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import { encodeRlp, rlpBigInt, rlpNumber, rlpText, type RlpItem } from "../base/rlp.ts";
import { encodeCommittee } from "../consensus/codec.ts";
import type { Committee } from "../consensus/types.ts";
import { parseBlsPublicKey, verifyBlsPossession } from "../crypto/bls.ts";
import { keccakDigest } from "../crypto/keccak.ts";
import { bodyDigests } from "./block.ts";
import type { Block, Body } from "./blockTypes.ts";
import { readGenesisFile, type GenesisRefusal } from "./genesisFile.ts";
import type { GenesisContent } from "./genesisTypes.ts";
import { headerVersion } from "./header.ts";
import { Journal } from "./journal.ts";
import type { BlockContext, Chain } from "./module.ts";
import { emptyRoot } from "./orderedRoot.ts";
import { parameterFault, type Parameters } from "./parameters.ts";
import { publishedAddresses } from "./publishedKeys.ts";
import { bloomSizeBytes } from "./receipt.ts";
import type { Registry } from "./registry.ts";
import type { StateChanges, StateReader } from "./state.ts";
import { Workspace } from "./workspace.ts";

/** Chain ids of networks made with this program: no other network uses them. */
export const ownChainIds = { first: 7_660_000, last: 7_669_999 } as const;

/** Theta's `privatenet`, whose walk-through and wallets we serve. */
export const privatenet = { chainName: "privatenet", chainId: 366 } as const;

/** Names of Theta's own networks: signatures made for those must not be valid here. */
const foreignNames = [
  "mainnet",
  "main_net_chain",
  "testnet",
  "testnet_sapphire",
  "testnet_amber",
  "test_chain",
];

/** All coins at genesis: far below 2^256, so that no sum of balances ever overflows. */
const supplyMax = 1n << 200n;

/** A checked genesis. */
export type Genesis = {
  readonly content: GenesisContent;
  /** Hash of the content: the chain's identity in statements, module operations and handshakes. */
  readonly hash: Digest;
  readonly chain: Chain;
};

/** Reads and checks a genesis file. */
export function readGenesis(text: string, registry: Registry): Outcome<Genesis, GenesisRefusal> {
  const content = readGenesisFile(text, registry);
  if (!content.ok) return content;
  const fault = genesisFault(content.value, registry);
  return fault === null ? accept(createGenesis(content.value)) : refuse(fault);
}

/** The genesis of a content that was checked, or made by this program. */
export function createGenesis(given: GenesisContent): Genesis {
  const content = inOrder(given);
  const hash = keccakDigest(
    encodeRlp([rlpText("ledger.genesis.1"), ...contentItems(content), keyItems(content)]),
  );
  const chain = { name: content.chainName, id: content.chainId, genesisHash: hash };
  return { content, hash, chain };
}

/**
 * What the proofs of possession in a genesis file are bound to, in the place of the genesis hash:
 * the hash of all but the keys, because the genesis hash covers the proofs themselves.
 */
export function genesisKeyDomain(given: Omit<GenesisContent, "keys">): Digest {
  const content = inOrder({ ...given, keys: [] });
  return keccakDigest(encodeRlp([rlpText("ledger.genesisKeys.1"), ...contentItems(content)]));
}

/** The same content with every list in ascending order, so that a file's order does not matter. */
function inOrder(content: GenesisContent): GenesisContent {
  const sorted = <T>(list: readonly T[], name: (entry: T) => string): readonly T[] =>
    [...list].sort((a, b) => (name(a) < name(b) ? -1 : name(a) > name(b) ? 1 : 0));
  return {
    ...content,
    parameters: new Map(sorted([...content.parameters], ([name]) => name)),
    balances: sorted(content.balances, ({ address }) => address),
    stakes: sorted(content.stakes, ({ holder, source }) => holder + source),
    keys: sorted(content.keys, ({ holder }) => holder),
  };
}

function contentItems(content: Omit<GenesisContent, "keys">): RlpItem[] {
  return [
    rlpText(content.chainName),
    rlpNumber(content.chainId),
    rlpText(content.kind),
    rlpNumber(content.timestampMs),
    [...content.parameters].map(([name, value]) => [
      rlpText(name),
      typeof value === "bigint" ? rlpBigInt(value) : rlpText(value),
    ]),
    content.balances.map(({ address, coins }) => [
      hexToBytes(address),
      rlpBigInt(coins.thetaWei),
      rlpBigInt(coins.tfuelWei),
    ]),
    content.stakes.map(({ source, holder, amount }) => [
      hexToBytes(source),
      hexToBytes(holder),
      rlpBigInt(amount),
    ]),
  ];
}

function keyItems(content: GenesisContent): RlpItem {
  return content.keys.map(({ holder, blsKey, proof }) => [hexToBytes(holder), blsKey, proof]);
}

/** What makes no sense in a content whose form is right, or `null`. */
export function genesisFault(content: GenesisContent, registry: Registry): GenesisRefusal | null {
  return (
    nameFault(content) ??
    repetitionFault(content) ??
    publishedFault(content) ??
    parametersFault(content, registry) ??
    amountFault(content, registry.parametersWith(content.parameters)) ??
    keyFault(content)
  );
}

function parametersFault(
  { parameters }: GenesisContent,
  registry: Registry,
): GenesisRefusal | null {
  for (const [name, value] of parameters) {
    const definition = registry.parameter(name);
    const detail =
      definition === null ? "no module has this parameter" : parameterFault(definition, value);
    if (detail !== null) return { place: `parameters.${name}`, detail };
  }
  return null;
}

function nameFault({ chainName, chainId, kind }: GenesisContent): GenesisRefusal | null {
  if (!/^[a-z][a-z0-9_-]{2,63}$/.test(chainName)) {
    const detail = `got "${chainName}", expected 3 to 64 of a-z, 0-9, _ and -, first a letter`;
    return { place: "chainName", detail };
  }
  if (foreignNames.includes(chainName)) {
    return { place: "chainName", detail: `"${chainName}" is a network of Theta` };
  }
  if ((chainName === privatenet.chainName) !== (chainId === privatenet.chainId)) {
    const detail = `got ${chainId} for "${chainName}", but 366 and "privatenet" belong together`;
    return { place: "chainId", detail };
  }
  if (chainName === privatenet.chainName) {
    return kind === "private"
      ? null
      : { place: "kind", detail: `got ${kind}, but "privatenet" is private` };
  }
  const { first, last } = ownChainIds;
  return first <= chainId && chainId <= last
    ? null
    : { place: "chainId", detail: `got ${chainId}, expected ${first} to ${last}` };
}

function repetitionFault({ balances, stakes, keys }: GenesisContent): GenesisRefusal | null {
  const lists = [
    { place: "balances", names: balances.map(({ address }) => address) },
    { place: "stakes", names: stakes.map(({ holder, source }) => `${source} with ${holder}`) },
    { place: "keys", names: keys.map(({ holder }) => holder) },
    { place: "keys", names: keys.map(({ blsKey }) => `key ${blsKey.join(",")}`) },
  ];
  for (const { place, names } of lists) {
    const seen = new Set<string>();
    for (const name of names) {
      if (seen.has(name)) return { place, detail: `${name} occurs twice` };
      seen.add(name);
    }
  }
  return null;
}

function publishedFault(content: GenesisContent): GenesisRefusal | null {
  if (content.kind !== "public") return null;
  if (content.parameters.get("dev.operations") === "allowed") {
    const detail = "dev.operations is allowed; a public network cannot have that";
    return { place: "kind", detail };
  }
  const owners = [
    ...content.balances.map(({ address }) => address),
    ...content.stakes.flatMap(({ source, holder }) => [source, holder]),
    ...content.keys.map(({ holder }) => holder),
  ];
  const published = owners.find((address) => publishedAddresses.has(address));
  if (published === undefined) return null;
  const detail = `the key of ${published} is published; a public network cannot use it`;
  return { place: "kind", detail };
}

function amountFault(content: GenesisContent, parameters: Parameters): GenesisRefusal | null {
  const total =
    content.balances.reduce((sum, { coins }) => sum + coins.thetaWei + coins.tfuelWei, 0n) +
    content.stakes.reduce((sum, { amount }) => sum + amount, 0n);
  if (total > supplyMax) return { place: "balances", detail: "all coins are more than 2^200" };
  const empty = content.stakes.find(({ amount }) => amount === 0n);
  if (empty !== undefined) {
    return { place: "stakes", detail: `${empty.source} with ${empty.holder} has no stake` };
  }
  const withKey = new Set(content.keys.map(({ holder }) => holder));
  const stakeMin = parameters.amount("stake.validatorStakeMin");
  const sums = new Map<string, bigint>();
  for (const { holder, amount } of content.stakes) {
    sums.set(holder, (sums.get(holder) ?? 0n) + amount);
  }
  const able = content.stakes.some(
    ({ holder }) => withKey.has(holder) && (sums.get(holder) ?? 0n) >= stakeMin,
  );
  if (able) return null;
  const detail = `no holder has both a key and ${stakeMin} ThetaWei: nobody could validate`;
  return { place: "stakes", detail };
}

function keyFault(content: GenesisContent): GenesisRefusal | null {
  const domain = genesisKeyDomain(content);
  for (const { holder, blsKey, proof } of content.keys) {
    const key = parseBlsPublicKey(blsKey);
    if (key === null) return { place: "keys", detail: `the BLS key of ${holder} is not a point` };
    if (!verifyBlsPossession({ holder, genesis: domain }, key, proof)) {
      const detail = `the proof of possession of ${holder} is not for this key and this file`;
      return { place: "keys", detail };
    }
  }
  return null;
}

/** What genesis writes into an empty state, and who validates the first epoch. */
export function genesisState(
  genesis: Genesis,
  registry: Registry,
  empty: StateReader,
): { readonly changes: StateChanges; readonly committee: Committee } {
  const { chain, content } = genesis;
  const parameters = registry.parametersWith(content.parameters);
  const journal = new Journal(empty);
  const block = genesisContext(genesis, parameters);
  const workspace = new Workspace(journal, registry, { chain, block, parameters });
  for (const module of registry.modules) module.genesis.init(workspace, content);
  const naming = registry.modules.find((module) => module.hooks?.committee !== undefined);
  const committee = naming?.hooks?.committee?.(workspace);
  assert(committee !== undefined && committee.validators.length > 0, "genesis has no committee");
  return { changes: journal.changes(), committee };
}

function genesisContext(genesis: Genesis, parameters: Parameters): BlockContext {
  return {
    height: 0,
    epoch: 0,
    view: 0,
    timestampMs: genesis.content.timestampMs,
    parentHash: zeroDigest,
    proposer: zeroAddress,
    gasLimit: parameters.amount("chain.blockGasLimit"),
    baseFee: parameters.amount("chain.baseFeeFloor"),
    randomness: zeroDigest,
  };
}

const genesisBody: Body = {
  transactions: [],
  timeoutCertificate: null,
  epochProof: null,
  randomnessSignature: new Uint8Array(96),
  evidence: [],
  checkpointCertificate: null,
};

/**
 * The block of height 0: root of epoch 0. `stateRoot` is of the state after `genesisState`'s
 * changes.
 */
export function genesisBlock(
  genesis: Genesis,
  registry: Registry,
  facts: { readonly stateRoot: Digest; readonly committee: Committee },
): Block {
  const parameters = registry.parametersWith(genesis.content.parameters);
  const context = genesisContext(genesis, parameters);
  const rootCertificate = {
    epoch: 0,
    view: 0,
    block: zeroDigest,
    parentView: 0,
    signers: new Uint8Array(0),
    signature: new Uint8Array(0),
  };
  const header = {
    version: headerVersion,
    genesisHash: genesis.hash,
    height: 0,
    epoch: 0,
    view: 0,
    parentHash: zeroDigest,
    parentCertificate: rootCertificate,
    timestampMs: context.timestampMs,
    proposer: zeroAddress,
    receiptsRoot: emptyRoot,
    logsBloom: new Uint8Array(bloomSizeBytes),
    stateRoot: facts.stateRoot,
    gasUsed: 0n,
    gasLimit: context.gasLimit,
    baseFee: context.baseFee,
    runtimeHash: registry.runtimeHash(parameters),
    // Nothing random is known yet; the chain's identity at least is nobody else's.
    randomness: keccakDigest(encodeRlp([rlpText("ledger.randomness.1"), hexToBytes(genesis.hash)])),
    nextCommitteeHash: keccakDigest(encodeCommittee(facts.committee)),
    ...bodyDigests(genesisBody),
  };
  return { header, body: genesisBody };
}

/** The file that `readGenesis` reads back, for `init`, `devnet` and `testnet`. */
export function genesisToJson(content: GenesisContent): string {
  const hex = (bytes: Uint8Array): string => bytesToHex(bytes);
  return `${JSON.stringify(
    {
      chainName: content.chainName,
      chainId: content.chainId,
      kind: content.kind,
      timestampMs: content.timestampMs,
      parameters: Object.fromEntries(
        [...content.parameters].map(([name, value]) => [name, value.toString()]),
      ),
      balances: content.balances.map(({ address, coins }) => ({
        address,
        thetaWei: coins.thetaWei.toString(),
        tfuelWei: coins.tfuelWei.toString(),
      })),
      stakes: content.stakes.map(({ source, holder, amount }) => ({
        source,
        holder,
        thetaWei: amount.toString(),
      })),
      keys: content.keys.map(({ holder, blsKey, proof }) => ({
        holder,
        blsKey: hex(blsKey),
        proof: hex(proof),
      })),
    },
    null,
    2,
  )}\n`;
}
