import { bytesToBigInt, bytesToHexDigits } from "../../base/bytes.ts";

/** The library's words for what went wrong, and geth's, which tools know. */
const gethWords: ReadonlyMap<string, string> = new Map([
  ["revert", "execution reverted"],
  ["invalid JUMP", "invalid jump destination"],
  ["static state change", "write protection"],
  ["create collision", "contract address collision"],
  ["code size to deposit exceeds maximum code size", "max code size exceeded"],
  ["code store out of gas", "contract creation code storage out of gas"],
]);

/** What a frame failed of, as geth says it. */
export function failureWords(failure: string): string {
  return gethWords.get(failure) ?? failure;
}

/** geth names the instruction that is none. */
export function withOpcode(failure: string, name: string): string {
  return failure === "invalid opcode" ? `${failure}: ${name}` : failure;
}

/** keccak of `Error(string)` and of `Panic(uint256)`, 4 bytes each. */
const errorSelector = "08c379a0";
const panicSelector = "4e487b71";

/** Longest reason that is shown, in bytes. */
const reasonBytesMax = 65_536;

/** What Solidity says in revert data, if it says anything. */
export function revertReason(data: Uint8Array): string | null {
  const selector = bytesToHexDigits(data.subarray(0, 4));
  if (selector === panicSelector && data.length === 36) {
    return `panic code 0x${bytesToBigInt(data.subarray(4)).toString(16)}`;
  }
  if (selector !== errorSelector || data.length < 68) return null;
  const length = bytesToBigInt(data.subarray(36, 68));
  if (length > reasonBytesMax || data.length < 68 + Number(length)) return null;
  return new TextDecoder().decode(data.subarray(68, 68 + Number(length)));
}
