import { assert } from "../../base/assert.ts";
import type { Address, Digest } from "../../base/brand.ts";
import {
  bigIntToBytes,
  bigIntToDigest,
  bytesToBigInt,
  emptyBytes,
  hexToBytes,
  textToAddressOrNull,
} from "../../base/bytes.ts";
import { emptyKeccak, keccakDigest } from "../../crypto/keccak.ts";
import { isFrom, type ForkName } from "../../vm/forks.ts";
import type { StateAccess } from "../../vm/stateAccess.ts";
import { emptyAccount } from "../accounts.ts";
import type { BlockContext } from "../module.ts";

/*
 * Hashes of recent blocks, kept in the state as EIP-2935 has it: so that BLOCKHASH is a function of
 * the state, and contracts can ask for 8,191 of them.
 */

/** Where the hashes are. */
export const historyAddress: Address = knownAddress("0x0000f90827f1c53a10cb7a02335b175320002935");

/** Hashes kept [EIP-2935, HISTORY_SERVE_WINDOW]. */
export const historyBlocks = 8_191;

/** Blocks that BLOCKHASH looks back. */
const blockHashBlocks = 256;

/** The contract that answers with the hash of the block whose number it is called with. */
const historyCode = hexToBytes(
  "3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500",
);
const historyCodeHash = keccakDigest(historyCode);

function knownAddress(text: string): Address {
  const address = textToAddressOrNull(text);
  assert(address !== null, `not an address: ${text}`);
  return address;
}

function slotOf(height: number): Digest {
  return bigIntToDigest(BigInt(height % historyBlocks));
}

/** Remembers the parent of this block; puts the contract in place where the fork has it. */
export function recordParent(state: StateAccess, block: BlockContext, fork: ForkName): void {
  const account = state.account(historyAddress);
  const codeHash = isFrom(fork, "prague") ? historyCodeHash : emptyKeccak;
  if (account === null || account.codeHash !== codeHash) {
    if (codeHash !== emptyKeccak) state.setCode(codeHash, historyCode);
    // A nonce of one, or it would count as an empty account [EIP-161].
    state.setAccount(historyAddress, { ...(account ?? emptyAccount), nonce: 1n, codeHash });
  }
  const word = bigIntToBytes(bytesToBigInt(hexToBytes(block.parentHash)));
  state.setStorage(historyAddress, slotOf(block.height - 1), word);
}

/** What BLOCKHASH answers in this block; `null` is zero. */
export function ancestorHash(
  state: StateAccess,
  block: BlockContext,
  height: number,
): Digest | null {
  if (height >= block.height || height < block.height - blockHashBlocks || height < 0) return null;
  const word = state.storage(historyAddress, slotOf(height)) ?? emptyBytes;
  return bigIntToDigest(bytesToBigInt(word));
}
