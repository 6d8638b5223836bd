import { scrypt } from "node:crypto";
import type { ScryptCost } from "./kdf.ts";

/**
 * scrypt by OpenSSL on a thread of its own: 1.5 times faster than JavaScript, and the event loop
 * goes on.
 */
export function nativeScrypt(
  password: Uint8Array,
  salt: Uint8Array,
  { n, r, p }: ScryptCost,
): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const options = { N: n, r, p, maxmem: 128 * (n * r + r * p) + 1_048_576 };
  scrypt(password, salt, 32, options, (error, key) => {
    if (error === null) resolve(new Uint8Array(key));
    else reject(error);
  });
  return promise;
}
