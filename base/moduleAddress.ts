import { assert } from "./assert.ts";
import type { Address } from "./brand.ts";
import { bytesToAddress, textToBytes } from "./bytes.ts";

const prefix = "module:";

/** Letters in a module's name: what 20 bytes leave after the prefix. */
export const moduleNameLengthMax = 20 - prefix.length;

/**
 * The reserved account under which a module's sub-trie hangs: ASCII `module:` and the name, padded
 * with zeros. Nobody can have the key of such an address but by a second preimage.
 */
export function moduleAddress(name: string): Address {
  assert(/^[a-zA-Z][a-zA-Z0-9]*$/.test(name), `not a module name: ${name}`);
  assert(name.length <= moduleNameLengthMax, `a module name has at most 13 letters: ${name}`);
  const bytes = new Uint8Array(20);
  bytes.set(textToBytes(prefix + name));
  return bytesToAddress(bytes);
}
