import type { EVM } from "@ethereumjs/evm";
import { Address as EvmAddress, type Account } from "@ethereumjs/util";
import { bytesToAddress, bytesToHexDigits, hexToBytes } from "../base/bytes.ts";
import type { StateManager } from "./stateManager.ts";

/*
 * What a transaction's frames have warmed and touched [EIP-2929, EIP-161], in place of the
 * library's journal: that keeps three collections for the start and three for the end of each
 * frame, and copies the list of them whenever one fails, so calls that succeed and fail in turns
 * took time by the square of their number. Here a frame is a place in one list of undoings.
 */

/** What of the library's journal others see. */
type LibraryJournal = Pick<EVM["journal"], keyof EVM["journal"]>;

const done: Promise<void> = Promise.resolve();

/** Touched, it stays so even if its frame fails: RIPEMD-160, by a wrong that Ethereum kept. */
const alwaysTouched = `${"00".repeat(19)}03`;

/** Hex digits of a slot's key or of an address, without prefix. */
type Digits = string;

/** Warm addresses and slots, touched addresses, and the frames of one message after another. */
export class AccessJournal implements LibraryJournal {
  accessList?: Map<Digits, Set<Digits>>;
  readonly #manager: StateManager;
  /** What is warm from the first: precompiles. */
  #fixed: ReadonlySet<Digits> = new Set();
  /** Warm addresses with their warm slots. */
  readonly #warm = new Map<Digits, Set<Digits>>();
  readonly #touched = new Set<Digits>();
  /** What to take out of where, newest last; the two lists run side by side. */
  readonly #undoFrom: { delete(digits: Digits): boolean }[] = [];
  readonly #undoDigits: Digits[] = [];
  readonly #marks: number[] = [];

  constructor(manager: StateManager) {
    this.#manager = manager;
  }

  /** Addresses that are warm in every transaction. */
  keepWarm(addresses: ReadonlySet<Digits>): void {
    this.#fixed = addresses;
  }

  startReportingAccessList(): void {
    this.accessList = new Map();
  }

  /** Preimages of hashed keys are for witnesses, which nothing here makes. */
  startReportingPreimages(): void {}

  putAccount(address: EvmAddress, account: Account | undefined): Promise<void> {
    this.#touch(bytesToHexDigits(address.bytes));
    return this.#manager.putAccount(address, account);
  }

  deleteAccount(address: EvmAddress): Promise<void> {
    this.#touch(bytesToHexDigits(address.bytes));
    return this.#manager.deleteAccount(address);
  }

  /** A frame begins. */
  begin(): void {
    this.#marks.push(this.#undoDigits.length);
    this.#manager.begin();
  }

  /** The newest frame ends, and what it did stays. */
  keep(): void {
    this.#marks.pop();
    this.#manager.keep();
  }

  /** The newest frame ends, and what it did is undone. */
  undo(): void {
    const mark = this.#marks.pop() ?? 0;
    for (let i = this.#undoDigits.length - 1; i >= mark; i -= 1) {
      this.#undoFrom[i]?.delete(this.#undoDigits[i] ?? "");
    }
    this.#undoFrom.length = mark;
    this.#undoDigits.length = mark;
    this.#manager.undo();
  }

  checkpoint(): Promise<void> {
    this.begin();
    return done;
  }

  commit(): Promise<void> {
    this.keep();
    return done;
  }

  revert(): Promise<void> {
    this.undo();
    return done;
  }

  /** Ends a transaction: empty accounts that it touched go [EIP-161], and all is cold again. */
  async cleanup(): Promise<void> {
    for (const digits of this.#touched) {
      const address = new EvmAddress(hexToBytes(digits));
      if (!this.#manager.isEmptyAccount(bytesToAddress(address.bytes))) continue;
      await this.#manager.deleteAccount(address);
    }
    this.cleanJournal();
    delete this.accessList;
  }

  cleanJournal(): void {
    this.#warm.clear();
    this.#touched.clear();
    this.#undoFrom.length = 0;
    this.#undoDigits.length = 0;
    this.#marks.length = 0;
  }

  /** What no failing frame cools. */
  addAlwaysWarmAddress(address: string, toAccessList = false): void {
    const digits = digitsOf(address);
    setIn(this.#warm, digits);
    if (toAccessList && this.accessList !== undefined) setIn(this.accessList, digits);
  }

  addAlwaysWarmSlot(address: string, slot: string, toAccessList = false): void {
    this.addAlwaysWarmAddress(address, toAccessList);
    const digits = digitsOf(address);
    setIn(this.#warm, digits).add(digitsOf(slot));
    if (toAccessList && this.accessList !== undefined) {
      setIn(this.accessList, digits).add(digitsOf(slot));
    }
  }

  isWarm(address: Digits): boolean {
    return this.#warm.has(address) || this.#fixed.has(address);
  }

  warm(address: Digits): void {
    this.#warmSlotsOf(address);
  }

  isWarmedAddress(address: Uint8Array): boolean {
    return this.isWarm(bytesToHexDigits(address));
  }

  addWarmedAddress(address: Uint8Array): void {
    this.warm(bytesToHexDigits(address));
  }

  isWarmedStorage(address: Uint8Array, slot: Uint8Array): boolean {
    return this.#warm.get(bytesToHexDigits(address))?.has(bytesToHexDigits(slot)) === true;
  }

  addWarmedStorage(address: Uint8Array, slot: Uint8Array): void {
    const digits = bytesToHexDigits(address);
    const slotDigits = bytesToHexDigits(slot);
    const slots = this.#warmSlotsOf(digits);
    if (!slots.has(slotDigits)) {
      slots.add(slotDigits);
      this.#undoLater(slots, slotDigits);
    }
    this.accessList?.get(digits)?.add(slotDigits);
  }

  #warmSlotsOf(digits: Digits): Set<Digits> {
    if (this.accessList !== undefined) setIn(this.accessList, digits);
    const known = this.#warm.get(digits);
    if (known !== undefined) return known;
    this.#undoLater(this.#warm, digits);
    return setIn(this.#warm, digits);
  }

  #touch(digits: Digits): void {
    if (this.#touched.has(digits)) return;
    this.#touched.add(digits);
    if (digits !== alwaysTouched) this.#undoLater(this.#touched, digits);
  }

  #undoLater(from: { delete(digits: Digits): boolean }, digits: Digits): void {
    this.#undoFrom.push(from);
    this.#undoDigits.push(digits);
  }
}

function setIn(sets: Map<Digits, Set<Digits>>, digits: Digits): Set<Digits> {
  const known = sets.get(digits);
  if (known !== undefined) return known;
  const made = new Set<Digits>();
  sets.set(digits, made);
  return made;
}

function digitsOf(text: string): Digits {
  return text.startsWith("0x") ? text.slice(2) : text;
}
