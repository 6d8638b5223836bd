import { transactionBytesMax } from "../base/limits.ts";
import { hexToBytes } from "../base/bytes.ts";
import { refuse, type Outcome } from "../base/outcome.ts";
import {
  decodeRlpSequence,
  encodeRlp,
  isRlpList,
  readNumber,
  RlpReader,
  rlpBigInt,
  rlpNumber,
  rlpText,
  type RlpItem,
  type RlpRefusal,
} from "../base/rlp.ts";
import type { Coins, Split, ThetaTransaction, TxInput, TxOutput } from "./thetaTypes.ts";
import type { TransactionRefusal } from "./transaction.ts";

/*
 * The bytes of Theta's twelve transaction types (theta.md 2.1 to 2.3): `rlp(type) || rlp(fields)`,
 * two RLP items in a row. Theta's own decoder also takes trailing bytes and non-minimal integers;
 * ours takes exactly what the encoder makes, so that one transaction has one hash.
 */

/** Accounts that one transaction may touch (theta.md 2.8). */
export const thetaAccountsMax = 512;

/** Bytes of a resource id (DESIGN 3). */
export const resourceIdBytesMax = 256;

/** Resource ids of one pool; Theta has no limit but the transaction's size. */
export const resourceIdsMax = 256;

/** Bits of an amount: what the EVM can hold. */
export const amountBitsMax = 256;

/** Items of one transaction's RLP: each takes at least a byte. */
const itemsMax = 16_384;
const u64Bits = 64;

/** Type code of each Theta type (theta.md 2.1). */
export const thetaTypeCodes: Readonly<Record<ThetaTransaction["type"], number>> = {
  coinbase: 0,
  slash: 1,
  send: 2,
  reserveFund: 3,
  releaseFund: 4,
  servicePayment: 5,
  splitRule: 6,
  smartContract: 7,
  depositStake: 8,
  withdrawStake: 9,
  depositStakeV2: 10,
  stakeRewardDistribution: 11,
};

/** `[ThetaWei, TFuelWei]`. */
export function coinsToRlp(coins: Coins): RlpItem {
  return [rlpBigInt(coins.thetaWei), rlpBigInt(coins.tfuelWei)];
}

/** Reads `[ThetaWei, TFuelWei]`. */
export function readCoins(reader: RlpReader, item: RlpItem | undefined): Coins {
  const parts = reader.list(item, 2);
  return {
    thetaWei: reader.bigInt(parts[0], amountBitsMax),
    tfuelWei: reader.bigInt(parts[1], amountBitsMax),
  };
}

/** `[address, coins, sequence, signature]`. */
export function inputToRlp(input: TxInput): RlpItem {
  return [
    hexToBytes(input.address),
    coinsToRlp(input.coins),
    rlpBigInt(input.sequence),
    input.signature,
  ];
}

/** Reads `[address, coins, sequence, signature]`; the signature has 65 bytes or none. */
export function readInput(reader: RlpReader, item: RlpItem | undefined): TxInput {
  const parts = reader.list(item, 4);
  return {
    address: reader.address(parts[0]),
    coins: readCoins(reader, parts[1]),
    sequence: reader.bigInt(parts[2], u64Bits),
    signature: readSizeOrEmpty(reader, parts[3], 65),
  };
}

function outputToRlp(output: TxOutput): RlpItem {
  return [hexToBytes(output.address), coinsToRlp(output.coins)];
}

function readOutput(reader: RlpReader, item: RlpItem | undefined): TxOutput {
  const parts = reader.list(item, 2);
  return { address: reader.address(parts[0]), coins: readCoins(reader, parts[1]) };
}

function splitToRlp(split: Split): RlpItem {
  return [hexToBytes(split.address), rlpNumber(split.percentage)];
}

function readSplit(reader: RlpReader, item: RlpItem | undefined): Split {
  const parts = reader.list(item, 2);
  return { address: reader.address(parts[0]), percentage: reader.number(parts[1]) };
}

