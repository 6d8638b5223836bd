import type { Address, Digest } from "../../base/brand.ts";
import { bigIntToDigest, textToAddressOrNull } from "../../base/bytes.ts";
import { accept, refuse, type Outcome } from "../../base/outcome.ts";
import type { AccountOverride, BlockOverrides, StateOverrides } from "../../ledger/simulate.ts";
import { isJsonObject, memberOf } from "../json.ts";
import type { Parameter } from "../parameters.ts";
import { ethereumAddress, ethereumData, ethereumDigest } from "../parameters.ts";
import { quantityOf, readMember, readWord } from "./callObject.ts";

// What eth_call and its like may be told about state and block instead of the truth, in the form
// that go-ethereum made common.

/** Accounts in one set of overrides, at most. */
export const overrideAccountsMax = 1_000;
/** Storage slots in one set of overrides, all accounts together, at most. */
export const overrideSlotsMax = 20_000;

type Words = Map<Digest, bigint>;

function readWords(value: unknown, left: number): Outcome<Words, string> {
  if (!isJsonObject(value)) return refuse("wants an object of slots");
  const entries = Object.entries(value);
  if (entries.length > left) {
    return refuse(`has too many slots, limit overrideSlotsMax is ${overrideSlotsMax}`);
  }
  const words: Words = new Map();
  for (const [slot, word] of entries) {
    const key = readWord(slot);
    if (!key.ok) return refuse(`slot ${key.refusal}`);
    const read = readWord(word);
    if (!read.ok) return refuse(`word ${read.refusal}`);
    words.set(bigIntToDigest(key.value), read.value);
  }
  return accept(words);
}

function readAccount(
  value: unknown,
  slotsLeft: number,
): Outcome<{ readonly account: AccountOverride; readonly slots: number }, string> {
  if (!isJsonObject(value)) return refuse("wants an object");
  const nonce = readMember(value, "nonce", quantityOf(64));
  if (!nonce.ok) return nonce;
  const balance = readMember(value, "balance", readWord);
  if (!balance.ok) return balance;
  const code = readMember(value, "code", ethereumData.read);
  if (!code.ok) return code;
  const whole = readMember(value, "state", (words) => readWords(words, slotsLeft));
  if (!whole.ok) return whole;
  const changed = readMember(value, "stateDiff", (words) => readWords(words, slotsLeft));
  if (!changed.ok) return changed;
  if (whole.value !== null && changed.value !== null) {
    return refuse('has both "state" and "stateDiff"');
  }
  const movesTo = readMember(value, "movePrecompileToAddress", ethereumAddress.read);
  if (!movesTo.ok) return movesTo;
  const words = whole.value ?? changed.value;
  const mode = whole.value === null ? "change" : "replace";
  return accept({
    account: {
      ...(nonce.value === null ? {} : { nonce: nonce.value }),
      ...(balance.value === null ? {} : { balance: balance.value }),
      ...(code.value === null ? {} : { code: code.value }),
      ...(words === null ? {} : { storage: { mode, words } }),
      ...(movesTo.value === null ? {} : { movesTo: movesTo.value }),
    },
    slots: words?.size ?? 0,
  });
}

/** Reads accounts that are said to be otherwise; precompiles may move. */
export function readStateOverrides(value: unknown): Outcome<StateOverrides, string> {
  if (value === undefined || value === null) return accept(new Map());
  if (!isJsonObject(value)) return refuse("wants an object of accounts");
  const entries = Object.entries(value);
  if (entries.length > overrideAccountsMax) {
    const limit = `limit overrideAccountsMax is ${overrideAccountsMax}`;
    return refuse(`has ${entries.length} accounts, ${limit}`);
  }
  const overrides = new Map<Address, AccountOverride>();
  let slotsLeft = overrideSlotsMax;
  for (const [text, override] of entries) {
    const address = text.startsWith("0x") ? textToAddressOrNull(text) : null;
    if (address === null) return refuse("wants addresses of 0x and 40 hex digits as keys");
    const read = readAccount(override, slotsLeft);
    if (!read.ok) return refuse(`${address} ${read.refusal}`);
    slotsLeft -= read.value.slots;
    overrides.set(address, read.value.account);
  }
  return accept(overrides);
}

/** State overrides: accounts by address, each with balance, nonce, code, state or stateDiff. */
export const stateOverrides: Parameter<StateOverrides> = {
  schema: { type: "object", description: "accounts by address: balance, nonce, code, state(Diff)" },
  optional: true,
  read: (value) => {
    const read = readStateOverrides(value);
    const moves = read.ok && [...read.value.values()].some(({ movesTo }) => movesTo !== undefined);
    return moves ? refuse("movePrecompileToAddress is offered by eth_simulateV1 only") : read;
  },
};

/** Reads what goes by two names. */
function readEither<T>(
  object: Readonly<Record<string, unknown>>,
  [older, newer]: readonly [string, string],
  read: (value: unknown) => Outcome<T, string>,
): Outcome<T | null, string> {
  return readMember(object, memberOf(object, older) === undefined ? newer : older, read);
}

/** Seconds that still are a safe number of milliseconds. */
const timestampBits = 43;

/** Reads what contracts are to be told of their block; names are those of eth_simulateV1. */
export function readBlockOverrides(value: unknown): Outcome<BlockOverrides, string> {
  if (value === undefined || value === null) return accept({});
  if (!isJsonObject(value)) return refuse("wants an object");
  const height = readMember(value, "number", quantityOf(53));
  if (!height.ok) return height;
  const seconds = readMember(value, "time", quantityOf(timestampBits));
  if (!seconds.ok) return seconds;
  const gasLimit = readMember(value, "gasLimit", quantityOf(64));
  if (!gasLimit.ok) return gasLimit;
  const proposer = readEither(value, ["coinbase", "feeRecipient"], ethereumAddress.read);
  if (!proposer.ok) return proposer;
  const randomness = readEither(value, ["random", "prevRandao"], ethereumDigest.read);
  if (!randomness.ok) return randomness;
  const fee = readEither(value, ["baseFee", "baseFeePerGas"], quantityOf(256));
  if (!fee.ok) return fee;
  return accept({
    ...(height.value === null ? {} : { height: Number(height.value) }),
    ...(seconds.value === null ? {} : { timestampMs: Number(seconds.value) * 1_000 }),
    ...(gasLimit.value === null ? {} : { gasLimit: gasLimit.value }),
    ...(proposer.value === null ? {} : { proposer: proposer.value }),
    ...(randomness.value === null ? {} : { randomness: randomness.value }),
    ...(fee.value === null ? {} : { baseFee: fee.value }),
  });
}

/** Block overrides: number, time, gasLimit, feeRecipient, prevRandao, baseFeePerGas. */
export const blockOverrides: Parameter<BlockOverrides> = {
  schema: { type: "object", description: "number, time, gasLimit, feeRecipient, prevRandao, …" },
  optional: true,
  read: readBlockOverrides,
};
