import type { Common } from "@ethereumjs/common";
import { EVM, EVMError, Message, type CustomPrecompile, type ExecResult } from "@ethereumjs/evm";
import type { Address as EvmAddress } from "@ethereumjs/util";
import { emptyBytes } from "../base/bytes.ts";
import type { AccessJournal } from "./accessJournal.ts";
import { delegateOf } from "./delegation.ts";
import { Frame, type Call } from "./frame.ts";
import type { InstructionEntry } from "./instructions.ts";
import {
  depthMax,
  gasForCall,
  inputOf,
  payForCall,
  precompileCalls,
  regionsOf,
} from "./precompileCalls.ts";
import type { StateManager } from "./stateManager.ts";

/*
 * Calls without value that begin a frame of ours: the library's costs some twenty suspensions and
 * thirty objects. Calls that move coins, creations, modules' precompiles and older prices than
 * those since Berlin [EIP-2929] stay with the library.
 */

type Parts = {
  readonly manager: StateManager;
  readonly journal: AccessJournal;
  readonly warmGas: number;
  readonly coldGas: number;
  /** Whether accounts may run the code of another [EIP-7702]. */
  readonly hasDelegations: boolean;
};

/** How one of the instructions calls. */
type Kind = {
  /** Words below the top where the place of the input lies. */
  readonly inputAt: number;
  readonly isStatic: boolean;
  /** In the caller's own account, for its own caller. */
  readonly isDelegate: boolean;
};

const plain: Kind = { inputAt: 3, isStatic: false, isDelegate: false };
const delegating: Kind = { inputAt: 2, isStatic: false, isDelegate: true };
const fixed: Kind = { inputAt: 2, isStatic: true, isDelegate: false };

/** CALL, DELEGATECALL and STATICCALL; none where the fork has older prices. */
export function callInstructions(
  common: Common,
  state: { readonly manager: StateManager; readonly journal: AccessJournal },
  precompiles: CustomPrecompile[],
): readonly InstructionEntry[] {
  if (!common.isActivatedEIP(2929)) return [];
  const parts = {
    ...state,
    warmGas: Number(common.param("warmstoragereadGas")),
    coldGas: Number(common.param("coldaccountaccessGas")),
    hasDelegations: common.isActivatedEIP(7702),
  };
  const callPrecompile = precompileCalls(common, state.manager, precompiles);
  const isPlain = (frame: Frame): boolean => frame.peek(2) === 0n;
  return [
    [0xf1, (frame) => isPlain(frame) && (callPrecompile(frame, 3) || call(frame, plain, parts))],
    [0xf4, (frame) => call(frame, delegating, parts)],
    [0xfa, (frame) => callPrecompile(frame, 2) || call(frame, fixed, parts)],
  ];
}

function call(frame: Frame, kind: Kind, parts: Parts): boolean {
  const { manager, journal } = parts;
  const { address: target, text, digits } = manager.named(frame.peek(1));
  if (frame.isVast || frame.evm.precompiles.has(digits)) return false;
  // An account that is there but empty goes when it is touched [EIP-161]: the library knows how.
  if (manager.isEmptyAccount(text)) return false;
  let code = manager.codeOf(target);
  const isCold = !journal.isWarm(digits);
  let gas = isCold ? parts.coldGas : parts.warmGas;
  let coldDelegate: EvmAddress | null = null;
  if (code[0] === 0xef) {
    const delegate = parts.hasDelegations ? delegateOf(code) : null;
    if (delegate === null) return false;
    const isWarm = delegate.equals(target) || journal.isWarmedAddress(delegate.bytes);
    gas += isWarm ? parts.warmGas : parts.coldGas;
    if (!isWarm) coldDelegate = delegate;
    code = manager.codeOf(delegate);
  }
  const regions = regionsOf(frame, kind.inputAt);
  if (!payForCall(frame, regions, gas)) return false;
  if (isCold) journal.warm(digits);
  if (coldDelegate !== null) journal.addWarmedAddress(coldDelegate.bytes);
  frame.returned = emptyBytes;
  const words = kind.inputAt + 4;
  if (frame.env.depth >= depthMax || code.length === 0) {
    frame.replace(words, frame.env.depth >= depthMax ? 0n : 1n);
    return true;
  }
  const { to, room } = regions;
  const data = inputOf(frame, regions);
  begin(frame, { kind, target, code, data, to: Number(room === 0n ? 0n : to), room, words }, parts);
  return false;
}

