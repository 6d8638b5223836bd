import type { Address } from "../../base/brand.ts";
import { bytesToAddress, zeroAddress, zeroDigest } from "../../base/bytes.ts";
import { refuse } from "../../base/outcome.ts";
import { keccakDigest } from "../../crypto/keccak.ts";
import { emptyAccount } from "../../ledger/accounts.ts";
import { Journal } from "../../ledger/journal.ts";
import type { EvmBlock, EvmScene } from "../../vm/evm.ts";
import { MemoryState } from "./memoryState.ts";

export { emptyAccount } from "../../ledger/accounts.ts";
export { Journal } from "../../ledger/journal.ts";

/** Who calls, unless a test has another. */
export const caller: Address = bytesToAddress(new Uint8Array(20).fill(0xaa));
/** The contract that is called, unless a test has another. */
export const contract: Address = bytesToAddress(new Uint8Array(20).fill(0xcc));

/** Where a message runs: a state, in some block, without precompiles of modules. */
export function evmScene(state: Journal, block: Partial<EvmBlock> = {}): EvmScene {
  return {
    state,
    precompiles: () => refuse("none"),
    block: {
      number: 300,
      timestampSeconds: 1_700_000_000,
      coinbase: zeroAddress,
      gasLimit: 30_000_000n,
      baseFee: 7n,
      randomness: zeroDigest,
      hashOf: () => zeroDigest,
      ...block,
    },
  };
}

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
