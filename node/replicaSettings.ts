import type { ReplicaOptions } from "../consensus/replicaOptions.ts";
import { soundRules } from "../consensus/rules.ts";
import { aggregate } from "../crypto/bls.ts";
import { keccak256 } from "../crypto/keccak.ts";
import type { Config } from "./config.ts";
import type { ValidatorKeys } from "./keys.ts";

/** View timers: a network of one never needs them, but a stalled disk does. */
const viewTimeoutMsShort = 2_000;
const viewTimeoutMsMax = 60_000;

/** All reviews of a block together: a vote that is late by this is still in time for its view. */
export const reviewBudgetMs = Math.floor(viewTimeoutMsShort / 3);

/** How this node's replica is set up; `keys` are `null` where it only follows. */
export function replicaOptions({
  config,
  keys,
  reviewers = [],
}: {
  readonly config: Config;
  readonly keys: ValidatorKeys | null;
  readonly reviewers?: readonly unknown[];
}): ReplicaOptions {
  const { consensus } = config;
  return {
    self: keys === null ? null : { address: keys.address, blsKey: keys.blsPublicKey },
    rules: soundRules,
    timing: {
      shortMs: viewTimeoutMsShort,
      longMs: viewTimeoutMsShort + 2 * consensus.blockIntervalMsIdle,
      msMax: viewTimeoutMsMax + 2 * consensus.blockIntervalMsIdle,
    },
    clockDriftMsMax: consensus.clockDriftMsMax,
    isReviewed: reviewers.length > 0,
    hash: keccak256,
    aggregate,
  };
}
