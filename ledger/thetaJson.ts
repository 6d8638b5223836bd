import type { Address } from "../base/brand.ts";
import { bytesToHex, hexToBytesOrNull, textToBytes } from "../base/bytes.ts";
import { transactionBytesMax } from "../base/limits.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import { checksumAddress, parseAddress } from "../crypto/address.ts";
import type { Json } from "./schema.ts";
import {
  amountBitsMax,
  resourceIdBytesMax,
  resourceIdsMax,
  thetaAccountsMax,
} from "./thetaCodec.ts";
import type { Coins, Split, ThetaTransaction, TxInput, TxOutput } from "./thetaTypes.ts";

/*
 * The JSON form of Theta transactions (theta.md 2.2, 2.3), with Theta's own names. Out go amounts
 * and 64-bit integers as decimal strings, small ones as numbers, bytes as `0x` hex, addresses with
 * their checksum. In come integers as number, decimal string or hex, wherever that leaves no doubt;
 * keys that the form does not have are refused, so `__proto__` means nothing.
 */

/** Where a JSON value is not what it should be; `path` as in `inputs[0].coins.thetawei`. */
export type JsonRefusal = { readonly path: string; readonly detail: string };

type JsonObject = { readonly [key: string]: Json };

/** How one field goes out and comes in. `read` throws `Fault` inside this file only. */
interface Kind<T> {
  write(value: T): Json;
  read(json: unknown, path: string): T;
}

interface RecordKind<T> extends Kind<T> {
  write(value: T): JsonObject;
}

/** Carries a refusal from the depth of a value to `thetaFromJson`, which answers it. */
class Fault extends Error {
  readonly refusal: JsonRefusal;
  constructor(path: string, detail: string) {
    super(detail);
    this.refusal = { path, detail };
  }
}

function shown(json: unknown): string {
  const text = typeof json === "string" ? JSON.stringify(json.slice(0, 80)) : String(json);
  return typeof json === "object" && json !== null ? "a list or an object" : text.slice(0, 100);
}

const decimalDigitsMax = 78;

/**
 * An unsigned integer of JSON: a safe integer, decimal digits without leading zeros, or `0x` and
 * hex digits; `null` for all else: a sign, a fraction, an exponent, a space, `0x` alone, a number
 * above 2^53.
 */
export function jsonToBigIntOrNull(json: unknown): bigint | null {
  if (typeof json === "number")
    return Number.isSafeInteger(json) && json >= 0 ? BigInt(json) : null;
  if (typeof json !== "string" || json.length > decimalDigitsMax) return null;
  if (!/^(?:0|[1-9][0-9]*|0x[0-9a-fA-F]+)$/.test(json)) return null;
  return BigInt(json);
}

function integer(bits: number): Kind<bigint> {
  return {
    write: (value) => value.toString(),
    read: (json, path) => {
      const value = jsonToBigIntOrNull(json);
      if (value === null) throw new Fault(path, `expected an unsigned integer, got ${shown(json)}`);
      if (value >= 1n << BigInt(bits)) throw new Fault(path, `${value} has more than ${bits} bits`);
      return value;
    },
  };
}

const u64 = integer(64);
const amount = integer(amountBitsMax);

/** Theta writes this one as a number; beyond 2^53, where no reader agrees, it is a string here. */
const basisPoints: Kind<bigint> = {
  write: (value) => (value <= Number.MAX_SAFE_INTEGER ? Number(value) : value.toString()),
  read: u64.read,
};

function small(max: number): Kind<number> {
  return {
    write: (value) => value,
    read: (json, path) => {
      const value = jsonToBigIntOrNull(json);
      if (value === null || value > BigInt(max)) {
        throw new Fault(path, `expected an integer from 0 to ${max}, got ${shown(json)}`);
      }
      return Number(value);
    },
  };
}