function readSizeOrEmpty(reader: RlpReader, item: RlpItem | undefined, size: number): Uint8Array {
  const bytes = reader.bytes(item, size);
  reader.check(
    bytes.length === 0 || bytes.length === size,
    `${size} or 0 bytes expected, got ${bytes.length}`,
  );
  return bytes;
}

function readPurpose(reader: RlpReader, item: RlpItem | undefined): number {
  const purpose = reader.number(item);
  reader.check(purpose <= 255, `a stake purpose is one byte, got ${purpose}`);
  return purpose;
}

/** The struct of a transaction as an RLP list, without its type code. */
export function thetaFieldsToRlp(tx: ThetaTransaction): readonly RlpItem[] {
  switch (tx.type) {
    case "coinbase":
      return [inputToRlp(tx.proposer), tx.outputs.map(outputToRlp), rlpBigInt(tx.blockHeight)];
    case "slash":
      return [
        inputToRlp(tx.proposer),
        hexToBytes(tx.slashedAddress),
        rlpBigInt(tx.reserveSequence),
        tx.slashProof,
      ];
    case "send":
      return [coinsToRlp(tx.fee), tx.inputs.map(inputToRlp), tx.outputs.map(outputToRlp)];
    case "smartContract":
      return [
        inputToRlp(tx.from),
        outputToRlp(tx.to),
        rlpBigInt(tx.gasLimit),
        rlpBigInt(tx.gasPrice),
        tx.data,
      ];
    case "depositStake":
    case "withdrawStake":
      return stakeFieldsToRlp(tx);
    case "depositStakeV2":
      return [...stakeFieldsToRlp(tx), tx.blsPubkey, tx.blsPop, tx.holderSig];
    case "stakeRewardDistribution":
      return [
        coinsToRlp(tx.fee),
        inputToRlp(tx.holder),
        outputToRlp(tx.beneficiary),
        rlpBigInt(tx.splitBasisPoint),
      ];
    case "reserveFund":
    case "releaseFund":
    case "servicePayment":
    case "splitRule":
    default:
      return poolFieldsToRlp(tx);
  }
}

function stakeFieldsToRlp(tx: {
  readonly fee: Coins;
  readonly source: TxInput;
  readonly holder: TxOutput;
  readonly purpose: number;
}): readonly RlpItem[] {
  return [coinsToRlp(tx.fee), inputToRlp(tx.source), outputToRlp(tx.holder), rlpNumber(tx.purpose)];
}

type PoolTransaction = Extract<
  ThetaTransaction,
  { readonly type: "reserveFund" | "releaseFund" | "servicePayment" | "splitRule" }
>;

function poolFieldsToRlp(tx: PoolTransaction): readonly RlpItem[] {
  switch (tx.type) {
    case "reserveFund":
      return [
        coinsToRlp(tx.fee),
        inputToRlp(tx.source),
        coinsToRlp(tx.collateral),
        tx.resourceIds.map(rlpText),
        rlpBigInt(tx.duration),
      ];
    case "releaseFund":
      return [coinsToRlp(tx.fee), inputToRlp(tx.source), rlpBigInt(tx.reserveSequence)];
    case "servicePayment":
      return [
        coinsToRlp(tx.fee),
        inputToRlp(tx.source),
        inputToRlp(tx.target),
        rlpBigInt(tx.paymentSequence),
        rlpBigInt(tx.reserveSequence),
        rlpText(tx.resourceId),
      ];
    case "splitRule":
    default:
      return [
        coinsToRlp(tx.fee),
        rlpText(tx.resourceId),
        inputToRlp(tx.initiator),
        tx.splits.map(splitToRlp),
        rlpBigInt(tx.duration),
      ];
  }
}

/** The raw bytes of a transaction: what wallets broadcast and what is hashed. */
export function encodeThetaTransaction(tx: ThetaTransaction): Uint8Array {
  return encodeTyped(thetaTypeCodes[tx.type], thetaFieldsToRlp(tx));
}

