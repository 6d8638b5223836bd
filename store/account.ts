import { assert } from "../base/assert.ts";
import type { Digest } from "../base/brand.ts";
import { bytesToDigest, equalBytes, hexToBytes } from "../base/bytes.ts";
import { decodeRlp, encodeRlp, readBigInt, readFixed, readList, rlpBigInt } from "../base/rlp.ts";
import { emptyKeccak } from "../crypto/keccak.ts";
import { CorruptionError } from "./failures.ts";
import { emptyTrieRoot } from "./nodes.ts";

/** An account as a value of the account trie (the same as `ledger/state.ts` declares). */
export type Account = {
  readonly nonce: bigint;
  /** TFuelWei. */
  readonly balance: bigint;
  readonly storageRoot: Digest;
  readonly codeHash: Digest;
};

/** An account with its hashes as the trie stores them. */
export type AccountRecord = {
  readonly nonce: bigint;
  readonly balance: bigint;
  readonly storageRoot: Uint8Array;
  readonly codeHash: Uint8Array;
};

/** Root of an empty trie, as a digest. */
export const emptyRoot: Digest = bytesToDigest(emptyTrieRoot);

/** Code hash of an account without code. */
export const emptyCodeHash: Uint8Array = hexToBytes(emptyKeccak);

/** `[nonce, balance, storageRoot, codeHash]`, as Ethereum encodes it. */
export function encodeAccount(record: AccountRecord): Uint8Array {
  return encodeRlp([
    rlpBigInt(record.nonce),
    rlpBigInt(record.balance),
    record.storageRoot,
    record.codeHash,
  ]);
}

/** Reads what `encodeAccount` wrote; `null` for anything else. */
export function decodeAccountOrNull(bytes: Uint8Array): AccountRecord | null {
  const outcome = decodeRlp(bytes, { itemsMax: 5, depthMax: 1 });
  const fields = outcome.ok ? readList(outcome.value, 4) : null;
  const nonce = readBigInt(fields?.[0], 64);
  const balance = readBigInt(fields?.[1], 256);
  const storageRoot = readFixed(fields?.[2], 32);
  const codeHash = readFixed(fields?.[3], 32);
  if (nonce === null || balance === null || storageRoot === null || codeHash === null) return null;
  return { nonce, balance, storageRoot, codeHash };
}

/** Reads an account of our own trie. */
export function decodeAccount(bytes: Uint8Array): AccountRecord {
  const record = decodeAccountOrNull(bytes);
  if (record === null) throw new CorruptionError("account", "A stored account is malformed.");
  return record;
}

/**
 * With digests for hashes. Most accounts have neither storage nor code, and share the constants.
 */
export function recordToAccount({ nonce, balance, storageRoot, codeHash }: AccountRecord): Account {
  return {
    nonce,
    balance,
    storageRoot: equalBytes(storageRoot, emptyTrieRoot) ? emptyRoot : bytesToDigest(storageRoot),
    codeHash: equalBytes(codeHash, emptyCodeHash) ? emptyKeccak : bytesToDigest(codeHash),
  };
}

/** The code hash of an account as bytes. */
export function codeHashBytes(account: Account): Uint8Array {
  if (account.codeHash === emptyKeccak) return emptyCodeHash;
  const bytes = hexToBytes(account.codeHash);
  assert(bytes.length === 32, "a code hash has 32 bytes");
  return bytes;
}
