import type { Address } from "../../base/brand.ts";
import { bigIntToDigest, bytesToHex, hexToBytesOrNull } from "../../base/bytes.ts";
import { accept, refuse } from "../../base/outcome.ts";
import { keccak256 } from "../../crypto/keccak.ts";
import type { StateReader } from "../../ledger/state.ts";
import type { BlockHead, NodeApi } from "../api.ts";
import type { Method } from "../dispatch.ts";
import { method } from "../dispatch.ts";
import type { Answer } from "../errors.ts";
import { errorCodes, invalidParams, limitExceeded } from "../errors.ts";
import type { JsonValue } from "../json.ts";
import type { MethodHost } from "../methodHost.ts";
import { toQuantity } from "../numbers.ts";
import type { BlockTag } from "../parameters.ts";
import {
  blockTag,
  ethereumAddress,
  ethereumData,
  ethereumDigest,
  storageSlot,
} from "../parameters.ts";
import { ethereumSubmitError } from "../refusals.ts";
import { ethereumReceiptJson, ethereumTransactionJson } from "./ethereumBlocks.ts";
import { ethereumBlockMethods } from "./ethereumBlockMethods.ts";
import { ethereumCallMethods } from "./ethereumCalls.ts";
import { ethereumConfigMethods } from "./ethereumConfig.ts";
import { ethereumLogMethods } from "./ethereumLogs.ts";
import { ethereumProofMethods } from "./ethereumProofs.ts";
import { ethereumSimulateMethods } from "./ethereumSimulate.ts";
import { ethereumSubmitMethods } from "./ethereumSubmit.ts";
import { ethereumSubscriptionMethods } from "./ethereumSubscriptions.ts";
import { blockMissing, heightOf, stateOf, tagOrLatest } from "./ethereumTags.ts";
import { txpoolMethods } from "./txpool.ts";
import { blockCount, feeHistory, percentiles, suggestedTip } from "./ethereumFees.ts";

/** Reads state at a tag and answers with what `read` makes of it. */
async function fromState(
  node: NodeApi,
  tag: BlockTag,
  read: (state: StateReader) => JsonValue,
): Promise<Answer> {
  const state = await stateOf(node, tag);
  return state.ok ? accept(read(state.value)) : state;
}

function clientVersion(node: NodeApi): string {
  const { platform, arch, versions } = process;
  // Hardhat's helpers for tests work only with names that they know.
  const alike = node.development === null ? "" : "HardhatNetwork-alike/";
  const major = versions.node.split(".", 1)[0];
  return `${alike}ledger/v${node.build.version}/${platform}-${arch}/node${major}`;
}

function chainMethods({ node }: MethodHost): readonly Method[] {
  const style = "array";
  const parameters = {};
  const constant = (name: string, summary: string, value: () => JsonValue): Method =>
    method({ name, summary, style, parameters, call: () => accept(value()) });
  return [
    constant("eth_chainId", "EIP-155 number of the chain.", () => toQuantity(node.chain.id)),
    constant("net_version", "The chain's number in decimal.", () => `${node.chain.id}`),
    constant("net_listening", "Whether peers can connect.", () => true),
    constant("net_peerCount", "Connected peers.", () => toQuantity(node.peers().length)),
    constant("web3_clientVersion", "Name and version of this program.", () => clientVersion(node)),
    constant("eth_blockNumber", "Height of the newest committed block.", () =>
      toQuantity(node.head().header.height),
    ),
    constant("eth_accounts", "Empty but on a devnet: a node holds no user's keys.", () => [
      ...(node.development?.accounts ?? []),
    ]),
    constant("eth_syncing", "False, or how far the node is.", () => {
      const { syncing, heightHighest } = node.syncStatus();
      if (!syncing) return false;
      return {
        startingBlock: "0x0",
        currentBlock: toQuantity(node.head().header.height),
        highestBlock: toQuantity(heightHighest),
      };
    }),
    method({
      name: "web3_sha3",
      summary: "Keccak-256 of bytes.",
      style,
      parameters: { data: ethereumData },
      call: ({ data }) => accept(bytesToHex(keccak256(data))),
    }),
  ];
}

function codeOf(state: StateReader, address: Address): string {
  const account = state.account(address);
  const code = account === null ? null : state.code(account.codeHash);
  return code === null ? "0x" : bytesToHex(code);
}

function storageAt(state: StateReader, address: Address, slot: bigint): string {
  const word = state.storage(address, bigIntToDigest(slot));
  const padded = new Uint8Array(32);
  if (word !== null) padded.set(word, 32 - word.length);
  return bytesToHex(padded);
}