/** `rlp(code) || rlp(fields)`; every code in use is encoded in one byte. */
export function encodeTyped(code: number, fields: readonly RlpItem[]): Uint8Array {
  const list = encodeRlp(fields);
  const raw = new Uint8Array(1 + list.length);
  raw[0] = code === 0 ? 0x80 : code;
  raw.set(list, 1);
  return raw;
}

/** A type code and its undecoded fields. */
export type TypedFields = { readonly code: number; readonly fields: readonly RlpItem[] };

/**
 * Takes `rlp(code) || rlp(fields)` apart: exactly two items, the first an integer, the second a
 * list.
 */
export function decodeTyped(raw: Uint8Array): Outcome<TypedFields, TransactionRefusal> {
  if (raw.length > transactionBytesMax) {
    return refuse({
      code: "tooLarge",
      detail: `${raw.length} bytes, at most ${transactionBytesMax} are taken`,
    });
  }
  const items = decodeRlpSequence(raw, { itemsMax, depthMax: 4 });
  if (!items.ok) return refuse(malformed(items.refusal));
  const [first, fields] = items.value;
  if (items.value.length !== 2 || first === undefined || fields === undefined) {
    return malformedBecause(`${items.value.length} RLP items, a native transaction has 2`);
  }
  const code = readNumber(first);
  if (code === null) return malformedBecause("the type code is not an integer");
  if (!isRlpList(fields)) return malformedBecause("the fields are not a list");
  return { ok: true, value: { code, fields } };
}

function malformedBecause(detail: string): Outcome<never, TransactionRefusal> {
  return refuse({ code: "malformed", detail });
}

/** An RLP refusal as a transaction's. */
export function malformed(refusal: RlpRefusal): TransactionRefusal {
  return { code: "malformed", detail: `${refusal.code}: ${refusal.detail}` };
}

/** Reads any of the twelve types; signatures are neither required nor checked. */
export function decodeThetaTransaction(
  raw: Uint8Array,
): Outcome<ThetaTransaction, TransactionRefusal> {
  const typed = decodeTyped(raw);
  return typed.ok ? thetaFromFields(typed.value) : typed;
}

/** Reads the fields of any of the twelve types. */
export function thetaFromFields(typed: TypedFields): Outcome<ThetaTransaction, TransactionRefusal> {
  const read = fieldReaders[typed.code];
  if (read === undefined) {
    return refuse({ code: "unsupported", detail: `native type ${typed.code}, known are 0 to 11` });
  }
  const reader = new RlpReader("transaction");
  const tx = read(reader, typed.fields);
  return reader.refusal === null ? { ok: true, value: tx } : refuse(malformed(reader.refusal));
}

type FieldReader = (reader: RlpReader, fields: readonly RlpItem[]) => ThetaTransaction;

