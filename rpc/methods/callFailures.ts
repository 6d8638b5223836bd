import {
  bytesToBigInt,
  bytesToHex,
  bytesToTextOrNull,
  equalBytes,
  hexToBytes,
} from "../../base/bytes.ts";
import type { Refusal } from "../../ledger/refusal.ts";
import { refusalSentence } from "../../ledger/refusal.ts";
import type { SimulatedResult } from "../../ledger/simulate.ts";
import { errorCodes, type RpcError } from "../errors.ts";
import { shortened } from "../json.ts";

// How messages that fail or cannot run are told: in go-ethereum's words and numbers, by which viem,
// ethers and cast recognise them.

/** keccak of `Error(string)` and of `Panic(uint256)`, 4 bytes each. */
const errorSelector = hexToBytes("08c379a0");
const panicSelector = hexToBytes("4e487b71");

/** What Solidity panics mean [docs.soliditylang.org, "Panic via assert"]. */
const panicReasons: ReadonlyMap<bigint, string> = new Map([
  [0x00n, "generic panic"],
  [0x01n, "assert(false)"],
  [0x11n, "arithmetic underflow or overflow"],
  [0x12n, "division or modulo by zero"],
  [0x21n, "enum overflow"],
  [0x22n, "invalid encoded storage byte array accessed"],
  [0x31n, "out-of-bounds array access; popping on an empty array"],
  [0x32n, "out-of-bounds access of an array or bytesN"],
  [0x41n, "out of memory"],
  [0x51n, "uninitialized function"],
]);

/** Characters of a reason in an error's message; the data has all of it. */
const reasonSizeMax = 1_024;

/** The reason in revert data, where Solidity put one. */
export function revertReason(data: Uint8Array): string | null {
  const selector = data.subarray(0, 4);
  if (equalBytes(selector, panicSelector) && data.length === 36) {
    const code = bytesToBigInt(data.subarray(4));
    return panicReasons.get(code) ?? `unknown panic code: 0x${code.toString(16)}`;
  }
  if (!equalBytes(selector, errorSelector) || data.length < 68) return null;
  const offset = bytesToBigInt(data.subarray(4, 36));
  const size = bytesToBigInt(data.subarray(36, 68));
  if (offset !== 32n || size > BigInt(data.length - 68)) return null;
  const text = bytesToTextOrNull(data.subarray(68, 68 + Number(size)));
  return text === null ? null : shortened(text, reasonSizeMax);
}

/** The error for a message that ran and failed. */
export function failureError({
  failure,
  returnData,
}: Pick<SimulatedResult, "failure" | "returnData">): RpcError {
  if (failure !== "revert") {
    // The library adds where in the code it was, by hash and address.
    return { code: errorCodes.server, message: failure.split(" at 0x", 1)[0] ?? failure };
  }
  const reason = revertReason(returnData);
  return {
    code: errorCodes.reverted,
    message: reason === null ? "execution reverted" : `execution reverted: ${reason}`,
    data: bytesToHex(returnData),
  };
}

/** The sentence for a message that cannot run at all. */
function refusalWords(refusal: Refusal): string {
  const { got, expected, address } = refusal;
  const whose = address === undefined ? "" : `address ${address} `;
  switch (refusal.code) {
    case "gasLimitTooLow":
      return `intrinsic gas too low: have ${got}, want ${expected}`;
    case "balanceTooLow":
      return `insufficient funds for gas * price + value: ${whose}have ${got} want ${expected}`;
    case "feeTooLow": {
      const fees = `maxFeePerGas: ${got}, baseFee: ${expected}`;
      return `max fee per gas less than block base fee: ${whose}${fees}`;
    }
    case "tipAboveFee": {
      const fees = `maxPriorityFeePerGas: ${got}, maxFeePerGas: ${expected}`;
      return `max priority fee per gas higher than max fee per gas: ${whose}${fees}`;
    }
    default:
      return refusalSentence(refusal);
  }
}

/** The error for a message that cannot run at all. */
export function messageRefusalError(refusal: Refusal): RpcError {
  return { code: errorCodes.transactionRejected, message: refusalWords(refusal) };
}
