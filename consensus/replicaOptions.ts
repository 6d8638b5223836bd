import type { Address, Digest } from "../base/brand.ts";
import type { Hash, KeyHolder } from "./committee.ts";
import type { ViewTiming } from "./pacemaker.ts";
import type { Rules } from "./rules.ts";
import type { Aggregate } from "./tally.ts";
import type { Certificate } from "./types.ts";

/** What a replica is given once. */
export type ReplicaOptions = {
  /**
   * The validator whose key signs here; `null` for a node that only follows. With its key, it
   * follows too while the committee knows it by another one.
   */
  readonly self: Address | KeyHolder | null;
  readonly rules: Rules;
  readonly timing: ViewTiming;
  /** How far a timestamp may be ahead of the voter's clock. */
  readonly clockDriftMsMax: number;
  /** Whether a review stands between a block's execution and the vote for it. */
  readonly isReviewed: boolean;
  readonly hash: Hash;
  readonly aggregate: Aggregate;
};

/** What the host may show of the replica. */
export type ReplicaStatus = {
  readonly epoch: number;
  readonly view: number;
  readonly committed: Digest;
  readonly committedHeight: number;
  readonly highCertificate: Certificate;
  readonly votedView: number;
  readonly lockView: number;
  /** Whether this key votes in this epoch. */
  readonly isActive: boolean;
  /** Sizes of everything that is held, for limits and metrics. */
  readonly held: {
    readonly blocks: number;
    readonly orphans: number;
    readonly wanted: number;
    readonly votes: number;
    readonly proposals: number;
    /** Statements and certificates kept to be held against liars. */
    readonly testimony: number;
  };
};
