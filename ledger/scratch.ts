import { transactionBytesMax } from "../base/limits.ts";
import { writeRlp, type RlpItem } from "../base/rlp.ts";

/*
 * Bytes that exist only to be hashed are written into one buffer, again and again: making an array
 * for each would cost as much as the hash. Nothing keeps a view of it beyond the call that wrote
 * it.
 */

/** What stands in front: wrappers and tags of what is signed. */
export const scratchFront = 128;

/** Room for any transaction and for what is put around it. */
export const scratch: Uint8Array = new Uint8Array(transactionBytesMax + 1024);

/** `prefix` and the encoded item, from `scratchFront` on; `null` if they do not fit. */
export function writeScratch(prefix: Uint8Array, item: RlpItem): Uint8Array | null {
  const at = scratchFront + prefix.length;
  const end = writeRlp(item, scratch, at);
  if (end === null) return null;
  scratch.set(prefix, scratchFront);
  return scratch.subarray(scratchFront, end);
}
