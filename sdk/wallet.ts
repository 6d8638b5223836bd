import type { Address, Digest } from "../base/brand.ts";
import { bytesToHex, emptyBytes, hexToBytes, zeroAddress } from "../base/bytes.ts";
import { encodeRlp, type RlpItem } from "../base/rlp.ts";
import { keccak256, keccakDigest } from "../crypto/keccak.ts";
import { addressOf, signDigest } from "../crypto/secp256k1.ts";
import { blsPublicKeyOf, proveBlsPossession } from "../crypto/bls.ts";
import { encodeEthereum, ethereumSignDigest } from "../ledger/ethereumCodec.ts";
import { encodeOperation, operationSignBytes } from "../ledger/operationCodec.ts";
import { encodeThetaTransaction } from "../ledger/thetaCodec.ts";
import { signBytes } from "../ledger/thetaSignBytes.ts";
import type {
  Coins,
  EthereumTransaction,
  ModuleOperation,
  Split,
  ThetaTransaction,
  TxInput,
} from "../ledger/thetaTypes.ts";
import { settlementOf, type SettlementTerms, type SignedVoucher } from "../ledger/voucher.ts";

export { walletSignature } from "../ledger/voucher.ts";

/** Something that signs for one address: a key in memory here, a device or a daemon elsewhere. */
export interface Signer {
  readonly address: Address;
  /** Signs a 32-byte digest: `r || s || v`, 65 bytes, low s, v 0 or 1. */
  sign(digest: Uint8Array): Uint8Array;
}

/** A transaction ready to broadcast. */
export type SignedTransaction = {
  /** Raw bytes as `0x` hex. */
  readonly raw: string;
  /** keccak of the raw bytes: what receipts and explorers show. */
  readonly hash: Digest;
};

/** What every native transaction of one sequenced signer has. Amounts are in wei. */
export type NativeTerms = {
  /** The chain's text name, such as `privatenet`. */
  readonly chain: string;
  /** The signer's account sequence + 1. */
  readonly sequence: bigint;
  /** TFuelWei. */
  readonly fee: bigint;
};

/** What every module operation of one sequenced signer has. */
export type OperationTerms = {
  /** Hash of the genesis: binds the operation to one chain. */
  readonly genesisHash: Digest;
  /** The signer's account sequence + 1. */
  readonly sequence: bigint;
  /** TFuelWei; at least the gas limit times the base fee. */
  readonly fee: bigint;
  /** Last height of inclusion; none unless given. */
  readonly expiryHeight?: number;
};

/**
 * Gas that no native type needs more of, by the default chain parameters; a send's is per account.
 */
export const nativeGasMax = {
  sendPerAccount: 10_000n,
  stake: 50_000n,
  registerKey: 200_000n,
  reserve: 20_000n,
  reservePerResource: 2_000n,
  splitRule: 61_100n,
  pool: 20_000n,
} as const;

/** A signer from a 32-byte private key. */
export function keySigner(privateKey: Uint8Array): Signer {
  const key = privateKey.slice();
  return { address: addressOf(key), sign: (digest) => signDigest(digest, key) };
}

/** Sends coins from the signer's account to one or more accounts. */
export function signSend(
  signer: Signer,
  terms: NativeTerms & {
    readonly outputs: readonly { readonly address: Address; readonly coins: Coins }[];
  },
): SignedTransaction {
  const thetaWei = terms.outputs.reduce((sum, output) => sum + output.coins.thetaWei, 0n);
  const tfuelWei = terms.outputs.reduce((sum, output) => sum + output.coins.tfuelWei, terms.fee);
  const input = inputOf(signer, terms, { thetaWei, tfuelWei });
  return signWith(signer, terms, input, (signed) => ({
    type: "send",
    fee: feeOf(terms),
    inputs: [signed],
    outputs: terms.outputs,
  }));
}

/** What a stake is for: 0 validator, 1 guardian, 2 elite edge node. */
export type StakePurpose = 0 | 1 | 2;

/** Stakes coins of the signer with a holder: THETA, or TFUEL for an elite edge node. */
export function signDepositStake(
  signer: Signer,
  terms: NativeTerms & {
    readonly holder: Address;
    readonly stake: Coins;
    readonly purpose: StakePurpose;
  },
): SignedTransaction {
  const input = inputOf(signer, terms, terms.stake);
  return signWith(signer, terms, input, (source) => ({
    type: "depositStake",
    fee: feeOf(terms),
    source,
    holder: { address: terms.holder, coins: noCoins },
    purpose: terms.purpose,
  }));
}