function stateMethods({ node }: MethodHost): readonly Method[] {
  const style = "array";
  return [
    method({
      name: "eth_getBalance",
      summary: "TFuelWei of an account.",
      style,
      parameters: { address: ethereumAddress, block: tagOrLatest },
      call: ({ address, block }) =>
        fromState(node, block, (state) => toQuantity(state.account(address)?.balance ?? 0n)),
    }),
    method({
      name: "eth_getTransactionCount",
      summary: "Next nonce of an account; `pending` counts the transactions that wait.",
      style,
      parameters: { address: ethereumAddress, block: tagOrLatest },
      call: ({ address, block }) =>
        block.type === "tag" && block.tag === "pending"
          ? accept(toQuantity(node.pendingAccount(address).nonce))
          : fromState(node, block, (state) => toQuantity(state.account(address)?.nonce ?? 0n)),
    }),
    method({
      name: "eth_getCode",
      summary: "Code of a contract.",
      style,
      parameters: { address: ethereumAddress, block: tagOrLatest },
      call: ({ address, block }) => fromState(node, block, (state) => codeOf(state, address)),
    }),
    method({
      name: "eth_getStorageAt",
      summary: "A word of a contract's storage.",
      style,
      parameters: { address: ethereumAddress, slot: storageSlot, block: tagOrLatest },
      call: ({ address, slot, block }) =>
        fromState(node, block, (state) => storageAt(state, address, slot)),
    }),
  ];
}

function feeMethods({ node, limits }: MethodHost): readonly Method[] {
  const style = "array";
  return [
    method({
      name: "eth_gasPrice",
      summary: "A price per gas that the next blocks accept.",
      style,
      parameters: {},
      // The base fee rises by at most an eighth a block.
      call: () => accept(toQuantity((node.nextBaseFee() * 9n) / 8n + suggestedTip(node))),
    }),
    method({
      name: "eth_maxPriorityFeePerGas",
      summary: "A tip per gas.",
      style,
      parameters: {},
      call: () => accept(toQuantity(suggestedTip(node))),
    }),
    method({
      name: "eth_blobBaseFee",
      summary: "Always 1: this chain carries no blobs.",
      style,
      parameters: {},
      call: () => accept("0x1"),
    }),
    method({
      name: "eth_feeHistory",
      summary: "Base fees, gas used and tips of past blocks.",
      style,
      heavy: true,
      parameters: { blockCount, newestBlock: blockTag, rewardPercentiles: percentiles },
      call: async (values) => {
        const height = await heightOf(node, values.newestBlock);
        const newest: BlockHead | null = height === null ? null : await node.headAtHeight(height);
        if (newest === null) return refuse(blockMissing());
        const { blockCount: count, rewardPercentiles } = values;
        return feeHistory(node, limits, { count, newest, percentiles: rewardPercentiles });
      },
    }),
  ];
}

/** The path of most calls under load, so its parameters are looked at by hand. */
function sendRawTransaction({ submitter, limits }: MethodHost): Method {
  const name = "eth_sendRawTransaction";
  return {
    name,
    summary: "Hands in a signed transaction; answers with its hash.",
    style: "array",
    parameters: { transaction: ethereumData },
    heavy: false,
    invoke: (params) => {
      const list: readonly unknown[] = Array.isArray(params) ? params : [];
      const [text] = list;
      const raw = typeof text === "string" && text.startsWith("0x") ? hexToBytesOrNull(text) : null;
      if (raw === null || list.length !== 1)
        return refuse(invalidParams(`${name} wants one parameter of 0x-hex bytes`));
      return submitter.submit({ envelope: "ethereum", raw }).then((outcome): Answer => {
        if (outcome === "busy") {
          const { submissionsInFlightMax } = limits;
          return refuse(limitExceeded("submissionsInFlightMax", submissionsInFlightMax, null));
        }
        if (!outcome.ok) return refuse(ethereumSubmitError(outcome.refusal));
        const { hash, state } = outcome.value;
        if (state === "new") return accept(hash);
        const message = state === "pending" ? "already known" : "already known: it is committed";
        return refuse({ code: errorCodes.transactionRejected, message, data: { hash, state } });
      });
    },
  };
}

function transactionMethods(host: MethodHost): readonly Method[] {
  const { node } = host;
  const style = "array";
  return [
    sendRawTransaction(host),
    method({
      name: "eth_getTransactionByHash",
      summary: "A transaction, pending or committed; null if it is neither.",
      style,
      parameters: { hash: ethereumDigest },
      call: async ({ hash }) => {
        const found = await node.transaction(hash);
        if (found.state === "pending")
          return accept(ethereumTransactionJson(found.transaction, null, null));
        if (found.state !== "committed") return accept(null);
        const { transaction, receipt } = found.committed;
        return accept(ethereumTransactionJson(transaction, found.committed, receipt));
      },
    }),
    method({
      name: "eth_getTransactionReceipt",
      summary: "A committed transaction's receipt; null if it is not committed.",
      style,
      parameters: { hash: ethereumDigest },
      call: async ({ hash }) => {
        const found = await node.transaction(hash);
        if (found.state !== "committed") return accept(null);
        const { transaction, receipt } = found.committed;
        return accept(ethereumReceiptJson(transaction, receipt, found.committed));
      },
    }),
  ];
}

/** `eth_*`, `net_*` and `web3_*`, as Ethereum tools expect them. */
export function ethereumMethods(host: MethodHost): readonly Method[] {
  return [
    ...chainMethods(host),
    ...stateMethods(host),
    ...feeMethods(host),
    ...ethereumCallMethods(host),
    ...ethereumSimulateMethods(host),
    ...ethereumConfigMethods(host),
    ...ethereumLogMethods(host),
    ...ethereumProofMethods(host),
    ...ethereumSubmitMethods(host),
    ...txpoolMethods(host),
    ...ethereumSubscriptionMethods(host),
    ...transactionMethods(host),
    ...ethereumBlockMethods(host),
  ];
}
