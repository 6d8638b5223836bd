import type { Defect } from "./defect.ts";

/** Planted defects of the RPC server, keys, logs and the configuration. */
export const apiDefects: readonly Defect[] = [
  {
    row: "A16",
    about: "a dependency takes whatever version comes",
    file: "package.json",
    find: '"zod": "',
    replace: '"zod": "^',
    test: "test/tidy.test.ts",
  },
  {
    row: "A16",
    about: "a package may run a script when it is installed",
    file: "package.json",
    find: '"classic-level": false',
    replace: '"classic-level": true',
    test: "test/tidy.test.ts",
  },
  {
    row: "A17",
    about: "a setting that nobody knows is passed over",
    file: "node/config.ts",
    find: "const schema = z.strictObject({",
    replace: "const schema = z.object({",
    test: "node/config.test.ts",
  },
  {
    row: "A17",
    about: "two servers on one port",
    file: "node/config.ts",
    find: "if (port !== 0 && port === secondPort)",
    replace: "if (port < 0)",
    test: "node/config.test.ts",
  },
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
