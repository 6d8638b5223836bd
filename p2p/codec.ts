import { accept } from "../base/outcome.ts";
import type { Outcome } from "../base/outcome.ts";

/** Why bytes are not a value; the code is for logs, all of them cost the sender the same. */
export type CodecRefusal = { readonly code: string };

/** A value as bytes on the wire; `decode` refuses and never throws. */
export interface Codec<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): Outcome<T, CodecRefusal>;
}

/** Bytes as they are. */
export const bytesCodec: Codec<Uint8Array> = {
  encode: (value) => value,
  decode: (bytes) => accept(bytes),
};
