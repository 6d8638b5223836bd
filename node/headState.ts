import type { Digest } from "../base/brand.ts";
import { zeroAddress } from "../base/bytes.ts";
import type { Header } from "../ledger/blockTypes.ts";
import type { Admission, Executor } from "../ledger/execute.ts";
import type { AccountReader, BlockContext } from "../ledger/module.ts";
import type { StateReader } from "../ledger/state.ts";
import type { Chain } from "./chain.ts";

/**
 * The state after the head as the mempool and the API read it; what is opened is kept until the
 * head moves.
 */
export class HeadState {
  readonly #chain: Chain;
  readonly #executor: Executor;
  #head: Digest | null = null;
  #admission: Admission | null = null;
  #reader: StateReader | null = null;
  #baseFee = 0n;

  constructor(chain: Chain, executor: Executor) {
    this.#chain = chain;
    this.#executor = executor;
  }

  /** State after the head. */
  reader(): StateReader {
    this.#refresh();
    return (this.#reader ??= this.#chain.headState());
  }

  /** Checks transactions against the state after the head, as if for the next block. */
  admission(): Admission {
    const reader = this.reader();
    return (this.#admission ??= this.#executor.admission(reader, this.#nextContext(reader)));
  }

  accounts(): AccountReader {
    const reader = this.reader();
    return { get: (address) => reader.account(address) };
  }

  /** Base fee of a child of the head, TFuelWei per gas. */
  baseFee(): bigint {
    this.admission();
    return this.#baseFee;
  }

  #nextContext(reader: StateReader): BlockContext {
    const { header } = this.#chain.head;
    const rules = this.#executor.nextRules(reader, header, this.#chain.epoch.epoch);
    this.#baseFee = rules.baseFee;
    return {
      ...headContext(this.#chain.head),
      height: rules.height,
      gasLimit: rules.gasLimit,
      baseFee: rules.baseFee,
    };
  }

  #refresh(): void {
    const { hash } = this.#chain.head;
    if (this.#head === hash) return;
    this.#head = hash;
    this.#admission = null;
    this.#reader = null;
  }
}

/** A committed block's context, for queries of the state after it. */
export function headContext(block: {
  readonly hash: Digest;
  readonly header: Header;
}): BlockContext {
  const { header } = block;
  return {
    height: header.height,
    epoch: header.epoch,
    view: header.view,
    timestampMs: header.timestampMs,
    parentHash: header.parentHash,
    proposer: header.height === 0 ? zeroAddress : header.proposer,
    gasLimit: header.gasLimit,
    baseFee: header.baseFee,
    randomness: header.randomness,
  };
}
