import type { Address, Digest, Verified } from "../base/brand.ts";

/**
 * A certificate: validators of more than two thirds of the epoch's stake voted for one block.
 * View 0 names the epoch's root: its certificate has no signers and no signature, and is valid for
 * exactly the root of that epoch.
 */
export type Certificate = {
  readonly epoch: number;
  readonly view: number;
  /** Hash of the certified block. */
  readonly block: Digest;
  /** View of the certificate that the block holds for its parent; votes sign it (DESIGN 5). */
  readonly parentView: number;
  /** Bit i, counted from the lowest bit of byte 0, is validator i of the epoch's committee. */
  readonly signers: Uint8Array;
  /** Aggregated BLS signature, 96 bytes; empty at view 0. */
  readonly signature: Uint8Array;
};

/**
 * Timeouts of one view by more than two thirds of stake; each signer signed its own
 * high-certificate view.
 */
export type TimeoutCertificate = {
  readonly epoch: number;
  readonly view: number;
  /** Per signer in ascending validator index: the view of its highest certificate. */
  readonly highViews: readonly number[];
  /** The highest of those certificates. */
  readonly highCertificate: Certificate;
  readonly signers: Uint8Array;
  /** Aggregate over differing messages, 96 bytes. */
  readonly signature: Uint8Array;
};

/** One member of a committee. */
export type Validator = {
  readonly address: Address;
  /** Compressed BLS12-381 G1 point, 48 bytes, its proof of possession already checked. */
  readonly blsKey: Uint8Array;
  /** Stake in ThetaWei. */
  readonly stake: bigint;
};

/** The validators of one epoch, in ascending address order; index = position. */
export type Committee = {
  readonly epoch: number;
  readonly validators: readonly Validator[];
};

/*
 * The vocabulary of the replica. Slots are (epoch, view); view 0 of an epoch is its root, the
 * committed last block of the epoch before (the genesis block in epoch 0), and is never voted on.
 */

/** A point in the protocol: at most one vote, timeout and proposal per key (DESIGN 5). */
export type Slot = { readonly epoch: number; readonly view: number };

/**
 * What a vote signs: the block, and the view of the certificate that the block holds for its
 * parent.
 */
export type Vote = Slot & { readonly block: Digest; readonly parentView: number };

/** A vote with its signer's index in the committee of its epoch and the 96-byte BLS signature. */
export type SignedVote = {
  readonly vote: Vote;
  readonly signer: number;
  readonly signature: Uint8Array;
};

/** Leaving a view without a certificate; signs the slot and `highCertificate.view`. */
export type Timeout = Slot & {
  /**
   * The signer's highest certificate; itself unsigned, but only the one of the signed view fits.
   */
  readonly highCertificate: Certificate;
  /**
   * Timeouts of view − 1 where `highCertificate` is not of view − 1: shows that this view was
   * reached.
   */
  readonly entryCertificate: TimeoutCertificate | null;
};

/**
 * A timeout with its signer's index in the committee of its epoch and the 96-byte BLS signature.
 */
export type SignedTimeout = {
  readonly timeout: Timeout;
  readonly signer: number;
  readonly signature: Uint8Array;
};

/**
 * What a timeout signs, without the certificates that travel beside it: all that evidence needs.
 */
export type TimeoutStatement = Slot & { readonly highView: number };

/** A timeout statement with its signer's index and signature. */
export type SignedTimeoutStatement = {
  readonly statement: TimeoutStatement;
  readonly signer: number;
  readonly signature: Uint8Array;
};

/** What a leader signs beside the block: the slot and the block hash. */
export type ProposalStatement = Slot & { readonly block: Digest };

/**
 * A proposal statement with its signer's index and signature; evidence if there are two in a slot.
 */
export type SignedProposal = {
  readonly statement: ProposalStatement;
  readonly signer: number;
  readonly signature: Uint8Array;
};

/** A block as the replica sees it: header fields and certificates, never contents. */
export type BlockSummary = Slot & {
  readonly hash: Digest;
  readonly parent: Digest;
  readonly height: number;
  readonly proposer: Address;
  readonly timestampMs: number;
  readonly parentCertificate: Certificate;
  readonly timeoutCertificate: TimeoutCertificate | null;
  /** The commit proof of the epoch's root, present in the first blocks of an epoch above 0. */
  readonly epochProof: CommitProofSummary | null;
  /** Whether it carries neither transactions nor evidence, as after an epoch's last block. */
  readonly isEmpty: boolean;
  /** Hash of the next committee: set in an epoch's last block and nowhere else. */
  readonly nextCommitteeHash: Digest | null;
};

/**
 * What a commit proof needs of a header. `hash` is computed from the header by whoever makes this.
 */
export type HeaderLink = Slot & {
  readonly hash: Digest;
  readonly parent: Digest;
  readonly height: number;
  readonly parentCertificate: Certificate;
};