/** Asks the whole stake of the signer with a holder back; it returns after the unbonding time. */
export function signWithdrawStake(
  signer: Signer,
  terms: NativeTerms & { readonly holder: Address; readonly purpose: StakePurpose },
): SignedTransaction {
  const input = inputOf(signer, terms, noCoins);
  return signWith(signer, terms, input, (source) => ({
    type: "withdrawStake",
    fee: feeOf(terms),
    source,
    holder: { address: terms.holder, coins: noCoins },
    purpose: terms.purpose,
  }));
}

/** Shares the signer's staking reward with a beneficiary, in 1/100 of a per cent; 0 ends it. */
export function signRewardDistribution(
  signer: Signer,
  terms: NativeTerms & { readonly beneficiary: Address; readonly splitBasisPoint: bigint },
): SignedTransaction {
  const input = inputOf(signer, terms, noCoins);
  return signWith(signer, terms, input, (holder) => ({
    type: "stakeRewardDistribution",
    fee: feeOf(terms),
    holder,
    beneficiary: { address: terms.beneficiary, coins: noCoins },
    splitBasisPoint: terms.splitBasisPoint,
  }));
}

/** Opens a micropayment pool with coins of the signer; amounts in TFuelWei. */
export function signReserveFund(
  signer: Signer,
  terms: NativeTerms & {
    readonly fund: bigint;
    /** Above the fund: lost if the signer's vouchers are worth more than the fund. */
    readonly collateral: bigint;
    readonly resourceIds: readonly string[];
    readonly durationBlocks: bigint;
  },
): SignedTransaction {
  const input = inputOf(signer, terms, { thetaWei: 0n, tfuelWei: terms.fund });
  return signWith(signer, terms, input, (source) => ({
    type: "reserveFund",
    fee: feeOf(terms),
    source,
    collateral: { thetaWei: 0n, tfuelWei: terms.collateral },
    resourceIds: terms.resourceIds,
    duration: terms.durationBlocks,
  }));
}

/** Closes a pool of the signer whose freeze is over; the ledger does so by itself. */
export function signReleaseFund(
  signer: Signer,
  terms: NativeTerms & { readonly reserveSequence: bigint },
): SignedTransaction {
  const input = inputOf(signer, terms, noCoins);
  const { reserveSequence } = terms;
  return signWith(signer, terms, input, (source) => {
    return { type: "releaseFund", fee: feeOf(terms), source, reserveSequence };
  });
}

/** Says who shares in the payments for a resource, in whole per cent. */
export function signSplitRule(
  signer: Signer,
  terms: NativeTerms & {
    readonly resourceId: string;
    readonly splits: readonly Split[];
    readonly durationBlocks: bigint;
  },
): SignedTransaction {
  const input = inputOf(signer, terms, noCoins);
  return signWith(signer, terms, input, (initiator) => ({
    type: "splitRule",
    fee: feeOf(terms),
    resourceId: terms.resourceId,
    initiator,
    splits: terms.splits,
    duration: terms.durationBlocks,
  }));
}

/** Settles a voucher of the signer's; its fee may come out of what it brings. */
export function signSettlement(
  signer: Signer,
  terms: Pick<NativeTerms, "chain"> & SettlementTerms & { readonly voucher: SignedVoucher },
): SignedTransaction {
  const payment = settlementOf(terms.voucher, terms);
  const signature = signer.sign(keccak256(signBytes(payment, terms.chain, "v1")));
  const target = { ...payment.target, signature };
  return signedTransaction(encodeThetaTransaction({ ...payment, target }));
}

/** A module operation of one signer, who also pays; `body` is the operation's own RLP. */
export function signOperation(
  signer: Signer,
  terms: OperationTerms & {
    readonly module: string;
    readonly op: string;
    readonly body: RlpItem;
    readonly gasLimit: bigint;
  },
): SignedTransaction {
  const operation = (signature: Uint8Array): ModuleOperation => ({
    fee: { thetaWei: 0n, tfuelWei: terms.fee },
    inputs: [{ address: signer.address, coins: noCoins, sequence: terms.sequence, signature }],
    module: terms.module,
    op: terms.op,
    body: encodeRlp(terms.body),
    gasLimit: terms.gasLimit,
    expiryHeight: terms.expiryHeight ?? 0,
    scope: "",
  });
  const digest = keccak256(operationSignBytes(operation(emptyBytes), terms.genesisHash));
  return signedTransaction(encodeOperation(operation(signer.sign(digest))));
}

/**
 * Registers the signer's BLS key as a validator, with a proof of possession for this holder and
 * chain.
 */
