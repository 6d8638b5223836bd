import type { EVM, EVMResult, InterpreterStep, Message } from "@ethereumjs/evm";
import type { Address } from "../base/brand.ts";
import { bytesToAddress } from "../base/bytes.ts";
import type { EvmLog } from "./stateAccess.ts";
import { evmLogs } from "./logs.ts";

/*
 * How one looks into a message while it runs. Nothing of it is attached unless somebody asks: the
 * library then makes no step events at all.
 */

/** One instruction, before it is carried out. */
export type EvmStep = {
  readonly pc: number;
  readonly opcode: number;
  /** As `SSTORE` or `PUSH1`. */
  readonly name: string;
  /** Before this instruction. */
  readonly gasLeft: bigint;
  /** Of this instruction; what a call hands to the frame below included, as geth counts it. */
  readonly gasCost: bigint;
  readonly refund: bigint;
  /** The top is the last; not to be changed. */
  readonly stack: readonly bigint[];
  readonly memory: Uint8Array;
  /** Of the frame: 1 for the outermost. */
  readonly depth: number;
  /** Whose storage is at work. */
  readonly address: Address;
  /** TFuelWei of that account when the frame began. */
  readonly balance: bigint;
};

/** What a frame is, by the instruction that began it. */
export type EvmFrameType =
  | "CALL"
  | "CALLCODE"
  | "DELEGATECALL"
  | "STATICCALL"
  | "CREATE"
  | "CREATE2";

/** A frame that begins. */
export type EvmFrame = {
  readonly type: EvmFrameType;
  readonly from: Address;
  /** `null`: a creation; its end has the address. */
  readonly to: Address | null;
  readonly value: bigint;
  readonly gas: bigint;
  readonly input: Uint8Array;
  /** 1 for the outermost. */
  readonly depth: number;
};

/** How a frame ended. */
export type EvmFrameEnd = {
  /** Empty when done, `revert`, or the library's word for what went wrong. */
  readonly failure: string;
  readonly gasUsed: bigint;
  readonly output: Uint8Array;
  readonly contractAddress: Address | null;
  /** Of it and of all frames below, in order. */
  readonly logs: readonly EvmLog[];
};

/** Who looks. What it throws ends the run, and with it the EVM. */
export interface EvmTracer {
  onEnter(frame: EvmFrame): void;
  onExit(end: EvmFrameEnd): void;
  onStep(step: EvmStep): void;
}

const opcodes = { call: 0xf1, callCode: 0xf2, delegateCall: 0xf4, staticCall: 0xfa } as const;
const callCodes: ReadonlySet<number> = new Set(Object.values(opcodes));

/** Shows the EVM's next messages to the tracer; the answer ends that. */
export function attachTracer(evm: EVM, tracer: EvmTracer): () => void {
  let opcode = 0;
  const onStep = (step: InterpreterStep): void => {
    opcode = step.opcode.code;
    tracer.onStep(stepOf(step));
  };
  const onMessage = (message: Message): void => tracer.onEnter(frameOf(message, opcode));
  const onResult = (result: EVMResult): void => tracer.onExit(endOf(result));
  evm.events.on("step", onStep);
  evm.events.on("beforeMessage", onMessage);
  evm.events.on("afterMessage", onResult);
  return () => {
    evm.events.off("step", onStep);
    evm.events.off("beforeMessage", onMessage);
    evm.events.off("afterMessage", onResult);
  };
}

function stepOf(step: InterpreterStep): EvmStep {
  const { pc, opcode, gasLeft, gasRefund, stack, memory, depth, address } = step;
  return {
    pc,
    opcode: opcode.code,
    name: opcode.name,
    gasLeft,
    gasCost: costOf(step),
    refund: gasRefund,
    stack,
    memory,
    depth: depth + 1,
    address: bytesToAddress(address.bytes),
    balance: step.account.balance,
  };
}

/** A call hands on what it asks for, but at most 63/64 of what is left [EIP-150]. */
function costOf({ opcode, gasLeft, stack }: InterpreterStep): bigint {
  const cost = opcode.dynamicFee ?? BigInt(opcode.fee);
  const asked = callCodes.has(opcode.code) ? stack.at(-1) : undefined;
  if (asked === undefined || cost > gasLeft) return cost;
  const left = gasLeft - cost;
  const most = left - left / 64n;
  return cost + (asked < most ? asked : most);
}

/** `opcode` is the last instruction above the frame; without meaning for the outermost. */
function frameOf(message: Message, opcode: number): EvmFrame {
  const { caller, to, value, gasLimit, data, depth } = message;
  const type = frameTypeOf(message, opcode);
  const own = to === undefined ? null : bytesToAddress(to.bytes);
  const code = to === undefined ? null : bytesToAddress(message.codeAddress.bytes);
  return {
    type,
    // The library has the caller's caller here; who delegates is whose storage is at work.
    from: type === "DELEGATECALL" && own !== null ? own : bytesToAddress(caller.bytes),
    to: code,
    value,
    gas: gasLimit,
    input: data,
    depth: depth + 1,
  };
}

function frameTypeOf(message: Message, opcode: number): EvmFrameType {
  if (message.to === undefined) return message.salt === undefined ? "CREATE" : "CREATE2";
  if (message.depth === 0) return "CALL";
  if (message.delegatecall || opcode === opcodes.delegateCall) return "DELEGATECALL";
  if (opcode === opcodes.callCode) return "CALLCODE";
  return opcode === opcodes.staticCall ? "STATICCALL" : "CALL";
}

function endOf(result: EVMResult): EvmFrameEnd {
  const { exceptionError, returnValue, executionGasUsed, logs } = result.execResult;
  const created = result.createdAddress;
  return {
    failure: exceptionError?.error ?? "",
    gasUsed: executionGasUsed,
    output: returnValue,
    contractAddress: created === undefined ? null : bytesToAddress(created.bytes),
    logs: evmLogs(logs ?? []),
  };
}
