import type { Defect } from "./defect.ts";

/** Planted defects of the forms of transactions, headers and JSON. */
export const formatDefects: readonly Defect[] = [
  {
    row: "E4",
    about: "integers may have leading zeros",
    file: "base/rlp.ts",
    find: "return bytes === null || bytes[0] === 0 ? null : bytesToBigInt(bytes);",
    replace: "return bytes === null ? null : bytesToBigInt(bytes);",
    test: "ledger/decode.test.ts",
  },
  {
    row: "E4",
    about: "items after the fields of a native transaction are not seen",
    file: "ledger/thetaCodec.ts",
    find: "if (items.value.length !== 2 || first === undefined || fields === undefined) {",
    replace: "if (first === undefined || fields === undefined) {",
    test: "ledger/decode.test.ts",
  },
  {
    row: "E6",
    about: "an Ethereum transaction of any chain is taken",
    file: "ledger/decode.ts",
    find: "if (chainId !== BigInt(chain.id)) {",
    replace: "if (chainId === 0n) {",
    test: "ledger/decode.test.ts",
  },
  {
    row: "E6",
    about: "operations do not sign the genesis hash",
    file: "ledger/operationCodec.ts",
    find: "    hexToBytes(genesisHash),\n",
    replace: "    hexToBytes(genesisHash).subarray(32),\n",
    test: "ledger/decode.test.ts",
  },
  {
    row: "E6",
    about: "the V2 wrapper counts for service payments",
    file: "ledger/thetaSignBytes.ts",
    find: 'return type !== "coinbase" && type !== "slash" && type !== "servicePayment";',
    replace: 'return type !== "coinbase" && type !== "slash";',
    test: "ledger/decode.test.ts",
  },
  {
    row: "E8",
    about: "a nonce that cannot be raised is taken",
    file: "ledger/ethereumCodec.ts",
    find: "reader.check(nonce < 0xffff_ffff_ffff_ffffn,",
    replace: "reader.check(nonce <= 0xffff_ffff_ffff_ffffn,",
    test: "ledger/decode.test.ts",
  },
  {
    row: "E9",
    about: "a gas bill beyond 256 bits is taken",
    file: "ledger/decode.ts",
    find: "if (tx.gasLimit * tx.maxFeePerGas >= 1n << 256n) {",
    replace: "if (tx.gasLimit * tx.maxFeePerGas >= 1n << 512n) {",
    test: "ledger/decode.test.ts",
  },
  {
    row: "E9",
    about: "JSON numbers above 2^53 are taken",
    file: "ledger/thetaJson.ts",
    find: "Number.isSafeInteger(json) && json >= 0 ? BigInt(json) : null",
    replace: "Number.isInteger(json) && json >= 0 ? BigInt(json) : null",
    test: "ledger/thetaJson.test.ts",
  },
  {
    row: "E10",
    about: "a form reads what an object inherits",
    file: "ledger/thetaJson.ts",
    find: "const given = new Map<string, unknown>(Object.entries(json));",
    replace:
      "const given = new Map<string, unknown>();\n" +
      "      for (const name in json) given.set(name, (json as Record<string, unknown>)[name]);",
    test: "ledger/thetaJson.test.ts",
  },
];
