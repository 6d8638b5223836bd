import { assert } from "../base/assert.ts";
import type { Address, Verified } from "../base/brand.ts";
import type { Transaction } from "./transaction.ts";

/** A pending transaction. */
export type Entry = {
  readonly transaction: Verified<Transaction>;
  /** Gas that it may use. */
  readonly gas: bigint;
  /** TFuelWei that its payer may lose by it. */
  readonly cost: bigint;
  /** What no other pending transaction is about; `null` for nothing. */
  readonly subject: string | null;
  /** Highest price it offers, TFuelWei per gas. */
  readonly price: bigint;
  /** Running number: the older of two equal bids goes first. */
  readonly arrival: number;
  /** Height of the chain when it came. */
  readonly heightMin: number;
  /** `local`: submitted to this node itself, so it goes last when the pool is full. */
  origin: "local" | "remote";
  /** Last height at which it may be included. */
  heightMax: number;
  /** How often a proposer had to leave it out. */
  strikes: number;
};

/**
 * What is pending of one account, by sequence. A transaction of several signers is in each one's
 * queue.
 */
export class SenderQueue {
  readonly address: Address;
  readonly #bySequence = new Map<bigint, Entry>();
  #nonce: bigint;
  #next: bigint;
  #last: bigint;

  /** `nonce` of the account in the committed state. */
  constructor(address: Address, nonce: bigint) {
    this.address = address;
    this.#nonce = nonce;
    this.#next = nonce + 1n;
    this.#last = nonce;
  }

  get size(): number {
    return this.#bySequence.size;
  }

  /** Nonce of the account in the committed state. */
  get nonce(): bigint {
    return this.#nonce;
  }

  /** First sequence that is neither committed nor pending. */
  get next(): bigint {
    return this.#next;
  }

  at(sequence: bigint): Entry | undefined {
    return this.#bySequence.get(sequence);
  }

  /** The entry of the highest sequence: what is dropped first. */
  last(): Entry | undefined {
    return this.#bySequence.get(this.#last);
  }

  entries(): IterableIterator<Entry> {
    return this.#bySequence.values();
  }

  add(sequence: bigint, entry: Entry): void {
    assert(!this.#bySequence.has(sequence), "a sequence is pending twice");
    this.#bySequence.set(sequence, entry);
    if (sequence > this.#last) this.#last = sequence;
    while (this.#bySequence.has(this.#next)) this.#next += 1n;
  }

  remove(sequence: bigint): void {
    this.#bySequence.delete(sequence);
    if (sequence < this.#next && sequence > this.#nonce) this.#next = sequence;
    if (sequence === this.#last) this.#last = this.#highest();
  }

  /** Takes note of the committed nonce; gives the entries that it has overtaken. */
  advance(nonce: bigint): readonly Entry[] {
    const overtaken: Entry[] = [];
    for (const [sequence, entry] of this.#bySequence) {
      if (sequence <= nonce) overtaken.push(entry);
    }
    this.#nonce = nonce;
    this.#next = nonce + 1n;
    while (this.#bySequence.has(this.#next)) this.#next += 1n;
    return overtaken;
  }

  #highest(): bigint {
    let highest = this.#nonce;
    for (const sequence of this.#bySequence.keys()) if (sequence > highest) highest = sequence;
    return highest;
  }
}
