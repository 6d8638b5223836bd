import { bigIntToFixedBytes, concatBytes, emptyBytes, hexToBytes } from "../base/bytes.ts";
import { transactionBytesMax } from "../base/limits.ts";
import { refuse, type Outcome } from "../base/outcome.ts";
import {
  decodeRlp,
  encodeRlp,
  isRlpList,
  RlpReader,
  rlpBigInt,
  rlpNumber,
  type RlpItem,
} from "../base/rlp.ts";
import { keccak256 } from "../crypto/keccak.ts";
import { writeScratch } from "./scratch.ts";
import { malformed } from "./thetaCodec.ts";
import type { EthereumTransaction } from "./thetaTypes.ts";
import type { TransactionRefusal } from "./transaction.ts";

/*
 * The bytes of Ethereum transactions: legacy with EIP-155, and the typed envelopes (EIP-2718) 1
 * (EIP-2930), 2 (EIP-1559) and 4 (EIP-7702). Unprotected legacy transactions replay on every chain
 * and blobs (type 3) have no place here: both are refused. The decoder takes exactly what the
 * encoder makes.
 */

/** A decoded envelope: the transaction, and the signature in the one form that is checked. */
export type SignedEthereum = {
  readonly transaction: EthereumTransaction;
  /** Chain that was signed for. */
  readonly chainId: bigint;
  /** `r || s || v`, 65 bytes, v 0 or 1; ranges are not checked yet. */
  readonly signature: Uint8Array;
};

/** Type byte of each typed envelope; legacy has none. */
export const ethereumTypeCodes = { accessList: 1, feeMarket: 2, setCode: 4 } as const;

/** Entries of an access list: each takes at least 22 bytes of a transaction of 128 KiB. */
const accessListMax = 8_192;
/** Authorizations of one set-code transaction: each costs 25,000 gas [EIP-7702]. */
const authorizationsMax = 1_024;
const itemsMax = 65_536;
const wordBits = 256;
const u64Bits = 64;
/**
 * v of a legacy signature is 35 + 2 chainId + yParity [EIP-155]; ids above 2^53 are no chain of
 * ours.
 */
const chainIdBits = 64;
const legacyVBase = 35n;

/** The digest that the sender signs. */
export function ethereumSignDigest(tx: EthereumTransaction, chainId: bigint): Uint8Array {
  if (tx.type === "legacy") {
    return keccak256(encodeRlp([...legacyFields(tx), rlpBigInt(chainId), emptyBytes, emptyBytes]));
  }
  return keccak256(encodeTypedList(tx.type, typedFields(tx, chainId)));
}

/** The bytes of a signed transaction; `signature` is `r || s || v`. */
export function encodeEthereum(signed: SignedEthereum): Uint8Array {
  const { transaction: tx, chainId, signature } = signed;
  const yParity = BigInt(signature[64] ?? 0);
  const r = minimal(signature.subarray(0, 32));
  const s = minimal(signature.subarray(32, 64));
  if (tx.type === "legacy") {
    const v = legacyVBase + 2n * chainId + yParity;
    return encodeRlp([...legacyFields(tx), rlpBigInt(v), r, s]);
  }
  return encodeTypedList(tx.type, [...typedFields(tx, chainId), rlpBigInt(yParity), r, s]);
}

function minimal(word: Uint8Array): Uint8Array {
  let start = 0;
  while (start < word.length && word[start] === 0) start += 1;
  return word.subarray(start);
}

function encodeTypedList(
  type: keyof typeof ethereumTypeCodes,
  fields: readonly RlpItem[],
): Uint8Array {
  return concatBytes(Uint8Array.of(ethereumTypeCodes[type]), encodeRlp(fields));
}

function addressOrEmpty(tx: EthereumTransaction): Uint8Array {
  return tx.to === null ? emptyBytes : hexToBytes(tx.to);
}

function legacyFields(tx: EthereumTransaction): readonly RlpItem[] {
  return [
    rlpBigInt(tx.nonce),
    rlpBigInt(tx.maxFeePerGas),
    rlpBigInt(tx.gasLimit),
    addressOrEmpty(tx),
    rlpBigInt(tx.value),
    tx.data,
  ];
}

