import { assert } from "../base/assert.ts";
import type { Address } from "../base/brand.ts";
import { concatBytes } from "../base/bytes.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import type { RlpItem } from "../base/rlp.ts";
import { keccak256, keccakDigest } from "../crypto/keccak.ts";
import { isCanonicalSignature } from "../crypto/secp256k1.ts";
import { openEthereum } from "./ethereumCodec.ts";
import { initCodeBytesMax } from "../vm/transactionGas.ts";
import { intrinsicGas } from "./intrinsicGas.ts";
import type { Chain } from "./module.ts";
import { operationFromFields, operationSignBytes, operationTypeCode } from "./operationCodec.ts";
import { decodeOverspendingProof } from "./overspendingProof.ts";
import { decodeTyped, thetaFromFields } from "./thetaCodec.ts";
import { ethereumOperation, thetaOperations } from "./thetaOperations.ts";
import { signBytesDigest, sourceSignBytes, takesV2, type SignWrapper } from "./thetaSignBytes.ts";
import type {
  EthereumTransaction,
  ModuleOperation,
  ThetaTransaction,
  TxInput,
} from "./thetaTypes.ts";
import type {
  FeeBid,
  SignatureClaim,
  Signer,
  Transaction,
  TransactionRefusal,
} from "./transaction.ts";
import { paymentToVoucher, voucherDigest } from "./voucher.ts";

/*
 * The one way from bytes to a transaction. Three names, one for each place that bytes come from:
 * raw native (Theta or module operation), raw Ethereum, and the form of blocks, which marks native
 * ones with `0x7e`. The caller says which; nothing is guessed, because raw bytes of both kinds can
 * begin alike.
 *
 * What comes out still has to be signed: `claims` says which key must have signed what, in a form
 * that can be checked in packages on another thread, and `complete` gives the transaction once it
 * was.
 */

/** First byte of a native transaction in blocks, gossip, stores and the transactions root. */
export const nativePrefix = 0x7e;

/** A transaction whose form is right and whose signatures are not checked yet. */
export type UnverifiedTransaction = {
  /** keccak of the raw bytes, as `Transaction.hash`. */
  readonly hash: Transaction["hash"];
  /** Bytes as in blocks. */
  readonly encoded: Uint8Array;
  /** At least one. */
  readonly claims: readonly SignatureClaim[];
  /**
   * The transaction, given the address that each claim's signature recovers, in the order of
   * `claims`. Whoever calls this has checked them: of a claim with an address it must be that one.
   */
  readonly complete: (recovered: readonly Address[]) => Transaction;
};

/** What a decoder answers. */
export type Decoded = Outcome<UnverifiedTransaction, TransactionRefusal>;

function no(code: TransactionRefusal["code"], detail: string): Outcome<never, TransactionRefusal> {
  return refuse({ code, detail });
}

/** Decodes a transaction as blocks hold it: `0x7e || raw` is native, all else Ethereum. */
export function decodeEncoded(encoded: Uint8Array, chain: Chain): Decoded {
  return encoded[0] === nativePrefix
    ? decodeNative(encoded.subarray(1), chain)
    : decodeEthereum(encoded, chain);
}

/** The form of blocks of raw bytes whose envelope is known. */
export function encodedForm(envelope: Transaction["envelope"], raw: Uint8Array): Uint8Array {
  return envelope === "ethereum" ? raw : concatBytes(Uint8Array.of(nativePrefix), raw);
}

/** Decodes raw bytes of the native envelope: a Theta transaction or a module operation. */
export function decodeNative(raw: Uint8Array, chain: Chain): Decoded {
  const encoded = encodedForm("native", raw);
  // From here on only the copy is read, so what the caller does to `raw` later changes nothing.
  const own = encoded.subarray(1);
  const typed = decodeTyped(own);
  if (!typed.ok) return typed;
  const parts = { encoded, hash: keccakDigest(own) };
  if (typed.value.code === operationTypeCode) {
    const operation = operationFromFields(typed.value);
    return operation.ok ? fromOperation(operation.value, chain, parts) : operation;
  }
  const tx = thetaFromFields(typed.value);
  return tx.ok ? fromTheta(tx.value, typed.value.fields, chain, parts) : tx;
}

type Parts = Pick<UnverifiedTransaction, "hash" | "encoded">;

type Sender = {
  readonly payer: Address;
  readonly signers: readonly Signer[];
  readonly claims: readonly SignatureClaim[];
};

