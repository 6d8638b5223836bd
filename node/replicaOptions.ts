import type { ReplicaOptions } from "../consensus/replicaOptions.ts";
import { soundRules } from "../consensus/rules.ts";
import { aggregate } from "../crypto/bls.ts";
import { keccak256 } from "../crypto/keccak.ts";
import type { Config } from "./config.ts";
import type { ValidatorKeys } from "./keys.ts";

/** View timers, in milliseconds: a network of one never needs them, but a stalled disk does. */
export const viewTimeoutMsShort = 2_000;
const viewTimeoutMsMax = 60_000;

/** What the replica of this configuration is made with. */
export function replicaOptionsOf({
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
