import type { Digest } from "../base/brand.ts";
import { emptyBytes, hexToBytes } from "../base/bytes.ts";
import { transactionBytesMax } from "../base/limits.ts";
import { refuse, type Outcome } from "../base/outcome.ts";
import { encodeRlp, RlpReader, rlpBigInt, rlpNumber, rlpText, type RlpItem } from "../base/rlp.ts";
import {
  coinsToRlp,
  decodeTyped,
  encodeTyped,
  inputToRlp,
  malformed,
  readCoins,
  readInput,
  type TypedFields,
} from "./thetaCodec.ts";
import type { ModuleOperation } from "./thetaTypes.ts";
import type { TransactionRefusal } from "./transaction.ts";

/*
 * The module operation: type code 32 of the native envelope (DESIGN 3), with the fields `[fee,
 * inputs, module, op, body, gasLimit, expiryHeight, scope]`. What is signed begins with a tag and
 * the genesis hash, so it is no Theta wrapper, no Ethereum transaction, no statement, and no
 * operation of another chain or of a network that was reset.
 */

/** Type code of a module operation. */
export const operationTypeCode = 32;

/** Starts what the signers of an operation sign. */
export const operationTag = "ledger.operation.1";

/** Signers of one operation. */
export const operationInputsMax = 64;

/** Bytes of a module's or an operation's name. */
export const operationNameBytesMax = 64;

/** Bytes of a scope. */
export const scopeBytesMax = 64;

const u64Bits = 64;

function fieldsToRlp(operation: ModuleOperation): readonly RlpItem[] {
  return [
    coinsToRlp(operation.fee),
    operation.inputs.map(inputToRlp),
    rlpText(operation.module),
    rlpText(operation.op),
    operation.body,
    rlpBigInt(operation.gasLimit),
    rlpNumber(operation.expiryHeight),
    rlpText(operation.scope),
  ];
}

/** The raw bytes: what is broadcast and hashed. */
export function encodeOperation(operation: ModuleOperation): Uint8Array {
  return encodeTyped(operationTypeCode, fieldsToRlp(operation));
}

/** What each input signs: `rlp([tag, genesis hash, fields without signatures])`. */
export function operationSignBytes(operation: ModuleOperation, genesisHash: Digest): Uint8Array {
  const inputs = operation.inputs.map((input) => ({ ...input, signature: emptyBytes }));
  return encodeRlp([
    rlpText(operationTag),
    hexToBytes(genesisHash),
    fieldsToRlp({ ...operation, inputs }),
  ]);
}

/** Reads a module operation; signatures are neither required nor checked. */
export function decodeOperation(raw: Uint8Array): Outcome<ModuleOperation, TransactionRefusal> {
  const typed = decodeTyped(raw);
  return typed.ok ? operationFromFields(typed.value) : typed;
}

/** Reads the fields of a module operation. */
export function operationFromFields(
  typed: TypedFields,
): Outcome<ModuleOperation, TransactionRefusal> {
  if (typed.code !== operationTypeCode) {
    return refuse({ code: "unsupported", detail: `native type ${typed.code}, expected 32` });
  }
  const reader = new RlpReader("operation");
  const parts = reader.list(typed.fields, 8);
  const operation: ModuleOperation = {
    fee: readCoins(reader, parts[0]),
    inputs: reader.array(parts[1], operationInputsMax, (part) => readInput(reader, part)),
    module: reader.text(parts[2], operationNameBytesMax),
    op: reader.text(parts[3], operationNameBytesMax),
    body: reader.bytes(parts[4], transactionBytesMax),
    gasLimit: reader.bigInt(parts[5], u64Bits),
    expiryHeight: reader.number(parts[6]),
    scope: reader.text(parts[7], scopeBytesMax),
  };
  checkInputs(reader, operation);
  return reader.refusal === null
    ? { ok: true, value: operation }
    : refuse(malformed(reader.refusal));
}

function checkInputs(reader: RlpReader, operation: ModuleOperation): void {
  reader.check(operation.inputs.length > 0, "an operation has at least one signer");
  let before = "";
  for (const { address, coins } of operation.inputs) {
    reader.check(before < address, `signer ${address} is not above ${before}`);
    // Amounts belong to the body: an ignored field would be a second encoding of one meaning.
    reader.check(coins.thetaWei === 0n && coins.tfuelWei === 0n, "a signer with coins");
    before = address;
  }
}
