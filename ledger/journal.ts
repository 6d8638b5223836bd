import type { Address, Digest } from "../base/brand.ts";
import { assert } from "../base/assert.ts";
import { bytesToHexDigits, emptyBytes, hexToBytes } from "../base/bytes.ts";
import { emptyKeccak } from "../crypto/keccak.ts";
import { CodeCache } from "../vm/codeCache.ts";
import { isDelegation } from "../vm/delegation.ts";
import type { Log } from "./receiptTypes.ts";
import type { Account, StateChanges, StateReader } from "./state.ts";

/*
 * The one journal over a state (DESIGN 3): accounts, storage, code, all module state (scheduled
 * jobs are module state) and events. Each value read or written has a slot that remembers what the
 * state says, so a write costs one entry in the list of undoings, and what changed in the end is
 * what differs from it.
 */

/**
 * Bytes of code that a block keeps of the state below it. To go round more codes than fit, so that
 * each is read and looked through again, takes a first visit to 5,000 of the longest: half of the
 * default `evm.blockGasMax`. Without it a block could keep 280 MB, and as much again of what is
 * known of them.
 */
export const journalCodeBytesMax: number = 128 * 1024 * 1024;

type Slot<T> = { readonly original: T; value: T };

/** A word of storage: also knows what it was when the transaction that writes it began. */
type StorageSlot = Slot<Uint8Array | null> & {
  /** The transaction that wrote it last. */
  transaction: number;
  /** Its value when that transaction began. */
  begun: Uint8Array | null;
};

/**
 * Replaced as a whole when a contract's storage is cleared, so that reverting that is one undoing.
 */
type StorageArea = {
  readonly cleared: boolean;
  readonly slots: Map<Digest, StorageSlot>;
};

/** A point to revert to. Checkpoints nest: reverting to one ends those after it. */
export type Checkpoint = { readonly undoings: number; readonly logs: number };

/** Uncommitted state of one block. */
export class Journal {
  readonly #reader: StateReader;
  readonly #accounts = new Map<Address, Slot<Account | null>>();
  readonly #storage = new Map<Address, Slot<StorageArea>>();
  /** Code that was written here; the state below is not asked for it. */
  readonly #code = new Map<Digest, Slot<Uint8Array | null>>();
  readonly #codeBelow: CodeCache;
  readonly #modules = new Map<string, Map<string, Slot<Uint8Array | null>>>();
  readonly #logs: Log[] = [];
  #transaction = 0;
  /** What to write back, newest last; the two lists run side by side. */
  readonly #undoSlots: Slot<unknown>[] = [];
  readonly #undoValues: unknown[] = [];

  /** `codeBytesMax`: of code that is kept of the state below. */
  constructor(reader: StateReader, codeBytesMax = journalCodeBytesMax) {
    this.#reader = reader;
    this.#codeBelow = new CodeCache(codeBytesMax);
  }

