import { crc32 } from "node:zlib";
import { bytesToHexDigits } from "../base/bytes.ts";
import { CorruptionError } from "./failures.ts";

/*
 * Values that do not carry their own hash get a checksum over key and value: a flipped bit, a
 * zeroed sector and a value written under another key are all noticed. CRC-32 (IEEE) catches
 * accidents, and whoever can write the disk on purpose can write anything.
 */

const checksumSize = 4;

function checksum(key: Uint8Array, value: Uint8Array): number {
  return crc32(value, crc32(key));
}

/** The checksum and the value. */
export function sealValue(key: Uint8Array, value: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(checksumSize + value.length);
  new DataView(sealed.buffer).setUint32(0, checksum(key, value));
  sealed.set(value, checksumSize);
  return sealed;
}

/** The value, or a `CorruptionError` that names the key. */
export function unsealValue(key: Uint8Array, sealed: Uint8Array): Uint8Array {
  const view = new DataView(sealed.buffer, sealed.byteOffset, sealed.length);
  const value = sealed.subarray(checksumSize);
  if (sealed.length < checksumSize || view.getUint32(0) !== checksum(key, value)) {
    throw new CorruptionError(bytesToHexDigits(key), "A stored value does not match its checksum.");
  }
  return value;
}
