import type { Address, Digest } from "../base/brand.ts";

/**
 * Who pays what: a whole fee (native), or a price per unit of gas (Ethereum, EIP-1559). TFuelWei.
 */
export type FeeBid =
  | { readonly type: "whole"; readonly fee: bigint }
  | {
      readonly type: "perGas";
      readonly maxFeePerGas: bigint;
      readonly maxPriorityFeePerGas: bigint;
    };

/** A key that authorised the transaction. */
export type Signer = {
  readonly address: Address;
  /**
   * Theta sequence (nonce + 1 at the start of the transaction); `null` where replay is excluded
   * otherwise.
   */
  readonly sequence: bigint | null;
};

/** The operation that a module carries out; `body` is that operation's decoded type. */
export type Operation = {
  readonly module: string;
  readonly name: string;
  readonly body: unknown;
};

/** Which of the three encodings a transaction came in (DESIGN 3). */
export type Envelope = "native" | "ethereum" | "operation";

/** The one internal form of all envelopes. The executor sees only this. */
export type Transaction = {
  readonly envelope: Envelope;
  /** keccak of the raw bytes as the sender broadcast them (without the `0x7e` of blocks). */
  readonly hash: Digest;
  /**
   * Bytes as in blocks: `0x7e || raw` for native and operation envelopes, the EIP-2718 or legacy
   * bytes for Ethereum.
   */
  readonly encoded: Uint8Array;
  readonly payer: Address;
  readonly signers: readonly Signer[];
  readonly feeBid: FeeBid;
  /** Gas bound. Native types: the chain parameter's amount, filled in by the executor (0 here). */
  readonly gasLimit: bigint;
  /** Last height at which it may be included; `null` for none. */
  readonly expiryHeight: number | null;
  readonly op: Operation;
};

/** One signature to check: it must recover `address` from one of the digests. */
export type SignatureClaim = {
  /** Digests that count, in order of trial. */
  readonly digests: readonly Uint8Array[];
  /** Further ones, made only where those settle nothing (Theta: the V2 wrapper). */
  readonly otherDigests?: () => readonly Uint8Array[];
  /** `r || s || v`, 65 bytes, v 0 or 1, s low: checked by the decoder. */
  readonly signature: Uint8Array;
  /** `null`: whoever it recovers is the sender (Ethereum). */
  readonly address: Address | null;
};

/** Why bytes are not a transaction. `detail` is for people and carries both values. */
export type TransactionRefusal = {
  readonly code:
    | "malformed"
    | "unsupported"
    | "tooLarge"
    | "signatureInvalid"
    | "wrongChain"
    | "fieldInvalid";
  readonly detail: string;
};
