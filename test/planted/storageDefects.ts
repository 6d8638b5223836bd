import type { Defect } from "./defect.ts";

/** Planted defects of the store, the safety file and the trie's counts. */
export const storageDefects: readonly Defect[] = [
  {
    row: "D8",
    about: "a lock held by another process looks like any failure",
    file: "store/level.ts",
    find: 'throw hasCode(error, "LEVEL_LOCKED")',
    replace: "throw folder.length === 0",
    test: "store/keyValue.test.ts",
  },
  {
    row: "D13",
    about: "a newer format is read as ours",
    file: "store/format.ts",
    find: "digits === String(formatVersion)",
    replace: "Number(digits) >= formatVersion",
    test: "store/keyValue.test.ts",
  },
  {
    row: "D13",
    about: "the data of another chain is opened",
    file: "store/format.ts",
    find: "if (chainText !== genesisHash) {",
    replace: "if (chain === null) {",
    test: "store/keyValue.test.ts",
  },
  {
    row: "D14",
    about: "a read-only file system has no sentence",
    file: "store/failures.ts",
    find: '  ["Read-only file system", "EROFS"],\n',
    replace: "",
    test: "store/failures.test.ts",
  },
  {
    row: "D5",
    about: "what is read is not checked against its hash",
    file: "store/stateTree.ts",
    find: "if (bytes !== null && !equalBytes(keccak256(bytes), hash)) {",
    replace: "if (bytes !== null && hash.length === 0) {",
    test: "store/stateTree.test.ts",
  },
  {
    row: "D9",
    about: "a stay that ends is not counted",
    file: "store/references.ts",
    find: "this.#of(kind, hash).delta -= 1;",
    replace: "this.#of(kind, hash);",
    test: "store/stateTree.test.ts",
  },
  {
    row: "D3",
    about: "a failed sync is tried again",
    file: "store/safetyFile.ts",
    find: "if (this.#failure !== null) throw this.#failure;",
    replace: "",
    test: "test/properties/storageCrash.test.ts",
  },
  {
    row: "D7",
    about: "a safety file older than the chain is trusted",
    file: "node/safety.ts",
    find: "if (read.epoch <= epoch.epoch && ownView > votedView) {",
    replace: "if (read.epoch > epoch.epoch && ownView > votedView) {",
    test: "node/safety.test.ts",
  },
];
