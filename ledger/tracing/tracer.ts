import type { Address } from "../../base/brand.ts";
import type { EvmTracer } from "../../vm/tracer.ts";
import type { Json } from "../schema.ts";
import type { StateChanges, StateReader } from "../state.ts";
import type { StateReads } from "./recordingReader.ts";

/** What a trace is to show, in the words of geth's `debug_` methods. */
export type TraceOptions =
  | {
      readonly tracer: "structLogger";
      readonly withMemory: boolean;
      readonly withStack: boolean;
      readonly withStorage: boolean;
      readonly withReturnData: boolean;
      /** Steps shown at most; 0 for all. */
      readonly stepsMax: number;
    }
  | { readonly tracer: "callTracer"; readonly onlyTopCall: boolean; readonly withLog: boolean }
  | {
      readonly tracer: "prestateTracer";
      readonly diffMode: boolean;
      readonly withCode: boolean;
      readonly withStorage: boolean;
    }
  | { readonly tracer: "noopTracer" };

/** Characters of one answer's traces together. */
export const traceSizeMax = 24 * 1_024 * 1_024;

/** Ends a trace that is too large, through the EVM library, which knows no other way out. */
export class TraceTooLarge extends Error {
  override readonly name = "TraceTooLarge";
}

/** Counts what the traces of one request come to. */
export class TraceBudget {
  #left = traceSizeMax;

  /** Characters that the answer will have, about. */
  spend(characters: number): void {
    this.#left -= characters;
    if (this.#left < 0) throw new TraceTooLarge("the trace is too large");
  }
}

/** What a message was and did, as far as its tracer did not see it. */
export type Traced = {
  readonly from: Address;
  readonly to: Address | null;
  readonly value: bigint;
  readonly input: Uint8Array;
  readonly gasLimit: bigint;
  readonly gasUsed: bigint;
  readonly ok: boolean;
  readonly output: Uint8Array;
  readonly contractAddress: Address | null;
  readonly reads: StateReads;
  readonly changes: StateChanges;
  /** The state before it. */
  readonly before: StateReader;
};

/** Looks on while a message runs, and then answers what it saw. */
export interface Tracer extends EvmTracer {
  answer(traced: Traced): Json;
}

/** A number as Ethereum's JSON has it. */
export function quantity(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}
