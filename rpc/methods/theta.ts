import type { Address } from "../../base/brand.ts";
import {
  bigIntToFixedBytes,
  bytesToDigest,
  bytesToHexDigits,
  hexToBytesOrNull,
} from "../../base/bytes.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import { checksumAddress } from "../../crypto/address.ts";
import { emptyTrieRoot } from "../../ledger/accounts.ts";
import type { StateReader } from "../../ledger/state.ts";
import type { AccountInfo, NodeApi } from "../api.ts";
import type { Method } from "../dispatch.ts";
import { method } from "../dispatch.ts";
import type { Answer, RpcError } from "../errors.ts";
import { limitExceeded, serverError } from "../errors.ts";
import { JsonText, type JsonValue } from "../json.ts";
import type { MethodHost } from "../methodHost.ts";
import type { Parameter } from "../parameters.ts";
import { flag, optional, safeNumber, shortText, thetaAddress, thetaDigest } from "../parameters.ts";
import { stateError } from "../refusals.ts";
import { childOf, noHash, secondsText, thetaBlockJson } from "./thetaBlocks.ts";
import { thetaContractMethods } from "./thetaContracts.ts";
import { reservedFunds, thetaPoolMethods } from "./thetaPools.ts";
import { thetaStakeMethods } from "./thetaStakes.ts";
import { thetaTransactionMethods } from "./thetaTransactions.ts";

const style = "object";
const no = optional(flag, false);
/** Theta's 0 is the newest finalized height. */
const height = optional(safeNumber, 0);

function statusMethods({ node, limits }: MethodHost): readonly Method[] {
  const skip = { skip_edge_node: no };
  return [
    method({
      name: "theta.GetVersion",
      summary: "Version of this program.",
      style,
      parameters: {},
      call: () => {
        const { version, commit, builtAt } = node.build;
        return accept({ version, git_hash: commit, timestamp: builtAt });
      },
    }),
    method({
      name: "theta.GetStatus",
      summary: "Where the node stands.",
      style,
      parameters: {},
      call: async () => accept(await statusJson(node)),
    }),
    method({
      name: "theta.GetPeers",
      summary: "Ids of connected peers.",
      style,
      parameters: skip,
      call: () => accept({ peers: node.peers().map(({ id }) => id) }),
    }),
    method({
      name: "theta.GetPeerURLs",
      summary: "Addresses of connected peers.",
      style,
      parameters: skip,
      call: () => {
        const shown = node.peers().slice(0, limits.peersMax);
        return accept({ peer_urls: shown.map(({ address }) => address) });
      },
    }),
  ];
}

async function statusJson(node: NodeApi): Promise<JsonValue> {
  const { hash, header } = node.head();
  const sync = node.syncStatus();
  return {
    address: checksumAddress(node.address),
    chain_id: node.chain.name,
    peer_id: node.peerId,
    latest_finalized_block_hash: hash,
    latest_finalized_block_height: `${header.height}`,
    latest_finalized_block_time: secondsText(header.timestampMs),
    latest_finalized_block_epoch: `${header.view}`,
    current_epoch: `${sync.view}`,
    current_height: `${sync.tipHeight}`,
    current_hash: sync.tipHash,
    current_time: secondsText(Date.now()),
    syncing: sync.syncing,
    tip_hash: sync.tipHash,
    // Theta's name for what the chain grows from: its block, where our genesis hash names the file.
    genesis_block_hash: (await node.headAtHeight(0))?.hash ?? noHash,
    genesis_hash: node.chain.genesisHash,
    snapshot_block_height: "0",
    snapshot_block_hash: noHash,
  };
}

