import type { Common } from "@ethereumjs/common";
import { getActivePrecompiles, type CustomPrecompile, type PrecompileFunc } from "@ethereumjs/evm";
import { assert } from "../base/assert.ts";
import type { Address } from "../base/brand.ts";
import { bigIntToFixedBytes, bytesToAddress, emptyBytes } from "../base/bytes.ts";
import type { Frame } from "./frame.ts";
import type { InstructionEntry } from "./instructions.ts";
import { isReady } from "./pairingCurves.ts";
import type { StateManager } from "./stateManager.ts";

/*
 * Calls of Ethereum's precompiles without value, which need no frame: the library's frame costs
 * more than most of them do. Those that answer later, and modules' precompiles, have their frame.
 */

/** Frames above a call that gets none [Yellow Paper 8]. */
const depthMax = 1_024;

/** An address, also in the library's type. */
type Direct = { readonly address: Address; readonly text: `0x${string}` };

/** Ethereum's precompiles that answer at once. */
const direct: ReadonlyMap<bigint, Direct> = new Map(
  [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n, 0xbn, 0xdn, 0x100n].map((number) => {
    const address = bytesToAddress(bigIntToFixedBytes(number, 20));
    return [number, { address, text: `0x${address.slice(2)}` }];
  }),
);

type Parts = {
  readonly common: Common;
  readonly manager: StateManager;
  /** Those that answer at once; a message may have others at their addresses. */
  readonly immediate: ReadonlySet<PrecompileFunc>;
};

/** CALL and STATICCALL; none where the fork has other prices than since Berlin [EIP-2929]. */
export function precompileCalls(
  common: Common,
  manager: StateManager,
  own: CustomPrecompile[],
): readonly InstructionEntry[] {
  if (!common.isActivatedEIP(2929)) return [];
  const active = getActivePrecompiles(common, own);
  const found = [...direct.values()].map(({ text }) => active.get(text.slice(2)));
  const parts = { common, manager, immediate: new Set(found.filter((run) => run !== undefined)) };
  return [
    [0xf1, (frame) => frame.peek(2) === 0n && call(frame, 3, parts)],
    [0xfa, (frame) => call(frame, 2, parts)],
  ];
}

/** `inputAt`: how far below the top the place of the input lies. */
function call(frame: Frame, inputAt: number, parts: Parts): boolean {
  const { common, manager, immediate } = parts;
  const target = direct.get(BigInt.asUintN(160, frame.peek(1)));
  if (target === undefined) return false;
  const { state } = frame;
  // An account that is there but empty goes when it is touched [EIP-161]: the library knows how.
  if (state.env.depth >= depthMax || manager.isEmptyAccount(target.address)) return false;
  const run = state.interpreter._evm.getPrecompile(target.text);
  if (run === undefined || !immediate.has(run) || !isReady(run) || frame.isVast) return false;
  const [from, size] = [frame.peek(inputAt), frame.peek(inputAt + 1)];
  const [to, room] = [frame.peek(inputAt + 2), frame.peek(inputAt + 3)];
  if (!payForCall(frame, { from, size, to, room }, Number(common.param("warmstoragereadGas")))) {
    return false;
  }
  const most = frame.gas - Math.floor(frame.gas / 64); // EIP-150
  const asked = frame.peek(0);
  const gasLimit = asked < BigInt(most) ? asked : BigInt(most);
  const data = size === 0n ? emptyBytes : frame.memory.subarray(Number(from), Number(from + size));
  const result = run({ data, gasLimit, common, _EVM: state.interpreter._evm });
  assert(!(result instanceof Promise), `the precompile ${target.text} answers later`);
  frame.gas -= Number(result.executionGasUsed);
  const isDone = result.exceptionError === undefined;
  state.returnBytes = isDone ? result.returnValue : emptyBytes;
  const written = state.returnBytes.length < room ? state.returnBytes.length : Number(room);
  if (written > 0) frame.memory.set(state.returnBytes.subarray(0, written), Number(to));
  frame.replace(inputAt + 4, isDone ? 1n : 0n);
  return true;
}

/** Both parts of memory at once: the one that ends later decides. */
function payForCall(
  frame: Frame,
  parts: {
    readonly from: bigint;
    readonly size: bigint;
    readonly to: bigint;
    readonly room: bigint;
  },
  gas: number,
): boolean {
  const { from, size, to, room } = parts;
  const outLater = room > 0n && (size === 0n || to + room > from + size);
  return outLater ? frame.pay(gas, to, room) : frame.pay(gas, from, size);
}