function typedFields(tx: EthereumTransaction, chainId: bigint): readonly RlpItem[] {
  const prices =
    tx.type === "accessList"
      ? [rlpBigInt(tx.maxFeePerGas)]
      : [rlpBigInt(tx.maxPriorityFeePerGas), rlpBigInt(tx.maxFeePerGas)];
  const fields: RlpItem[] = [
    rlpBigInt(chainId),
    rlpBigInt(tx.nonce),
    ...prices,
    rlpBigInt(tx.gasLimit),
    addressOrEmpty(tx),
    rlpBigInt(tx.value),
    tx.data,
    tx.accessList.map((entry) => [hexToBytes(entry.address), entry.storageKeys]),
  ];
  if (tx.type === "setCode") fields.push(tx.authorizations.map(authorizationToRlp));
  return fields;
}

type Authorization = EthereumTransaction["authorizations"][number];

function authorizationToRlp(authorization: Authorization): RlpItem {
  return [
    rlpBigInt(authorization.chainId),
    hexToBytes(authorization.address),
    rlpBigInt(authorization.nonce),
    rlpNumber(authorization.yParity),
    rlpBigInt(authorization.r),
    rlpBigInt(authorization.s),
  ];
}

/** Reads one envelope. Chain, signature range and gas are for the caller to check (`decode.ts`). */
export function decodeEthereumEnvelope(
  raw: Uint8Array,
): Outcome<SignedEthereum, TransactionRefusal> {
  const opened = openEthereum(raw);
  return opened.ok ? { ok: true, value: opened.value.signed } : opened;
}

/** A decoded envelope, and its signing digest made from the bytes at hand instead of anew. */
export type OpenedEthereum = { readonly signed: SignedEthereum; readonly digest: () => Uint8Array };

/** Reads one envelope for whoever checks its signature next. */
export function openEthereum(raw: Uint8Array): Outcome<OpenedEthereum, TransactionRefusal> {
  if (raw.length > transactionBytesMax) {
    return no("tooLarge", `${raw.length} bytes, at most ${transactionBytesMax} are taken`);
  }
  const first = raw[0];
  if (first === undefined) return no("malformed", "0 bytes are no transaction");
  const isLegacy = first >= 0xc0;
  const read = isLegacy ? readLegacy : typedReaders.get(first);
  if (read === undefined) return no("unsupported", unsupportedDetail(first));
  const list = decodeRlp(isLegacy ? raw : raw.subarray(1), { itemsMax, depthMax: 8 });
  if (!list.ok) return refuse(malformed(list.refusal));
  const fields = list.value;
  if (!isRlpList(fields)) return no("malformed", "the envelope holds no list");
  if (isLegacy && isUnprotected(fields)) {
    return no("unsupported", "a signature without chain id (EIP-155) replays on every chain");
  }
  const reader = new RlpReader("transaction");
  const signed = read(reader, fields);
  if (reader.refusal !== null) return refuse(malformed(reader.refusal));
  return { ok: true, value: { signed, digest: () => digestOf(first, fields, signed.chainId) } };
}

/** The digest over the fields of an envelope, whose last three are v or yParity, r and s. */
function digestOf(first: number, fields: readonly RlpItem[], chainId: bigint): Uint8Array {
  const unsigned = fields.slice(0, -3);
  const isLegacy = first >= 0xc0;
  const prefix = isLegacy ? emptyBytes : Uint8Array.of(first);
  const list = isLegacy ? [...unsigned, rlpBigInt(chainId), emptyBytes, emptyBytes] : unsigned;
  return keccak256(writeScratch(prefix, list) ?? concatBytes(prefix, encodeRlp(list)));
}

function no(code: TransactionRefusal["code"], detail: string): Outcome<never, TransactionRefusal> {
  return refuse({ code, detail });
}

function unsupportedDetail(first: number): string {
  const type = `0x${first.toString(16).padStart(2, "0")}`;
  return first === 3
    ? "type 0x03: this chain has no blobs (EIP-4844)"
    : `type ${type}, known are 0x01, 0x02, 0x04 and legacy`;
}

