import type { Hash } from "../../consensus/committee.ts";
import type { ReplicaStatus } from "../../consensus/replicaOptions.ts";
import type { Rules } from "../../consensus/rules.ts";
import type { SigningScope } from "../../consensus/statements.ts";
import type {
  CommitProofSummary,
  EpochInfo,
  Evidence,
  SafetyRecord,
  Signable,
} from "../../consensus/types.ts";
import type { FakeLedger, SimBlock } from "./fakeLedger.ts";
import type { Heard } from "./inbound.ts";
import type { SimNode } from "./node.ts";
import type { Swarm } from "./swarm.ts";
import type { Verifier } from "./verifier.ts";
import type { Wire } from "./wire.ts";

/** What a node needs of the world around it. */
export type World = {
  readonly swarm: Swarm;
  readonly ledger: FakeLedger;
  readonly verifier: Verifier;
  readonly scope: SigningScope;
  readonly rules: Rules;
  /** Draws leaders; a schedule may fix them. */
  readonly leaderHash: Hash;
  nowUs(): number;
  schedule(delayUs: number, run: () => void): void;
  /** Nodes that run with this validator's key. */
  nodesOf(address: string): readonly number[];
  send(from: number, to: readonly number[] | "all", wire: Wire): void;
  /** Everything that checkers look at. */
  observe(event: Observation): void;
  fail(invariant: string, detail: string): void;
};

/** What checkers are told, with the node that did it. */
export type Observation = { readonly node: SimNode } & (
  | { readonly type: "signed"; readonly signable: Signable; readonly signature: Uint8Array }
  | {
      readonly type: "committed";
      readonly blocks: readonly SimBlock[];
      readonly proof: CommitProofSummary;
      readonly epoch: EpochInfo;
    }
  | { readonly type: "epochStarted"; readonly epoch: EpochInfo }
  | { readonly type: "reported"; readonly evidence: Evidence; readonly epoch: EpochInfo }
  | { readonly type: "stepped"; readonly status: ReplicaStatus; readonly epoch: EpochInfo }
  | { readonly type: "entered"; readonly views: number }
  | { readonly type: "heard"; readonly statement: Heard }
  | { readonly type: "crashed" }
  /** A client's order came in. */
  | { readonly type: "ordered"; readonly name: string }
  /** A catch-up began, or found that a peer lied. */
  | { readonly type: "followed" }
  | { readonly type: "blamed"; readonly peer: number }
  | { readonly type: "fellSilent"; readonly reason: string }
);

/** What tests replace to plant a bug in every node; the program itself has no such switch. */
export type Plant = {
  readonly rules?: Partial<Rules>;
  /** Does nothing instead of writing the safety record. */
  readonly forgets?: boolean;
  /** Changes what a restart reads. */
  readonly readRecord?: (record: SafetyRecord) => SafetyRecord;
  /** A restart finds only committed blocks. */
  readonly losesBlocks?: boolean;
  /** Tells nobody of evidence. */
  readonly mute?: boolean;
  /** Signs before the record is on a slow disk. */
  readonly noBarrier?: boolean;
  /** Signs whatever it is asked to. */
  readonly unguarded?: boolean;
};
