import { assert } from "./assert.ts";
import { bytesToAddress, textToBytes } from "./bytes.ts";
import type { Address } from "./brand.ts";

/** Most characters of a module's name: with the prefix they fill an address. */
export const moduleNameSizeMax = 13;

/**
 * The reserved address under which a module's events are logged: the ASCII text `module:name`,
 * padded with zeros to 20 bytes. No key pair has such an address.
 */
export function moduleAddress(name: string): Address {
  assert(/^[a-z][a-z0-9]{0,12}$/.test(name), `a module's name is 1 to 13 of a-z and 0-9: ${name}`);
  const bytes = new Uint8Array(20);
  bytes.set(textToBytes(`module:${name}`));
  return bytesToAddress(bytes);
}
