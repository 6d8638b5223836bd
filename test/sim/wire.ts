import type { Digest } from "../../base/brand.ts";
import type { Range } from "../../consensus/catchUp.ts";
import type {
  CommitProofSummary,
  Proposal,
  SignedTimeout,
  SignedVote,
} from "../../consensus/types.ts";
import type { SimBlock } from "./fakeLedger.ts";

/** Questions and answers of a catch-up. */
export type CatchUpWire =
  | { readonly type: "askHeight"; readonly from: number }
  | { readonly type: "height"; readonly from: number; readonly height: number }
  | { readonly type: "askRange"; readonly from: number; readonly range: Range }
  | {
      readonly type: "range";
      readonly from: number;
      /** What was asked for begins here. */
      readonly start: number;
      readonly blocks: readonly SimBlock[];
      readonly proof: CommitProofSummary;
    }
  | { readonly type: "noRange"; readonly from: number; readonly start: number };

/** What travels between simulated nodes. */
export type Wire =
  | { readonly type: "vote"; readonly vote: SignedVote }
  | { readonly type: "timeout"; readonly timeout: SignedTimeout }
  | { readonly type: "proposal"; readonly proposal: Proposal; readonly block: SimBlock }
  | { readonly type: "fetch"; readonly hash: Digest; readonly from: number }
  | { readonly type: "block"; readonly block: SimBlock }
  /** From one who hears of a later epoch: asks how its own was ended. */
  | { readonly type: "ask"; readonly epoch: number; readonly from: number }
  | { readonly type: "proof"; readonly proof: CommitProofSummary }
  | { readonly type: "catchUp"; readonly wire: CatchUpWire };
