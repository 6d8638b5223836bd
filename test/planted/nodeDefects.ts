import type { Defect } from "./defect.ts";

/** Planted defects of disks that fail, files that lie, and what a node promises over restarts. */
export const nodeDefects: readonly Defect[] = [
  {
    row: "D1",
    about: "a new safety file is put in place before it is on the disk",
    file: "store/safetyFile.ts",
    find: "  await file.append(bytes);\n  await file.sync();\n  await file.close();",
    replace: "  await file.append(bytes);\n  await file.close();",
    test: "test/properties/storageCrash.test.ts",
  },
  {
    row: "D1",
    about: "a file that replaced another may have its old name after a stop",
    file: "store/replaceFile.ts",
    find: "  disk.rename(fresh, path);\n  disk.syncFolderOf(path);",
    replace: "  disk.rename(fresh, path);",
    test: "node/evidencePool.test.ts",
  },
  {
    row: "D1",
    about: "a file is put in place before it is on the disk",
    file: "store/replaceFile.ts",
    find: "  disk.sync(fresh);\n",
    replace: "",
    test: "node/evidencePool.test.ts",
  },
  {
    row: "D2",
    about: "a record with lost sectors is no torn one",
    file: "store/safetyFile.ts",
    find: "return file.length - at < headSize || hasLostSector(file, at, file.length);",
    replace: "return file.length - at < headSize;",
    test: "test/properties/storageCrash.test.ts",
  },
  {
    row: "D4",
    about: "what lies after a half-written record is forgotten",
    file: "node/transactionJournal.ts",
    find: "this.#failure = toStorageError(this.#path, error);",
    replace: "toStorageError(this.#path, error);",
    test: "node/transactionJournal.test.ts",
  },
  {
    row: "D5",
    about: "a damaged log is opened, and what it held is dropped",
    file: "store/level.ts",
    find: '  if (options.shared !== "later") checkLogs(folder);\n',
    replace: "",
    test: "store/levelFiles.test.ts",
  },
  {
    row: "D5",
    about: "a validator that lost a voted block does not ask the others for it",
    file: "node/safety.ts",
    find: "if (!isSoleValidator(epoch, keys)) {\n    log.warn(`${lost}",
    replace: "if (lost.length === 0) {\n    log.warn(`${lost}",
    test: "node/safety.test.ts",
  },
  {
    row: "D5",
    about: "a node that follows does not go beyond the end of an epoch",
    file: "node/joining.ts",
    find: "if (store.epoch.epoch > epoch.epoch) chain.startEpoch(store.epoch);",
    replace: "",
    test: "integration/catchUp.test.ts",
  },
  {
    row: "D5",
    about: "a store that lost a voted block starts",
    file: "node/safety.ts",
    find: "  if (!isBehind) return;",
    replace: "  if (isBehind || !isBehind) return;",
    test: "node/safety.test.ts",
  },
  {
    row: "D7",
    about: "a safety file that is older than what the machine remembers is trusted",
    file: "node/safety.ts",
    find: 'if (age === "older") {',
    replace: 'if (age === "older" && bytes.length > safetyRecordBytesMax) {',
    test: "node/safety.test.ts",
  },
  {
    row: "K2",
    about: "evidence is forgotten at a restart",
    file: "node/evidencePool.ts",
    find: "if (taken.ok && taken.value.isNew) this.#records.write(this.#encoded());",
    replace: "",
    test: "node/evidencePool.test.ts",
  },
  {
    row: "D7",
    about: "a key in doubt speaks in the next epoch that it is shown",
    file: "consensus/voter.ts",
    find: "this.#isDoubted = this.#isDoubted && rootMs <= this.#doubtUntilMs;",
    replace: "this.#isDoubted = rootMs < 0;",
    test: "consensus/voter.test.ts",
  },
  {
    row: "D7",
    about: "others who went on vouch for an old record",
    file: "node/rollCall.ts",
    find: "answer.view <= view + viewsAheadMax;",
    replace: "answer.view >= view - viewsAheadMax;",
    test: "node/rollCall.test.ts",
  },
  {
    row: "A8",
    about: "what was committed is refused like any used sequence",
    file: "node/transactionPool.ts",
    find: "return this.#view.isCommitted(hash) ?",
    replace: "return hash.length === 0 ?",
    test: "integration/lifeCycle.test.ts",
  },
  {
    row: "A8",
    about: "what was accepted is not in the journal when it is answered",
    file: "node/transactionPool.ts",
    find: 'if (origin === "local") this.#write(hash, unverified.encoded);',
    replace: "",
    test: "integration/lifeCycle.test.ts",
  },
  {
    row: "D6",
    about: "a key without its record of votes starts afresh",
    file: "node/safety.ts",
    find: 'if (found.type !== "unsure" && startsAfresh(config, options)) {',
    replace: 'if (found.type !== "unsure") {',
    test: "node/safety.test.ts",
  },
  {
    row: "A7",
    about: "a block is shown before it is on the disk",
    file: "node/chain.ts",
    find:
      "for (const [i, entry] of committed.entries()) {\n" +
      "      const isStored = this.#pending.get(entry.hash)?.isStored ?? false;",
    replace:
      "for (const [i, entry] of committed.entries()) {\n" +
      "      const isStored = this.#pending.get(entry.hash)?.isStored ?? false;\n" +
      "      this.#head = { hash: entry.hash, header: entry.block.header };",
    test: "node/chain.test.ts",
  },
  {
    row: "A9",
    about: "the newest block is not in the index of transactions yet",
    file: "node/diskStore.ts",
    find: "transactions: write.transactions.map((transaction) => transaction.hash),",
    replace: "transactions: [],",
    test: "node/chain.test.ts",
  },
  {
    row: "A11",
    about: "a password from the environment is printed",
    file: "cli/password.ts",
    find: "if (variable !== undefined) return checked(variable, sources);",
    replace:
      "if (variable !== undefined) {\n" +
      "    sources.warn(`using ${variable}`);\n" +
      "    return checked(variable, sources);\n" +
      "  }",
    test: "integration/secrets.test.ts",
  },
  {
    row: "A11",
    about: "a key file that others may read",
    file: "sdk/keystoreFolder.node.ts",
    find: 'openSync(temporary, "wx", 0o600)',
    replace: 'openSync(temporary, "wx", 0o644)',
    test: "integration/secrets.test.ts",
  },
];
