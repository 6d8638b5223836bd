import { assert } from "../base/assert.ts";
import type { Brand } from "../base/brand.ts";

/**
 * Names a node by its network key (not a validator's): text as the transport writes it, so that
 * `===` and `Map` work.
 */
export type PeerId = Brand<string, "PeerId">;

/** Characters of a peer's name. */
export const peerIdCharactersMax = 128;

/** A name that the transport has checked. */
export function textToPeerId(text: string): PeerId {
  assert(text.length > 0 && text.length <= peerIdCharactersMax, `not a peer's name: ${text}`);
  return text as PeerId;
}
