import type { Address } from "../../base/brand.ts";
import { bigIntToDigest, bigIntToFixedBytes, bytesToAddress } from "../../base/bytes.ts";
import type { EvmStep } from "../../vm/tracer.ts";
import type { Log } from "../receiptTypes.ts";

/*
 * What an instruction does that a tracer tells of, read from the stack before it is carried out.
 * Whether it comes to that, the end of its frame says.
 */

const log0 = 0xa0;
const log4 = 0xa4;
const selfDestruct = 0xff;

/** Gas of a byte of a log's data [yellow paper, G_logdata]. */
const gasPerByte = 8n;

/** The log that the instruction is about to write; `null` for any other instruction. */
export function logOf({ opcode, stack, memory, address, gasLeft }: EvmStep): Log | null {
  if (opcode < log0 || opcode > log4) return null;
  const offset = stack.at(-1);
  const size = stack.at(-2);
  if (offset === undefined || size === undefined) return null;
  if (size * gasPerByte > gasLeft) return null; // It runs out of gas.
  const count = opcode - log0;
  const topics = stack.slice(-2 - count, -2).toReversed();
  if (topics.length < count) return null;
  const data = new Uint8Array(Number(size));
  data.set(memory.subarray(Number(offset), Number(offset + size)));
  return { address, topics: topics.map(bigIntToDigest), data };
}

/** Who gets the coins of a contract about to destroy itself; `null` for any other instruction. */
export function beneficiaryOf({ opcode, stack }: EvmStep): Address | null {
  const beneficiary = opcode === selfDestruct ? stack.at(-1) : undefined;
  if (beneficiary === undefined) return null;
  return bytesToAddress(bigIntToFixedBytes(beneficiary, 32).subarray(12));
}