export function signRegisterKey(
  signer: Signer,
  terms: OperationTerms & { readonly blsSecretKey: Uint8Array },
): SignedTransaction {
  const { genesisHash: genesis, blsSecretKey } = terms;
  const proof = proveBlsPossession({ holder: signer.address, genesis }, blsSecretKey);
  return signOperation(signer, {
    ...terms,
    module: "stake",
    op: "registerKey",
    body: [hexToBytes(signer.address), blsPublicKeyOf(blsSecretKey), proof],
    gasLimit: nativeGasMax.registerKey,
  });
}

/** A call of a contract by Theta's type 7, or with `to` `null` its creation. Amounts in TFuelWei. */
export type SmartContractTerms = {
  /** The caller's account sequence + 1. */
  readonly sequence: bigint;
  readonly to: Address | null;
  readonly value: bigint;
  readonly gasPrice: bigint;
  readonly gasLimit: bigint;
  readonly data: Uint8Array;
};

function smartContract(from: TxInput, terms: SmartContractTerms): ThetaTransaction {
  const { gasLimit, gasPrice, data } = terms;
  const to = { address: terms.to ?? zeroAddress, coins: noCoins };
  return { type: "smartContract", from, to, gasLimit, gasPrice, data };
}

function callerInput(address: Address, { sequence, value }: SmartContractTerms): TxInput {
  const coins = { thetaWei: 0n, tfuelWei: value };
  return { address, coins, sequence, signature: emptyBytes };
}

/** Calls or creates a contract by a Theta transaction. */
export function signSmartContract(
  signer: Signer,
  terms: SmartContractTerms & { readonly chain: string },
): SignedTransaction {
  const input = callerInput(signer.address, terms);
  const digest = keccak256(signBytes(smartContract(input, terms), terms.chain, "v1"));
  const signed = smartContract({ ...input, signature: signer.sign(digest) }, terms);
  return signedTransaction(encodeThetaTransaction(signed));
}

/** The same without a signature, as `0x` hex: for a dry run. */
export function encodeSmartContractCall(from: Address, terms: SmartContractTerms): string {
  return bytesToHex(encodeThetaTransaction(smartContract(callerInput(from, terms), terms)));
}

/** A plain Ethereum transfer (EIP-1559) of TFUEL. Prices are TFuelWei per gas. */
export function signEthereumTransfer(
  signer: Signer,
  terms: {
    /** The chain's number, such as 366. */
    readonly chainId: number;
    readonly nonce: bigint;
    readonly to: Address;
    readonly value: bigint;
    readonly maxFeePerGas: bigint;
    readonly maxPriorityFeePerGas: bigint;
    readonly gasLimit?: bigint;
  },
): SignedTransaction {
  const gasLimit = terms.gasLimit ?? transferGas;
  return signEthereumCall(signer, { ...terms, gasLimit, data: emptyBytes });
}

/** An Ethereum transaction (EIP-1559); `to` `null` creates a contract. Prices are TFuelWei per gas. */
export function signEthereumCall(
  signer: Signer,
  terms: {
    readonly chainId: number;
    readonly nonce: bigint;
    readonly to: Address | null;
    readonly value: bigint;
    readonly data: Uint8Array;
    readonly maxFeePerGas: bigint;
    readonly maxPriorityFeePerGas: bigint;
    readonly gasLimit: bigint;
  },
): SignedTransaction {
  const { chainId: id, ...fields } = terms;
  const transaction: EthereumTransaction = {
    ...fields,
    type: "feeMarket",
    accessList: [],
    authorizations: [],
  };
  const chainId = BigInt(id);
  const signature = signer.sign(ethereumSignDigest(transaction, chainId));
  return signedTransaction(encodeEthereum({ transaction, chainId, signature }));
}

/** Gas of a transfer without data [Yellow Paper, G_transaction]. */
const transferGas = 21_000n;

const noCoins: Coins = { thetaWei: 0n, tfuelWei: 0n };

function feeOf(terms: NativeTerms): Coins {
  return { thetaWei: 0n, tfuelWei: terms.fee };
}

function inputOf(signer: Signer, terms: NativeTerms, coins: Coins): TxInput {
  return { address: signer.address, coins, sequence: terms.sequence, signature: emptyBytes };
}

/** Signs the V1 form, and puts the signature into the one input that `build` is given. */
function signWith(
  signer: Signer,
  terms: NativeTerms,
  input: TxInput,
  build: (input: TxInput) => ThetaTransaction,
): SignedTransaction {
  const digest = keccak256(signBytes(build(input), terms.chain, "v1"));
  const signed = build({ ...input, signature: signer.sign(digest) });
  return signedTransaction(encodeThetaTransaction(signed));
}

function signedTransaction(raw: Uint8Array): SignedTransaction {
  return { raw: bytesToHex(raw), hash: keccakDigest(raw) };
}
