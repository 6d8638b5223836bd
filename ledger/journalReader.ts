import type { Address, Digest } from "../base/brand.ts";
import { bytesToHexDigits } from "../base/bytes.ts";
import type { Journal } from "./journal.ts";
import type { Account, StateReader } from "./state.ts";

/** What a journal says at this moment, as a state that another journal may lie on. */
export class JournalReader implements StateReader {
  /** Of the state below the journal: what is not committed has no root. */
  readonly root: Digest;
  readonly #journal: Journal;

  constructor(journal: Journal, root: Digest) {
    this.#journal = journal;
    this.root = root;
  }

  account(address: Address): Account | null {
    return this.#journal.account(address);
  }

  storage(address: Address, slot: Digest): Uint8Array | null {
    return this.#journal.storage(address, slot);
  }

  code(codeHash: Digest): Uint8Array | null {
    return this.#journal.code(codeHash);
  }

  moduleValue(module: string, key: Uint8Array): Uint8Array | null {
    return this.#journal.moduleValue(module, bytesToHexDigits(key));
  }

  moduleRange(
    module: string,
    range: { readonly from: Uint8Array; readonly to: Uint8Array; readonly limit?: number },
  ): readonly (readonly [key: Uint8Array, value: Uint8Array])[] {
    return this.#journal.moduleRange(module, range);
  }
}
