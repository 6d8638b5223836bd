import type { Address } from "../../base/brand.ts";
import { emptyBytes, equalBytes, hexToBytes, zeroAddress } from "../../base/bytes.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import type { SimulatedMessage } from "../../ledger/simulate.ts";
import { isJsonObject, memberOf } from "../json.ts";
import { readQuantity } from "../numbers.ts";
import type { Parameter } from "../parameters.ts";
import { ethereumAddress, ethereumData, ethereumDigest } from "../parameters.ts";

/** A transaction object as tools hand it to eth_call and its like; absent members are `null`. */
export type CallObject = {
  /** EIP-2718 type. */
  readonly type: bigint | null;
  readonly from: Address | null;
  readonly to: Address | null;
  readonly gas: bigint | null;
  readonly gasPrice: bigint | null;
  readonly maxFeePerGas: bigint | null;
  readonly maxPriorityFeePerGas: bigint | null;
  readonly value: bigint;
  readonly nonce: bigint | null;
  readonly data: Uint8Array;
  readonly chainId: bigint | null;
  readonly accessList: SimulatedMessage["accessList"] | null;
  readonly authorizations: SimulatedMessage["authorizations"] | null;
};

type Json = Readonly<Record<string, unknown>>;
type Read<T> = (value: unknown) => Outcome<T, string>;

/** Reads a member; `null` where it is absent, a refusal begins with its name. */
export function readMember<T>(
  object: Json,
  name: string,
  read: Read<T>,
): Outcome<T | null, string> {
  const value = memberOf(object, name);
  if (value === undefined || value === null) return accept(null);
  const outcome = read(value);
  return outcome.ok ? outcome : refuse(`${name} ${outcome.refusal}`);
}

/** A reader of whole numbers of at most so many bits. */
export function quantityOf(bits: number): Read<bigint> {
  return (value) => readQuantity(value, bits);
}

/** Reads an array with one reader for its items; a refusal names the first bad one. */
export function readArray<T>(
  read: Read<T>,
  limit: { readonly name: string; readonly max: number },
): Read<readonly T[]> {
  return (value) => {
    if (!Array.isArray(value)) return refuse("wants an array");
    const list: readonly unknown[] = value;
    if (list.length > limit.max) {
      return refuse(`has ${list.length} items, limit ${limit.name} is ${limit.max}`);
    }
    const items: T[] = [];
    for (const [index, item] of list.entries()) {
      const outcome = read(item);
      if (!outcome.ok) return refuse(`[${index}] ${outcome.refusal}`);
      items.push(outcome.value);
    }
    return accept(items);
  };
}

/** Collects members that were read, and the first refusal. */
class Members {
  readonly #object: Json;
  refusal: string | null = null;

  constructor(object: Json) {
    this.#object = object;
  }