/** v 27 or 28: signed before EIP-155. */
function isUnprotected(fields: readonly RlpItem[]): boolean {
  const v = fields[6];
  if (v === undefined || isRlpList(v) || v.length !== 1) return false;
  return v[0] === 27 || v[0] === 28;
}

function readTo(reader: RlpReader, item: RlpItem | undefined): EthereumTransaction["to"] {
  return item instanceof Uint8Array && item.length === 0 ? null : reader.address(item);
}

function readGas(reader: RlpReader, item: RlpItem | undefined): bigint {
  return reader.bigInt(item, u64Bits);
}

/** A nonce of 2^64 - 1 could not be raised [EIP-2681]. */
function readNonce(reader: RlpReader, item: RlpItem | undefined): bigint {
  const nonce = reader.bigInt(item, u64Bits);
  reader.check(nonce < 0xffff_ffff_ffff_ffffn, `nonce ${nonce}, at most 2^64 - 2 is taken`);
  return nonce;
}

/** `r || s || v` from two integers of at most 32 bytes without leading zeros. */
function readSignature(
  reader: RlpReader,
  yParity: number,
  r: RlpItem | undefined,
  s: RlpItem | undefined,
): Uint8Array {
  const signature = new Uint8Array(65);
  setWord(reader, signature, 32, r);
  setWord(reader, signature, 64, s);
  signature[64] = yParity;
  return signature;
}

function setWord(
  reader: RlpReader,
  signature: Uint8Array,
  end: number,
  item: RlpItem | undefined,
): void {
  const word = reader.bytes(item, 32);
  reader.check(word.length === 0 || word[0] !== 0, "r or s has leading zeros");
  signature.set(word, end - word.length);
}

function readLegacy(reader: RlpReader, fields: readonly RlpItem[]): SignedEthereum {
  const parts = reader.list(fields, 9);
  const gasPrice = reader.bigInt(parts[1], wordBits);
  const v = reader.bigInt(parts[6], chainIdBits + 8);
  reader.check(v >= legacyVBase + 2n, `v ${v}, expected 35 + 2 x chain id + 0 or 1`);
  const rest = v >= legacyVBase ? v - legacyVBase : 0n;
  return {
    transaction: {
      type: "legacy",
      nonce: readNonce(reader, parts[0]),
      gasLimit: readGas(reader, parts[2]),
      maxFeePerGas: gasPrice,
      maxPriorityFeePerGas: gasPrice,
      to: readTo(reader, parts[3]),
      value: reader.bigInt(parts[4], wordBits),
      data: reader.bytes(parts[5], transactionBytesMax),
      accessList: [],
      authorizations: [],
    },
    chainId: rest / 2n,
    signature: readSignature(reader, Number(rest % 2n), parts[7], parts[8]),
  };
}

/** yParity is 0 or 1 in typed envelopes, zero as the empty string. */
function readYParity(reader: RlpReader, item: RlpItem | undefined): number {
  return reader.flag(item) ? 1 : 0;
}

function readAccessListType(reader: RlpReader, fields: readonly RlpItem[]): SignedEthereum {
  const parts = reader.list(fields, 11);
  const gasPrice = reader.bigInt(parts[2], wordBits);
  return {
    transaction: {
      type: "accessList",
      nonce: readNonce(reader, parts[1]),
      gasLimit: readGas(reader, parts[3]),
      maxFeePerGas: gasPrice,
      maxPriorityFeePerGas: gasPrice,
      to: readTo(reader, parts[4]),
      value: reader.bigInt(parts[5], wordBits),
      data: reader.bytes(parts[6], transactionBytesMax),
      accessList: readAccessList(reader, parts[7]),
      authorizations: [],
    },
    chainId: reader.bigInt(parts[0], chainIdBits),
    signature: readSignature(reader, readYParity(reader, parts[8]), parts[9], parts[10]),
  };
}

