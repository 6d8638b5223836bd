import type { Address } from "../../base/brand.ts";
import { bigIntToFixedBytes, bytesToHex } from "../../base/bytes.ts";
import type { EvmFrameEnd, EvmStep } from "../../vm/tracer.ts";
import type { Json } from "../schema.ts";
import { failureWords, withOpcode } from "./failures.ts";
import {
  quantity,
  type Traced,
  type Tracer,
  type TraceOptions,
  type TraceBudget,
} from "./tracer.ts";

type Options = Extract<TraceOptions, { readonly tracer: "structLogger" }>;

/** One instruction as it is shown; what is found out later is filled in then. */
type Entry = {
  readonly step: Pick<EvmStep, "pc" | "name" | "gasLeft" | "gasCost" | "depth" | "refund">;
  readonly stack: readonly string[] | null;
  readonly memory: readonly string[] | null;
  storage: Readonly<Record<string, string>> | null;
  error: string | null;
};

/** What is known of a frame: its last instruction, and the slot that it is reading. */
type Frame = { last: Entry | null; loading: string | null };

const sload = 0x54;
const sstore = 0x55;

/** Characters of an entry's names and numbers. */
const entryCharacters = 120;
const wordCharacters = 70;

/** geth's default tracer: every instruction with stack, and memory and storage if wanted. */
export class StructLogger implements Tracer {
  readonly #options: Options;
  readonly #budget: TraceBudget;
  readonly #entries: Entry[] = [];
  readonly #frames: Frame[] = [];
  /** Words that were read or written, of each account, in whatever frame. */
  readonly #words = new Map<Address, Map<string, string>>();

  constructor(options: Options, budget: TraceBudget) {
    this.#options = options;
    this.#budget = budget;
  }

  onEnter(): void {
    this.#frames.push({ last: null, loading: null });
  }

  onExit({ failure }: EvmFrameEnd): void {
    const frame = this.#frames.pop();
    const last = frame?.last ?? null;
    if (last === null || failure === "" || failure === "revert") return;
    last.error = failureWords(withOpcode(failure, last.step.name));
  }

  onStep(step: EvmStep): void {
    const frame = this.#frames.at(-1);
    if (frame === undefined) return;
    this.#finishLoad(frame, step);
    const { stepsMax, withStack, withMemory } = this.#options;
    frame.last = null;
    if (stepsMax === 0 || this.#entries.length < stepsMax) {
      const { pc, name, gasLeft, gasCost, depth, refund, stack, memory } = step;
      const words = (withStack ? stack.length : 0) + (withMemory ? memory.length / 32 : 0);
      this.#budget.spend(entryCharacters + words * wordCharacters);
      frame.last = {
        step: { pc, name, gasLeft, gasCost, depth, refund },
        stack: withStack ? stack.map(quantity) : null,
        memory: withMemory ? wordsOf(memory) : null,
        storage: null,
        error: null,
      };
      this.#entries.push(frame.last);
    }
    this.#lookAtStorage(frame, step);
  }

  #lookAtStorage(frame: Frame, { opcode, stack, address }: EvmStep): void {
    if (!this.#options.withStorage) return;
    const slot = stack.at(-1);
    if (slot === undefined) return;
    if (opcode === sload) frame.loading = wordText(slot);
    const value = stack.at(-2);
    if (opcode !== sstore || value === undefined) return;
    this.#showWord(frame, address, { slot: wordText(slot), value });
  }

  /** What an SLOAD read lies on the stack one instruction later. */
  #finishLoad(frame: Frame, { stack, address }: EvmStep): void {
    const value = stack.at(-1);
    if (frame.loading === null || value === undefined) return;
    const slot = frame.loading;
    frame.loading = null;
    this.#showWord(frame, address, { slot, value });
  }

  #showWord(
    frame: Frame,
    address: Address,
    { slot, value }: { readonly slot: string; readonly value: bigint },
  ): void {
    const words = this.#words.get(address) ?? new Map<string, string>();
    this.#words.set(address, words);
    words.set(slot, wordText(value));
    if (frame.last === null) return;
    this.#budget.spend(words.size * 2 * wordCharacters);
    frame.last.storage = Object.fromEntries(words);
  }

  answer(traced: Traced): Json {
    const { withReturnData } = this.#options;
    return {
      gas: Number(traced.gasUsed),
      failed: !traced.ok,
      returnValue: bytesToHex(withReturnData || traced.output.length > 0 ? traced.output : none),
      structLogs: this.#entries.map(entryJson),
    };
  }
}

const none = new Uint8Array(0);

function entryJson({ step, stack, memory, storage, error }: Entry): Json {
  return {
    pc: step.pc,
    op: step.name,
    gas: Number(step.gasLeft),
    gasCost: Number(step.gasCost),
    depth: step.depth,
    ...(error === null ? {} : { error }),
    ...(stack === null ? {} : { stack }),
    ...(memory === null ? {} : { memory }),
    ...(storage === null ? {} : { storage }),
    ...(step.refund === 0n ? {} : { refund: Number(step.refund) }),
  };
}

function wordText(word: bigint): string {
  return bytesToHex(bigIntToFixedBytes(word, 32));
}

function wordsOf(memory: Uint8Array): readonly string[] {
  return Array.from({ length: memory.length / 32 }, (_, index) =>
    bytesToHex(memory.subarray(index * 32, index * 32 + 32)),
  );
}