function fromTheta(
  tx: ThetaTransaction,
  fields: readonly RlpItem[],
  chain: Chain,
  parts: Parts,
): Decoded {
  if (tx.type === "coinbase") {
    return no("unsupported", "a coinbase is a job of the chain, never a transaction");
  }
  if (tx.type === "depositStakeV2" && tx.purpose === 0 && hasKeyFields(tx)) {
    return no("fieldInvalid", "purpose 0 leaves the key fields unsigned: they must be empty");
  }
  if ((tx.type === "depositStakeV2" || tx.type === "depositStake") && tx.purpose > 2) {
    return no("fieldInvalid", `stake purpose ${tx.purpose}, known are 0, 1 and 2`);
  }
  const sender = thetaSender(tx, fields, chain);
  if (!sender.ok) return sender;
  const { payer, signers, claims } = sender.value;
  const transaction: Transaction = {
    envelope: "native",
    ...parts,
    payer,
    signers,
    feeBid: thetaFee(tx),
    gasLimit: tx.type === "smartContract" ? tx.gasLimit : 0n,
    expiryHeight: null,
    op: { ...thetaOperations[tx.type], body: tx },
  };
  return accept({ ...parts, claims, complete: () => transaction });
}

function hasKeyFields(tx: Extract<ThetaTransaction, { readonly type: "depositStakeV2" }>): boolean {
  return tx.blsPubkey.length + tx.blsPop.length + tx.holderSig.length > 0;
}

function thetaFee(tx: ThetaTransaction): FeeBid {
  if (tx.type === "smartContract") {
    return { type: "perGas", maxFeePerGas: tx.gasPrice, maxPriorityFeePerGas: tx.gasPrice };
  }
  // A slash has no fee field: its input's coins are the bid, and the collateral pays it.
  const fee = tx.type === "slash" ? tx.proposer.coins : "fee" in tx ? tx.fee : { tfuelWei: 0n };
  return { type: "whole", fee: fee.tfuelWei };
}

/** The accounts that must have signed, the first of them paying. */
function thetaInputs(tx: ThetaTransaction): readonly TxInput[] {
  switch (tx.type) {
    case "coinbase":
    case "slash":
      return [tx.proposer];
    case "send":
      return tx.inputs;
    case "servicePayment":
      return [tx.target];
    case "splitRule":
      return [tx.initiator];
    case "smartContract":
      return [tx.from];
    case "stakeRewardDistribution":
      return [tx.holder];
    case "reserveFund":
    case "releaseFund":
    case "depositStake":
    case "withdrawStake":
    case "depositStakeV2":
    default:
      return [tx.source];
  }
}

function thetaSender(
  tx: ThetaTransaction,
  fields: readonly RlpItem[],
  chain: Chain,
): Outcome<Sender, TransactionRefusal> {
  const inputs = thetaInputs(tx);
  const digestOf = (wrapper: SignWrapper): Uint8Array =>
    signBytesDigest(tx, fields, { chainName: chain.name, wrapper });
  const digests = [digestOf("v1")];
  const others = takesV2(tx.type) ? { otherDigests: () => [digestOf("v2")] } : {};
  const claims = inputs.map((input) => ({ ...claimOf(input, digests), ...others }));
  // Replay of payments and slashes is excluded by the pool, not by account sequences (theta.md
  // 3.4).
  const sequenced = tx.type !== "servicePayment" && tx.type !== "slash";
  const signers = inputs.map(({ address, sequence }) => ({
    address,
    sequence: sequenced ? sequence : null,
  }));
  if (tx.type === "servicePayment") {
    claims.push(paymentClaim(tx, chain));
    signers.push({ address: tx.source.address, sequence: null });
  }
  if (tx.type === "slash") {
    const proof = decodeOverspendingProof(tx.slashProof);
    if (!proof.ok) return no("malformed", proof.refusal.detail);
    for (const payment of proof.value.payments) claims.push(paymentClaim(payment, chain));
  }
  return senderOf(signers, claims);
}

/** The payer signed the payment's voucher in one of its two forms. */
function paymentClaim(
  payment: Extract<ThetaTransaction, { readonly type: "servicePayment" }>,
  chain: Chain,
): SignatureClaim {
  return claimOf(payment.source, [
    keccak256(sourceSignBytes(payment, chain.name)),
    voucherDigest(paymentToVoucher(payment), "typed", chain),
  ]);
}

function claimOf(input: TxInput, digests: readonly Uint8Array[]): SignatureClaim {
  return { digests, signature: input.signature, address: input.address };
}

