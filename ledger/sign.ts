import type { Address, Digest } from "../base/brand.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { assert } from "../base/assert.ts";
import { encodeEthereum, ethereumSignDigest } from "./ethereumCodec.ts";
import { encodeOperation, operationSignBytes } from "./operationCodec.ts";
import { encodeThetaTransaction } from "./thetaCodec.ts";
import { signBytes, sourceSignBytes } from "./thetaSignBytes.ts";
import type {
  EthereumTransaction,
  ModuleOperation,
  ThetaTransaction,
  TxInput,
} from "./thetaTypes.ts";

/*
 * Filling in signatures. A signer is asked for digests only, so keys may live in memory, in another
 * process or in a device. Each function answers the raw bytes to broadcast.
 */

/** Something that signs for one address. */
export interface DigestSigner {
  readonly address: Address;
  /** Signs a 32-byte digest: `r || s || v`, 65 bytes, low s, v 0 or 1. */
  sign(digest: Uint8Array): Uint8Array;
}

function signerFor(signers: readonly DigestSigner[], address: Address): DigestSigner {
  const signer = signers.find((candidate) => candidate.address === address);
  assert(signer !== undefined, `no signer for ${address}`);
  return signer;
}

/** Signs every input that a Theta transaction needs, with V1 bytes; `signers` has one for each. */
export function signThetaTransaction(
  tx: ThetaTransaction,
  chainName: string,
  signers: readonly DigestSigner[],
): Uint8Array {
  // The target of a payment signs over the payer's signature, so that one is made first.
  const ready = tx.type === "servicePayment" ? withSourceSignature(tx, chainName, signers) : tx;
  const digest = keccak256(signBytes(ready, chainName, "v1"));
  const signed = (input: TxInput): TxInput => ({
    ...input,
    signature: signerFor(signers, input.address).sign(digest),
  });
  return encodeThetaTransaction(withInputs(ready, signed));
}

type ServicePayment = Extract<ThetaTransaction, { readonly type: "servicePayment" }>;

/**
 * A payment that the payer has signed stays as it is: a receiver holds the payer's signature only.
 */
function withSourceSignature(
  payment: ServicePayment,
  chainName: string,
  signers: readonly DigestSigner[],
): ServicePayment {
  if (payment.source.signature.length > 0) return payment;
  const signature = signPaymentSource(
    payment,
    chainName,
    signerFor(signers, payment.source.address),
  );
  return { ...payment, source: { ...payment.source, signature } };
}

/** The payer's signature of an off-chain payment (theta.md 3.4). */
export function signPaymentSource(
  payment: ServicePayment,
  chainName: string,
  signer: DigestSigner,
): Uint8Array {
  return signer.sign(keccak256(sourceSignBytes(payment, chainName)));
}

function withInputs(tx: ThetaTransaction, signed: (input: TxInput) => TxInput): ThetaTransaction {
  switch (tx.type) {
    case "coinbase":
    case "slash":
      return { ...tx, proposer: signed(tx.proposer) };
    case "send":
      return { ...tx, inputs: tx.inputs.map(signed) };
    case "servicePayment":
      return { ...tx, target: signed(tx.target) };
    case "splitRule":
      return { ...tx, initiator: signed(tx.initiator) };
    case "smartContract":
      return { ...tx, from: signed(tx.from) };
    case "stakeRewardDistribution":
      return { ...tx, holder: signed(tx.holder) };
    case "reserveFund":
    case "releaseFund":
    case "depositStake":
    case "withdrawStake":
    case "depositStakeV2":
    default:
      return { ...tx, source: signed(tx.source) };
  }
}

/** Signs an Ethereum transaction for a chain. */
export function signEthereum(
  transaction: EthereumTransaction,
  chainId: number,
  signer: DigestSigner,
): Uint8Array {
  const id = BigInt(chainId);
  const signature = signer.sign(ethereumSignDigest(transaction, id));
  return encodeEthereum({ transaction, chainId: id, signature });
}

/** Signs a module operation with every input; `signers` has one for each. */
export function signOperation(
  operation: ModuleOperation,
  genesisHash: Digest,
  signers: readonly DigestSigner[],
): Uint8Array {
  const digest = keccak256(operationSignBytes(operation, genesisHash));
  const inputs = operation.inputs.map((input) => ({
    ...input,
    signature: signerFor(signers, input.address).sign(digest),
  }));
  return encodeOperation({ ...operation, inputs });
}
