import type { Defect } from "./defect.ts";

/** Planted defects of contracts, rewards and stakes. */
export const evmDefects: readonly Defect[] = [
  {
    row: "X1",
    about: "refunds are a fourth of the gas, not a fifth",
    file: "vm/evm.ts",
    find: '"london") ? 5n : 2n;',
    replace: '"london") ? 4n : 2n;',
    test: "test/vectors/state.test.ts",
  },
  {
    row: "X2",
    about: "every hash is computed a hundred times",
    file: "crypto/keccak.ts",
    find: "export function keccak256(bytes: Uint8Array): Uint8Array {",
    replace:
      "export function keccak256(bytes: Uint8Array): Uint8Array {\n  for (let i = 0; i < 100; i += 1) hasher.init().update(bytes).digest();",
    test: "ledger/modules/evmBombs.test.ts",
  },
  {
    row: "X3",
    about: "init code may be of any size",
    file: "ledger/modules/evm.ts",
    find: "tx.data.length <= initCodeBytesMax || ",
    replace: "tx.data.length >= 0 || ",
    test: "ledger/modules/evmRows.test.ts",
  },
  {
    row: "X4",
    about: "contracts that destroy themselves stay",
    file: "vm/evm.ts",
    find: "if (this.#keepsOld && execResult.createdAddresses?.has(address) !== true) continue;",
    replace: "if (this.#keepsOld || execResult.createdAddresses?.has(address) !== true) continue;",
    test: "ledger/modules/evmRows.test.ts",
  },
  {
    row: "X5",
    about: "tips are paid and burned",
    file: "ledger/blockExecution.ts",
    find: "this.#burned += fee - tips;",
    replace: "this.#burned += fee;",
    test: "test/properties/ledger.test.ts",
  },
  {
    row: "X6",
    about: "the part of a beneficiary is rounded up",
    file: "ledger/modules/reward.ts",
    find: "(share * BigInt(rule.splitBasisPoints)) / 10_000n;",
    replace: "(share * BigInt(rule.splitBasisPoints) + 9_999n) / 10_000n;",
    test: "ledger/modules/stakeRows.test.ts",
  },
  {
    row: "X7",
    about: "a stake returns a block too early",
    file: "ledger/modules/stake.ts",
    find: "const due = { heightMin: returnHeight, timestampMsMin: returnTimestampMs };",
    replace:
      "const due = { heightMin: returnHeight - 1, timestampMsMin: returnTimestampMs - 1_000 };",
    test: "ledger/modules/stakeRows.test.ts",
  },
  {
    row: "X8",
    about: "a precompile's input may be longer than it reads",
    file: "ledger/modules/evmPrecompiles.ts",
    find: "if (input.length !== 52) {",
    replace: "if (input.length < 52) {",
    test: "ledger/modules/evmRows.test.ts",
  },
  {
    row: "X9",
    about: "what a transaction warmed stays warm for the next in the same EVM",
    file: "vm/accessJournal.ts",
    find: "    this.#warm.clear();",
    replace: "",
    test: "ledger/modules/evmRows.test.ts",
  },
  {
    row: "X10",
    about: "a block that is held counts as committed",
    file: "node/reads.ts",
    find: "const header = this.#store.committedHeader(hash);",
    replace: "const header = this.#store.block(hash)?.header ?? null;",
    test: "node/chain.test.ts",
  },
];
