import type { Address, Digest } from "../../base/brand.ts";
import type { Account, StateReader } from "../state.ts";

/** Accounts and storage that were asked for, as they were. */
export type StateReads = {
  readonly accounts: ReadonlyMap<Address, Account | null>;
  readonly storage: ReadonlyMap<Address, ReadonlyMap<Digest, Uint8Array | null>>;
};

/** A state that remembers what it was asked. A journal above it asks for each value once. */
export class RecordingReader implements StateReader {
  readonly root: Digest;
  readonly #below: StateReader;
  readonly #accounts = new Map<Address, Account | null>();
  readonly #storage = new Map<Address, Map<Digest, Uint8Array | null>>();

  constructor(below: StateReader) {
    this.#below = below;
    this.root = below.root;
  }

  get reads(): StateReads {
    return { accounts: this.#accounts, storage: this.#storage };
  }

  account(address: Address): Account | null {
    const account = this.#below.account(address);
    this.#accounts.set(address, account);
    return account;
  }

  storage(address: Address, slot: Digest): Uint8Array | null {
    const word = this.#below.storage(address, slot);
    const words = this.#storage.get(address) ?? new Map<Digest, Uint8Array | null>();
    words.set(slot, word);
    this.#storage.set(address, words);
    return word;
  }

  code(codeHash: Digest): Uint8Array | null {
    return this.#below.code(codeHash);
  }

  moduleValue(module: string, key: Uint8Array): Uint8Array | null {
    return this.#below.moduleValue(module, key);
  }

  moduleRange(
    module: string,
    range: { readonly from: Uint8Array; readonly to: Uint8Array; readonly limit?: number },
  ): Iterable<readonly [key: Uint8Array, value: Uint8Array]> {
    return this.#below.moduleRange(module, range);
  }
}