function bytes(sizes: string, fits: (size: number) => boolean): Kind<Uint8Array> {
  return {
    write: (value) => bytesToHex(value),
    read: (json, path) => {
      const value = typeof json === "string" ? hexToBytesOrNull(json) : null;
      if (value === null) throw new Fault(path, `expected hex, got ${shown(json)}`);
      if (!fits(value.length)) {
        throw new Fault(path, `expected ${sizes} bytes, got ${value.length}`);
      }
      return value;
    },
  };
}

const anyBytes = bytes(`at most ${transactionBytesMax}`, (size) => size <= transactionBytesMax);

function sizeOrEmpty(wanted: number): Kind<Uint8Array> {
  return bytes(`0 or ${wanted}`, (size) => size === 0 || size === wanted);
}

const address: Kind<Address> = {
  write: (value) => checksumAddress(value),
  read: (json, path) => {
    const outcome = typeof json === "string" ? parseAddress(json) : null;
    if (outcome === null || !outcome.ok) {
      throw new Fault(path, `expected an address, got ${shown(json)}`);
    }
    return outcome.value;
  },
};

const resourceId: Kind<string> = {
  write: (value) => value,
  read: (json, path) => {
    if (typeof json !== "string" || !json.isWellFormed()) {
      throw new Fault(path, `expected a text, got ${shown(json)}`);
    }
    const size = textToBytes(json).length;
    if (size > resourceIdBytesMax) {
      throw new Fault(path, `${size} bytes, at most ${resourceIdBytesMax} are taken`);
    }
    return json;
  },
};

function list<T>(part: Kind<T>, countMax: number): Kind<readonly T[]> {
  return {
    write: (value) => value.map((entry) => part.write(entry)),
    read: (json, path) => {
      if (!Array.isArray(json)) throw new Fault(path, `expected a list, got ${shown(json)}`);
      if (json.length > countMax) {
        throw new Fault(path, `${json.length} entries, at most ${countMax} are taken`);
      }
      return json.map((entry: unknown, i) => part.read(entry, `${path}[${i}]`));
    },
  };
}

/** Key of the value: its name in JSON, its kind, and what stands for it where it is missing. */
type Fields<T> = {
  readonly [K in keyof T]-?: readonly [name: string, kind: Kind<T[K]>, missing?: T[K]];
};

function record<T extends object>(fields: Fields<T>): RecordKind<T> {
  const entries = Object.entries(fields) as [
    keyof T,
    readonly [name: string, kind: Kind<unknown>, missing?: unknown],
  ][];
  return {
    write: (value) =>
      Object.fromEntries(entries.map(([key, [name, kind]]) => [name, kind.write(value[key])])),
    read: (json, path) => {
      if (typeof json !== "object" || json === null || Array.isArray(json)) {
        throw new Fault(path, `expected an object, got ${shown(json)}`);
      }
      const given = new Map<string, unknown>(Object.entries(json));
      const read: Partial<Record<keyof T, unknown>> = {};
      for (const [key, [name, kind, missing]] of entries) {
        const at = path === "" ? name : `${path}.${name}`;
        if (given.has(name)) read[key] = kind.read(given.get(name), at);
        else if (missing !== undefined) read[key] = missing;
        else throw new Fault(at, "missing");
        given.delete(name);
      }
      const unknown = given.keys().next();
      if (unknown.done !== true) throw new Fault(path, `unknown key ${shown(unknown.value)}`);
      return read as T; // Every key of T was read by its own kind above.
    },
  };
}

const none = new Uint8Array(0);
const noCoins: Coins = { thetaWei: 0n, tfuelWei: 0n };
const coins = record<Coins>({ thetaWei: ["thetawei", amount], tfuelWei: ["tfuelwei", amount] });
const input = record<TxInput>({
  address: ["address", address],
  coins: ["coins", coins, noCoins],
  sequence: ["sequence", u64],
  signature: ["signature", sizeOrEmpty(65), none],
});
const output = record<TxOutput>({
  address: ["address", address],
  coins: ["coins", coins, noCoins],
});
const outputs = list(output, thetaAccountsMax);
const split = record<Split>({
  address: ["Address", address],
  percentage: ["Percentage", small(Number.MAX_SAFE_INTEGER)],
});

