import type { Address, Digest } from "../base/brand.ts";
import type { Certificate, TimeoutCertificate } from "../consensus/types.ts";

/**
 * What validators agree on. Encoded as an RLP list in this order; the block hash is its keccak
 * (DESIGN 3).
 */
export type Header = {
  readonly version: number;
  readonly genesisHash: Digest;
  readonly height: number;
  readonly epoch: number;
  readonly view: number;
  readonly parentHash: Digest;
  readonly parentCertificate: Certificate;
  /** Hash of the timeout certificate in the body, or `null`. */
  readonly timeoutCertificateHash: Digest | null;
  /** Milliseconds since 1970, greater than the parent's. */
  readonly timestampMs: number;
  readonly proposer: Address;
  readonly transactionsRoot: Digest;
  readonly receiptsRoot: Digest;
  /** 256 bytes. */
  readonly logsBloom: Uint8Array;
  /** State root after this block. */
  readonly stateRoot: Digest;
  readonly gasUsed: bigint;
  readonly gasLimit: bigint;
  /** TFuelWei per gas (EIP-1559 with a floor). */
  readonly baseFee: bigint;
  readonly runtimeHash: Digest;
  /** H(parent randomness || proposer's BLS signature over it). */
  readonly randomness: Digest;
  /** Hash of the next epoch's committee, at an epoch's last block; else `null`. */
  readonly nextCommitteeHash: Digest | null;
  readonly evidenceRoot: Digest;
  readonly checkpointCertificateHash: Digest | null;
};

/**
 * Proof that a block is committed: the headers B … X, Y with Y.view = X.view + 1 in one epoch, and
 * Y's certificate (DESIGN 5). Only headers of descendants, oldest first, B included.
 */
export type CommitProof = {
  readonly headers: readonly Header[];
  readonly certificate: Certificate;
};

/** What travels and is stored beside the header. */
export type Body = {
  /** Encoded transactions, in order of execution. */
  readonly transactions: readonly Uint8Array[];
  readonly timeoutCertificate: TimeoutCertificate | null;
  /** Required exactly where the parent certificate is the root (view 0) of an epoch above 0. */
  readonly epochProof: CommitProof | null;
  /** The proposer's BLS signature behind `randomness`, 96 bytes. */
  readonly randomnessSignature: Uint8Array;
  /** Encoded evidence, in order. */
  readonly evidence: readonly Uint8Array[];
  /** Encoded guardian checkpoint certificate, or `null`. */
  readonly checkpointCertificate: Uint8Array | null;
};

/** A block: what is hashed, and what travels beside it. */
export type Block = { readonly header: Header; readonly body: Body };
