import { bytesToHex } from "../../base/bytes.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import type { Refusal, RefusalCode } from "../../ledger/refusal.ts";
import {
  simulatedBlocksMax,
  simulatedSizeMax,
  type BlockAnswer,
  type BlockInput,
  type BlocksRefusal,
  type BlocksRequest,
  type CallAnswer,
  type SimulatedCall,
} from "../../ledger/simulateBlocks.ts";
import type { Method } from "../dispatch.ts";
import { method } from "../dispatch.ts";
import {
  errorCodes,
  invalidParams,
  limitExceeded,
  serverError,
  type Answer,
  type RpcError,
} from "../errors.ts";
import { isJsonObject, memberOf, type JsonValue } from "../json.ts";
import type { MethodHost } from "../methodHost.ts";
import { toQuantity } from "../numbers.ts";
import { flag, optional, type Parameter } from "../parameters.ts";
import { taskError } from "../refusals.ts";
import { failureError, messageRefusalError } from "./callFailures.ts";
import { callObject, messageOf, readArray, readMember } from "./callObject.ts";
import { readBlockOverrides, readStateOverrides } from "./callOverrides.ts";
import { ethereumHeaderJson, unsignedTransactionJson } from "./ethereumBlocks.ts";
import { typeOf } from "./ethereumSubmit.ts";
import type { TaggedPlace } from "./ethereumCalls.ts";
import { heightOf, tagOrLatest } from "./ethereumTags.ts";

// eth_simulateV1: blocks full of messages on top of a committed one, in the words and numbers of
// the execution API's specification. What runs them is `ledger/simulateBlocks.ts`.

/** Messages of one block; gas bounds what runs. */
const simulatedCallsMax = { name: "simulatedCallsMax", max: 5_000 };

/** What a caller wants simulated, its blocks not read yet: their number has an error of its own. */
type Payload = Pick<BlocksRequest, "rules" | "transfers"> & {
  readonly blocks: readonly unknown[];
  readonly full: boolean;
};

function readPayload(value: unknown): Outcome<Payload, string> {
  if (!isJsonObject(value)) return refuse("wants an object");
  const blocks: unknown = memberOf(value, "blockStateCalls");
  if (!Array.isArray(blocks) || blocks.length === 0) {
    return refuse("wants blockStateCalls, an array of at least one block");
  }
  const read = optional(flag, false).read;
  const full = read(memberOf(value, "returnFullTransactions"));
  if (!full.ok) return refuse(`returnFullTransactions ${full.refusal}`);
  const strict = read(memberOf(value, "validation"));
  if (!strict.ok) return refuse(`validation ${strict.refusal}`);
  const logged = read(memberOf(value, "traceTransfers"));
  if (!logged.ok) return refuse(`traceTransfers ${logged.refusal}`);
  return accept({
    blocks,
    rules: strict.value ? "strict" : "loose",
    transfers: logged.value ? "logged" : "hidden",
    full: full.value,
  });
}

const payload: Parameter<Payload> = {
  schema: {
    type: "object",
    description: "blockStateCalls, traceTransfers, validation, returnFullTransactions",
  },
  optional: false,
  read: readPayload,
};

function readCall(value: unknown): Outcome<SimulatedCall, string> {
  const read = callObject.read(value);
  if (!read.ok) return read;
  const type = typeOf(read.value);
  if (type === null) return refuse("has a type that is none of 0x0, 0x1, 0x2 and 0x4");
  return accept({ message: messageOf(read.value), type, nonce: read.value.nonce });
}

/** What Ethereum's blocks have and these have not. */
function foreignMember(overrides: unknown): string | null {
  if (!isJsonObject(overrides)) return null;
  const withdrawals = memberOf(overrides, "withdrawals");
  if (Array.isArray(withdrawals) && withdrawals.length > 0) return "withdrawals";
  const blobFee = memberOf(overrides, "blobBaseFee") ?? null;
  return blobFee === null ? null : "blobBaseFee";
}