function senderOf(
  signers: readonly Signer[],
  claims: readonly SignatureClaim[],
): Outcome<Sender, TransactionRefusal> {
  const payer = signers[0]?.address;
  if (payer === undefined) return no("fieldInvalid", "0 inputs, at least 1 must sign");
  for (const { signature, address } of claims) {
    if (!isCanonicalSignature(signature)) {
      return no("signatureInvalid", signatureDetail(signature, address));
    }
  }
  return accept({ payer, signers, claims });
}

function signatureDetail(signature: Uint8Array, address: Address | null): string {
  const whose = address === null ? "" : ` of ${address}`;
  return signature.length === 65
    ? `signature${whose}: expected 0 < r < n, 0 < s <= n / 2, v 0 or 1`
    : `signature${whose} has ${signature.length} bytes, expected 65`;
}

function fromOperation(operation: ModuleOperation, chain: Chain, parts: Parts): Decoded {
  if (operation.fee.thetaWei !== 0n) {
    return no("fieldInvalid", `a fee of ${operation.fee.thetaWei} ThetaWei, only TFuel is taken`);
  }
  if (operation.scope !== "") {
    return no("wrongChain", `scope "${operation.scope}", expected the main chain's empty one`);
  }
  const digests = [keccak256(operationSignBytes(operation, chain.genesisHash))];
  const sender = senderOf(
    operation.inputs.map(({ address, sequence }) => ({ address, sequence })),
    operation.inputs.map((input) => claimOf(input, digests)),
  );
  if (!sender.ok) return sender;
  const { payer, signers, claims } = sender.value;
  const transaction: Transaction = {
    envelope: "operation",
    ...parts,
    payer,
    signers,
    feeBid: { type: "whole", fee: operation.fee.tfuelWei },
    gasLimit: operation.gasLimit,
    expiryHeight: operation.expiryHeight === 0 ? null : operation.expiryHeight,
    op: { module: operation.module, name: operation.op, body: operation.body },
  };
  return accept({ ...parts, claims, complete: () => transaction });
}

/** Decodes raw bytes of an Ethereum envelope; the sender is whoever the one claim recovers. */
export function decodeEthereum(raw: Uint8Array, chain: Chain): Decoded {
  const encoded = raw.slice();
  const opened = openEthereum(encoded);
  if (!opened.ok) return opened;
  const { transaction: tx, chainId, signature } = opened.value.signed;
  if (chainId !== BigInt(chain.id)) {
    return no("wrongChain", `signed for chain ${chainId}, this is chain ${chain.id}`);
  }
  if (!isCanonicalSignature(signature)) {
    return no("signatureInvalid", signatureDetail(signature, null));
  }
  const fault = ethereumFault(tx);
  if (fault !== null) return no("fieldInvalid", fault);
  const digests = [opened.value.digest()];
  const parts = { encoded, hash: keccakDigest(encoded) };
  return accept({
    ...parts,
    claims: [{ digests, signature, address: null }],
    complete: (recovered) => {
      const sender = recovered[0];
      assert(sender !== undefined, "an Ethereum transaction is completed by its recovered sender");
      return ethereumTransaction(tx, sender, parts);
    },
  });
}

function ethereumTransaction(tx: EthereumTransaction, sender: Address, parts: Parts): Transaction {
  return {
    envelope: "ethereum",
    ...parts,
    payer: sender,
    signers: [{ address: sender, sequence: tx.nonce + 1n }],
    feeBid: {
      type: "perGas",
      maxFeePerGas: tx.maxFeePerGas,
      maxPriorityFeePerGas: tx.maxPriorityFeePerGas,
    },
    gasLimit: tx.gasLimit,
    expiryHeight: null,
    op: { ...ethereumOperation, body: tx },
  };
}

/** What no fork and no state could make valid, in geth's words, by which tools know it; or `null`. */
function ethereumFault(tx: EthereumTransaction): string | null {
  if (tx.maxPriorityFeePerGas > tx.maxFeePerGas) {
    const values = `${tx.maxPriorityFeePerGas} above ${tx.maxFeePerGas}`;
    return `max priority fee per gas higher than max fee per gas: ${values}`;
  }
  if (tx.gasLimit * tx.maxFeePerGas >= 1n << 256n) {
    return `gas ${tx.gasLimit} at ${tx.maxFeePerGas} TFuelWei does not fit 256 bits`;
  }
  if (tx.to === null && tx.data.length > initCodeBytesMax) {
    return `max initcode size exceeded: code size ${tx.data.length}, limit ${initCodeBytesMax}`;
  }
  const gas = intrinsicGas(tx);
  if (tx.gasLimit >= gas) return null;
  return `intrinsic gas too low: gas ${tx.gasLimit}, minimum needed ${gas}`;
}
