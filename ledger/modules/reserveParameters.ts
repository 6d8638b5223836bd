import { integer, type ParameterDefinition } from "../parameters.ts";

const blocks = { max: 1_000_000_000n, unit: "blocks" } as const;
const gas = { min: 1n, max: 10_000_000n, unit: "gas" } as const;

/** What a network may set about pools (theta.md 3.2). */
export const reserveParameters: Readonly<Record<string, ParameterDefinition>> = {
  durationBlocksMin: integer(300n, {
    min: 1n,
    ...blocks,
    description: "least blocks for which a pool takes payments",
  }),
  durationBlocksMax: integer(43_200n, {
    min: 1n,
    ...blocks,
    description: "most blocks for which a pool takes payments",
  }),
  // Ten censors among 31 leaders follow one another 100 times never (3^-100), and where blocks are
  // full the fee that pushes a proof out of 100 of them grows by (9/8)^100.
  freezeBlocks: integer(100n, {
    min: 1n,
    ...blocks,
    description: "least blocks between a pool's end and its release, for proofs of an overspend",
  }),
  freezeMs: integer(60_000n, {
    min: 0n,
    max: 10n ** 12n,
    unit: "ms",
    description: "least block time between a pool's end and its release",
  }),
  poolsPerAccountMax: integer(100n, {
    min: 1n,
    max: 1_000n,
    unit: "pools",
    description: "most pools of one account",
  }),
  gas: integer(20_000n, { ...gas, description: "gas of opening a pool" }),
  gasPerResource: integer(2_000n, { ...gas, description: "gas of opening a pool, per resource" }),
  releaseGas: integer(10_000n, { ...gas, description: "gas of a release" }),
  settleGas: integer(20_000n, { ...gas, description: "gas of a service payment" }),
  slashGas: integer(20_000n, { ...gas, description: "gas of a proof of an overspend" }),
  slashGasPerVoucher: integer(5_000n, {
    ...gas,
    description: "gas of a proof per voucher: it costs a signature check",
  }),
  batchGas: integer(5_000n, { ...gas, description: "gas of a batch of vouchers" }),
  batchGasPerVoucher: integer(15_000n, {
    ...gas,
    description: "gas of a batch per voucher: a signature check and the payment",
  }),
  batchGasPerIncrement: integer(50n, {
    ...gas,
    description: "gas of a batch per step along a hash chain: one hash",
  }),
};