function readBlock(value: unknown): Outcome<BlockInput, string> {
  if (!isJsonObject(value)) return refuse("wants an object");
  const block = readMember(value, "blockOverrides", readBlockOverrides);
  if (!block.ok) return block;
  const foreign = foreignMember(memberOf(value, "blockOverrides"));
  if (foreign !== null) return refuse(`blockOverrides has ${foreign}, which this chain has not`);
  const state = readMember(value, "stateOverrides", readStateOverrides);
  if (!state.ok) return state;
  const calls = readMember(value, "calls", readArray(readCall, simulatedCallsMax));
  if (!calls.ok) return calls;
  return accept({
    block: block.value ?? {},
    state: state.value ?? new Map(),
    calls: calls.value ?? [],
  });
}

function readBlocks(values: readonly unknown[]): Outcome<readonly BlockInput[], RpcError> {
  if (values.length > simulatedBlocksMax) return refuse(tooManyBlocks(simulatedBlocksMax));
  const blocks: BlockInput[] = [];
  for (const [index, value] of values.entries()) {
    const read = readBlock(value);
    if (!read.ok) {
      const where = `eth_simulateV1: payload blockStateCalls[${index}]`;
      return refuse(invalidParams(`${where} ${read.refusal}`));
    }
    blocks.push(read.value);
  }
  return accept(blocks);
}

function tooManyBlocks(max: number): RpcError {
  const message = `too many blocks: limit simulatedBlocksMax is ${max}`;
  return { code: errorCodes.simulationLimit, message };
}

/** Numbers of the specification for what makes a message no transaction. */
const callCodes: Partial<Record<RefusalCode, number>> = {
  sequenceTooLow: errorCodes.nonceTooLow,
  sequenceTooHigh: errorCodes.nonceTooHigh,
  feeTooLow: errorCodes.feeTooLow,
  gasLimitTooLow: errorCodes.intrinsicGasTooLow,
  balanceTooLow: errorCodes.fundsTooLow,
  blockGasFull: errorCodes.blockGasExceeded,
  senderHasCode: errorCodes.senderHasCode,
  initCodeTooLarge: errorCodes.initCodeTooLarge,
};

/** Geth's words where tools look for them; nonces, where the ledger speaks of sequences. */
function callRefusalError(refusal: Refusal): RpcError {
  const code = callCodes[refusal.code] ?? errorCodes.transactionRejected;
  const { got, expected, address } = refusal;
  switch (refusal.code) {
    case "sequenceTooLow":
    case "sequenceTooHigh": {
      const word = refusal.code === "sequenceTooLow" ? "low" : "high";
      const values = `address ${address ?? ""}, tx: ${got} state: ${expected}`;
      return { code, message: `nonce too ${word}: ${values}` };
    }
    case "blockGasFull":
      return { code, message: `block gas limit reached: wanted ${got}, left ${expected}` };
    default:
      return { code, message: messageRefusalError(refusal).message };
  }
}

function refusalError(refusal: BlocksRefusal): RpcError {
  switch (refusal.code) {
    case "heightOrder": {
      const { got, previous } = refusal;
      const message = `block numbers must be in order: ${got} <= ${previous}`;
      return { code: errorCodes.heightOrder, message };
    }
    case "timeOrder": {
      const { gotSeconds, previousSeconds } = refusal;
      const message = `block timestamps must be in order: ${gotSeconds} <= ${previousSeconds}`;
      return { code: errorCodes.timeOrder, message };
    }
    case "blocksTooMany":
      return tooManyBlocks(refusal.max);
    case "answerTooLarge":
      return limitExceeded("simulatedSizeMax", simulatedSizeMax, null);
    case "precompileUnknown":
      return serverError(`account ${refusal.address} is not a precompile`);
    case "precompileOverridden":
      return serverError(`account ${refusal.address} is already overridden`);
    case "precompileToItself": {
      const message = `precompile ${refusal.address} cannot be moved to itself`;
      return { code: errorCodes.precompileToItself, message };
    }
    case "call":
      return callRefusalError(refusal.refusal);
  }
}

