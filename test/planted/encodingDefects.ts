import type { Defect } from "./defect.ts";

/** Planted defects of encodings, signatures, amounts and the state transition. */
export const encodingDefects: readonly Defect[] = [
  {
    row: "E1",
    about: "a small byte may have a prefix",
    file: "base/rlp.ts",
    find: "if (length === 1 && !this.#isList && (this.#bytes[this.#at] ?? 0) < 0x80) {",
    replace: "if (length < 0) {",
    test: "test/vectors/rlp.test.ts",
  },
  {
    row: "E1",
    about: "bytes after the item are not seen",
    file: "base/rlp.ts",
    find: "if (list === top && top.length === countMax) {",
    replace:
      "if (list === top && top.length === countMax) return top;\n      if (top.length > 1e9) {",
    test: "test/vectors/rlp.test.ts",
  },
  {
    row: "E2",
    about: "no limit on lists inside one another",
    file: "base/rlp.ts",
    find: "if (lists.length === this.#depthMax) {",
    replace: "if (lists.length === -1) {",
    test: "test/vectors/rlp.test.ts",
  },
  {
    row: "E2",
    about: "no limit on items",
    file: "base/rlp.ts",
    find: "if (this.#items > this.#itemsMax) {",
    replace: "if (this.#items < 0) {",
    test: "test/vectors/rlp.test.ts",
  },
  {
    row: "E5",
    about: "a high s is taken",
    file: "crypto/secp256k1.ts",
    find: "compareAt(signature, 32, halfOrder) <= 0",
    replace: "compareAt(signature, 32, order) < 0",
    test: "crypto/secp256k1.test.ts",
  },
  {
    row: "E5",
    about: "any recovery id is taken",
    file: "crypto/secp256k1.ts",
    find: "(signature[64] ?? 2) <= 1 &&",
    replace: "",
    test: "crypto/secp256k1.test.ts",
  },
];
