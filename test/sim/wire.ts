import type { Digest } from "../../base/brand.ts";
import type {
  CommitProofSummary,
  Proposal,
  SignedTimeout,
  SignedVote,
} from "../../consensus/types.ts";
import type { SimBlock } from "./fakeLedger.ts";

/** What travels between simulated nodes. */
export type Wire =
  | { readonly type: "vote"; readonly vote: SignedVote }
  | { readonly type: "timeout"; readonly timeout: SignedTimeout }
  | { readonly type: "proposal"; readonly proposal: Proposal; readonly block: SimBlock }
  | { readonly type: "fetch"; readonly hash: Digest; readonly from: number }
  | { readonly type: "block"; readonly block: SimBlock }
  /** From one who hears of a later epoch: asks how its own was ended. */
  | { readonly type: "ask"; readonly epoch: number; readonly from: number }
  | { readonly type: "proof"; readonly proof: CommitProofSummary };