function accountJson(
  address: Address,
  account: AccountInfo,
  sequenceAndCoins: {
    readonly nonce: bigint;
    readonly thetaWei: bigint;
    readonly tfuelWei: bigint;
  },
  pools: JsonValue,
): JsonValue {
  return {
    address: checksumAddress(address),
    // Theta counts the sequences that were used, Ethereum the next nonce: the same number.
    sequence: `${sequenceAndCoins.nonce}`,
    coins: {
      thetawei: `${sequenceAndCoins.thetaWei}`,
      tfuelwei: `${sequenceAndCoins.tfuelWei}`,
    },
    reserved_funds: pools,
    last_updated_block_height: "0",
    // Theta writes zeros for a trie without entries.
    root: account.storageRoot === emptyTrieRoot ? noHash : account.storageRoot,
    code: account.codeHash,
  };
}

function accountAnswer(
  node: NodeApi,
  address: Address,
  at: { readonly height: number; readonly preview: boolean },
): Answer {
  const found = node.account(address, at.height === 0 ? null : at.height);
  if (!found.ok) return refuse(stateError(found.refusal));
  const account = found.value;
  if (account === null)
    return refuse(
      serverError(`Account with address ${checksumAddress(address)} is not found`, {
        code: "E_ACCOUNT_NOT_FOUND",
      }),
    );
  const pools = reservedFunds(node, address, at.height === 0 ? null : at.height);
  if (!pools.ok) return pools;
  const { nonce, balance, thetaWei } = account;
  const shown = at.preview ? node.pendingAccount(address) : { nonce, thetaWei, tfuelWei: balance };
  return accept(accountJson(address, account, shown, pools.value));
}

function stateOf(node: NodeApi, at: number): Outcome<StateReader, RpcError> {
  if (at === 0) return accept(node.state());
  const state = node.stateAt(at);
  return state.ok ? state : refuse(stateError(state.refusal));
}

/** A storage position: up to 32 bytes of hex, `0x` optional. */
const storagePosition: Parameter<Uint8Array | null> = {
  schema: { type: "string", description: "32 bytes of hex" },
  optional: true,
  read: (value) => {
    if (value === undefined) return accept(null);
    const bytes = typeof value === "string" ? hexToBytesOrNull(value) : null;
    if (bytes === null || bytes.length > 32) return refuse("wants at most 32 bytes of hex");
    const padded = new Uint8Array(32);
    padded.set(bytes, 32 - bytes.length);
    return accept(padded);
  },
};

function stateMethods({ node }: MethodHost): readonly Method[] {
  return [
    method({
      name: "theta.GetAccount",
      summary: "An account's coins and sequence; `preview` counts pending transactions.",
      style,
      parameters: { name: optional(shortText, ""), address: thetaAddress, height, preview: no },
      call: (values) => accountAnswer(node, values.address, values),
    }),
    method({
      name: "theta.GetCode",
      summary: "A contract's code, hex without 0x.",
      style,
      parameters: { address: thetaAddress, height },
      call: ({ address, height: at }) => {
        const state = stateOf(node, at);
        if (!state.ok) return state;
        const account = state.value.account(address);
        const code = account === null ? null : state.value.code(account.codeHash);
        const digits = code === null ? "" : bytesToHexDigits(code);
        return accept({ address: checksumAddress(address), code: digits });
      },
    }),
    method({
      name: "theta.GetStorageAt",
      summary: "A word of a contract's storage, hex without 0x.",
      style,
      parameters: {
        address: thetaAddress,
        // Theta's spelling, and the right one.
        storage_positon: storagePosition,
        height,
        storage_position: storagePosition,
      },
      call: (values) => {
        const slot = values.storage_positon ?? values.storage_position;
        if (slot === null) return refuse(serverError("storage_positon is missing"));
        const state = stateOf(node, values.height);
        if (!state.ok) return state;
        const word = state.value.storage(values.address, bytesToDigest(slot));
        const value = BigInt(`0x0${word === null ? "" : bytesToHexDigits(word)}`);
        return accept({ value: bytesToHexDigits(bigIntToFixedBytes(value, 32)) });
      },
    }),
  ];
}

async function blockText(
  node: NodeApi,
  at: number,
  ethereumHashes: boolean,
): Promise<string | null> {
  const block = await node.blockAtHeight(at);
  if (block === null) return null;
  const child = await childOf(node, at);
  return JSON.stringify(thetaBlockJson(node.chain.name, block, { ethereumHashes, child }));
}