/**
 * A commit proof as the replica sees it: the block and its descendants, oldest first (DESIGN 5).
 */
export type CommitProofSummary = {
  readonly links: readonly HeaderLink[];
  /** Of the last link. */
  readonly certificate: Certificate;
};

/** A block from its leader: may be voted for. */
export type Proposal = {
  readonly block: BlockSummary;
  readonly signer: number;
  readonly signature: Uint8Array;
};

/** All that the replica must know of an epoch to take part in it. */
export type EpochInfo = {
  readonly epoch: number;
  readonly committee: Committee;
  /** The committed last block of the epoch before; the genesis block in epoch 0. */
  readonly root: Digest;
  readonly rootHeight: number;
  /** Height of this epoch's last block: rootHeight + epochBlocks. */
  readonly lastHeight: number;
  /** Randomness of the committed block that ended epoch − 2; the genesis seed before that. */
  readonly seed: Digest;
  /** Committee indices, ascending, of those who took no part in the epoch before. */
  readonly absent: readonly number[];
};

/** What must be on disk before a signature leaves: read back at the next start. */
export type SafetyRecord = {
  readonly epoch: number;
  /** No vote in this view or below may be signed any more; 0 at first. */
  readonly votedView: number;
  /** The lock: highest parent-certificate view among the blocks voted for in this epoch. */
  readonly lockView: number;
  readonly highCertificate: Certificate;
  /** The newest of each kind in this epoch, so that a restart sends the same again. */
  readonly vote: Vote | null;
  readonly timeout: Timeout | null;
  readonly proposal: ProposalStatement | null;
};

/** What may be signed with a validator's consensus key. */
export type Signable =
  | { readonly type: "vote"; readonly vote: Vote }
  | { readonly type: "timeout"; readonly timeout: Timeout }
  | { readonly type: "proposal"; readonly statement: ProposalStatement };

/**
 * Proof that the holder of a key broke a rule (DESIGN 5, Evidence); signatures prove themselves.
 */
export type Evidence =
  | { readonly type: "doubleVote"; readonly first: SignedVote; readonly second: SignedVote }
  | {
      readonly type: "doubleProposal";
      readonly first: SignedProposal;
      readonly second: SignedProposal;
    }
  | {
      readonly type: "doubleTimeout";
      readonly first: SignedTimeoutStatement;
      readonly second: SignedTimeoutStatement;
    }
  | {
      /**
       * A timeout of view w that signs a lower certificate than a vote of a view up to w rests on.
       */
      readonly type: "timeoutDeniesVote";
      readonly vote: SignedVote;
      readonly timeout: SignedTimeoutStatement;
    }
  | {
      /** Two blocks certified in one slot: against everyone in both bitmaps. */
      readonly type: "conflictingCertificates";
      readonly first: Certificate;
      readonly second: Certificate;
    };

/** Names the view it was set for, so that a late one is recognised and never cancelled. */
export type Timer = Slot & {
  /** Counts the timers of the view from 1: only the newest one counts. */
  readonly round: number;
};

/** What goes to other validators. Proposals are sent by hash: the host adds the block's bytes. */
export type Message =
  | { readonly type: "vote"; readonly vote: SignedVote }
  | { readonly type: "timeout"; readonly timeout: SignedTimeout }
  | { readonly type: "proposal"; readonly proposal: SignedProposal };

/** One validator of the current epoch by committee index, or everyone who follows the chain. */
export type Recipient =
  | { readonly type: "validator"; readonly index: number }
  | { readonly type: "all" };

/** What execution found out about a block. */
export type ExecutionResult =
  | {
      readonly valid: true;
      /** The epoch that begins once this block is committed, if it is its epoch's last. */
      readonly nextEpoch: EpochInfo | null;
    }
  | { readonly valid: false };

/** Where the replica takes up its work. */
export type StartPoint = {
  readonly epoch: EpochInfo;
  /** Newest committed block: in this epoch, or its root. */
  readonly committed: Digest;
  /** Stored blocks of this epoch, parents first: all committed ones, then those after. */
  readonly blocks: readonly BlockSummary[];
  /** The newest commit proof's certificate, and others known beyond the blocks; may be empty. */
  readonly certificates: readonly Certificate[];
  /** `null`: no trustworthy safety file, so the key stays silent in this epoch. */
  readonly record: SafetyRecord | null;
  /**
   * In an epoch whose root has a later timestamp than this nothing was signed before the key's
   * record came into doubt: where the record cannot be trusted, the key speaks again only there.
   */
  readonly doubtUntilMs: number;
};

/**
 * Facts. Past tense; everything the replica may ever learn, already decoded and verified. Of a
 * proposal of the next epoch the host hands in the commit proof first: only then is the committee
 * known that the proposal itself is verified against.
 */
