import { EVMError, type CustomPrecompile, type ExecResult, type Message } from "@ethereumjs/evm";
import { assert } from "../base/assert.ts";
import type { Address } from "../base/brand.ts";
import {
  bigIntToFixedBytes,
  bytesToAddress,
  concatBytes,
  emptyBytes,
  equalBytes,
  hexToBytes,
  textToBytes,
} from "../base/bytes.ts";
import type { Outcome } from "../base/outcome.ts";
import { isFrom, type ForkName } from "./forks.ts";
import type { EvmLog } from "./stateAccess.ts";

/*
 * Contracts that are code of this program. A chain's modules say which there are; a transaction
 * brings what carries them out, because that belongs to its block.
 */

/** How a precompile is reached and priced: fixed when an EVM is made. */
export type PrecompileSpec = {
  readonly address: Address;
  gas(input: Uint8Array): bigint;
};

/** One call of a precompile. */
export type PrecompileFrame = {
  readonly caller: Address;
  /** TFuelWei that came with the call, in the precompile's account already. */
  readonly value: bigint;
  readonly input: Uint8Array;
  /** `delegate` for CALLCODE too: the caller's account stands in for the precompile's. */
  readonly type: "call" | "static" | "delegate";
};

/** Output and logs, or the reason of the refusal; a refused one has left no trace. */
export type PrecompileAnswer = Outcome<
  { readonly output: Uint8Array; readonly logs: readonly EvmLog[] },
  string
>;

/** Carries out the precompiles of one transaction. */
export type PrecompileHost = (address: Address, frame: PrecompileFrame) => PrecompileAnswer;

/** keccak of `Error(string)`, 4 bytes: what Solidity decodes as a reason. */
const errorSelector = hexToBytes("08c379a0");

/** The address of Ethereum's point evaluation, which needs blobs [EIP-4844]. */
const pointEvaluation = "0x000000000000000000000000000000000000000a";

/** The revert data of a reason, as Solidity encodes it. */
export function reasonData(reason: string): Uint8Array {
  const text = textToBytes(reason);
  const padded = new Uint8Array(Math.ceil(text.length / 32) * 32);
  padded.set(text);
  const length = bigIntToFixedBytes(BigInt(text.length), 32);
  return concatBytes(errorSelector, bigIntToFixedBytes(32n, 32), length, padded);
}

/** The frame at work and who carries it out; set by the EVM before a precompile runs. */
export type PrecompileScene = {
  message: Message | null;
  host: PrecompileHost | null;
};

/** The precompiles in the library's form. */
export function customPrecompiles(
  config: { readonly fork: ForkName; readonly precompiles: readonly PrecompileSpec[] },
  scene: PrecompileScene,
): CustomPrecompile[] {
  const own: CustomPrecompile[] = config.precompiles.map((spec) => ({
    address: `0x${spec.address.slice(2)}`,
    function: ({ data, gasLimit }) => runPrecompile(spec, scene, { data, gasLimit }),
  }));
  if (!isFrom(config.fork, "cancun")) return own;
  // Without blobs no commitment is worth a proof; the check would cost 20 ms for its 50,000 gas.
  const refused: CustomPrecompile = {
    address: pointEvaluation,
    function: ({ gasLimit }) => failed(gasLimit, EVMError.errorMessages.INVALID_PROOF, emptyBytes),
  };
  return [...own, refused];
}

function runPrecompile(
  spec: PrecompileSpec,
  scene: PrecompileScene,
  call: { readonly data: Uint8Array; readonly gasLimit: bigint },
): ExecResult {
  const { message, host } = scene;
  assert(message !== null && host !== null, "a precompile runs within a transaction");
  const gas = spec.gas(call.data);
  if (gas > call.gasLimit) {
    return failed(call.gasLimit, EVMError.errorMessages.OUT_OF_GAS, emptyBytes);
  }
  const answer = host(spec.address, {
    caller: bytesToAddress(message.caller.bytes),
    value: message.value,
    input: call.data,
    type: frameType(message),
  });
  if (!answer.ok) return failed(gas, EVMError.errorMessages.REVERT, reasonData(answer.refusal));
  const { output, logs } = answer.value;
  return {
    returnValue: output,
    executionGasUsed: gas,
    logs: logs.map(({ address, topics, data }) => [
      hexToBytes(address),
      topics.map((topic) => hexToBytes(topic)),
      data,
    ]),
  };
}

function frameType(message: Message): PrecompileFrame["type"] {
  const { to, codeAddress } = message;
  const elsewhere = to === undefined || !equalBytes(to.bytes, codeAddress.bytes);
  if (message.delegatecall || elsewhere) return "delegate";
  return message.isStatic ? "static" : "call";
}

function failed(
  gasUsed: bigint,
  error: (typeof EVMError.errorMessages)[keyof typeof EVMError.errorMessages],
  returnValue: Uint8Array,
): ExecResult {
  return { returnValue, executionGasUsed: gasUsed, exceptionError: new EVMError(error) };
}
