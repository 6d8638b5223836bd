import type { Abi } from "viem";
import type { Address } from "../../base/brand.ts";
import { hexToBytesOrNull } from "../../base/bytes.ts";
import { NodeError } from "../../base/nodeError.ts";
import { checksumAddress } from "../../crypto/address.ts";
import { LedgerClient } from "../../sdk/client.ts";
import { RpcError } from "../../sdk/errors.ts";
import { signEthereumCall, type SignedTransaction } from "../../sdk/wallet.ts";
import {
  callData,
  deployData,
  eventOf,
  functionIn,
  reasonOf,
  resultOf,
  type Hex,
  type Shown,
} from "../abi.ts";
import { readArtifact } from "../artifact.ts";
import type { Action, Flags } from "../commandTree.ts";
import { printDocument, type Context } from "../context.ts";
import { UsageError } from "../failure.ts";
import { addressFlag, amountFlag, gasMax, integerFlag, requiredFlag } from "../flags.ts";
import { draftTransaction, type Draft } from "../submit.ts";

/** A message to a contract; `to` `null` creates one. */
type Message = {
  readonly to: Address | null;
  readonly data: Hex;
  readonly value: bigint;
  readonly abi: Abi;
};

function abiOf(flags: Flags): Abi {
  const file = flags.text("abi");
  return file === undefined ? [] : readArtifact(file, flags.text("contract")).abi;
}

function valueOf(flags: Flags): bigint {
  return amountFlag("--value", flags.text("value") ?? "0", "tfuel");
}

function senderOf(flags: Flags): Address {
  return addressFlag("--from", requiredFlag("--from", flags.text("from")));
}

function hex(value: unknown, what: string): Hex {
  if (typeof value === "string" && value.startsWith("0x") && hexToBytesOrNull(value) !== null)
    return value as Hex; // Its form was looked at on the line above.
  throw new NodeError("E_BAD_RESPONSE", `the node's ${what} is not hex`);
}

function readQuantity(value: unknown, what: string): bigint {
  if (typeof value === "string" && /^0x[0-9a-f]{1,64}$/i.test(value)) return BigInt(value);
  throw new NodeError("E_BAD_RESPONSE", `the node's ${what} is not a number`);
}

/** The error of a node that ran the message: with the contract's own words where there are some. */
function explained(error: unknown, abi: Abi): unknown {
  if (!(error instanceof RpcError) || error.rpcCode !== 3) return error;
  const reason = typeof error.data === "string" ? reasonOf(abi, error.data as Hex) : null;
  return revertError(reason);
}

function revertError(reason: string | null): NodeError {
  return new NodeError("E_REVERTED", `the contract reverted: ${reason ?? "it gave no reason"}`);
}

/** `contract call`: asks a contract, on the newest committed state. */
export const callCommand: Action = async (context, flags, [address, signature, ...args]) => {
  const to = addressFlag("ADDRESS", requiredFlag("ADDRESS", address));
  const abi = abiOf(flags);
  const item = functionIn(abi, requiredFlag("SIGNATURE", signature));
  const data = callData(item, args);
  const from = flags.text("from");
  const client = new LedgerClient({ url: context.settings.rpcUrl });
  const { signal } = context;
  const call = {
    to,
    data,
    value: quantity(valueOf(flags)),
    ...(from === undefined ? {} : { from: addressFlag("--from", from) }),
  };
  try {
    const answer = await client.call("eth_call", [call, "latest"], { signal });
    printDocument(context, resultOf(item, hex(answer, "answer to eth_call")));
  } catch (error) {
    throw explained(error, abi);
  }
};

/** `contract send`: a transaction to a contract, by an Ethereum transaction (EIP-1559). */
export const sendCommand: Action = async (context, flags, [address, signature, ...args]) => {
  const to = addressFlag("ADDRESS", requiredFlag("ADDRESS", address));
  const abi = abiOf(flags);
  const item = functionIn(abi, requiredFlag("SIGNATURE", signature));
  const data = callData(item, args);
  await transact(context, flags, { to, data, value: valueOf(flags), abi });
};