/** Blocks in ascending order as text, given up as soon as the answer is too large. */
async function blocksByRange(
  { node, limits }: MethodHost,
  range: { readonly start: number; readonly end: number; readonly ethereumHashes: boolean },
): Promise<Answer> {
  const { start, end } = range;
  const { blocksByRangeMax, responseSizeMax } = limits;
  if (start > end) return refuse(serverError(`start ${start} is above end ${end}`));
  const count = end - start + 1;
  if (count > blocksByRangeMax)
    return refuse(limitExceeded("blocksByRangeMax", blocksByRangeMax, count));
  const texts: string[] = [];
  let size = 0;
  for (let at = start; at <= end; at += 1) {
    const text = await blockText(node, at, range.ethereumHashes);
    if (text === null) break; // Beyond the head.
    size += text.length + 1;
    if (size > responseSizeMax)
      return refuse(limitExceeded("responseSizeMax", responseSizeMax, null));
    texts.push(text);
  }
  return accept(new JsonText(`[${texts.join(",")}]`));
}

function blockMethods(host: MethodHost): readonly Method[] {
  const { node } = host;
  const include_eth_tx_hashes = no;
  return [
    method({
      name: "theta.GetBlock",
      summary: "A block by hash; null if it is not known.",
      style,
      parameters: { hash: thetaDigest, include_eth_tx_hashes },
      call: async ({ hash, include_eth_tx_hashes: ethereumHashes }) => {
        const block = await node.blockByHash(hash);
        if (block === null) return accept(null);
        const child = await childOf(node, block.header.height);
        return accept(thetaBlockJson(node.chain.name, block, { ethereumHashes, child }));
      },
    }),
    method({
      name: "theta.GetBlockByHeight",
      summary: "A committed block by height; null if there is none.",
      style,
      parameters: { height: safeNumber, include_eth_tx_hashes, include_unfinalized_blocks: no },
      call: async (values) => {
        const text = await blockText(node, values.height, values.include_eth_tx_hashes);
        return accept(text === null ? null : new JsonText(text));
      },
    }),
    method({
      name: "theta.GetBlocksByRange",
      summary: "Committed blocks from start to end, both included.",
      style,
      heavy: true,
      parameters: { start: safeNumber, end: safeNumber, include_eth_tx_hashes },
      call: ({ start, end, include_eth_tx_hashes: ethereumHashes }) =>
        blocksByRange(host, { start, end, ethereumHashes }),
    }),
  ];
}

/** Methods whose module a chain may not have: said so, instead of "no such method". */
const methodModules: readonly (readonly [name: string, module: string])[] = [
  ["GetGcpByHeight", "guardian"],
  ["GetGuardianInfo", "guardian"],
  ["GetEenpByHeight", "guardian"],
  ["GetEenpStakeByHeight", "guardian"],
  ["GetEliteEdgeNodeStakeReturnsByHeight", "guardian"],
  ["GetAllPendingEliteEdgeNodeStakeReturns", "guardian"],
];

function absentMethods(): readonly Method[] {
  return methodModules.map(([name, module]) => ({
    name: `theta.${name}`,
    summary: `Needs the module ${module}.`,
    style,
    parameters: {},
    heavy: false,
    invoke: () =>
      refuse(
        serverError(`theta.${name} needs the module ${module}, which this runtime does not have`, {
          code: "E_MODULE_ABSENT",
          module,
        }),
      ),
  }));
}

/**
 * `theta.*`: the names that Theta's wallets call (theta.md 8.2). Its backup calls write files on
 * the server: absent.
 */
export function thetaMethods(host: MethodHost): readonly Method[] {
  return [
    ...statusMethods(host),
    ...stateMethods(host),
    ...blockMethods(host),
    ...thetaTransactionMethods(host),
    ...thetaStakeMethods(host),
    ...thetaContractMethods(host),
    ...thetaPoolMethods(host),
    ...absentMethods(),
  ];
}