type JsonObject = { readonly [key: string]: JsonValue };

function errorOf(result: CallAnswer["result"]): JsonValue {
  const { code, message, data } = failureError(result);
  if (code === errorCodes.reverted) return { code, message, data: data ?? "0x" };
  return { code: errorCodes.simulatedFailure, message: `vm execution error: ${message}` };
}

/** `logIndexFirst` counts the block's logs before the call's. */
function callJson(
  { result, logs }: CallAnswer,
  place: JsonObject,
  logIndexFirst: number,
): JsonValue {
  const logsJson = logs.map(({ address, topics, data }, i) => ({
    address,
    topics,
    data: bytesToHex(data),
    ...place,
    logIndex: toQuantity(logIndexFirst + i),
    removed: false,
  }));
  return {
    returnData: bytesToHex(result.returnData),
    logs: logsJson,
    gasUsed: toQuantity(result.gasUsed),
    maxUsedGas: toQuantity(result.gasPeak),
    status: toQuantity(result.ok ? 1 : 0),
    ...(result.ok ? {} : { error: errorOf(result) }),
  };
}

function blockJson(
  { hash, header, sizeBytes, calls }: BlockAnswer,
  { chainId, full }: { readonly chainId: bigint; readonly full: boolean },
): JsonValue {
  const blockPlace = {
    blockHash: hash,
    blockNumber: toQuantity(header.height),
    blockTimestamp: toQuantity(Math.floor(header.timestampMs / 1_000)),
  };
  const signature = new Uint8Array(65);
  const transactions: JsonValue[] = [];
  const callsJson: JsonValue[] = [];
  let logIndex = 0;
  for (const [index, call] of calls.entries()) {
    const transactionIndex = toQuantity(index);
    const place = { ...blockPlace, transactionHash: call.hash, transactionIndex };
    callsJson.push(callJson(call, place, logIndex));
    logIndex += call.logs.length;
    const signed = { transaction: call.transaction, chainId, signature };
    transactions.push(
      full
        ? {
            ...unsignedTransactionJson(signed, call, header.baseFee),
            ...blockPlace,
            transactionIndex,
          }
        : call.hash,
    );
  }
  return {
    ...ethereumHeaderJson({ hash, header }),
    size: toQuantity(sizeBytes),
    uncles: [],
    withdrawals: [],
    transactions,
    calls: callsJson,
  };
}

async function simulate(
  { node, limits }: MethodHost,
  { rules, transfers, blocks, full }: Payload,
  { tag, signal }: TaggedPlace,
): Promise<Answer> {
  const inputs = readBlocks(blocks);
  if (!inputs.ok) return inputs;
  const height = await heightOf(node, tag);
  const base = height === null ? null : await node.headAtHeight(height);
  if (height === null || base === null) return refuse(serverError("header not found"));
  const { hash, header } = base;
  const gasMax = limits.callGasMax;
  const request = { base: { hash, header }, blocks: inputs.value, rules, transfers, gasMax };
  const outcome = await node.runTask("simulateBlocks", request, { height, signal });
  if (!outcome.ok) return refuse(taskError(outcome.refusal));
  if (!outcome.value.ok) return refuse(refusalError(outcome.value.refusal));
  const chainId = BigInt(node.chain.id);
  return accept(outcome.value.value.map((block) => blockJson(block, { chainId, full })));
}

/** Blocks that nobody proposed. */
export function ethereumSimulateMethods(host: MethodHost): readonly Method[] {
  return [
    method({
      name: "eth_simulateV1",
      summary: "Runs messages in blocks that could follow a committed one; changes nothing.",
      style: "array",
      parameters: { payload, block: tagOrLatest },
      call: (values, { signal }) => simulate(host, values.payload, { tag: values.block, signal }),
    }),
  ];
}
