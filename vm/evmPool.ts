import type { Evm, EvmConfig } from "./evm.ts";

type Wanted = Pick<EvmConfig, "fork" | "chainId" | "traced">;

/** EVMs that wait for work, per configuration: as many as ever ran at once, but no more. */
const idleMax = 8;

/**
 * EVMs of one set of precompiles, made when they are needed: a block under construction, one under
 * check and a reader's call may be at work at the same time.
 */
export class EvmPool {
  readonly #precompiles: EvmConfig["precompiles"];
  readonly #idle = new Map<string, Evm[]>();

  constructor(precompiles: EvmConfig["precompiles"]) {
    this.#precompiles = precompiles;
  }

  /** Lends an EVM. One whose work throws is not used again: it may be in the middle of anything. */
  async use<T>(wanted: Wanted, work: (evm: Evm) => Promise<T>): Promise<T> {
    const key = `${wanted.fork}/${wanted.chainId}/${wanted.traced}`;
    const idle = this.#idle.get(key) ?? [];
    this.#idle.set(key, idle);
    const evm = idle.pop() ?? (await this.#create(wanted));
    const result = await work(evm);
    if (idle.length < idleMax) idle.push(evm);
    return result;
  }

  /** The library is loaded when the first contract needs it: a third of an idle node's memory. */
  async #create(wanted: Wanted): Promise<Evm> {
    const { createEvm } = await import("./evm.ts");
    return createEvm({ ...wanted, precompiles: this.#precompiles });
  }
}
