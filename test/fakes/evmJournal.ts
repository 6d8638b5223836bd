import type { Address } from "../../base/brand.ts";
import { keccakDigest } from "../../crypto/keccak.ts";
import { emptyAccount } from "../../ledger/accounts.ts";
import { Journal } from "../../ledger/journal.ts";
import { MemoryState } from "./memoryState.ts";

export { emptyAccount } from "../../ledger/accounts.ts";
export type { Journal } from "../../ledger/journal.ts";

/** The ledger's journal with one contract and one rich account. */
export function journalWith(parts: {
  readonly contract: Address;
  readonly code: Uint8Array;
  readonly caller: Address;
  readonly balance: bigint;
}): Journal {
  const journal = new Journal(MemoryState.empty());
  const codeHash = keccakDigest(parts.code);
  journal.setCode(codeHash, parts.code);
  journal.setAccount(parts.contract, { ...emptyAccount, nonce: 1n, codeHash });
  journal.setAccount(parts.caller, { ...emptyAccount, nonce: 1n, balance: parts.balance });
  return journal;
}
