import type { Defect } from "./defect.ts";

/** Planted defects of the RPC server, keys, logs and the configuration. */
export const apiDefects: readonly Defect[] = [
  {
    row: "A10",
    about: "no bound on scrypt's memory",
    file: "crypto/kdf.ts",
    find: "if (128 * n * r > scryptMemoryBytesMax) {",
    replace: "if (n < 0) {",
    test: "crypto/keystore.test.ts",
  },
  {
    row: "A10",
    about: "the mac is not looked at",
    file: "crypto/keystore.ts",
    find: "if (equalConstantTime(macOf(key, sealed.ciphertext), sealed.mac)) return key;",
    replace: "return key;",
    test: "crypto/keystore.test.ts",
  },
];
