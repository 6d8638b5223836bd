import fc from "fast-check";
import type { Address } from "../../base/brand.ts";
import { bytesToAddress, bytesToDigest, emptyBytes, textToBytes } from "../../base/bytes.ts";
import { rootCertificate } from "../../consensus/rules.ts";
import type { Certificate, TimeoutCertificate } from "../../consensus/types.ts";
import type { Block, Body, CommitProof, Header } from "../../ledger/blockTypes.ts";
import type {
  Coins,
  EthereumTransaction,
  ModuleOperation,
  ThetaTransaction,
  TxInput,
  TxOutput,
} from "../../ledger/thetaTypes.ts";
import { operationNameBytesMax } from "../../ledger/operationCodec.ts";
import { bloomOf } from "../../ledger/receipt.ts";
import type { Receipt } from "../../ledger/receiptTypes.ts";

// Arbitrary values of every type that travels, for property tests and as seeds of the fuzzer. They
// are well formed but mean nothing: signatures are random bytes.

/** Exactly `size` random bytes. */
export function bytesOf(size: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: size, maxLength: size });
}

const upTo = (size: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: size });
const u64 = fc.oneof(fc.bigInt(0n, 300n), fc.bigInt(0n, (1n << 64n) - 1n));
const gas = fc.oneof(fc.bigInt(0n, 300n), fc.bigInt(0n, (1n << 64n) - 1n));
const amount = fc.oneof(fc.bigInt(0n, 300n), fc.bigInt(0n, (1n << 256n) - 1n));
const safe = fc.oneof(fc.nat(300), fc.maxSafeNat());
/** Texts of any script, in as many bytes as a name may have: one grapheme can be twelve. */
const text = fc
  .string({ unit: "grapheme", maxLength: 12 })
  .filter((drawn) => textToBytes(drawn).length <= operationNameBytesMax);

/** Addresses. */
export const addresses: fc.Arbitrary<Address> = bytesOf(20).map(bytesToAddress);

/** Digests. */
export const digests = bytesOf(32).map(bytesToDigest);

const coins: fc.Arbitrary<Coins> = fc.record({ thetaWei: amount, tfuelWei: amount });
const sizeOrEmpty = (size: number): fc.Arbitrary<Uint8Array> =>
  fc.oneof(fc.constant(emptyBytes), bytesOf(size));
const input: fc.Arbitrary<TxInput> = fc.record({
  address: addresses,
  coins,
  sequence: u64,
  signature: sizeOrEmpty(65),
});
const output: fc.Arbitrary<TxOutput> = fc.record({ address: addresses, coins });
const outputs = fc.array(output, { maxLength: 4 });
const stake = { fee: coins, source: input, holder: output, purpose: fc.nat(255) };

const type = <T extends string>(name: T): fc.Arbitrary<T> => fc.constant(name);

/** All twelve Theta types. */
export const thetaTransactions: fc.Arbitrary<ThetaTransaction> = fc.oneof(
  fc.record({ type: type("coinbase"), proposer: input, outputs, blockHeight: u64 }),
  fc.record({
    type: type("slash"),
    proposer: input,
    slashedAddress: addresses,
    reserveSequence: u64,
    slashProof: upTo(80),
  }),
  fc.record({
    type: type("send"),
    fee: coins,
    inputs: fc.array(input, { maxLength: 4 }),
    outputs,
  }),
  fc.record({
    type: type("reserveFund"),
    fee: coins,
    source: input,
    collateral: coins,
    resourceIds: fc.array(text, { maxLength: 4 }),
    duration: u64,
  }),
  fc.record({ type: type("releaseFund"), fee: coins, source: input, reserveSequence: u64 }),
  fc.record({
    type: type("servicePayment"),
    fee: coins,
    source: input,
    target: input,
    paymentSequence: u64,
    reserveSequence: u64,
    resourceId: text,
  }),
  fc.record({
    type: type("splitRule"),
    fee: coins,
    resourceId: text,
    initiator: input,
    splits: fc.array(fc.record({ address: addresses, percentage: safe }), { maxLength: 4 }),
    duration: u64,
  }),
  fc.record({
    type: type("smartContract"),
    from: input,
    to: output,
    gasLimit: u64,
    gasPrice: amount,
    data: upTo(80),
  }),
  fc.record({ type: type("depositStake"), ...stake }),
  fc.record({ type: type("withdrawStake"), ...stake }),
  fc.record({
    type: type("depositStakeV2"),
    ...stake,
    blsPubkey: sizeOrEmpty(48),
    blsPop: sizeOrEmpty(96),
    holderSig: sizeOrEmpty(65),
  }),
  fc.record({
    type: type("stakeRewardDistribution"),
    fee: coins,
    holder: input,
    beneficiary: output,
    splitBasisPoint: u64,
  }),
);

const none: Coins = { thetaWei: 0n, tfuelWei: 0n };

/** Module operations, their signers in ascending order. */
export const moduleOperations: fc.Arbitrary<ModuleOperation> = fc.record({
  fee: coins,
  inputs: fc
    .uniqueArray(input, { minLength: 1, maxLength: 4, selector: (part) => part.address })
    .map((inputs) =>
      inputs
        .map((part) => ({ ...part, coins: none }))
        .sort((a, b) => (a.address < b.address ? -1 : 1)),
    ),
  module: text,
  op: text,
  body: upTo(80),
  gasLimit: u64,
  expiryHeight: safe,
  scope: text,
});

