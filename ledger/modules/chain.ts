import { accept, type Outcome } from "../../base/outcome.ts";
import { assert } from "../../base/assert.ts";
import {
  decodeRlp,
  encodeRlp,
  readBigInt,
  readList,
  readText,
  rlpBigInt,
  rlpText,
} from "../../base/rlp.ts";
import { createModuleKey, createQuery } from "../definitions.ts";
import { stateKey } from "../keys.ts";
import type { Module, ModuleState } from "../module.ts";
import { integer, type ParameterValue } from "../parameters.ts";
import { recordField, type Json } from "../schema.ts";

/*
 * What a chain is set to: the parameters of all modules, and those that belong to blocks as such.
 * The values that genesis changed are in the state, so that a later rule can change them at a
 * height.
 */

const key = createModuleKey("chain");
const parametersKey = stateKey(0);

/**
 * Fees (theta.md 2.8; EIP-1559). The floor is Theta's old one, so its walk-through's prices hold.
 */
const feeParameters = {
  baseFeeFloor: integer(100_000_000n, {
    min: 0n,
    max: 10n ** 24n,
    unit: "TFuelWei per gas",
    description: "the base fee never falls below this",
  }),
  baseFeeChangeDenominator: integer(8n, {
    min: 2n,
    max: 1_000n,
    unit: "",
    description: "a full block raises the base fee by its 1/n",
  }),
  elasticityMultiplier: integer(2n, {
    min: 1n,
    max: 100n,
    unit: "",
    description: "block gas limit over gas target",
  }),
  tipShareBasisPoints: integer(10_000n, {
    min: 0n,
    max: 10_000n,
    unit: "1/100 of a per cent",
    description: "share of priority fees that the proposer gets; the rest is burned",
  }),
};

const blockParameters = {
  blockGasLimit: integer(200_000_000n, {
    min: 1_000_000n,
    max: 10n ** 12n,
    unit: "gas",
    description: "most gas of one block",
  }),
  blockBytesMax: integer(2_097_152n, {
    min: 65_536n,
    max: 3_145_728n,
    unit: "bytes",
    description: "most encoded transactions of one block; a proposal must fit one message",
  }),
  transactionBytesMax: integer(131_072n, {
    min: 1_024n,
    max: 1_048_576n,
    unit: "bytes",
    description: "most bytes of one transaction",
  }),
  transactionGasMax: integer(16_777_216n, {
    min: 100_000n,
    max: 10n ** 12n,
    unit: "gas",
    description: "most gas of one transaction (EIP-7825)",
  }),
  epochBlocks: integer(100n, {
    min: 1n,
    max: 1_000_000n,
    unit: "blocks",
    description: "blocks for which one committee is fixed",
  }),
  jobsPerBlockMax: integer(1_000n, {
    min: 1n,
    max: 100_000n,
    unit: "jobs",
    description: "scheduled jobs that one block runs; the others wait",
  }),
};

/** The module `chain`. */
export const chainModule: Module = {
  key,
  name: key.name,
  version: 1,
  parameters: { ...feeParameters, ...blockParameters },
  operations: {},
  queries: {
    parameters: createQuery(
      "all chain parameters in force",
      recordField({}),
      (context): Outcome<Json, string> =>
        accept(
          Object.fromEntries(
            context.parameters.entries().map(([name, value]) => [name, value.toString()]),
          ),
        ),
    ),
  },
  events: [],
  jobs: [],
  genesis: {
    init: (context, content) => writeParameters(context.state(key), content.parameters),
  },
  invariants: [],
};

/** The right to read the parameters, for the executor. */
export const chainKey = key;

/** Key of the parameters' one record. */
export const chainParametersKey = parametersKey;

function writeParameters(state: ModuleState, values: ReadonlyMap<string, ParameterValue>): void {
  const entries = [...values].sort(([a], [b]) => (a < b ? -1 : 1));
  const items = entries.map(([name, value]) =>
    typeof value === "bigint"
      ? [rlpText(name), rlpText("integer"), rlpBigInt(value)]
      : [rlpText(name), rlpText("choice"), rlpText(value)],
  );
  state.set(parametersKey, encodeRlp(items));
}

/** The values that differ from their defaults, from their record (`null`: none does). */
export function decodeParameters(record: Uint8Array | null): ReadonlyMap<string, ParameterValue> {
  const values = new Map<string, ParameterValue>();
  if (record === null) return values;
  const decoded = decodeRlp(record);
  assert(decoded.ok, "the parameters' record is unreadable");
  for (const item of readList(decoded.value) ?? []) {
    const [nameItem, typeItem, valueItem] = readList(item, 3) ?? [];
    const name = readText(nameItem, 256);
    const isInteger = readText(typeItem, 16) === "integer";
    const value = isInteger ? readBigInt(valueItem, 256) : readText(valueItem, 256);
    assert(name !== null && value !== null, "a parameter's record is unreadable");
    values.set(name, value);
  }
  return values;
}