  checkpoint(): Checkpoint {
    return { undoings: this.#undoSlots.length, logs: this.#logs.length };
  }

  /** Undoes all that was written and logged since the checkpoint. */
  revert(checkpoint: Checkpoint): void {
    assert(checkpoint.undoings <= this.#undoSlots.length, "the checkpoint was reverted already");
    for (let i = this.#undoSlots.length - 1; i >= checkpoint.undoings; i -= 1) {
      const slot = this.#undoSlots[i];
      assert(slot !== undefined, "an undoing without its slot");
      slot.value = this.#undoValues[i];
    }
    this.#undoSlots.length = checkpoint.undoings;
    this.#undoValues.length = checkpoint.undoings;
    this.#logs.length = checkpoint.logs;
  }

  account(address: Address): Account | null {
    return this.#accountSlot(address).value;
  }

  setAccount(address: Address, account: Account | null): void {
    this.#write(this.#accountSlot(address), account);
  }

  storage(address: Address, slot: Digest): Uint8Array | null {
    return this.#storageSlot(address, slot).value;
  }

  /** A word without leading zeros; `null` for zero. */
  setStorage(address: Address, slot: Digest, word: Uint8Array | null): void {
    const target = this.#storageSlot(address, slot);
    if (target.transaction !== this.#transaction) {
      target.transaction = this.#transaction;
      target.begun = target.value;
    }
    this.#write(target, word);
  }

  /** From here on `originalStorage` answers what storage is now. */
  beginTransaction(): void {
    this.#transaction += 1;
  }

  /** The word at the last `beginTransaction`, which prices a write [EIP-2200]. */
  originalStorage(address: Address, slot: Digest): Uint8Array | null {
    const { transaction, begun, value } = this.#storageSlot(address, slot);
    return transaction === this.#transaction ? begun : value;
  }

  /** Drops a contract's whole storage. */
  clearStorage(address: Address): void {
    this.#write(this.#storageAreaSlot(address), { cleared: true, slots: new Map() });
  }

  code(codeHash: Digest): Uint8Array | null {
    const written = this.#code.get(codeHash)?.value ?? null;
    if (written !== null) return written;
    const known = this.#codeBelow.get(codeHash);
    if (known !== undefined) return known;
    const code = this.#reader.code(codeHash);
    if (code !== null) this.#codeBelow.add(codeHash, code);
    return code;
  }

  setCode(codeHash: Digest, code: Uint8Array): void {
    let slot = this.#code.get(codeHash);
    if (slot === undefined) {
      slot = { original: null, value: null };
      this.#code.set(codeHash, slot);
    }
    this.#write(slot, code);
  }

  /** Whether code lives there that is not a person's delegation [EIP-7702]. */
  isContract(address: Address): boolean {
    const codeHash = this.account(address)?.codeHash ?? emptyKeccak;
    return codeHash !== emptyKeccak && !isDelegation(this.code(codeHash) ?? emptyBytes);
  }

  /** A module's value; `key` in lowercase hex digits without prefix. */
  moduleValue(module: string, key: string): Uint8Array | null {
    return this.#moduleSlot(module, key).value;
  }

  /** `null` removes. */
  setModuleValue(module: string, key: string, value: Uint8Array | null): void {
    this.#write(this.#moduleSlot(module, key), value);
  }

  /** A module's pairs with `from <= key < to` in byte order, uncommitted writes included. */
  moduleRange(
    module: string,
    range: { readonly from: Uint8Array; readonly to: Uint8Array; readonly limit?: number },
  ): readonly (readonly [key: Uint8Array, value: Uint8Array])[] {
    const limit = range.limit ?? Number.POSITIVE_INFINITY;
    const from = bytesToHexDigits(range.from);
    const to = bytesToHexDigits(range.to);
    const slots = this.#modules.get(module) ?? new Map<string, Slot<Uint8Array | null>>();
    const written = [...slots]
      .filter(([key, slot]) => slot.value !== slot.original && key >= from && key < to)
      .sort(([a], [b]) => (a < b ? -1 : 1)); // Hex digits sort as their bytes do.
    const pairs: (readonly [Uint8Array, Uint8Array])[] = [];
    let next = 0;
    const takeWritten = (below: string): void => {
      for (let entry = written[next]; entry !== undefined; entry = written[next]) {
        if (entry[0] >= below || pairs.length >= limit) return;
        next += 1;
        if (entry[1].value !== null) pairs.push([hexToBytes(entry[0]), entry[1].value]);
      }
    };
    // The state may hold pairs that are removed here, so it is asked for as many more.
    const stateLimit = limit === Number.POSITIVE_INFINITY ? {} : { limit: limit + written.length };
    const bounds = { from: range.from, to: range.to, ...stateLimit };
    for (const [key, value] of this.#reader.moduleRange(module, bounds)) {
      const digits = bytesToHexDigits(key);
      takeWritten(digits);
      if (pairs.length >= limit) return pairs;
      if (written[next]?.[0] !== digits) pairs.push([key, value]);
      else takeWritten(`${digits}\0`); // Above `digits` and below any longer key.
      if (pairs.length >= limit) return pairs;
    }
    takeWritten("g");
    return pairs;
  }

  log(log: Log): void {
    this.#logs.push(log);
  }

  /** Takes the logs since the checkpoint's; they belong to one receipt. */
  logsSince(checkpoint: Checkpoint): readonly Log[] {
    return this.#logs.length === checkpoint.logs ? [] : this.#logs.slice(checkpoint.logs);
  }

  /** Takes the logs since the checkpoint's out of the journal, for whoever puts them in order. */
  takeLogs(checkpoint: Checkpoint): readonly Log[] {
    return this.#logs.splice(checkpoint.logs);
  }

  /** What differs from the state below. */
  changes(): StateChanges {
    const storage = new Map<Address, Map<Digest, Uint8Array | null>>();
    const storageCleared = new Set<Address>();
    const accounts = new Map<Address, Account | null>();
    for (const [address, { value: area, original }] of this.#storage) {
      if (area.cleared && area !== original) storageCleared.add(address);
      const words = changedIn(area.slots);
      if (words.size > 0) storage.set(address, words);
      // The tree finds a changed storage root through its account.
      if (words.size > 0 || storageCleared.has(address)) {
        accounts.set(address, this.account(address));
      }
    }
    for (const [address, slot] of this.#accounts) {
      if (!sameAccount(slot.value, slot.original)) accounts.set(address, slot.value);
    }
    const code = new Map<Digest, Uint8Array>();
    for (const [hash, value] of changedIn(this.#code)) if (value !== null) code.set(hash, value);
    const modules = new Map<string, Map<string, Uint8Array | null>>();
    for (const [module, slots] of this.#modules) {
      const values = changedIn(slots);
      if (values.size > 0) modules.set(module, values);
    }
    return { accounts, storage, storageCleared, code, modules };
  }

  #write<T>(slot: Slot<T>, value: T): void {
    this.#undoSlots.push(slot);
    this.#undoValues.push(slot.value);
    slot.value = value;
  }

  #accountSlot(address: Address): Slot<Account | null> {
    const known = this.#accounts.get(address);
    if (known !== undefined) return known;
    const original = this.#reader.account(address);
    const slot = { original, value: original };
    this.#accounts.set(address, slot);
    return slot;
  }

  #storageAreaSlot(address: Address): Slot<StorageArea> {
    const known = this.#storage.get(address);
    if (known !== undefined) return known;
    const original = { cleared: false, slots: new Map() };
    const slot = { original, value: original };
    this.#storage.set(address, slot);
    return slot;
  }

  #storageSlot(address: Address, key: Digest): StorageSlot {
    const area = this.#storageAreaSlot(address).value;
    const known = area.slots.get(key);
    if (known !== undefined) return known;
    const original = area.cleared ? null : this.#reader.storage(address, key);
    const slot = { original, value: original, transaction: 0, begun: original };
    area.slots.set(key, slot);
    return slot;
  }

  #moduleSlot(module: string, key: string): Slot<Uint8Array | null> {
    let slots = this.#modules.get(module);
    if (slots === undefined) {
      slots = new Map();
      this.#modules.set(module, slots);
    }
    const known = slots.get(key);
    if (known !== undefined) return known;
    const original = this.#reader.moduleValue(module, hexToBytes(key));
    const slot = { original, value: original };
    slots.set(key, slot);
    return slot;
  }
}

function changedIn<K>(slots: ReadonlyMap<K, Slot<Uint8Array | null>>): Map<K, Uint8Array | null> {
  const changed = new Map<K, Uint8Array | null>();
  for (const [key, slot] of slots) if (slot.value !== slot.original) changed.set(key, slot.value);
  return changed;
}

function sameAccount(a: Account | null, b: Account | null): boolean {
  if (a === b) return true;
  if (a === null || b === null) return false;
  return a.nonce === b.nonce && a.balance === b.balance && a.codeHash === b.codeHash;
}
