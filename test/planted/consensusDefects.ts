import type { Defect } from "./defect.ts";

/** Planted defects of votes, certificates, commits and time. */
export const consensusDefects: readonly Defect[] = [
  {
    row: "K9",
    about: "integers may have leading zeros",
    file: "base/rlp.ts",
    find: "if (bytes === null || bytes[0] === 0) return null;\n  let value = 0;",
    replace: "if (bytes === null) return null;\n  let value = 0;",
    test: "ledger/header.test.ts",
  },
  {
    row: "K25",
    about: "an integer beyond 2^53 is rounded",
    file: "base/rlp.ts",
    find: "return Number.isSafeInteger(value) ? value : null;",
    replace: "return value;",
    test: "ledger/header.test.ts",
  },
];
