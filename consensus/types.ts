import type { Address, Digest } from "../base/brand.ts";

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

/** Timeouts of one view by more than two thirds of stake; each signer signed its own high-certificate view. */
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
