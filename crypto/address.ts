import type { Address } from "../base/brand.ts";
import { bytesToAddress, hexToBytes, textToAddressOrNull, textToBytes } from "../base/bytes.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import { encodeRlp, rlpBigInt } from "../base/rlp.ts";
import { keccak256 } from "./keccak.ts";

/** Why a text is not an address; `expected` is the spelling with the right checksum. */
export type AddressRefusal =
  | { readonly code: "notAnAddress"; readonly got: string }
  | { readonly code: "checksumWrong"; readonly got: string; readonly expected: string };

/** The mixed-case spelling whose letters carry a checksum [EIP-55]; for display only. */
export function checksumAddress(address: Address): string {
  const digits = address.slice(2);
  const hash = keccak256(textToBytes(digits));
  let text = "0x";
  for (let i = 0; i < digits.length; i += 1) {
    const digit = digits.charAt(i);
    const byte = hash[i >> 1] ?? 0;
    const nibble = i % 2 === 0 ? byte >> 4 : byte & 15;
    text += nibble >= 8 ? digit.toUpperCase() : digit;
  }
  return text;
}

/** Reads an address, `0x` optional: one letter case, or mixed case with the right checksum. */
export function parseAddress(text: string): Outcome<Address, AddressRefusal> {
  const got = text.slice(0, 80);
  const address = text.length > 42 ? null : textToAddressOrNull(text);
  if (address === null) return refuse({ code: "notAnAddress", got });
  const digits = text.slice(-40);
  if (digits === digits.toLowerCase() || digits === digits.toUpperCase()) return accept(address);
  const expected = checksumAddress(address);
  if (expected.slice(2) !== digits) return refuse({ code: "checksumWrong", got, expected });
  return accept(address);
}

/** The address of the contract that `sender` creates with `nonce` (CREATE). */
export function contractAddress(sender: Address, nonce: bigint): Address {
  return bytesToAddress(keccak256(encodeRlp([hexToBytes(sender), rlpBigInt(nonce)])).subarray(12));
}
