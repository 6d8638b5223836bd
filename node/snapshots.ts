import type { Address, Digest } from "../base/brand.ts";
import { bytesToBigInt } from "../base/bytes.ts";
import { emptyKeccak } from "../crypto/keccak.ts";
import { emptyTrieRoot } from "../ledger/accounts.ts";
import type { AccountWrite } from "../ledger/modules/dev.ts";
import type { StateChanges, StateReader } from "../ledger/state.ts";

/** Accounts and words that may be remembered as changed since a snapshot. */
const touchedMax = 500_000;

type Touched = Map<Address, Set<Digest>>;

type Snapshot = { readonly id: number; readonly height: number; readonly touched: Touched };

/** Snapshots at a time. */
export const snapshotsMax = 1_000;

/**
 * What changed since each snapshot, so that the state of then can be written back. The old values
 * themselves are in the state of the snapshot's height.
 */
export class Snapshots {
  readonly #kept: Snapshot[] = [];
  #lastId = 0;
  #count = 0;

  /** Whether too much has changed since the oldest. */
  get isFull(): boolean {
    return this.#count > touchedMax;
  }

  /** `null` if there are too many. */
  take(height: number): number | null {
    if (this.#kept.length >= snapshotsMax) return null;
    this.#lastId += 1;
    this.#kept.push({ id: this.#lastId, height, touched: new Map() });
    return this.#lastId;
  }

  /** A block was committed. */
  onCommitted({ accounts, storage }: StateChanges): void {
    const newest = this.#kept.at(-1);
    if (newest === undefined || this.isFull) return;
    for (const address of accounts.keys()) this.#slotsOf(newest.touched, address);
    for (const [address, words] of storage) {
      const slots = this.#slotsOf(newest.touched, address);
      for (const slot of words.keys()) {
        if (!slots.has(slot)) this.#count += 1;
        slots.add(slot);
      }
    }
  }

  #slotsOf(touched: Touched, address: Address): Set<Digest> {
    const known = touched.get(address);
    if (known !== undefined) return known;
    this.#count += 1;
    const slots = new Set<Digest>();
    touched.set(address, slots);
    return slots;
  }

  /** Height of a snapshot; `null` if there is none of this number. */
  heightOf(id: number): number | null {
    return this.#kept.find((snapshot) => snapshot.id === id)?.height ?? null;
  }

  /** What changed since a snapshot. */
  touchedSince(id: number): ReadonlyMap<Address, ReadonlySet<Digest>> {
    const all: Touched = new Map();
    for (const { touched } of this.#kept.filter((snapshot) => snapshot.id >= id)) {
      for (const [address, slots] of touched) {
        const known = all.get(address) ?? new Set<Digest>();
        for (const slot of slots) known.add(slot);
        all.set(address, known);
      }
    }
    return all;
  }

  /** Ends a snapshot and those after it; what changed since counts for the ones before. */
  drop(id: number): void {
    const touched = this.touchedSince(id);
    for (const snapshot of this.#kept.splice(this.#kept.findIndex((kept) => kept.id === id)))
      this.#count -= [...snapshot.touched.values()].reduce((sum, slots) => sum + slots.size + 1, 0);
    const newest = this.#kept.at(-1);
    if (newest === undefined) return;
    for (const [address, slots] of touched) {
      const known = this.#slotsOf(newest.touched, address);
      for (const slot of slots) {
        if (!known.has(slot)) this.#count += 1;
        known.add(slot);
      }
    }
  }
}

/** The operations' entries that give an account what it had; `null` if nothing is different. */
export function writeBack(
  address: Address,
  slots: Iterable<Digest>,
  states: { readonly old: StateReader; readonly now: StateReader },
): AccountWrite | null {
  const { old, now } = states;
  const was = old.account(address);
  const is = now.account(address);
  const cleared = (is?.storageRoot ?? emptyTrieRoot) !== emptyTrieRoot && isBare(was);
  const storage: { readonly slot: Digest; readonly word: bigint }[] = [];
  for (const slot of cleared ? [] : slots) {
    const word = wordAt(old, address, slot);
    if (word !== wordAt(now, address, slot)) storage.push({ slot, word });
  }
  const sameCode = was?.codeHash === is?.codeHash;
  const same = sameCode && was?.nonce === is?.nonce && was?.balance === is?.balance;
  if (same && !cleared && storage.length === 0) return null;
  const { codeHash = emptyKeccak, nonce = 0n, balance = 0n } = was ?? {};
  const code = old.code(codeHash) ?? new Uint8Array(0);
  return {
    address,
    nonce: [nonce],
    balance: [balance],
    code: sameCode ? [] : [code],
    cleared,
    storage,
  };
}

function isBare(account: { readonly storageRoot: Digest } | null): boolean {
  return (account?.storageRoot ?? emptyTrieRoot) === emptyTrieRoot;
}

function wordAt(state: StateReader, address: Address, slot: Digest): bigint {
  const word = state.storage(address, slot);
  return word === null ? 0n : bytesToBigInt(word);
}