export type Input =
  | { readonly type: "started"; readonly point: StartPoint }
  /** `nowMs` is the host's wall clock, for the voting rule on timestamps. */
  | {
      readonly type: "proposalReceived";
      readonly proposal: Verified<Proposal>;
      readonly nowMs: number;
    }
  | { readonly type: "voteReceived"; readonly vote: Verified<SignedVote> }
  | { readonly type: "timeoutReceived"; readonly timeout: Verified<SignedTimeout> }
  | { readonly type: "certificateReceived"; readonly certificate: Verified<Certificate> }
  /**
   * Its last certificate verified against the current epoch's committee; structure not yet judged.
   */
  | { readonly type: "commitProofReceived"; readonly proof: Verified<CommitProofSummary> }
  /** Answer to `fetchBlock`: of the hash asked for; its certificates verified. */
  | { readonly type: "blockFetched"; readonly block: Verified<BlockSummary> }
  /** Answer to `buildProposal`: already executed by its builder. */
  | {
      readonly type: "proposalBuilt";
      readonly block: BlockSummary;
      readonly result: ExecutionResult;
      readonly nowMs: number;
    }
  /** Answer to `executeBlock`. */
  | { readonly type: "blockExecuted"; readonly block: Digest; readonly result: ExecutionResult }
  /** Answer to `reviewBlock`: a policy of this node's, which leaves the block as valid as it is. */
  | { readonly type: "blockReviewed"; readonly block: Digest; readonly passed: boolean }
  /** Answer to `sign`. */
  | { readonly type: "signed"; readonly signable: Signable; readonly signature: Uint8Array }
  | { readonly type: "timerFired"; readonly timer: Timer }
  /** Whether transactions wait to be included; views are short while they do. */
  | { readonly type: "workChanged"; readonly pending: boolean };

/** A commit proof by hashes: the committed block, …, its certified descendant; all of them held. */
export type CommitGrounds = {
  readonly chain: readonly Digest[];
  readonly certificate: Certificate;
};

/**
 * Orders. Imperative; carried out by the host in list order. `storeBlock` and `persist` are
 * barriers: nothing after them starts before they are on disk, and their failure ends the process.
 * `sign` goes through the guard; `buildProposal`, `executeBlock` and `fetchBlock` are started and
 * answered later.
 */
export type Effect =
  /** Block bytes and certificates must be on disk before a vote for it is signed. */
  | { readonly type: "storeBlock"; readonly block: Digest }
  | { readonly type: "persist"; readonly record: SafetyRecord }
  | { readonly type: "sign"; readonly signable: Signable }
  | { readonly type: "send"; readonly to: Recipient; readonly message: Message }
  | { readonly type: "setTimer"; readonly timer: Timer; readonly delayMs: number }
  | {
      readonly type: "buildProposal";
      readonly epoch: number;
      readonly view: number;
      /** Executed and held. */
      readonly parent: Digest;
      readonly parentCertificate: Certificate;
      readonly timeoutCertificate: TimeoutCertificate | null;
      /** Carry no transactions: the epoch's last block is not committed yet. */
      readonly emptyRequired: boolean;
      /** Carry the commit proof of the epoch's root. */
      readonly epochProofRequired: boolean;
      /** Build at once: blocks with transactions, or an epoch's end, wait to be committed. */
      readonly isUrgent: boolean;
    }
  | { readonly type: "executeBlock"; readonly block: Digest }
  /** Executed and valid: may it be voted for? */
  | { readonly type: "reviewBlock"; readonly block: Digest }
  /** Send everybody the proof of a commit that follows: no proposal will soon tell them of it. */
  | { readonly type: "tellCommit"; readonly proof: CommitGrounds }
  | {
      /** Oldest first; all executed. `proof` is of the last one. */
      readonly type: "commit";
      readonly blocks: readonly Digest[];
      readonly proof: CommitGrounds;
    }
  /** Follows the commit of an epoch's last block. */
  | { readonly type: "startEpoch"; readonly epoch: EpochInfo }
  /** Ask peers for a block; repeated until `blockFetched` or no longer needed. */
  | { readonly type: "fetchBlock"; readonly block: Digest }
  /**
   * Someone is behind: send the stored commit proof of that epoch's last block. `to` is `null` when
   * that epoch's committee is no longer known here: then to whoever asked, or to everyone.
   */
  | { readonly type: "sendEpochProof"; readonly epoch: number; readonly to: Address | null }
  | { readonly type: "report"; readonly evidence: Evidence }
  /** This key signs nothing more in this epoch, because somebody signs with it elsewhere. */
  | { readonly type: "fallSilent"; readonly reason: string }
  /**
   * The chain cannot be followed any more: stop serving and show both values. Never an honest
   * peer's doing.
   */
  | { readonly type: "alarm"; readonly reason: string };
