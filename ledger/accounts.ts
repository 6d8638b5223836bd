import type { Digest } from "../base/brand.ts";
import { textToDigestOrNull } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";
import { emptyKeccak } from "../crypto/keccak.ts";
import type { Account } from "./state.ts";

/** Root of a trie without entries: keccak of the RLP of the empty string. */
export const emptyTrieRoot: Digest = knownDigest(
  "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
);

/** What an account is before anything happened to it; `null` in the state. */
export const emptyAccount: Account = {
  nonce: 0n,
  balance: 0n,
  storageRoot: emptyTrieRoot,
  codeHash: emptyKeccak,
};

/**
 * Highest nonce of an account (EIP-2681): none can sign at this one, so a nonce never starts again.
 */
export const nonceMax: bigint = (1n << 64n) - 1n;

/** The same account with another balance; TFuelWei. */
export function withBalance(account: Account, balance: bigint): Account {
  assert(balance >= 0n, `a balance would be ${balance}`);
  return {
    nonce: account.nonce,
    balance,
    storageRoot: account.storageRoot,
    codeHash: account.codeHash,
  };
}

/** Whether code lives there, a contract's or a delegation. */
export function hasCode(account: Account | null): boolean {
  return account !== null && account.codeHash !== emptyKeccak;
}

function knownDigest(text: string): Digest {
  const digest = textToDigestOrNull(text);
  assert(digest !== null, `not a digest: ${text}`);
  return digest;
}
