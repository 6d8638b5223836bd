import type { Common } from "@ethereumjs/common";
import { bigIntToBytes } from "../base/bytes.ts";
import type { AccessJournal } from "./accessJournal.ts";
import type { Frame, TouchedSlot } from "./frame.ts";
import type { InstructionEntry } from "./instructions.ts";
import { wordFrom } from "./memoryGas.ts";
import type { StateManager } from "./stateManager.ts";

/*
 * Reading and writing storage by the rules since Berlin [EIP-2200, 2929, 3529]; what both cost
 * before that is left to the library.
 */

/** Gas by the names that the library has for it. */
type Costs = Readonly<Record<(typeof costNames)[number], number>>;

const costNames = [
  "coldsloadGas",
  "warmstoragereadGas",
  "sstoreSentryEIP2200Gas",
  "sstoreNoopEIP2200Gas",
  "sstoreDirtyEIP2200Gas",
  "sstoreInitEIP2200Gas",
  "sstoreCleanEIP2200Gas",
  "sstoreClearRefundEIP2200Gas",
  "sstoreResetGas",
] as const;

type Parts = { readonly manager: StateManager; readonly journal: AccessJournal };

/** SLOAD, SSTORE and SELFBALANCE on this state; none where the fork has older rules. */
export function storageInstructions(common: Common, parts: Parts): readonly InstructionEntry[] {
  if (!common.isActivatedEIP(2929)) return [];
  const costs = Object.fromEntries(
    costNames.map((name) => [name, Number(common.param(name))]),
  ) as Costs; // Of every name one.
  return [
    [0x47, (frame) => balance(frame, parts)],
    [0x54, (frame) => load(frame, parts, costs)],
    [0x55, (frame) => store(frame, parts, costs)],
  ];
}

function balance(frame: Frame, { manager }: Parts): boolean {
  frame.push(manager.balanceOf(frame.env.address));
  return true;
}

function load(frame: Frame, { manager, journal }: Parts, costs: Costs): boolean {
  const touched = frame.slot(frame.peek(0));
  const isCold = coldIn(frame, touched, journal);
  if (!frame.spend(isCold ? costs.coldsloadGas : costs.warmstoragereadGas)) return false;
  if (isCold) warm(frame, touched, journal);
  frame.replace(1, numberOf(manager.word(frame.env.address, touched.slot)));
  return true;
}

function store(frame: Frame, { manager, journal }: Parts, costs: Costs): boolean {
  const { env } = frame;
  if (env.isStatic || frame.gas <= costs.sstoreSentryEIP2200Gas) return frame.fail();
  const touched = frame.slot(frame.peek(0));
  const value = frame.peek(1);
  const { address } = env;
  const current = numberOf(manager.word(address, touched.slot));
  const original = numberOf(manager.originalWord(address, touched.slot));
  const { gas, refund } = writeCost({ original, current, value }, costs);
  const isCold = coldIn(frame, touched, journal);
  // Less than nothing to give back is the library's to refuse.
  if (frame.refund + BigInt(refund) < 0n) return false;
  if (!frame.spend(gas + (isCold ? costs.coldsloadGas : 0))) return false;
  frame.refund += BigInt(refund);
  if (isCold) warm(frame, touched, journal);
  manager.setWord(address, touched.slot, value === 0n ? null : bigIntToBytes(value));
  frame.height -= 2;
  return true;
}

function numberOf(word: Uint8Array | null): bigint {
  return word === null ? 0n : wordFrom(word);
}

/** Gas of a write, and what is given back for it or, negative, taken back [EIP-2200, 3529]. */
function writeCost(
  words: { readonly original: bigint; readonly current: bigint; readonly value: bigint },
  costs: Costs,
): { readonly gas: number; readonly refund: number } {
  const { original, current, value } = words;
  const clearRefund = costs.sstoreClearRefundEIP2200Gas;
  if (current === value) return { gas: costs.sstoreNoopEIP2200Gas, refund: 0 };
  if (original === current) {
    if (original === 0n) return { gas: costs.sstoreInitEIP2200Gas, refund: 0 };
    return { gas: costs.sstoreCleanEIP2200Gas, refund: value === 0n ? clearRefund : 0 };
  }
  let refund = 0;
  if (original !== 0n && current === 0n) refund -= clearRefund;
  if (original !== 0n && value === 0n) refund += clearRefund;
  if (original === value) {
    const once =
      original === 0n ? costs.sstoreInitEIP2200Gas : costs.sstoreResetGas - costs.coldsloadGas;
    refund += once - costs.warmstoragereadGas;
  }
  return { gas: costs.sstoreDirtyEIP2200Gas, refund };
}

/** Whether the slot was cold until now; found warm, it is remembered as such. */
function coldIn({ env }: Frame, touched: TouchedSlot, journal: AccessJournal): boolean {
  if (touched.isWarm) return false;
  touched.isWarm = journal.isWarmedStorage(env.address.bytes, touched.bytes);
  return !touched.isWarm;
}

function warm({ env }: Frame, touched: TouchedSlot, journal: AccessJournal): void {
  journal.addWarmedStorage(env.address.bytes, touched.bytes);
  touched.isWarm = true;
}