type Of<Type extends ThetaTransaction["type"]> = Omit<
  Extract<ThetaTransaction, { readonly type: Type }>,
  "type"
>;

const fee = ["fee", coins] as const;
const stakeFields: Fields<Of<"depositStake">> = {
  fee,
  source: ["source", input],
  holder: ["holder", output],
  purpose: ["purpose", small(255)],
};

const forms: { readonly [Type in ThetaTransaction["type"]]: RecordKind<Of<Type>> } = {
  coinbase: record<Of<"coinbase">>({
    proposer: ["proposer", input],
    outputs: ["outputs", outputs],
    blockHeight: ["block_height", u64],
  }),
  slash: record<Of<"slash">>({
    proposer: ["proposer", input],
    slashedAddress: ["slashed_address", address],
    reserveSequence: ["reserve_sequence", u64],
    slashProof: ["slash_proof", anyBytes],
  }),
  send: record<Of<"send">>({
    fee,
    inputs: ["inputs", list(input, thetaAccountsMax)],
    outputs: ["outputs", outputs],
  }),
  reserveFund: record<Of<"reserveFund">>({
    fee,
    source: ["source", input],
    collateral: ["collateral", coins],
    resourceIds: ["resource_ids", list(resourceId, resourceIdsMax)],
    duration: ["duration", u64],
  }),
  releaseFund: record<Of<"releaseFund">>({
    fee,
    source: ["source", input],
    reserveSequence: ["reserve_sequence", u64],
  }),
  servicePayment: record<Of<"servicePayment">>({
    fee,
    source: ["source", input],
    target: ["target", input],
    paymentSequence: ["payment_sequence", u64],
    reserveSequence: ["reserve_sequence", u64],
    resourceId: ["resource_id", resourceId],
  }),
  splitRule: record<Of<"splitRule">>({
    fee,
    resourceId: ["resource_id", resourceId],
    initiator: ["initiator", input],
    splits: ["splits", list(split, thetaAccountsMax - 1)],
    duration: ["duration", u64],
  }),
  smartContract: record<Of<"smartContract">>({
    from: ["from", input],
    to: ["to", output],
    gasLimit: ["gas_limit", u64],
    gasPrice: ["gas_price", amount],
    data: ["data", anyBytes],
  }),
  depositStake: record<Of<"depositStake">>(stakeFields),
  withdrawStake: record<Of<"withdrawStake">>(stakeFields),
  depositStakeV2: record<Of<"depositStakeV2">>({
    ...stakeFields,
    blsPubkey: ["BlsPubkey", sizeOrEmpty(48), none],
    blsPop: ["BlsPop", sizeOrEmpty(96), none],
    holderSig: ["HolderSig", sizeOrEmpty(65), none],
  }),
  stakeRewardDistribution: record<Of<"stakeRewardDistribution">>({
    fee,
    holder: ["holder", input],
    beneficiary: ["beneficiary", output],
    splitBasisPoint: ["split_basis_point", basisPoints],
  }),
};

/** A Theta transaction as Theta's RPC shows it; the type goes beside it, not in it. */
export function thetaToJson(tx: ThetaTransaction): JsonObject {
  const form: RecordKind<object> = forms[tx.type];
  return form.write(tx);
}

/** Reads the JSON form of a transaction of the given type. */
export function thetaFromJson(
  type: ThetaTransaction["type"],
  json: unknown,
): Outcome<ThetaTransaction, JsonRefusal> {
  const form: RecordKind<object> = forms[type];
  try {
    // The form of a type has exactly the fields of that type.
    return accept({ type, ...form.read(json, "") } as ThetaTransaction);
  } catch (error) {
    if (error instanceof Fault) return refuse(error.refusal);
    throw error;
  }
}

/** A Theta transaction's coins as JSON, for answers that show balances. */
export function coinsToJson(value: Coins): JsonObject {
  return coins.write(value);
}
