import type { Common } from "@ethereumjs/common";
import { getActivePrecompiles, type CustomPrecompile, type PrecompileFunc } from "@ethereumjs/evm";
import { assert } from "../base/assert.ts";
import { emptyBytes } from "../base/bytes.ts";
import type { Frame } from "./frame.ts";
import { isReady } from "./pairingCurves.ts";
import type { StateManager } from "./stateManager.ts";

/*
 * Calls of Ethereum's precompiles without value, which need no frame: the library's frame costs
 * more than most of them do. Those that answer later, and modules' precompiles, have their frame.
 */

/** Frames above a call that gets none [Yellow Paper 8]. */
export const depthMax = 1_024;

/** An address in the library's type. */
type Direct = { readonly text: `0x${string}` };

/** Ethereum's precompiles that answer at once. */
const direct: ReadonlyMap<bigint, Direct> = new Map(
  [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n, 0xbn, 0xdn, 0x100n].map((number) => {
    return [number, { text: `0x${number.toString(16).padStart(40, "0")}` }];
  }),
);
const directMax = 0x100n;

type Parts = {
  readonly common: Common;
  readonly manager: StateManager;
  /** Those that answer at once; a message may have others at their addresses. */
  readonly immediate: ReadonlySet<PrecompileFunc>;
};

/** Calls a precompile; answers `false`, with nothing changed, for all that is none of these. */
export type PrecompileCall = (frame: Frame, inputAt: number) => boolean;

/** For forks with prices since Berlin [EIP-2929]. */
export function precompileCalls(
  common: Common,
  manager: StateManager,
  own: CustomPrecompile[],
): PrecompileCall {
  const active = getActivePrecompiles(common, own);
  const found = [...direct.values()].map(({ text }) => active.get(text.slice(2)));
  const parts = { common, manager, immediate: new Set(found.filter((run) => run !== undefined)) };
  return (frame, inputAt) => call(frame, inputAt, parts);
}

/** `inputAt`: how far below the top the place of the input lies. */
function call(frame: Frame, inputAt: number, parts: Parts): boolean {
  const { common, manager, immediate } = parts;
  const word = BigInt.asUintN(160, frame.peek(1));
  const target = word > directMax ? undefined : direct.get(word);
  if (target === undefined) return false;
  const { env, evm } = frame;
  // An account that is there but empty goes when it is touched [EIP-161]: the library knows how.
  if (env.depth >= depthMax || manager.isEmptyAccount(manager.named(word).text)) return false;
  const run = evm.getPrecompile(target.text);
  if (run === undefined || !immediate.has(run) || !isReady(run) || frame.isVast) return false;
  const regions = regionsOf(frame, inputAt);
  if (!payForCall(frame, regions, Number(common.param("warmstoragereadGas")))) return false;
  const { to, room } = regions;
  const gasLimit = BigInt(gasForCall(frame));
  const result = run({ data: inputOf(frame, regions), gasLimit, common, _EVM: evm });
  assert(!(result instanceof Promise), `the precompile ${target.text} answers later`);
  frame.gas -= Number(result.executionGasUsed);
  const isDone = result.exceptionError === undefined;
  frame.returned = isDone ? result.returnValue : emptyBytes;
  const written = frame.returned.length < room ? frame.returned.length : Number(room);
  if (written > 0) frame.memory.set(frame.returned.subarray(0, written), Number(to));
  frame.replace(inputAt + 4, isDone ? 1n : 0n);
  return true;
}

/** What a call reads of memory and what it may write there. */
export type CallRegions = {
  readonly from: bigint;
  readonly size: bigint;
  readonly to: bigint;
  readonly room: bigint;
};

/** The operands that say where they are; `inputAt` as above. */
export function regionsOf(frame: Frame, inputAt: number): CallRegions {
  const [from, size] = [frame.peek(inputAt), frame.peek(inputAt + 1)];
  return { from, size, to: frame.peek(inputAt + 2), room: frame.peek(inputAt + 3) };
}

/** The input of a call whose memory is paid for; a view of the caller's. */
export function inputOf(frame: Frame, { from, size }: CallRegions): Uint8Array {
  return size === 0n ? emptyBytes : frame.memory.subarray(Number(from), Number(from + size));
}

/** Gas that a call hands down: what it asks for, or all but one part in 64 [EIP-150]. */
export function gasForCall(frame: Frame): number {
  const most = frame.gas - Math.floor(frame.gas / 64);
  const asked = frame.peek(0);
  return asked < BigInt(most) ? Number(asked) : most;
}

/** Pays for both parts of memory at once: the one that ends later decides. */
export function payForCall(frame: Frame, regions: CallRegions, gas: number): boolean {
  const { from, size, to, room } = regions;
  const outLater = room > 0n && (size === 0n || to + room > from + size);
  return outLater ? frame.pay(gas, to, room) : frame.pay(gas, from, size);
}
