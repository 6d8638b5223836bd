import { bytesToHex } from "../../base/bytes.ts";
import type { EvmFrame, EvmFrameEnd, EvmStep } from "../../vm/tracer.ts";
import type { Log } from "../receiptTypes.ts";
import type { Json } from "../schema.ts";
import { failureWords, revertReason, withOpcode } from "./failures.ts";
import { beneficiaryOf, logOf } from "./steps.ts";
import { quantity, type Traced, type Tracer, type TraceBudget } from "./tracer.ts";

type TracedLog = Log & {
  /** Calls of the same frame before it. */
  readonly position: number;
};

/** A frame under way or ended. */
type Node = {
  readonly frame: EvmFrame;
  end: EvmFrameEnd | null;
  readonly calls: Node[];
  readonly logs: TracedLog[];
  /** Coins of a SELFDESTRUCT, which is shown as a frame. */
  readonly destroys: boolean;
};

/** Characters of an entry's names and brackets. */
const entryCharacters = 250;

/** geth's `callTracer`: the tree of frames, with logs if wanted. */
export class CallTracer implements Tracer {
  readonly #options: { readonly onlyTopCall: boolean; readonly withLog: boolean };
  readonly #budget: TraceBudget;
  readonly #open: Node[] = [];
  #top: Node | null = null;
  /** The last instruction. */
  #name = "";

  constructor(
    options: { readonly onlyTopCall: boolean; readonly withLog: boolean },
    budget: TraceBudget,
  ) {
    this.#options = options;
    this.#budget = budget;
  }

  onEnter(frame: EvmFrame): void {
    this.#budget.spend(entryCharacters + 2 * frame.input.length);
    const kept = { ...frame, input: frame.input.slice() };
    const node: Node = { frame: kept, end: null, calls: [], logs: [], destroys: false };
    this.#open.at(-1)?.calls.push(node);
    this.#top ??= node;
    this.#open.push(node);
  }

  onExit(end: EvmFrameEnd): void {
    const node = this.#open.pop();
    if (node === undefined) return;
    this.#budget.spend(2 * end.output.length);
    node.end = { ...end, failure: withOpcode(end.failure, this.#name) };
    // A precompile has no instructions that could have been seen.
    const unseen = node.logs.length === 0 && node.calls.length === 0;
    if (this.#options.withLog && unseen)
      for (const log of end.logs) node.logs.push({ ...log, position: 0 });
    if (this.#options.onlyTopCall && node.frame.depth > 1) this.#open.at(-1)?.calls.pop();
  }

  onStep(step: EvmStep): void {
    this.#name = step.name;
    if (this.#options.withLog) this.#onLog(step);
    if (!this.#options.onlyTopCall) this.#onSelfDestruct(step);
  }

  #onLog(step: EvmStep): void {
    const node = this.#open.at(-1);
    const log = logOf(step);
    if (node === undefined || log === null) return;
    this.#budget.spend(entryCharacters + 2 * log.data.length);
    node.logs.push({ ...log, position: node.calls.length });
  }

  #onSelfDestruct(step: EvmStep): void {
    const to = beneficiaryOf(step);
    if (to === null) return;
    this.#budget.spend(entryCharacters);
    const { address, depth, balance } = step;
    const input = new Uint8Array(0);
    this.#open.at(-1)?.calls.push({
      frame: { type: "CALL", from: address, to, value: balance, gas: 0n, input, depth: depth + 1 },
      end: { failure: "", gasUsed: 0n, output: input, contractAddress: null, logs: [] },
      calls: [],
      logs: [],
      destroys: true,
    });
  }

  answer(traced: Traced): Json {
    const { from, to, value, input, gasLimit: gas } = traced;
    const top = this.#top;
    const frame = { type: to === null ? "CREATE" : "CALL", from, to, value, gas, input } as const;
    const failure = top?.end?.failure ?? (traced.ok ? "" : "execution failed");
    const { gasUsed, output, contractAddress } = traced;
    const end = { failure, gasUsed, output, contractAddress, logs: [] };
    const { withLog } = this.#options;
    return frameJson(
      {
        frame: { ...frame, depth: 1 },
        end,
        calls: top?.calls ?? [],
        logs: top?.logs ?? [],
        destroys: false,
      },
      { withLog, failedAbove: false, logs: { count: 0 } },
    );
  }
}

type JsonOptions = {
  readonly withLog: boolean;
  /** What a failed frame logged is gone, with all below it. */
  readonly failedAbove: boolean;
  /** Logs shown so far. */
  readonly logs: { count: number };
};

function frameJson(node: Node, options: JsonOptions): Json {
  const { frame, end, calls } = node;
  const failure = end?.failure ?? "";
  const failed = options.failedAbove || failure !== "";
  const to = frame.to ?? end?.contractAddress ?? null;
  const output = end?.output ?? new Uint8Array(0);
  const reason = failure === "revert" ? revertReason(output) : null;
  const { shown, logs } = childrenJson(node, { ...options, failedAbove: failed });
  const hasOutput = output.length > 0 && (failure === "" || failure === "revert");
  return {
    from: frame.from,
    gas: quantity(frame.gas),
    gasUsed: quantity(end?.gasUsed ?? 0n),
    ...(to === null || (failure !== "" && frame.to === null) ? {} : { to }),
    input: bytesToHex(frame.input),
    ...(hasOutput ? { output: bytesToHex(output) } : {}),
    ...(failure === "" ? {} : { error: failureWords(failure) }),
    ...(reason === null ? {} : { revertReason: reason }),
    ...(calls.length === 0 ? {} : { calls: shown }),
    ...(logs.length === 0 ? {} : { logs }),
    ...(frame.type === "STATICCALL" ? {} : { value: quantity(frame.value) }),
    type: node.destroys ? "SELFDESTRUCT" : frame.type,
  };
}

/** Frames below and logs: both count on as the transaction did, so they are walked together. */
function childrenJson(
  { calls, logs }: Node,
  options: JsonOptions,
): { readonly shown: readonly Json[]; readonly logs: readonly Json[] } {
  const shown: Json[] = [];
  const written: Json[] = [];
  const wanted = options.withLog && !options.failedAbove ? logs : [];
  let next = 0;
  const writeUpTo = (position: number): void => {
    for (let log = wanted[next]; log !== undefined; log = wanted[next]) {
      if (log.position > position) return;
      const { address, topics, data } = log;
      const index = quantity(options.logs.count);
      const place = { position: quantity(log.position) };
      written.push({ address, topics, data: bytesToHex(data), index, ...place });
      options.logs.count += 1;
      next += 1;
    }
  };
  for (const [position, call] of calls.entries()) {
    writeUpTo(position);
    shown.push(frameJson(call, options));
  }
  writeUpTo(calls.length);
  return { shown, logs: written };
}
