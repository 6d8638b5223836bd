import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import { bytesToHex } from "../../base/bytes.ts";
import type { Refusal } from "../../ledger/refusal.ts";
import type { SimulationRequest } from "../../ledger/simulate.ts";
import type { StateTaskAnswer, StateTaskName, StateTaskRequest } from "../../ledger/stateTasks.ts";
import type { Method } from "../dispatch.ts";
import { method } from "../dispatch.ts";
import type { Answer, RpcError } from "../errors.ts";
import { serverError } from "../errors.ts";
import type { MethodHost } from "../methodHost.ts";
import { toQuantity } from "../numbers.ts";
import type { BlockTag } from "../parameters.ts";
import { taskError } from "../refusals.ts";
import { failureError, messageRefusalError } from "./callFailures.ts";
import { callObject, messageOf, type CallObject } from "./callObject.ts";
import { blockOverrides, stateOverrides } from "./callOverrides.ts";
import { blockMissing, heightOf, isHead, tagOrLatest } from "./ethereumTags.ts";

/** Where a call runs, and for whom. */
export type TaggedPlace = { readonly tag: BlockTag; readonly signal: AbortSignal };

/** Runs a task against the state that a tag names. */
export async function runTaskAt<N extends StateTaskName>(
  { node }: MethodHost,
  name: N,
  request: StateTaskRequest<N>,
  { tag, signal }: TaggedPlace,
): Promise<Outcome<StateTaskAnswer<N>, RpcError>> {
  const height = isHead(tag) ? null : await heightOf(node, tag);
  if (height === null && !isHead(tag)) return refuse(blockMissing());
  const outcome = await node.runTask(name, request, { height, signal });
  return outcome.ok ? outcome : refuse(taskError(outcome.refusal));
}

/** The answer of a task on a message, which may be refused before it runs. */
function messageAnswer<T>(answer: Outcome<Outcome<T, Refusal>, RpcError>): Outcome<T, RpcError> {
  if (!answer.ok) return answer;
  return answer.value.ok ? answer.value : refuse(messageRefusalError(answer.value.refusal));
}

/** What a call asks to be simulated; refused where it is meant for another chain. */
export function requestOf(
  { node, limits }: MethodHost,
  call: CallObject,
  overrides: Pick<SimulationRequest, "state" | "block">,
): Outcome<SimulationRequest, RpcError> {
  const { chainId } = call;
  if (chainId !== null && chainId !== BigInt(node.chain.id)) {
    return refuse(
      serverError(`chainId does not match node's (have=${chainId}, want=${node.chain.id})`),
    );
  }
  return accept({ message: messageOf(call), ...overrides, gasMax: limits.callGasMax });
}

/** Most gas of a transaction that runs code: what a block has for it. */
export function transactionGasMax({ node, limits }: MethodHost): bigint {
  const text = node.parameters()["evm.blockGasMax"];
  const max = text === undefined ? limits.callGasMax : BigInt(text);
  return max < limits.callGasMax ? max : limits.callGasMax;
}

/** The gas that a call needs, or the error that says why it fails. */
export async function gasEstimate(
  host: MethodHost,
  request: SimulationRequest,
  place: TaggedPlace,
): Promise<Outcome<bigint, RpcError>> {
  const asked = { ...request, gasMax: transactionGasMax(host) };
  const answer = messageAnswer(await runTaskAt(host, "estimateGas", asked, place));
  if (!answer.ok) return answer;
  if (answer.value.type === "gas") return accept(answer.value.gas);
  const { result, gasMax } = answer.value;
  if (result.failure !== "out of gas") return refuse(failureError(result));
  return refuse(serverError(`gas required exceeds allowance (${gasMax})`));
}

const parameters = {
  transaction: callObject,
  block: tagOrLatest,
  stateOverrides,
  blockOverrides,
};

function call(host: MethodHost): Method {
  return method({
    name: "eth_call",
    summary: "What a call would return; runs on a committed state and changes nothing.",
    style: "array",
    parameters,
    call: async (values, { signal }): Promise<Answer> => {
      const overrides = { state: values.stateOverrides, block: values.blockOverrides };
      const request = requestOf(host, values.transaction, overrides);
      if (!request.ok) return request;
      const place = { tag: values.block, signal };
      const answer = messageAnswer(await runTaskAt(host, "simulate", request.value, place));
      if (!answer.ok) return answer;
      const result = answer.value;
      return result.ok ? accept(bytesToHex(result.returnData)) : refuse(failureError(result));
    },
  });
}

function estimate(host: MethodHost): Method {
  return method({
    name: "eth_estimateGas",
    summary: "Gas that a transaction needs to succeed.",
    style: "array",
    parameters,
    call: async (values, { signal }): Promise<Answer> => {
      const overrides = { state: values.stateOverrides, block: values.blockOverrides };
      const request = requestOf(host, values.transaction, overrides);
      if (!request.ok) return request;
      const gas = await gasEstimate(host, request.value, { tag: values.block, signal });
      return gas.ok ? accept(toQuantity(gas.value)) : gas;
    },
  });
}

function accessList(host: MethodHost): Method {
  return method({
    name: "eth_createAccessList",
    summary: "Accounts and slots that a transaction touches, and its gas when it lists them.",
    style: "array",
    parameters: { transaction: callObject, block: tagOrLatest, stateOverrides },
    call: async (values, { signal }): Promise<Answer> => {
      const overrides = { state: values.stateOverrides, block: {} };
      const request = requestOf(host, values.transaction, overrides);
      if (!request.ok) return request;
      const asked = { ...request.value, gasMax: transactionGasMax(host) };
      const place = { tag: values.block, signal };
      const answer = messageAnswer(await runTaskAt(host, "createAccessList", asked, place));
      if (!answer.ok) return answer;
      const { accessList: list, result } = answer.value;
      return accept({
        accessList: list,
        gasUsed: toQuantity(result.gasUsed),
        ...(result.ok ? {} : { error: failureError(result).message }),
      });
    },
  });
}

/** Calls that run code without a transaction. */
export function ethereumCallMethods(host: MethodHost): readonly Method[] {
  return [call(host), estimate(host), accessList(host)];
}