  read<T>(name: string, read: Read<T>): T | null {
    const outcome = readMember(this.#object, name, read);
    if (outcome.ok) return outcome.value;
    this.refusal ??= outcome.refusal;
    return null;
  }
}

/** Entries of one access list, and slots of one entry, at most. */
const accessListMax = { name: "accessListMax", max: 10_000 };
/** Delegations of one message, at most. */
const authorizationsMax = { name: "authorizationsMax", max: 1_024 };

function readAccessEntry(value: unknown): Outcome<SimulatedMessage["accessList"][number], string> {
  if (!isJsonObject(value)) return refuse("wants an object");
  const members = new Members(value);
  const address = members.read("address", ethereumAddress.read);
  const keys = members.read("storageKeys", readArray(ethereumDigest.read, accessListMax));
  if (members.refusal !== null) return refuse(members.refusal);
  if (address === null) return refuse("wants an address");
  return accept({ address, storageKeys: (keys ?? []).map(hexToBytes) });
}

function readAuthorization(
  value: unknown,
): Outcome<SimulatedMessage["authorizations"][number], string> {
  if (!isJsonObject(value)) return refuse("wants an object");
  const members = new Members(value);
  const chainId = members.read("chainId", quantityOf(256)) ?? 0n;
  const address = members.read("address", ethereumAddress.read);
  const nonce = members.read("nonce", quantityOf(64)) ?? 0n;
  const yParity = members.read("yParity", quantityOf(8)) ?? 0n;
  const r = members.read("r", readWord) ?? 0n;
  const s = members.read("s", readWord) ?? 0n;
  if (members.refusal !== null) return refuse(members.refusal);
  if (address === null) return refuse("wants an address");
  return accept({ chainId, address, nonce, yParity: Number(yParity), r, s });
}

/** A number of 256 bits: a quantity, or its 32 bytes as some tools send them. */
export function readWord(value: unknown): Outcome<bigint, string> {
  if (typeof value !== "string" || !/^0x[0-9a-fA-F]{1,64}$/.test(value)) {
    return refuse("wants 0x and 1 to 64 hex digits");
  }
  return accept(BigInt(value));
}

function readCallObject(value: unknown): Outcome<CallObject, string> {
  if (!isJsonObject(value)) return refuse("wants a transaction object");
  const members = new Members(value);
  const data = members.read("data", ethereumData.read);
  const input = members.read("input", ethereumData.read);
  const call: CallObject = {
    type: members.read("type", quantityOf(8)),
    from: members.read("from", ethereumAddress.read),
    to: members.read("to", ethereumAddress.read),
    gas: members.read("gas", quantityOf(64)),
    gasPrice: members.read("gasPrice", quantityOf(256)),
    maxFeePerGas: members.read("maxFeePerGas", quantityOf(256)),
    maxPriorityFeePerGas: members.read("maxPriorityFeePerGas", quantityOf(256)),
    value: members.read("value", quantityOf(256)) ?? 0n,
    nonce: members.read("nonce", quantityOf(64)),
    data: input ?? data ?? emptyBytes,
    chainId: members.read("chainId", quantityOf(256)),
    accessList: members.read("accessList", readArray(readAccessEntry, accessListMax)),
    authorizations: members.read(
      "authorizationList",
      readArray(readAuthorization, authorizationsMax),
    ),
  };
  const blobs = members.read("blobVersionedHashes", readArray(ethereumDigest.read, accessListMax));
  if (members.refusal !== null) return refuse(members.refusal);
  const fault = faultOf(call, { data, input, blobs: blobs !== null });
  return fault === null ? accept(call) : refuse(fault);
}

function faultOf(
  call: CallObject,
  given: {
    readonly data: Uint8Array | null;
    readonly input: Uint8Array | null;
    readonly blobs: boolean;
  },
): string | null {
  const { data, input } = given;
  if (data !== null && input !== null && !equalBytes(data, input)) {
    return 'has both "data" and "input", and they differ';
  }
  const isDynamic = call.maxFeePerGas !== null || call.maxPriorityFeePerGas !== null;
  if (call.gasPrice !== null && isDynamic) {
    return "has both gasPrice and maxFeePerGas or maxPriorityFeePerGas";
  }
  if (given.blobs) return "has blobs, which this chain does not carry";
  if (call.authorizations !== null && call.to === null) {
    return "has delegations, and those need a target";
  }
  return null;
}

/** A transaction object. */
export const callObject: Parameter<CallObject> = {
  schema: { type: "object", description: "transaction object: from, to, gas, value, input, …" },
  optional: false,
  read: readCallObject,
};

/** The message that a transaction object stands for; it pays what it says it pays. */
export function messageOf(call: CallObject): SimulatedMessage {
  const maxFeePerGas = call.gasPrice ?? call.maxFeePerGas ?? 0n;
  return {
    caller: call.from ?? zeroAddress,
    to: call.to,
    value: call.value,
    data: call.data,
    gasLimit: call.gas,
    maxFeePerGas,
    maxPriorityFeePerGas: call.gasPrice ?? call.maxPriorityFeePerGas ?? 0n,
    accessList: call.accessList ?? [],
    authorizations: call.authorizations ?? [],
  };
}
