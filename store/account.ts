import { assert } from "../base/assert.ts";
import type { Digest } from "../base/brand.ts";
import { bytesToBigInt, bytesToDigest, equalBytes, hexToBytes } from "../base/bytes.ts";
import { rlpBigInt } from "../base/rlp.ts";
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

/*
 * Encoding and decoding by byte offsets, for the reason that nodes.ts has: an account that changes
 * is read and written once a block. The list is always 68 bytes or longer, the hashes are its end.
 */

const hashItemBytes = 33;
const hashItemPrefix = 0xa0;

function itemSize(bytes: Uint8Array): number {
  return bytes.length === 1 && (bytes[0] ?? 0) < 0x80 ? 1 : 1 + bytes.length;
}

function writeItem(into: Uint8Array, start: number, bytes: Uint8Array): number {
  let at = start;
  if (itemSize(bytes) > bytes.length) {
    into[at] = 0x80 + bytes.length;
    at += 1;
  }
  for (let i = 0; i < bytes.length; i += 1) into[at + i] = bytes[i] ?? 0;
  return at + bytes.length;
}

/** `[nonce, balance, storageRoot, codeHash]`, as Ethereum encodes it. */
export function encodeAccount(record: AccountRecord): Uint8Array {
  const nonce = rlpBigInt(record.nonce);
  const balance = rlpBigInt(record.balance);
  const payload = itemSize(nonce) + itemSize(balance) + 2 * hashItemBytes;
  const bytes = new Uint8Array(2 + payload);
  bytes[0] = 0xf8;
  bytes[1] = payload;
  const at = writeItem(bytes, writeItem(bytes, 2, nonce), balance);
  writeItem(bytes, writeItem(bytes, at, record.storageRoot), record.codeHash);
  return bytes;
}

/** The canonical integer at `start`, at most so many bytes; `null` if none is there. */
function integerAt(bytes: Uint8Array, start: number, sizeMax: number): Uint8Array | null {
  const prefix = bytes[start] ?? 0xff;
  if (prefix < 0x80) return prefix === 0 ? null : bytes.subarray(start, start + 1);
  const size = prefix - 0x80;
  const first = bytes[start + 1] ?? 0;
  if (size > sizeMax || (size > 0 && first === 0) || (size === 1 && first < 0x80)) return null;
  return bytes.subarray(start + 1, start + 1 + size);
}

/** Reads what `encodeAccount` wrote; `null` for anything else. */
export function decodeAccountOrNull(bytes: Uint8Array): AccountRecord | null {
  const end = bytes.length;
  const root = end - 2 * hashItemBytes;
  const code = end - hashItemBytes;
  if (bytes[0] !== 0xf8 || bytes[1] !== end - 2 || root < 4) return null;
  if (bytes[root] !== hashItemPrefix || bytes[code] !== hashItemPrefix) return null;
  const nonce = integerAt(bytes, 2, 8);
  const balance = nonce === null ? null : integerAt(bytes, 2 + itemSize(nonce), 32);
  if (nonce === null || balance === null) return null;
  if (2 + itemSize(nonce) + itemSize(balance) !== root) return null;
  return {
    nonce: bytesToBigInt(nonce),
    balance: bytesToBigInt(balance),
    storageRoot: bytes.subarray(root + 1, code),
    codeHash: bytes.subarray(code + 1),
  };
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