function readFeeMarketFields(
  reader: RlpReader,
  type: "feeMarket" | "setCode",
  parts: readonly RlpItem[],
): EthereumTransaction {
  const tx: EthereumTransaction = {
    type,
    nonce: readNonce(reader, parts[1]),
    gasLimit: readGas(reader, parts[4]),
    maxFeePerGas: reader.bigInt(parts[3], wordBits),
    maxPriorityFeePerGas: reader.bigInt(parts[2], wordBits),
    to: readTo(reader, parts[5]),
    value: reader.bigInt(parts[6], wordBits),
    data: reader.bytes(parts[7], transactionBytesMax),
    accessList: readAccessList(reader, parts[8]),
    authorizations:
      type === "setCode"
        ? reader.array(parts[9], authorizationsMax, (part) => readAuthorization(reader, part))
        : [],
  };
  if (type === "setCode") {
    reader.check(tx.to !== null, "a set-code transaction cannot create a contract");
    reader.check(tx.authorizations.length > 0, "a set-code transaction without authorizations");
  }
  return tx;
}

function readFeeMarket(reader: RlpReader, fields: readonly RlpItem[]): SignedEthereum {
  const parts = reader.list(fields, 12);
  return {
    transaction: readFeeMarketFields(reader, "feeMarket", parts),
    chainId: reader.bigInt(parts[0], chainIdBits),
    signature: readSignature(reader, readYParity(reader, parts[9]), parts[10], parts[11]),
  };
}

function readSetCode(reader: RlpReader, fields: readonly RlpItem[]): SignedEthereum {
  const parts = reader.list(fields, 13);
  return {
    transaction: readFeeMarketFields(reader, "setCode", parts),
    chainId: reader.bigInt(parts[0], chainIdBits),
    signature: readSignature(reader, readYParity(reader, parts[10]), parts[11], parts[12]),
  };
}

function readAccessList(
  reader: RlpReader,
  item: RlpItem | undefined,
): EthereumTransaction["accessList"] {
  return reader.array(item, accessListMax, (entry) => {
    const [address, storageKeys] = reader.list(entry, 2);
    return {
      address: reader.address(address),
      storageKeys: reader.array(storageKeys, accessListMax, (key) => reader.fixed(key, 32)),
    };
  });
}

/** An authorization may be void (EIP-7702 skips it), but its form must be canonical. */
function readAuthorization(reader: RlpReader, item: RlpItem): Authorization {
  const parts = reader.list(item, 6);
  const yParity = reader.number(parts[3]);
  reader.check(yParity <= 255, `yParity ${yParity}, at most 255 is taken`);
  return {
    chainId: reader.bigInt(parts[0], wordBits),
    address: reader.address(parts[1]),
    nonce: reader.bigInt(parts[2], u64Bits),
    yParity,
    r: reader.bigInt(parts[4], wordBits),
    s: reader.bigInt(parts[5], wordBits),
  };
}

const typedReaders: ReadonlyMap<
  number,
  (reader: RlpReader, fields: readonly RlpItem[]) => SignedEthereum
> = new Map([
  [ethereumTypeCodes.accessList, readAccessListType],
  [ethereumTypeCodes.feeMarket, readFeeMarket],
  [ethereumTypeCodes.setCode, readSetCode],
]);

/**
 * The digest that an authority signs: `keccak(0x05 || rlp([chainId, address, nonce]))` [EIP-7702].
 */
export function authorizationDigest(
  authorization: Pick<Authorization, "chainId" | "address" | "nonce">,
): Uint8Array {
  const { chainId, address, nonce } = authorization;
  const list = encodeRlp([rlpBigInt(chainId), hexToBytes(address), rlpBigInt(nonce)]);
  return keccak256(concatBytes(Uint8Array.of(5), list));
}

/** An authorization's signature as `r || s || v`; `null` if it cannot be one. */
export function authorizationSignature(authorization: Authorization): Uint8Array | null {
  const { yParity, r, s } = authorization;
  if (yParity > 1) return null;
  return concatBytes(bigIntToFixedBytes(r, 32), bigIntToFixedBytes(s, 32), Uint8Array.of(yParity));
}