const nonce = fc.oneof(fc.bigInt(0n, 300n), fc.bigInt(0n, (1n << 64n) - 2n));
const accessList = fc.array(
  fc.record({ address: addresses, storageKeys: fc.array(bytesOf(32), { maxLength: 3 }) }),
  { maxLength: 3 },
);
const authorization = fc.record({
  chainId: amount,
  address: addresses,
  nonce: u64,
  yParity: fc.nat(255),
  r: amount,
  s: amount,
});
const common = { nonce, gasLimit: gas, value: amount, data: upTo(80) };
const to = fc.oneof(fc.constant(null), addresses);
const noAuthorizations = fc.constant([]);

/** All four Ethereum envelopes. */
export const ethereumTransactions: fc.Arbitrary<EthereumTransaction> = fc.oneof(
  fc.record({ ...common, to, price: amount }).map(({ price, ...rest }) => ({
    ...rest,
    type: "legacy" as const,
    maxFeePerGas: price,
    maxPriorityFeePerGas: price,
    accessList: [],
    authorizations: [],
  })),
  fc.record({ ...common, to, price: amount, accessList }).map(({ price, ...rest }) => ({
    ...rest,
    type: "accessList" as const,
    maxFeePerGas: price,
    maxPriorityFeePerGas: price,
    authorizations: [],
  })),
  fc.record({
    ...common,
    type: type("feeMarket"),
    to,
    maxFeePerGas: amount,
    maxPriorityFeePerGas: amount,
    accessList,
    authorizations: noAuthorizations,
  }),
  fc.record({
    ...common,
    type: type("setCode"),
    to: addresses,
    maxFeePerGas: amount,
    maxPriorityFeePerGas: amount,
    accessList,
    authorizations: fc.array(authorization, { minLength: 1, maxLength: 3 }),
  }),
);

/** Certificates, those of view 0 bare. */
export const certificates: fc.Arbitrary<Certificate> = fc.oneof(
  fc.record({ epoch: safe, root: digests }).map(rootCertificate),
  fc
    .record({
      epoch: safe,
      view: fc.integer({ min: 1, max: 1_000_000 }),
      block: digests,
      back: fc.nat(),
      signers: bytesOf(1),
      signature: bytesOf(96),
    })
    .map(({ back, signers, ...rest }) => ({
      ...rest,
      parentView: back % rest.view,
      signers: signers.map((byte) => byte | 1),
    })),
);

/** Timeout certificates of one signer. */
export const timeoutCertificates: fc.Arbitrary<TimeoutCertificate> = fc
  .record({ highCertificate: certificates, ahead: fc.nat(9), signature: bytesOf(96) })
  .map(({ highCertificate, ahead, signature }) => ({
    epoch: highCertificate.epoch,
    view: highCertificate.view + 1 + ahead,
    highViews: [highCertificate.view],
    highCertificate,
    signers: Uint8Array.of(4),
    signature,
  }));

const optionalDigest = fc.oneof(fc.constant(null), digests);

/** Headers. */
export const headers: fc.Arbitrary<Header> = fc.record({
  version: fc.constant(1),
  genesisHash: digests,
  height: safe,
  epoch: safe,
  view: safe,
  parentHash: digests,
  parentCertificate: certificates,
  timeoutCertificateHash: optionalDigest,
  timestampMs: safe,
  proposer: addresses,
  transactionsRoot: digests,
  receiptsRoot: digests,
  logsBloom: bytesOf(256),
  stateRoot: digests,
  gasUsed: gas,
  gasLimit: gas,
  baseFee: amount,
  runtimeHash: digests,
  randomness: digests,
  nextCommitteeHash: optionalDigest,
  evidenceRoot: digests,
  checkpointCertificateHash: optionalDigest,
});

/** Commit proofs of up to three headers. */
export const commitProofs: fc.Arbitrary<CommitProof> = fc.record({
  headers: fc.array(headers, { maxLength: 3 }),
  certificate: certificates,
});

/** Bodies. */
export const bodies: fc.Arbitrary<Body> = fc.record({
  transactions: fc.array(upTo(60), { maxLength: 4 }),
  timeoutCertificate: fc.oneof(fc.constant(null), timeoutCertificates),
  epochProof: fc.oneof(fc.constant(null), commitProofs),
  randomnessSignature: bytesOf(96),
  evidence: fc.array(upTo(60), { maxLength: 2 }),
  checkpointCertificate: fc.oneof(fc.constant(null), upTo(60)),
});

/** Blocks whose header and body need not fit. */
export const blocks: fc.Arbitrary<Block> = fc.record({ header: headers, body: bodies });

/** Receipts in full. */
export const receipts: fc.Arbitrary<Receipt> = fc
  .record({
    transactionHash: digests,
    status: fc.constantFrom(0 as const, 1 as const),
    gasUsed: gas,
    cumulativeGasUsed: gas,
    gasPrice: amount,
    fee: amount,
    logs: fc.array(
      fc.record({
        address: addresses,
        topics: fc.array(digests, { maxLength: 4 }),
        data: upTo(40),
      }),
      { maxLength: 3 },
    ),
    contractAddress: fc.oneof(fc.constant(null), addresses),
    returnData: upTo(40),
    failure: fc.constantFrom("", "balanceTooLow"),
  })
  .map((receipt) => ({ ...receipt, logsBloom: bloomOf(receipt.logs) }));