const fieldReaders: readonly FieldReader[] = [
  (reader, fields) => {
    const [proposer, outputs, blockHeight] = reader.list(fields, 3);
    return {
      type: "coinbase",
      proposer: readInput(reader, proposer),
      outputs: reader.array(outputs, thetaAccountsMax, (part) => readOutput(reader, part)),
      blockHeight: reader.bigInt(blockHeight, u64Bits),
    };
  },
  (reader, fields) => {
    const [proposer, slashedAddress, reserveSequence, slashProof] = reader.list(fields, 4);
    return {
      type: "slash",
      proposer: readInput(reader, proposer),
      slashedAddress: reader.address(slashedAddress),
      reserveSequence: reader.bigInt(reserveSequence, u64Bits),
      slashProof: reader.bytes(slashProof, transactionBytesMax),
    };
  },
  (reader, fields) => {
    const [fee, inputs, outputs] = reader.list(fields, 3);
    const tx: ThetaTransaction = {
      type: "send",
      fee: readCoins(reader, fee),
      inputs: reader.array(inputs, thetaAccountsMax, (part) => readInput(reader, part)),
      outputs: reader.array(outputs, thetaAccountsMax, (part) => readOutput(reader, part)),
    };
    const accounts = tx.inputs.length + tx.outputs.length;
    reader.check(
      accounts <= thetaAccountsMax,
      `${accounts} inputs and outputs, at most ${thetaAccountsMax} are taken`,
    );
    return tx;
  },
  (reader, fields) => {
    const [fee, source, collateral, resourceIds, duration] = reader.list(fields, 5);
    return {
      type: "reserveFund",
      fee: readCoins(reader, fee),
      source: readInput(reader, source),
      collateral: readCoins(reader, collateral),
      resourceIds: reader.array(resourceIds, resourceIdsMax, (part) =>
        reader.text(part, resourceIdBytesMax),
      ),
      duration: reader.bigInt(duration, u64Bits),
    };
  },
  (reader, fields) => {
    const [fee, source, reserveSequence] = reader.list(fields, 3);
    return {
      type: "releaseFund",
      fee: readCoins(reader, fee),
      source: readInput(reader, source),
      reserveSequence: reader.bigInt(reserveSequence, u64Bits),
    };
  },
  readServicePayment,
  (reader, fields) => {
    const [fee, resourceId, initiator, splits, duration] = reader.list(fields, 5);
    return {
      type: "splitRule",
      fee: readCoins(reader, fee),
      resourceId: reader.text(resourceId, resourceIdBytesMax),
      initiator: readInput(reader, initiator),
      splits: reader.array(splits, thetaAccountsMax - 1, (part) => readSplit(reader, part)),
      duration: reader.bigInt(duration, u64Bits),
    };
  },
  (reader, fields) => {
    const [from, to, gasLimit, gasPrice, data] = reader.list(fields, 5);
    return {
      type: "smartContract",
      from: readInput(reader, from),
      to: readOutput(reader, to),
      gasLimit: reader.bigInt(gasLimit, u64Bits),
      gasPrice: reader.bigInt(gasPrice, amountBitsMax),
      data: reader.bytes(data, transactionBytesMax),
    };
  },
  (reader, fields) => ({ type: "depositStake", ...readStake(reader, reader.list(fields, 4)) }),
  (reader, fields) => ({ type: "withdrawStake", ...readStake(reader, reader.list(fields, 4)) }),
  (reader, fields) => ({
    type: "depositStakeV2",
    ...readStake(reader, reader.list(fields, 7)),
    blsPubkey: readSizeOrEmpty(reader, fields[4], 48),
    blsPop: readSizeOrEmpty(reader, fields[5], 96),
    holderSig: readSizeOrEmpty(reader, fields[6], 65),
  }),
  (reader, fields) => {
    const [fee, holder, beneficiary, splitBasisPoint] = reader.list(fields, 4);
    return {
      type: "stakeRewardDistribution",
      fee: readCoins(reader, fee),
      holder: readInput(reader, holder),
      beneficiary: readOutput(reader, beneficiary),
      splitBasisPoint: reader.bigInt(splitBasisPoint, u64Bits),
    };
  },
];

function readStake(reader: RlpReader, fields: readonly RlpItem[]) {
  return {
    fee: readCoins(reader, fields[0]),
    source: readInput(reader, fields[1]),
    holder: readOutput(reader, fields[2]),
    purpose: readPurpose(reader, fields[3]),
  };
}

/** Reads the fields of a service payment: a transaction's, or one of an overspending proof. */
export function readServicePayment(
  reader: RlpReader,
  fields: readonly RlpItem[],
): Extract<ThetaTransaction, { readonly type: "servicePayment" }> {
  const parts = reader.list(fields, 6);
  return {
    type: "servicePayment",
    fee: readCoins(reader, parts[0]),
    source: readInput(reader, parts[1]),
    target: readInput(reader, parts[2]),
    paymentSequence: reader.bigInt(parts[3], u64Bits),
    reserveSequence: reader.bigInt(parts[4], u64Bits),
    resourceId: reader.text(parts[5], resourceIdBytesMax),
  };
}
