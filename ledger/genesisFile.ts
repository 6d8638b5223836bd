import type { Address } from "../base/brand.ts";
import { hexToBytesOrNull, textToAddressOrNull } from "../base/bytes.ts";
import { accept, refuse, type Outcome } from "../base/outcome.ts";
import { repeatedKey } from "../base/repeatedKey.ts";
import type { GenesisContent, GenesisKey, GenesisStake } from "./genesisTypes.ts";
import type { ParameterValue } from "./parameters.ts";
import type { Registry } from "./registry.ts";
import type { Coins } from "./thetaTypes.ts";

/*
 * The genesis file's own strict reader: an unknown, missing or repeated key is refused with its
 * place, amounts are decimal strings, and nothing is taken from an object but what stands in the
 * file.
 */

/** Where in the file and what is wrong there. */
export type GenesisRefusal = { readonly place: string; readonly detail: string };

/** Most accounts, stakes and keys of a genesis file, each. */
export const genesisEntriesMax = 1_000_000;

/** Most characters of a genesis file: about 150 for each account. */
export const genesisCharactersMax = 256 * 1024 * 1024;

/** Carries the first refusal through the reader; private to this file. */
class Fault extends Error {
  readonly place: string;

  constructor(place: string, detail: string) {
    super(detail);
    this.place = place;
  }
}

/** Reads the text of a genesis file; `checkGenesis` says whether the content makes sense. */
export function readGenesisFile(
  text: string,
  registry: Registry,
): Outcome<GenesisContent, GenesisRefusal> {
  try {
    if (text.length > genesisCharactersMax) {
      throw new Fault("file", `${text.length} characters, at most ${genesisCharactersMax}`);
    }
    return accept(readContent(parse(text), registry));
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return refuse({ place: error.place, detail: error.message });
  }
}

function parse(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Fault("file", `not JSON: ${error instanceof Error ? error.message : ""}`);
  }
  const repeated = repeatedKey(text);
  if (repeated === null) return value;
  const place = repeated.place === "" ? "file" : repeated.place;
  throw new Fault(place, `the key "${repeated.key}" occurs twice`);
}

type Entries = ReadonlyMap<string, unknown>;

/** The object's own entries: exactly these names, so `__proto__` is just an unknown key. */
function fields(value: unknown, place: string, names: readonly string[]): Entries {
  const entries = ownEntries(value, place);
  for (const name of entries.keys()) {
    if (!names.includes(name)) {
      throw new Fault(place, `unknown key "${name}", expected ${names.join(", ")}`);
    }
  }
  for (const name of names) {
    if (!entries.has(name)) throw new Fault(place, `the key "${name}" is missing`);
  }
  return entries;
}

function ownEntries(value: unknown, place: string): Entries {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Fault(place, `expected an object, got ${kindOf(value)}`);
  }
  return new Map<string, unknown>(Object.entries(value));
}

function list(value: unknown, place: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new Fault(place, `expected a list, got ${kindOf(value)}`);
  if (value.length > genesisEntriesMax) {
    throw new Fault(place, `${value.length} entries, at most ${genesisEntriesMax}`);
  }
  return value;
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : `a ${typeof value}`;
}

function text(value: unknown, place: string): string {
  if (typeof value !== "string") throw new Fault(place, `expected a text, got ${kindOf(value)}`);
  return value;
}

function number(value: unknown, place: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  const got = typeof value === "number" ? `${value}` : kindOf(value);
  throw new Fault(place, `expected a whole number below 2^53, got ${got}`);
}

/** Amounts are texts: a JSON number above 2^53 would have lost digits already. */
function amount(value: unknown, place: string): bigint {
  if (typeof value === "string" && /^(0|[1-9][0-9]{0,59})$/.test(value)) return BigInt(value);
  const got = typeof value === "string" ? `"${value.slice(0, 80)}"` : kindOf(value);
  throw new Fault(place, `expected an amount in wei as decimal text, got ${got}`);
}

function address(value: unknown, place: string): Address {
  const read = textToAddressOrNull(text(value, place));
  if (read === null) throw new Fault(place, `expected an address, got "${String(value)}"`);
  return read;
}

function bytes(value: unknown, place: string, size: number): Uint8Array {
  const read = hexToBytesOrNull(text(value, place));
  if (read === null || read.length !== size) {
    throw new Fault(place, `expected ${size} bytes of hex, got ${read?.length ?? "no hex"}`);
  }
  return read;
}

const kinds = ["public", "private", "development"] as const;

function readContent(json: unknown, registry: Registry): GenesisContent {
  const file = fields(json, "file", [
    "chainName",
    "chainId",
    "kind",
    "timestampMs",
    "parameters",
    "balances",
    "stakes",
    "keys",
  ]);
  const kindText = text(file.get("kind"), "kind");
  const kind = kinds.find((candidate) => candidate === kindText);
  if (kind === undefined) {
    throw new Fault("kind", `expected ${kinds.join(", ")}, got "${kindText}"`);
  }
  return {
    chainName: text(file.get("chainName"), "chainName"),
    chainId: number(file.get("chainId"), "chainId"),
    kind,
    timestampMs: number(file.get("timestampMs"), "timestampMs"),
    parameters: readParameters(file.get("parameters"), registry),
    balances: list(file.get("balances"), "balances").map(readBalance),
    stakes: list(file.get("stakes"), "stakes").map(readStake),
    keys: list(file.get("keys"), "keys").map(readKey),
  };
}

function readParameters(json: unknown, registry: Registry): ReadonlyMap<string, ParameterValue> {
  const values = new Map<string, ParameterValue>();
  for (const [name, given] of ownEntries(json, "parameters")) {
    const place = `parameters.${name}`;
    const definition = registry.parameter(name);
    if (definition === null) throw new Fault(place, "no module has this parameter");
    const value =
      definition.type === "choice"
        ? text(given, place)
        : typeof given === "number"
          ? BigInt(number(given, place))
          : amount(given, place);
    values.set(name, value);
  }
  return values;
}

function readBalance(json: unknown, index: number): { address: Address; coins: Coins } {
  const place = `balances[${index}]`;
  const entry = fields(json, place, ["address", "thetaWei", "tfuelWei"]);
  return {
    address: address(entry.get("address"), `${place}.address`),
    coins: {
      thetaWei: amount(entry.get("thetaWei"), `${place}.thetaWei`),
      tfuelWei: amount(entry.get("tfuelWei"), `${place}.tfuelWei`),
    },
  };
}

function readStake(json: unknown, index: number): GenesisStake {
  const place = `stakes[${index}]`;
  const entry = fields(json, place, ["source", "holder", "thetaWei"]);
  return {
    source: address(entry.get("source"), `${place}.source`),
    holder: address(entry.get("holder"), `${place}.holder`),
    amount: amount(entry.get("thetaWei"), `${place}.thetaWei`),
  };
}

function readKey(json: unknown, index: number): GenesisKey {
  const place = `keys[${index}]`;
  const entry = fields(json, place, ["holder", "blsKey", "proof"]);
  return {
    holder: address(entry.get("holder"), `${place}.holder`),
    blsKey: bytes(entry.get("blsKey"), `${place}.blsKey`, 48),
    proof: bytes(entry.get("proof"), `${place}.proof`, 96),
  };
}