/** Begins a frame, for which the call is paid. */
function begin(
  caller: Frame,
  parts: {
    readonly kind: Kind;
    readonly target: EvmAddress;
    readonly code: Uint8Array;
    readonly data: Uint8Array;
    readonly to: number;
    readonly room: bigint;
    readonly words: number;
  },
  { journal }: Parts,
): void {
  const { kind, target, code, data, to, room, words } = parts;
  const { env, evm, effects } = caller;
  const gas = gasForCall(caller);
  caller.gas -= gas;
  const frame = new Frame({
    evm,
    env: {
      address: kind.isDelegate ? env.address : target,
      caller: kind.isDelegate ? env.caller : env.address,
      callValue: kind.isDelegate ? env.callValue : 0n,
      callData: data,
      isStatic: kind.isStatic || env.isStatic,
      depth: env.depth + 1,
      origin: env.origin,
      gasPrice: env.gasPrice,
      block: env.block,
    },
    code,
    gas: BigInt(gas),
    refund: caller.refund,
    effects: { ...effects, returnValue: emptyBytes },
  });
  journal.begin();
  evm.transientStorage.checkpoint();
  caller.called = {
    caller,
    frame,
    target,
    gas,
    to,
    room: room > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(room),
    words,
    isDelegate: kind.isDelegate,
    logsBefore: effects.logs.length,
    destroyedBefore: effects.selfdestruct.size,
    createdBefore: effects.createdAddresses?.size ?? 0,
  };
}

/** How a frame ended. */
export type CallEnd = {
  readonly outcome: "done" | "reverted" | "failed";
  readonly gasLeft: number;
  readonly refund: bigint;
  readonly output: Uint8Array;
  readonly logs: Frame["effects"]["logs"];
};

/** How a frame ended that did not need the library. */
export function endOf(frame: Frame, hasFailed: boolean): CallEnd {
  const { gas: gasLeft, refund, effects } = frame;
  const output = effects.returnValue ?? emptyBytes;
  const outcome = hasFailed ? "failed" : frame.isReverted ? "reverted" : "done";
  return { outcome, gasLeft, refund, output, logs: effects.logs };
}

/** Lets the caller go on after a call. */
export function endCall(call: Call, end: CallEnd, journal: AccessJournal): void {
  const { caller, to, room } = call;
  const { effects, evm } = caller;
  const isDone = end.outcome === "done";
  if (isDone) {
    journal.keep();
    evm.transientStorage.commit();
    effects.logs = end.logs;
    caller.refund = end.refund;
  } else {
    journal.undo();
    evm.transientStorage.revert();
    effects.logs.length = call.logsBefore;
    cut(effects.selfdestruct, call.destroyedBefore);
    if (effects.createdAddresses !== undefined) cut(effects.createdAddresses, call.createdBefore);
  }
  if (end.outcome !== "failed") {
    caller.gas += end.gasLeft;
    caller.returned = end.output;
    const written = end.output.length < room ? end.output : end.output.subarray(0, room);
    caller.memory.set(written, to);
  }
  caller.replace(call.words, isDone ? 1n : 0n);
}

/** Takes out what was added last; both remember the order. */
function cut(
  collection: { readonly size: number; keys(): Iterable<string>; delete(key: string): boolean },
  size: number,
): void {
  if (collection.size === size) return;
  for (const key of [...collection.keys()].slice(size)) collection.delete(key);
}

/** The library's EVM, which can also go on with a frame that another began. */
export class FrameEvm extends EVM {
  /** Runs the code from there to its end. */
  runFrom(message: Message, at: number): Promise<ExecResult> {
    return this.runInterpreter(message, { pc: at });
  }
}

/** What the library is told of a frame of ours that it goes on with. */
export function messageOf({ frame, target, gas, isDelegate }: Call): Message {
  const { env, code, effects } = frame;
  const { createdAddresses } = effects;
  return new Message({
    to: env.address,
    codeAddress: target,
    caller: env.caller,
    value: env.callValue,
    data: env.callData,
    code,
    gasLimit: BigInt(gas),
    depth: env.depth,
    isStatic: env.isStatic,
    delegatecall: isDelegate,
    gasRefund: frame.refund,
    blobVersionedHashes: [],
    selfdestruct: effects.selfdestruct,
    ...(createdAddresses === undefined ? {} : { createdAddresses }),
  });
}

/** How a frame ended that the library went on with. */
export function endInLibrary({ gas }: Call, result: ExecResult): CallEnd {
  const { exceptionError, executionGasUsed, gasRefund, returnValue, logs } = result;
  const error = exceptionError?.error;
  const isReverted = error === EVMError.errorMessages.REVERT;
  return {
    outcome: error === undefined ? "done" : isReverted ? "reverted" : "failed",
    gasLeft: gas - Number(executionGasUsed),
    refund: gasRefund ?? 0n,
    output: returnValue,
    logs: logs ?? [],
  };
}