/** `contract deploy`: compiles where needed, and creates. */
export const deployCommand: Action = async (context, flags, [file]) => {
  const { abi, bytecode } = readArtifact(requiredFlag("FILE", file), flags.text("contract"));
  if (bytecode === null) throw new UsageError(`${file ?? ""} has no code to deploy`);
  const data = deployData(abi, bytecode, flags.list("args"));
  await transact(context, flags, { to: null, data, value: valueOf(flags), abi });
};

function quantity(value: bigint): Hex {
  return `0x${value.toString(16)}`;
}

async function transact(context: Context, flags: Flags, message: Message): Promise<void> {
  const from = senderOf(flags);
  const gasText = flags.text("gasLimit");
  const gasAsked =
    gasText === undefined
      ? null
      : integerFlag("--gas-limit", gasText, { min: 21_000n, max: gasMax });
  const draft = await draftTransaction(context, flags, from, 1n);
  const { signal } = context;
  const ask = (method: string, params: unknown): Promise<unknown> =>
    draft.client.call(method, params, { signal });
  const gasLimit = gasAsked ?? (await estimated(ask, from, message));
  const chainId = Number(readQuantity(await ask("eth_chainId", []), "chain id"));
  const signed = signEthereumCall(draft.signer, {
    chainId,
    nonce: draft.sequence - 1n,
    to: message.to,
    value: message.value,
    data: hexToBytesOrNull(message.data) ?? new Uint8Array(0),
    maxFeePerGas: draft.fee, // Twice the price of a single gas, as asked above.
    maxPriorityFeePerGas: 0n,
    gasLimit,
  });
  await submit(context, draft, signed, message.abi);
}

async function estimated(
  ask: (method: string, params: unknown) => Promise<unknown>,
  from: Address,
  { to, data, value, abi }: Message,
): Promise<bigint> {
  const call = { from, data, value: quantity(value), ...(to === null ? {} : { to }) };
  try {
    const estimate = readQuantity(await ask("eth_estimateGas", [call]), "estimate");
    return (estimate * 5n) / 4n; // Its state may be another one when it runs.
  } catch (error) {
    throw explained(error, abi);
  }
}

type Receipt = {
  readonly status: string;
  readonly gasUsed: string;
  readonly contractAddress: string | null;
  readonly logs: readonly {
    readonly address: string;
    readonly topics: readonly Hex[];
    readonly data: Hex;
  }[];
};

async function submit(
  context: Context,
  draft: Draft,
  { raw, hash }: SignedTransaction,
  abi: Abi,
): Promise<void> {
  const { client } = draft;
  const { signal } = context;
  await client.call("eth_sendRawTransaction", [raw], { signal });
  const found = await client.waitCommitted(hash, { signal });
  if (found.status === "abandoned")
    throw new NodeError("E_ABANDONED", `transaction ${hash} can never be committed`);
  const receipt = (await client.call("eth_getTransactionReceipt", [hash], { signal })) as Receipt;
  const created = receipt.contractAddress;
  const events: readonly Shown[] = receipt.logs.map((log) => eventOf(abi, log));
  printDocument(context, {
    hash,
    block_height: `${found.height ?? ""}`,
    gas_used: `${BigInt(receipt.gasUsed)}`,
    ...(created === null
      ? {}
      : { contract_address: checksumAddress(addressFlag("contractAddress", created)) }),
    events,
  });
  if (receipt.status === "0x1") return;
  const { receipt: own } = found.answer as { readonly receipt?: { readonly EvmRet?: unknown } };
  const data = typeof own?.EvmRet === "string" ? own.EvmRet.replace(/^0x/, "") : "";
  if (found.failure === "executionReverted") throw revertError(reasonOf(abi, `0x${data}`));
  throw new NodeError("E_TX_FAILED", `transaction ${hash} failed: ${found.failure ?? ""}`, {
    hint: "its fee was charged and nothing else changed",
  });
}
