import type { Defect } from "./defect.ts";

/** Planted defects of the RPC server, keys, logs and the configuration. */
export const apiDefects: readonly Defect[] = [
  {
    row: "A10",
    about: "an n of scrypt that is no power of two is taken",
    file: "crypto/kdf.ts",
    find: "if (n < 2 || n > scryptWorkMax || !Number.isInteger(Math.log2(n))) {",
    replace: "if (n < 2 || n > scryptWorkMax) {",
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
